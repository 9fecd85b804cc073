package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
)

// Kind is what sort of failure an Error is; the caller grades by it.
type Kind string

// The kinds of failure.
const (
	KindConfig      Kind = "config"      // the options contradict each other
	KindSecret      Kind = "secret"      // the password or token could not be had
	KindNetwork     Kind = "network"     // name lookup, connect, reset, end of stream
	KindTimeout     Kind = "timeout"     // nothing came, or nothing could be sent, for Options.Timeout
	KindTLS         Kind = "tls"         // certificate or TLS handshake refused, STARTTLS missing or tampered with
	KindPlaintext   Kind = "plaintext"   // the credentials would cross a network unprotected
	KindAuth        Kind = "auth"        // the server refused the login, or no mechanism fits
	KindUnavailable Kind = "unavailable" // the server refused for now: [UNAVAILABLE], [INUSE], [LIMIT], too many connections
	KindBye         Kind = "bye"         // the server said BYE, or an untagged BAD
	KindLimit       Kind = "limit"       // a line, literal or answer was larger than allowed
	KindProtocol    Kind = "protocol"    // what came is not IMAP
	KindAborted     Kind = "aborted"     // Abort was called, or the context of Dial ended
)

// Error is why a connection could not be made or had to be given up.
type Error struct {
	Kind  Kind
	Doing string // "connect to imap.example.org:993"
	Code  string // the server's response code in upper case, if it gave one
	Text  string // the server's own words, if it gave any; secrets and control characters removed
	Hint  string // what the user can do about it
	Err   error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Doing)
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Code != "" {
		b.WriteString(": [" + e.Code + "]")
	}
	if e.Text != "" {
		b.WriteString(": the server says: " + e.Text)
	}
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// graded gives an I/O error its kind; an error already graded stays as it is.
func graded(doing string, err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	var ne net.Error
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &ne) && ne.Timeout():
		return &Error{Kind: KindTimeout, Doing: doing, Err: err}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Kind: KindNetwork, Doing: doing, Err: errHungUp}
	}
	return &Error{Kind: KindNetwork, Doing: doing, Err: err}
}

// errHungUp stands for io.EOF, which imapclient would take for the proper end
// of a literal.
var errHungUp = errors.New("the server closed the connection")

func protocolError(doing, what string) *Error {
	return &Error{Kind: KindProtocol, Doing: doing, Err: errors.New(what)}
}

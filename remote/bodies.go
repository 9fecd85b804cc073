package remote

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"imapsync/mail"
)

// bodies takes one section of each of many messages from FETCH answers,
// whichever command they come with, and hands it on.
type bodies struct {
	c       *conn
	section *imap.FetchItemBodySection
	after   *selecting    // the SELECT that is sent with the first command
	taken   chan struct{} // not nil: closed when got and want are set
	got     func(uid mail.UID, body io.Reader) error

	mu     sync.Mutex // held while a body is handed on
	want   map[mail.UID]bool
	single mail.UID // when one message alone is asked for: a body that comes before its UID is its
	err    error    // the first error of got, or of a body cut short
}

// take is called from several goroutines. A body keeps the connection's reader
// waiting until it is read, so there is never more than one to be handed on.
func (b *bodies) take(msg *imapclient.FetchMessageData) (goOn bool) {
	if b.after.wait() != nil {
		return true
	}
	if b.taken != nil {
		<-b.taken
	}
	var uid mail.UID
	for item := msg.Next(); item != nil; item = msg.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataUID:
			uid = mail.UID(item.UID)
		case imapclient.FetchItemDataBodySection:
			if item.Literal == nil || !item.MatchCommand(b.section) {
				continue // NIL is no body
			}
			if !b.hand(uid, item.Literal, msg) {
				return false
			}
		}
	}
	return true
}

// hand gives one body to got, unless it was not asked for or came before. It
// returns false when the connection broke in it: imapclient would read the rest
// of it beside its own reader then.
func (b *bodies) hand(uid mail.UID, from imap.LiteralReader, msg *imapclient.FetchMessageData) (goOn bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	body := &literal{from: from, left: from.Size()}
	if uid == 0 {
		uid = b.single
		body.check = func() error { return uidAfter(msg, uid) }
	}
	var err error
	if b.err == nil && b.want[uid] {
		delete(b.want, uid)
		if err = b.got(uid, body); err != nil {
			b.c.kill(err)
		}
	}
	_, rest := io.Copy(io.Discard, body) // the connection's reader waits for it
	if err == nil && body.broken {
		err = rest
	}
	if b.err == nil {
		b.err = err
	}
	return !body.broken
}

// errOtherUID is a body that turned out to be another message's.
var errOtherUID = errors.New("the server sent another message than was asked for")

// uidAfter looks at what follows a body that came before its UID (RFC 3501
// leaves the order of FETCH items open).
func uidAfter(msg *imapclient.FetchMessageData, want mail.UID) error {
	for item := msg.Next(); item != nil; item = msg.Next() {
		if item, ok := item.(imapclient.FetchItemDataUID); ok && mail.UID(item.UID) != want {
			return fmt.Errorf("%w: UID %d", errOtherUID, item.UID)
		}
	}
	return nil
}

// literal reads a body and counts it against the size the server announced:
// imapclient takes the end of the connection for the end of the body. After an
// error it does not touch the connection again.
type literal struct {
	from   io.Reader
	left   int64
	check  func() error // called once all was read, when not nil
	end    error
	broken bool
}

func (l *literal) Read(p []byte) (int, error) {
	if l.end != nil {
		return 0, l.end
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := l.from.Read(p)
	l.left -= int64(n)
	switch {
	case err == nil:
		return n, nil
	case l.left > 0:
		l.end, l.broken = io.ErrUnexpectedEOF, true
	case l.check != nil:
		if l.end = l.check(); l.end == nil {
			l.end = io.EOF
		}
	default:
		l.end = io.EOF
	}
	return n, l.end
}

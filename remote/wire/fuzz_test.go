package wire

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// FuzzServerBytes: whatever a server sends instead of answers, imapclient never
// dies of it, nothing hangs, and memory stays bounded.
func FuzzServerBytes(f *testing.F) {
	for _, seed := range []string{
		"* 1 FETCH (UID 7 FLAGS (\\Seen) BODY[] {5}\r\nhello X-GM-LABELS (\"a\" {1}\r\nb))\r\n",
		"* LIST (\\HasNoChildren) \"/\" {3}\r\nabc\r\n* STATUS abc (MESSAGES 3)\r\n",
		"* SEARCH 1 2 3\r\n* ESEARCH (TAG \"T4\") UID ALL 1:4294967295\r\n",
		"* OK [PERMANENTFLAGS (\\Seen \\*)] x\r\n* OK [UIDVALIDITY 0] y\r\n* NO [ALERT] z\r\n* FLAGS (a]b)\r\n",
		"* 3 EXISTS\r\n* 1 EXPUNGE\r\n* BYE later\r\n+ go\r\n\r\nT1 BAD [\r\nT2 NO [COPYUID 1 2:3 4:5] x\r\n",
		"* 1 FETCH (BODY[HEADER.FIELDS (A B)]<0> ~{1}\r\na UID 7 ENVELOPE (((((NIL))))) MODSEQ (4) INTERNALDATE NIL)\r\n",
		"* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n* QUOTA a (b 1 2)\r\n* QUOTAROOT a b\r\n* ESEARCH\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		ours, theirs := net.Pipe()
		go answerAll(theirs, data)
		c := newConn(Options{Host: "fuzz", Timeout: 200 * time.Millisecond, MaxLine: 64 << 10, MaxLiteral: 1 << 20, MaxAnswer: 1 << 24}, ours)
		c.ahead = []string{"CAPABILITY", idCommand}
		c.ready()
		watchdog := time.AfterFunc(time.Minute, func() { panic("hung") })
		defer watchdog.Stop()
		cl := imapclient.New(c, nil)
		drive(cl)
		c.mu.Lock()
		died := c.closed && c.err == nil // it closes a connection it does not understand
		c.mu.Unlock()
		c.Abort(errors.New("enough"))
		theirs.Close()
		if err := cl.Close(); died {
			t.Errorf("imapclient died: %v\nof %q", err, data)
		}
	})
}

// FuzzCompressed: the same for what a server sends where compressed data is due.
func FuzzCompressed(f *testing.F) {
	for _, text := range []string{
		"* 1 FETCH (UID 7 FLAGS (\\Seen) BODY[] {5}\r\nhello)\r\nT1 OK x\r\n",
		"* OK " + strings.Repeat("a", 100_000) + "\r\n",
	} {
		var packed bytes.Buffer
		z, _ := flate.NewWriter(&packed, flate.BestSpeed)
		io.WriteString(z, text)
		z.Flush()
		f.Add(packed.Bytes())
		f.Add(packed.Bytes()[:packed.Len()/2])
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		ours, theirs := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		go func() { _, _ = theirs.Write(data); theirs.Close() }()
		c := newConn(Options{Host: "fuzz", Timeout: 200 * time.Millisecond, MaxLine: 64 << 10, MaxLiteral: 1 << 20, MaxAnswer: 1 << 24}, ours)
		c.ready()
		c.inflate()
		c.deflate()
		watchdog := time.AfterFunc(time.Minute, func() { panic("hung") })
		defer watchdog.Stop()
		cl := imapclient.New(c, nil)
		drive(cl)
		c.mu.Lock()
		died := c.closed && c.err == nil
		c.mu.Unlock()
		c.Abort(errors.New("enough"))
		if err := cl.Close(); died {
			t.Errorf("imapclient died: %v\nof %q", err, data)
		}
	})
}

// FuzzHandshake: whatever a server sends instead of a greeting and a login, Dial
// ends, with an error of its own and without the password in it.
func FuzzHandshake(f *testing.F) {
	for _, seed := range []string{
		"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\r\nA1 OK in\r\n* CAPABILITY ID\r\nA2 OK [CAPABILITY ID] x\r\n* ID (\"a\" {1}\r\nb)\r\nA3 OK\r\n",
		"* OK [CAPABILITY AUTH=SCRAM-SHA-256] hi\r\n+ \r\n+ cj14LHM9eCxpPTE=\r\nA1 NO x\r\n",
		"* PREAUTH hi\r\nA1 OK\r\n", "* BYE\r\n", "\r\n\r\n+\r\n", "* OK hi\r\nA1 OK\r\nA2 NO [ALERT] hunter2hunter2\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		ours, theirs := net.Pipe()
		go io.Copy(io.Discard, theirs)
		go func() { theirs.Write(data); theirs.Close() }()
		watchdog := time.AfterFunc(time.Minute, func() { panic("hung") })
		defer watchdog.Stop()
		const secret = "hunter2hunter2"
		var trace strings.Builder
		c, err := Dial(t.Context(), Options{Host: "fuzz", Security: Plain, AllowPlain: true, User: "u", Timeout: 200 * time.Millisecond,
			Secret:      func(context.Context) (string, error) { return secret, nil },
			Trace:       func(fromServer bool, line string) { trace.WriteString(line) },
			DialContext: func(context.Context, string, string) (net.Conn, error) { return ours, nil }})
		var e *Error
		switch {
		case err == nil:
			c.Close()
		case !errors.As(err, &e):
			t.Errorf("error %v", err)
		case strings.Contains(err.Error()+trace.String(), secret) && !strings.Contains(string(data), secret):
			t.Errorf("the password is in %v or %q", err, trace.String())
		}
	})
}

// answerAll answers each line of the client by data and an OK.
func answerAll(conn net.Conn, data []byte) {
	defer conn.Close()
	br := bufio.NewReader(conn)
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return
		}
		tag, _, _ := strings.Cut(line, " ")
		if _, err := io.WriteString(conn, string(data)+"\r\n"+tag+" OK done\r\n"); err != nil {
			return
		}
	}
}

// drive does what a synchroniser does, until something fails.
func drive(cl *imapclient.Client) {
	if _, err := cl.List("", "*", &imap.ListOptions{ReturnStatus: &imap.StatusOptions{NumMessages: true}}).Collect(); err != nil {
		return
	}
	if _, err := cl.Select("INBOX", nil).Wait(); err != nil {
		return
	}
	items := &imap.FetchOptions{UID: true, Flags: true, InternalDate: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}}
	if _, err := cl.Fetch(imap.UIDSet{{Start: 1, Stop: 0}}, items).Collect(); err != nil {
		return
	}
	found, err := cl.UIDSearch(&imap.SearchCriteria{}, &imap.SearchOptions{ReturnAll: true}).Wait()
	if err != nil {
		return
	}
	found.AllUIDs()
	if _, err := cl.Status("INBOX", &imap.StatusOptions{UIDNext: true}).Wait(); err != nil {
		return
	}
	cl.Expunge().Close()
}

package wire_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"imapsync/remote/wire"
)

// talk is a whole session, as a server has it: what the client sends, and the
// responses to it.
var talk = []struct {
	command   string // "" for the greeting
	responses []string
}{
	{"", []string{"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hello"}},
	{"A1 AUTHENTICATE PLAIN", []string{"A1 OK in"}},
	{"A2 CAPABILITY", []string{"* CAPABILITY IMAP4rev1 ESEARCH UIDPLUS", "A2 OK done"}},
	{"T1 LIST", []string{`* LIST () "/" INBOX`, `* LIST (\HasNoChildren) "/" {3}` + "\r\na\"b", "T1 OK done"}},
	{"T2 STATUS", []string{`* STATUS INBOX (MESSAGES 2 UIDNEXT 9)`, "T2 OK done"}},
	{"T3 SELECT", []string{`* FLAGS (\Seen)`, "* 2 EXISTS", "* OK [UIDVALIDITY 7] x", "* OK [UIDNEXT 9] x", "T3 OK [READ-WRITE] done"}},
	{"T4 UID FETCH", []string{`* 1 FETCH (UID 3 FLAGS (\Seen) RFC822.SIZE 5)`, `* 2 FETCH (UID 8 FLAGS () RFC822.SIZE 6)`, "T4 OK done"}},
	{"T5 UID FETCH", []string{"* 1 FETCH (UID 3 BODY[] {5}\r\na\r\nb))", "* 2 FETCH (BODY[] {6}\r\n* BYE\r UID 8)", "T5 OK done"}},
	{"T6 UID SEARCH", []string{`* ESEARCH (TAG "T6") UID ALL 3,8`, "T6 OK done"}},
	{"T7 APPEND", []string{"+ go", "* 3 EXISTS", "T7 OK [APPENDUID 7 9] done"}},
	{"T8 UID STORE", []string{`* 3 FETCH (UID 9 FLAGS (\Seen))`, "T8 OK done"}},
	{"T9 NOOP", []string{"* 3 EXPUNGE", "T9 OK done"}},
}

// playTalk plays the server's part; at is asked before each response, which
// counts from 0, and again after the last.
func playTalk(s *server, at func(n int) (goOn bool)) {
	n := 0
	for _, step := range talk {
		if step.command != "" {
			if line := s.line(); !strings.HasPrefix(line, step.command) {
				panic(errScript)
			}
		}
		for _, response := range step.responses {
			if !at(n) {
				s.untilClosed()
				return
			}
			n++
			s.write("%s", response+"\r\n")
			if response == "+ go" {
				s.octets(len("hello\r\n"))
			}
		}
	}
	at(n)
	s.untilClosed()
}

func responses() (n int) {
	for _, step := range talk {
		n += len(step.responses)
	}
	return n
}

// useTalk plays the client's part with the real library, and tells what it saw.
func useTalk(t *testing.T, c *wire.Conn) (seen []string, err error) {
	t.Helper()
	cl := imapclient.New(c, nil)
	defer func() { c.Abort(errors.New("done")); cl.Close() }()
	see := func(what any, failed error) bool {
		if failed == nil {
			seen = append(seen, fmt.Sprint(what))
		} else if err == nil {
			err = failed
		}
		return failed == nil
	}
	if !see("greeting", cl.WaitGreeting()) {
		return seen, err
	}
	boxes, failed := cl.List("", "*", nil).Collect()
	names := ""
	for _, box := range boxes {
		names += box.Mailbox + "|"
	}
	see(names, failed)
	status, failed := cl.Status("INBOX", &imap.StatusOptions{NumMessages: true, UIDNext: true}).Wait()
	if see("status", failed) {
		see(fmt.Sprint(*status.NumMessages, status.UIDNext), nil)
	}
	if data, failed := cl.Select("INBOX", nil).Wait(); see("select", failed) {
		see(fmt.Sprint(data.NumMessages, data.UIDValidity, data.UIDNext, data.Flags), nil)
	}
	if err != nil {
		return seen, err
	}
	for _, items := range []*imap.FetchOptions{{UID: true, Flags: true, RFC822Size: true}, wholeBody} {
		text, failed := collect(cl, cl.Fetch(imap.UIDSetNum(3, 8), items))
		if !see(text, failed) {
			return seen, err
		}
	}
	found, failed := cl.UIDSearch(&imap.SearchCriteria{}, &imap.SearchOptions{ReturnAll: true}).Wait()
	if !see(found.AllUIDs(), failed) {
		return seen, err
	}
	data, failed := appendMessage(cl, "hello")
	if !see(data, failed) { // an APPEND that was given up keeps the library's lock
		return seen, err
	}
	see("store", cl.Store(imap.UIDSetNum(9), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{`\Seen`}}, nil).Close())
	see("noop", cl.Noop().Wait())
	return seen, err
}

// collect reads all of a FETCH. Once a body broke off, the library's own reader
// must have ended before anything else is read.
func collect(cl *imapclient.Client, cmd *imapclient.FetchCommand) (text string, err error) {
	for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
		text += fmt.Sprint("message ", msg.SeqNum)
		for item := msg.Next(); item != nil; item = msg.Next() {
			switch item := item.(type) {
			case imapclient.FetchItemDataUID:
				text += fmt.Sprint(" UID ", item.UID)
			case imapclient.FetchItemDataFlags:
				text += fmt.Sprint(" flags ", item.Flags)
			case imapclient.FetchItemDataRFC822Size:
				text += fmt.Sprint(" size ", item.Size)
			case imapclient.FetchItemDataBodySection:
				body, err := io.ReadAll(item.Literal)
				if err != nil {
					<-cl.Closed()
					cmd.Close()
					return text, err
				}
				text += fmt.Sprintf(" %q", body)
			}
		}
	}
	return text, cmd.Close()
}

// connectTalk runs the session; whatever ends the login is an error as well.
func connectTalk(t *testing.T, script func(s *server), change ...func(*wire.Options)) (seen []string, failure error) {
	t.Helper()
	o := options(listen(t, script))
	for _, f := range change {
		f(&o)
	}
	c, err := wire.Dial(t.Context(), o)
	if err != nil {
		return nil, err
	}
	seen, err = useTalk(t, c)
	if err != nil && c.Err() != nil {
		err = c.Err()
	}
	return seen, err
}

func undisturbed(t *testing.T) string {
	t.Helper()
	seen, err := connectTalk(t, func(s *server) { playTalk(s, func(int) bool { return true }) })
	if err != nil || !strings.Contains(strings.Join(seen, "\n"), `"a\r\nb)"`) {
		t.Fatalf("undisturbed: %q, %v", seen, err)
	}
	return strings.Join(seen, "\n")
}

// strange are lines that mean nothing to us, wherever they come.
var strange = []string{
	"* XFOO bar", "* VANISHED (EARLIER) 1:9", "* VANISHED 3", "* 7 UIDFETCH (FLAGS ())", "* ENABLED QRESYNC", "* ID (\"name\" NIL)", "* ID NIL",
	"", " ", "*", "* ", "X9 OK what", "A77 NO twice", "T99 BAD never sent", "T0 NO [ALERT] never sent", "[COPYUID 1 2 3]",
	"* OK Still here", "* OK [X-ODD \"a)\"] odd", "* NO a warning", "* NO [ALERT] mind the gap", "* PREAUTH again", "* 5 RECENT", "* 99999999999 EXISTS",
	"* XLIST () \"/\" x", "* LSUB () \"/\" x", "* XFOO {7}\r\n* BYE\r\n", "* XFOO {0}\r\n", "* X ({3}\r\na\"b \"c\")", "\x00\x01\x02\xff", "* \x00", "* 0 FETCH (UID 3)",
	"* 0 EXPUNGE", "* -1 EXISTS", "* 2 FETCH", "* 2 FETCH (UID 0 FLAGS (\\Deleted))", "* 2 FETCH (UID 4294967299 FLAGS (\\Deleted))", "* 1 XFETCH (UID 3)",
	"* QUOTA x", "* NAMESPACE", "* GENURLAUTH x", "* METADATA \"\" (/a {1}\r\nb)", strings.Repeat("* y", 5000),
}

// TestStrangeAnywhere puts each strange line before each response: the session
// goes on and sees the same.
func TestStrangeAnywhere(t *testing.T) {
	want := undisturbed(t)
	for n := 1; n <= responses(); n++ { // the first line must be the greeting
		for _, all := range []bool{true, false} {
			lines := strange[n%len(strange):][:1]
			if all {
				lines = strange
			}
			seen, err := connectTalk(t, func(s *server) {
				playTalk(s, func(i int) bool {
					if i == n {
						s.write("%s", strings.Join(lines, "\r\n")+"\r\n")
					}
					return true
				})
			})
			if got := strings.Join(seen, "\n"); got != want || err != nil {
				t.Errorf("before response %d, all %v: %v, saw\n%s\nwant\n%s", n, all, err, got, want)
			}
		}
	}
}

// TestEndAnywhere ends the session before each response in each of the ways a
// server, or the network, can.
func TestEndAnywhere(t *testing.T) {
	full := strings.Split(undisturbed(t), "\n")
	for name, end := range map[string]struct {
		do    func(s *server)
		kinds []wire.Kind
		text  string
	}{
		"BYE":          {func(s *server) { s.write("* BYE [UNAVAILABLE] back in 5 minutes\r\n") }, []wire.Kind{wire.KindBye}, "back in 5 minutes"},
		"untagged BAD": {func(s *server) { s.write("* BAD nonsense\r\n") }, []wire.Kind{wire.KindBye, wire.KindProtocol}, "nonsense"},
		"close":        {func(s *server) { s.conn.Close() }, []wire.Kind{wire.KindNetwork}, ""},
		"half a line":  {func(s *server) { s.write("* 1 FET"); s.conn.Close() }, []wire.Kind{wire.KindNetwork}, ""},
		"cut literal":  {func(s *server) { s.write("* 1 FETCH (UID 3 BODY[] {99}\r\nab"); s.conn.Close() }, []wire.Kind{wire.KindNetwork, wire.KindProtocol}, ""},
		"endless line": {func(s *server) { s.flood(strings.Repeat("x", 1<<16)) }, []wire.Kind{wire.KindLimit}, "more than"},
		"blank lines":  {func(s *server) { s.flood(strings.Repeat("\r\n", 1<<15)) }, []wire.Kind{wire.KindLimit}, "more than"},
		"silence":      {func(s *server) { s.untilClosed() }, []wire.Kind{wire.KindTimeout}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for n := range responses() {
				seen, err := connectTalk(t, func(s *server) {
					playTalk(s, func(i int) bool {
						if i == n {
							end.do(s)
						}
						return i != n
					})
				}, func(o *wire.Options) {
					if o.MaxAnswer = 256 << 10; name == "silence" {
						o.Timeout = 30 * time.Millisecond
					}
				})
				var e *wire.Error
				if !errors.As(err, &e) || !strings.Contains(fmt.Sprint(end.kinds), string(e.Kind)) || !strings.Contains(e.Error(), end.text) {
					t.Errorf("before response %d: %v, want one of %v with %q", n, err, end.kinds, end.text)
				}
				for i := range seen { // what was seen before is right
					if i < len(full) && seen[i] != full[i] && !strings.HasPrefix(full[i], seen[i]) {
						t.Errorf("before response %d: saw %q, want %q", n, seen[i], full[i])
					}
				}
			}
		})
	}
}

// flood writes the same for ever.
func (s *server) flood(block string) {
	for {
		if _, err := io.WriteString(s.conn, block); err != nil {
			return
		}
	}
}

// TestPackets cuts the stream into single bytes, and sends whole answers, or all
// that comes after login, in one packet before it is asked for.
func TestPackets(t *testing.T) {
	want := undisturbed(t)
	one := func(o *wire.Options) {
		o.AllowPlain = true
		o.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			return bytewise{conn}, err
		}
	}
	seen, err := connectTalk(t, func(s *server) { playTalk(s, func(int) bool { return true }) }, one)
	if got := strings.Join(seen, "\n"); got != want || err != nil {
		t.Errorf("bytewise: %v, saw\n%s\nwant\n%s", err, got, want)
	}
	seen, err = connectTalk(t, func(s *server) {
		for _, step := range talk {
			if step.command != "" {
				s.line()
			}
			text := strings.Join(step.responses, "\r\n") + "\r\n"
			if rest, ok := strings.CutPrefix(text, "+ go\r\n"); ok {
				s.write("+ go\r\n")
				s.octets(len("hello\r\n"))
				text = rest
			}
			s.write("%s", text)
		}
		s.untilClosed()
	})
	if got := strings.Join(seen, "\n"); got != want || err != nil {
		t.Errorf("merged: %v, saw\n%s\nwant\n%s", err, got, want)
	}
	// A server that answers before it is asked is not believed: the answers are
	// to nothing, and the question that follows stays open.
	_, err = connectTalk(t, func(s *server) {
		var b strings.Builder
		for _, step := range talk {
			b.WriteString(strings.Join(step.responses, "\r\n") + "\r\n")
		}
		s.write("%s", b.String())
		s.untilClosed()
	}, func(o *wire.Options) { o.Timeout = 100 * time.Millisecond })
	var e *wire.Error
	if !errors.As(err, &e) || e.Kind != wire.KindTimeout {
		t.Errorf("all at once: %v", err)
	}
}

package wire_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"

	"imapsync/remote/wire"
)

// TestMultiAppend: one command with all messages, whose answer goes to whoever
// sent it, and what comes in between to imapclient.
func TestMultiAppend(t *testing.T) {
	var mu sync.Mutex
	var trace []string
	c := dial(t, "LITERAL+ MULTIAPPEND", func(s *server) {
		tag := s.expect(`APPEND "a\"b &ANY-" (\Seen x) "29-Feb-2024 13:14:15 +0100" {5+}`)
		first := s.octets(5)
		second := s.line()
		if rest := s.octets(9000); first != "first" || second != " {9000+}" || strings.Trim(rest, "m") != "" {
			s.t.Errorf("%q %q", first, second)
		}
		if end := s.line(); end != "" {
			s.t.Errorf("%q after the messages", end)
		}
		s.write("* 5 EXISTS\r\n+ unasked\r\n%s OK [APPENDUID 1 7:8] correct horse\r\n", tag)
		s.noop()
	}, func(o *wire.Options) {
		o.Trace = func(_ bool, line string) { mu.Lock(); defer mu.Unlock(); trace = append(trace, line) }
	})
	exists := make(chan uint32, 1)
	cl := client(t, c, &imapclient.UnilateralDataHandler{Mailbox: func(data *imapclient.UnilateralDataMailbox) {
		if data.NumMessages != nil {
			exists <- *data.NumMessages
		}
	}})
	before := c.Stats()
	m := c.MultiAppend(`a"b Ö`)
	m.Add([]string{`\Seen`, "x"}, time.Date(2024, 2, 29, 13, 14, 15, 0, time.FixedZone("", 3600)), []byte("first"))
	m.Add(nil, time.Time{}, []byte(strings.Repeat("m", 9000)))
	m.End()
	answer, err := m.Wait()
	if err != nil || answer != (wire.Answer{Status: "OK", Code: "APPENDUID", Args: "1 7:8", Text: "[redacted]"}) {
		t.Errorf("%+v, %v", answer, err)
	}
	if n := <-exists; n != 5 {
		t.Errorf("EXISTS %d", n)
	}
	alive(t, c, cl)
	if d := c.Stats(); d.Commands-before.Commands != 2 || d.BytesOut-before.BytesOut < 9005 {
		t.Errorf("stats %+v after %+v", d, before)
	}
	mu.Lock()
	defer mu.Unlock()
	lines := strings.Join(trace, "\n")
	if !strings.Contains(lines, ` APPEND "a\"b &ANY-"`) || strings.Contains(lines, "first") || strings.Contains(lines, "mmm") {
		t.Errorf("traced:\n%s", lines)
	}
}

// TestMultiAppendRefusedEarly: the answer may come before the command is
// complete, whose rest the server skips. Messages larger than any buffer are
// sent as they are added.
func TestMultiAppendRefusedEarly(t *testing.T) {
	const large = 1 << 20
	told := make(chan struct{})
	c := dial(t, "LITERAL+ MULTIAPPEND", func(s *server) {
		tag := s.expect("APPEND \"INBOX\" {1048576+}")
		s.octets(large / 2)
		s.write("%s NO [TOOBIG] no\r\n", tag)
		s.octets(large / 2)
		close(told)
		if line := s.line(); line != " {3+}" {
			s.t.Errorf("%q between the messages", line)
		}
		s.octets(3)
		s.line()
		s.noop()
	})
	cl := client(t, c, nil)
	m := c.MultiAppend("inbox")
	m.Add(nil, time.Time{}, make([]byte, large))
	answer, err := m.Wait()
	if err != nil || answer.Status != "NO" || answer.Code != "TOOBIG" {
		t.Errorf("%+v, %v", answer, err)
	}
	<-told
	m.Add(nil, time.Time{}, []byte("bbb"))
	m.End()
	alive(t, c, cl)
}

// TestMultiAppendAfterTheEnd: nobody waits for the answer of a connection that
// has ended, whichever way and whenever.
func TestMultiAppendAfterTheEnd(t *testing.T) {
	for name, end := range map[string]func(c *wire.Conn){
		"closed":  func(c *wire.Conn) { _ = c.Close() },
		"aborted": func(c *wire.Conn) { c.Abort(errors.New("no more")) },
		"lost":    func(c *wire.Conn) { _, _ = io.Copy(io.Discard, c) },
	} {
		for _, early := range []bool{true, false} {
			c := dial(t, "LITERAL+ MULTIAPPEND", func(s *server) {
				if !early {
					s.expect("APPEND")
					s.octets(4)
					s.line()
				}
			})
			m := c.MultiAppend("INBOX")
			if early {
				end(c)
			}
			m.Add(nil, time.Time{}, []byte("text"))
			m.End()
			if !early {
				end(c)
			}
			if answer, err := m.Wait(); err == nil {
				t.Errorf("%s, early %v: %+v", name, early, answer)
			}
			if _, err := c.Write([]byte("T1 NOOP\r\n")); err == nil {
				t.Errorf("%s, early %v: the connection goes on", name, early)
			}
		}
	}
}

// TestMultiAppendLimit: only where no literal must be awaited.
func TestMultiAppendLimit(t *testing.T) {
	for caps, want := range map[string]int64{
		"LITERAL+": 0, "MULTIAPPEND": 0, "MULTIAPPEND LITERAL-": 4096, "MULTIAPPEND LITERAL+": 1 << 30,
	} {
		c := dial(t, caps, (*server).untilClosed)
		if got := c.MultiAppendLimit(); got != want {
			t.Errorf("%s: %d, want %d", caps, got, want)
		}
	}
}

func TestAppendedUIDs(t *testing.T) {
	for _, test := range []struct {
		args string
		n    int
		want []uint32
	}{
		{"9 5", 1, []uint32{5}},
		{"9 5:7,9", 4, []uint32{5, 6, 7, 9}},
		{"9 4294967294", 1, []uint32{4294967294}},
		{"9 5:7", 2, nil},
		{"9 5:7", 4, nil},
		{"9 1:4294967295", 3, nil},
		{"9 7,5", 2, nil}, // not in ascending order (RFC 4315): which is which is not told
		{"9 5,5", 2, nil},
		{"9 0", 1, nil},
		{"9 5,", 1, nil},
		{"9", 1, nil},
		{"x 5", 1, nil},
		{"", 0, nil},
	} {
		validity, got, ok := wire.AppendedUIDs(test.args, test.n)
		if ok != (test.want != nil) || ok && (validity != 9 || !slices.Equal(got, test.want)) {
			t.Errorf("%q of %d: %d %v %v", test.args, test.n, validity, got, ok)
		}
	}
}

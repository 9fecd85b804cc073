package wire_test

import (
	"crypto/tls"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"imapsync/remote/wire"
)

func appendMessage(cl *imapclient.Client, text string) (*imap.AppendData, error) {
	cmd := cl.Append("INBOX", int64(len(text)), nil)
	if _, err := cmd.Write([]byte(text)); err != nil {
		return nil, err
	}
	if err := cmd.Close(); err != nil {
		return nil, err
	}
	return cmd.Wait()
}

// TestAppendLiteral: which literals are sent unasked.
func TestAppendLiteral(t *testing.T) {
	for _, test := range []struct {
		caps, header string
		size         int
		asks         bool
	}{
		{"", "{5}", 5, true},
		{"", "{9000}", 9000, true},
		{"LITERAL+", "{5+}", 5, false},
		{"LITERAL+", "{0+}", 0, false},
		{"LITERAL+", "{9000+}", 9000, false},
		{"LITERAL-", "{4096+}", 4096, false},
		{"LITERAL-", "{4097}", 4097, true},
	} {
		c := dial(t, test.caps, func(s *server) {
			tag := s.expect("APPEND INBOX " + test.header)
			if test.asks {
				s.write("* 3 EXISTS\r\n+ go\r\n")
			}
			if got := s.octets(test.size); got != strings.Repeat("m", test.size) {
				s.t.Errorf("%s %s: the message arrived wrong", test.caps, test.header)
			}
			if got := s.line(); got != "" {
				s.t.Errorf("%q after the message", got)
			}
			s.write("%s OK [APPENDUID 1 7] done\r\n", tag)
			s.noop()
		})
		cl := client(t, c, nil)
		if data, err := appendMessage(cl, strings.Repeat("m", test.size)); err != nil || data.UID != 7 {
			t.Errorf("%s %s: %+v, %v", test.caps, test.header, data, err)
		}
		alive(t, c, cl)
	}
}

// TestAppendAfterTheEnd: a literal that need not be invited is not accepted
// either once the connection has ended. imapclient, whose reader is gone, would
// wait for ever for the invitation.
func TestAppendAfterTheEnd(t *testing.T) {
	for name, end := range map[string]func(c *wire.Conn){
		"closed":  func(c *wire.Conn) { _ = c.Close() },
		"aborted": func(c *wire.Conn) { c.Abort(errors.New("no more")) },
		"lost":    func(c *wire.Conn) { _, _ = io.Copy(io.Discard, c) },
	} {
		c := dial(t, "LITERAL+", func(s *server) {})
		end(c)
		if n, err := c.Write([]byte("T1 APPEND INBOX {9000}\r\n")); n != 0 || err == nil {
			t.Errorf("%s: %d octets taken, %v", name, n, err)
		}
	}
}

// TestAppendRefusedEarly: a NO instead of the continuation leaves the
// connection usable; the message is swallowed.
func TestAppendRefusedEarly(t *testing.T) {
	for _, size := range []int{0, 5, 9000, 300_000} {
		c := dial(t, "", func(s *server) {
			s.write("%s NO [OVERQUOTA] mailbox is full\r\n", s.expect("APPEND INBOX {"))
			tag := s.expect("APPEND INBOX {2}")
			s.write("+ go\r\n")
			if got := s.octets(4); got != "ok\r\n" {
				s.t.Errorf("second message %q", got)
			}
			s.write("* 1 EXISTS\r\n%s OK [APPENDUID 1 8] done\r\n", tag)
			s.noop()
		})
		cl := client(t, c, nil)
		_, err := appendMessage(cl, strings.Repeat("m", size))
		var e *imap.Error
		if !errors.As(err, &e) || e.Type != "NO" || e.Code != imap.ResponseCodeOverQuota || e.Text != "mailbox is full" {
			t.Errorf("size %d: %v", size, err)
		}
		if data, err := appendMessage(cl, "ok"); err != nil || data.UID != 8 {
			t.Errorf("size %d: second %+v, %v", size, data, err)
		}
		if !has(c.Notices(), wire.NoticeStatus, "OVERQUOTA", "mailbox is full") {
			t.Error("the refusal is not told")
		}
		alive(t, c, cl)
	}
}

// TestAppendRefusedMidway: with LITERAL+ the NO may come while the message is
// on its way; imapclient sees it when it has sent all.
func TestAppendRefusedMidway(t *testing.T) {
	c := dial(t, "LITERAL+", func(s *server) {
		tag := s.expect("APPEND INBOX {200000+}")
		s.octets(100_000)
		s.write("%s NO [TOOBIG] too large\r\n* 5 EXISTS\r\n", tag)
		s.octets(100_002)
		s.noop()
	})
	cl := client(t, c, nil)
	_, err := appendMessage(cl, strings.Repeat("m", 200_000))
	var e *imap.Error
	if !errors.As(err, &e) || e.Code != "TOOBIG" {
		t.Error(err)
	}
	alive(t, c, cl)
}

// TestAppendPipelined: many APPENDs in flight while their answers, and other
// responses, come in between.
func TestAppendPipelined(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		appendPipelined(t, func(script func(*server)) *wire.Conn { return dial(t, "LITERAL+", script) })
	})
	t.Run("TLS", func(t *testing.T) {
		const name = "imap.example.org"
		cert := certFor(t, name, time.Now().Add(time.Hour))
		appendPipelined(t, func(script func(*server)) *wire.Conn {
			o := options(listen(t, func(s *server) {
				if s.startTLS(&tls.Config{Certificates: []tls.Certificate{cert}}) {
					s.login("LITERAL+")
					script(s)
				}
			}))
			o.Security = wire.Implicit
			trusting(cert, name)(&o)
			c, err := wire.Dial(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			return c
		})
	})
}

func appendPipelined(t *testing.T, dial func(script func(*server)) *wire.Conn) {
	const n = 50
	body := strings.Repeat("m", 10_000)
	c := dial(func(s *server) {
		for i := range n {
			tag := s.expect("APPEND INBOX {10000+}")
			s.octets(10_002)
			s.write("* %d EXISTS\r\n* OK [X-PROGRESS] y\r\n%s OK [APPENDUID 1 %d] done\r\n", i+1, tag, i+1)
		}
		s.noop()
	})
	cl := client(t, c, nil)
	var cmds []*imapclient.AppendCommand
	for range n {
		cmd := cl.Append("INBOX", int64(len(body)), nil)
		if _, err := cmd.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Close(); err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	for i, cmd := range cmds {
		if data, err := cmd.Wait(); err != nil || int(data.UID) != i+1 {
			t.Fatalf("APPEND %d: %+v, %v", i, data, err)
		}
	}
	alive(t, c, cl)
	if turns := c.Stats().Turnarounds; turns > n+10 {
		t.Errorf("%d turnarounds", turns)
	}
}

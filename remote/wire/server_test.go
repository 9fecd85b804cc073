package wire_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"

	"imapsync/remote/wire"
)

const (
	user     = "jane@example.org"
	password = "correct horse"
)

// server plays the server's side of one connection from a script.
type server struct {
	t    testing.TB
	conn net.Conn
	br   *bufio.Reader
}

// errScript ends a script whose client did something else.
var errScript = errors.New("script ended")

// listen starts a scripted server on a loopback port.
func listen(t testing.TB, script func(s *server)) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		s := &server{t: t, conn: conn, br: bufio.NewReader(conn)}
		defer conn.Close()
		defer func() {
			if v := recover(); v != nil && v != errScript {
				panic(v)
			}
		}()
		script(s)
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().(*net.TCPAddr).Port
}

// line reads one line of the client.
func (s *server) line() string {
	line, err := s.br.ReadString('\n')
	if err != nil {
		panic(errScript)
	}
	return strings.TrimRight(line, "\r\n")
}

// expect reads a command and returns its tag; want is what must follow it.
func (s *server) expect(want string) (tag string) {
	line := s.line()
	tag, rest, _ := strings.Cut(line, " ")
	if !strings.HasPrefix(rest, want) {
		s.t.Errorf("client sent %q, want %q", line, want)
		panic(errScript)
	}
	return tag
}

// octets reads a literal.
func (s *server) octets(n int) string {
	b := make([]byte, n)
	if _, err := io.ReadFull(s.br, b); err != nil {
		panic(errScript)
	}
	return string(b)
}

func (s *server) write(format string, args ...any) {
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	io.WriteString(s.conn, text)
}

// ok answers a command.
func (s *server) ok(tag string) { s.write("%s OK done\r\n", tag) }

// untilClosed reads whatever comes until the client closes.
func (s *server) untilClosed() { io.Copy(io.Discard, s.br) }

// login greets, logs in by PLAIN and tells the capabilities.
func (s *server) login(caps string) {
	caps = strings.TrimSpace("IMAP4rev1 SASL-IR AUTH=PLAIN " + caps)
	s.write("* OK [CAPABILITY %s] hello\r\n", caps)
	s.ok(s.expect("AUTHENTICATE PLAIN "))
	tag := s.expect("CAPABILITY")
	s.write("* CAPABILITY %s\r\n%s OK done\r\n", caps, tag)
	if strings.Contains(" "+caps+" ", " ID ") {
		s.ok(s.expect("ID "))
	}
}

func options(port int) wire.Options {
	return wire.Options{
		Host: "127.0.0.1", Port: port, Security: wire.Plain, User: user,
		Secret:  func(context.Context) (string, error) { return password, nil },
		Timeout: 10 * time.Second,
	}
}

// dial connects to a script that has logged in already when it is called.
func dial(t testing.TB, caps string, script func(s *server), change ...func(*wire.Options)) *wire.Conn {
	t.Helper()
	o := options(listen(t, func(s *server) {
		s.login(caps)
		script(s)
	}))
	for _, f := range change {
		f(&o)
	}
	c, err := wire.Dial(t.Context(), o)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// client puts the real imapclient on a connection.
func client(t testing.TB, c *wire.Conn, h *imapclient.UnilateralDataHandler) *imapclient.Client {
	t.Helper()
	cl := imapclient.New(c, &imapclient.Options{UnilateralDataHandler: h})
	t.Cleanup(func() { c.Abort(errors.New("test ended")); cl.Close() })
	if err := cl.WaitGreeting(); err != nil {
		t.Fatalf("greeting: %v", err)
	}
	return cl
}

// alive checks that the library has survived: the next command works.
func alive(t testing.TB, c *wire.Conn, cl *imapclient.Client) {
	t.Helper()
	if err := cl.Noop().Wait(); err != nil {
		t.Errorf("NOOP afterwards: %v (wire: %v)", err, c.Err())
	}
}

// noop answers alive.
func (s *server) noop() {
	s.ok(s.expect("NOOP"))
	s.untilClosed()
}

// has finds a notice.
func has(notices []wire.Notice, kind wire.NoticeKind, name, text string) bool {
	for _, n := range notices {
		if n.Kind == kind && n.Name == name && strings.Contains(n.Text, text) {
			return true
		}
	}
	return false
}

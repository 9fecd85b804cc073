package wire

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// watched keeps the last read deadline that was set.
type watched struct {
	net.Conn
	mu   sync.Mutex
	read time.Time
}

func (w *watched) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	w.read = t
	w.mu.Unlock()
	return w.Conn.SetReadDeadline(t)
}

func (w *watched) armed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.read.IsZero()
}

// TestDeadlineOnlyWhileDue: armed by a command, gone with its answer; none
// while idling or while the client itself is slow with a message.
func TestDeadlineOnlyWhileDue(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	w := &watched{Conn: ours}
	c := newConn(Options{Host: "test", Timeout: time.Hour, MaxLine: 1 << 20, MaxAnswer: 1 << 30}, w)
	c.ready()
	c.out = nil
	go io.Copy(io.Discard, theirs)
	defer c.Close()

	step := func(line, answer string, during, after bool) {
		t.Helper()
		if _, err := c.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
		if c.SetReadDeadline(time.Unix(1, 0)); w.armed() != during {
			t.Errorf("%q: deadline %v, want %v", line, w.armed(), during)
		}
		if answer == "" {
			return
		}
		go io.WriteString(theirs, answer)
		buf := make([]byte, 100)
		if _, err := c.Read(buf); err != nil {
			t.Fatal(err)
		}
		c.mu.Lock()
		due := c.due()
		c.mu.Unlock()
		if due != after {
			t.Errorf("after %q: due %v, want %v", answer, due, after)
		}
	}
	step("T1 NOOP\r\n", "T1 OK x\r\n", true, false)
	step("T2 IDLE\r\n", "+ idling\r\n", true, false)
	step("DONE\r\n", "T2 OK x\r\n", true, false)
	step("T3 APPEND a {3}\r\n", "+ go\r\n", true, false)
	step("ab", "", true, false) // not flushed, so the old deadline of the pipe stands
	step("c\r\n", "T3 OK x\r\n", true, false)
}

// TestPatience: words keep a command open, but not for ever; bytes enough for a
// long answer do.
func TestPatience(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	c := newConn(Options{Host: "test", Timeout: time.Hour, MaxLine: 1 << 20, MaxAnswer: 1 << 30}, ours)
	c.ready()
	c.out = nil
	defer c.Close()
	go io.Copy(io.Discard, theirs)
	if _, err := c.Write([]byte("T1 NOOP\r\n")); err != nil {
		t.Fatal(err)
	}
	age := func(by time.Duration) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.progress = c.progress.Add(-by)
	}
	read := func(answer string) error {
		go io.WriteString(theirs, answer)
		_, err := c.Read(make([]byte, 100))
		return err
	}
	age((patience - 1) * time.Hour)
	if err := read("* OK Still here\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := read(strings.Repeat("x", patienceBytes) + "\r\n* OK Still here\r\n"); err != nil {
		t.Fatal(err)
	}
	age((patience - 1) * time.Hour)
	if err := read("* OK Still here\r\n"); err != nil {
		t.Fatal(err)
	}
	age(time.Hour)
	var e *Error
	if err := read(""); !errors.As(err, &e) || e.Kind != KindTimeout || !strings.Contains(e.Error(), "only words") {
		t.Errorf("got %v", err)
	}
}

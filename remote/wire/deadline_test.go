package wire

import (
	"io"
	"net"
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

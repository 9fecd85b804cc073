package wire

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// errWake ends a wait at a response boundary because there is something to
// hand to imapclient that did not come from the server.
var errWake = errors.New("woken")

// writeChunk is what one write deadline is for: a link that carries less in
// Options.Timeout counts as dead.
const writeChunk = 16 << 10

// A server may keep an answer that is due alive with a line now and then, but
// must send patienceBytes or the answer in patience times Options.Timeout.
const (
	patience      = 60
	patienceBytes = 64 << 10
)

// socket is the raw connection with progress deadlines: an answer that is due
// keeps a read deadline running from the last byte in either direction.
type socket struct{ c *Conn }

func (s socket) Read(p []byte) (int, error) {
	c := s.c
	for {
		c.mu.Lock()
		plain := c.inflater == nil
		if plain && c.boundary && len(c.inject) > 0 {
			c.mu.Unlock()
			return 0, errWake
		}
		c.woken = false
		c.armRead()
		c.mu.Unlock()

		n, err := c.read(p, plain && c.lit > 0)

		c.mu.Lock()
		c.stats.BytesIn += int64(n)
		if c.dribbled += n; c.dribbled >= patienceBytes {
			c.progressed()
		}
		if n > 0 && c.sent {
			c.sent = false
			c.stats.Turnarounds++
		}
		if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && c.due() && !c.woken && c.stalled() {
			err = fmt.Errorf("no answer for %v, only words: %w", patience*c.o.Timeout, err)
		}
		again := n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && (c.woken || !c.due())
		c.mu.Unlock()
		if !again {
			return n, err
		}
	}
}

// read reads once, and takes the time for the meter where it says how fast the
// link is.
func (c *Conn) read(p []byte, measure bool) (int, error) {
	if !measure || c.o.Link == nil {
		return c.raw.Read(p)
	}
	began := c.o.Link.clock()
	n, err := c.raw.Read(p)
	c.meter.add(c.o.Link, n, c.o.Link.clock().Sub(began))
	return n, err
}

func (s socket) Write(p []byte) (int, error) {
	c, done := s.c, 0
	for done < len(p) {
		c.mu.Lock()
		c.sent = true
		c.progressed()
		c.mu.Unlock()
		if err := c.raw.SetWriteDeadline(time.Now().Add(c.o.Timeout)); err != nil {
			return done, err
		}
		n, err := c.raw.Write(p[done:min(len(p), done+writeChunk)])
		done += n
		c.mu.Lock()
		c.stats.BytesOut += int64(n)
		if !c.woken {
			c.armRead()
		}
		c.mu.Unlock()
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// armRead sets the read deadline anew, also for a read already waiting. The
// caller holds c.mu.
func (c *Conn) armRead() {
	var t time.Time
	if c.due() {
		t = time.Now().Add(c.o.Timeout)
		end := c.handshakeEnd
		if end.IsZero() {
			end = c.progress.Add(patience * c.o.Timeout)
		}
		if t.After(end) {
			t = end
		}
	}
	c.raw.SetReadDeadline(t)
}

// progressed begins the server's patience anew, stalled tells whether it is at
// an end. The caller holds c.mu.
func (c *Conn) progressed() { c.progress, c.dribbled = time.Now(), 0 }

func (c *Conn) stalled() bool {
	return c.handshakeEnd.IsZero() && time.Since(c.progress) >= patience*c.o.Timeout
}

// due tells whether the server owes an answer. The caller holds c.mu.
func (c *Conn) due() bool {
	if !c.handshakeEnd.IsZero() {
		return true
	}
	for _, cmd := range c.cmds {
		if cmd.state == awaitsAnswer || cmd.state == awaitsGo {
			return true
		}
	}
	return false
}

// wake makes a reader that waits between two responses look at c.inject. The
// caller holds c.mu.
func (c *Conn) wake() {
	if c.inflater != nil {
		select {
		case c.inflater.rouse <- struct{}{}:
		default:
		}
		return
	}
	c.woken = true
	c.raw.SetReadDeadline(time.Unix(1, 0))
}

// LocalAddr is the local address of the connection.
func (c *Conn) LocalAddr() net.Addr { return c.tcp.LocalAddr() }

// RemoteAddr is the server's address.
func (c *Conn) RemoteAddr() net.Addr { return c.tcp.RemoteAddr() }

// SetDeadline does nothing: the Conn keeps progress deadlines of its own.
func (c *Conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing, like SetDeadline.
func (c *Conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing, like SetDeadline.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

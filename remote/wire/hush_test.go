package wire_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"

	"imapsync/remote/wire"
)

// late is a connection whose data arrives although it has been closed: a Read
// was on its way back with it.
type late struct {
	net.Conn
	held    atomic.Bool
	release chan struct{}
	line    *bytes.Reader
}

func (l *late) Read(p []byte) (int, error) {
	if !l.held.Load() {
		return l.Conn.Read(p)
	}
	<-l.release
	return l.line.Read(p)
}

// TestTraceEndsWithTheConnection: who has closed a connection is told nothing
// more of it, because what it was told to may be gone.
func TestTraceEndsWithTheConnection(t *testing.T) {
	for name, end := range map[string]func(*wire.Conn){
		"close": func(c *wire.Conn) { c.Close() },
		"abort": func(c *wire.Conn) { c.Abort(errors.New("given up")) },
	} {
		t.Run(name, func(t *testing.T) {
			l := &late{release: make(chan struct{}), line: bytes.NewReader([]byte("* 7 EXISTS\r\n"))}
			var over atomic.Bool
			c := dial(t, "", (*server).untilClosed, func(o *wire.Options) {
				o.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
					conn, err := new(net.Dialer).DialContext(ctx, network, address)
					l.Conn = conn
					return l, err
				}
				o.Trace = func(_ bool, line string) {
					if over.Load() {
						t.Errorf("told afterwards: %s", line)
					}
				}
			})
			l.held.Store(true)
			read := make(chan struct{})
			go func() {
				defer close(read)
				buf := make([]byte, 100)
				for {
					if _, err := c.Read(buf); err != nil {
						return
					}
				}
			}()
			end(c)
			over.Store(true)
			close(l.release)
			<-read
		})
	}
}

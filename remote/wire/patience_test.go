package wire_test

import (
	"io"
	"testing"
	"time"

	"imapsync/remote/wire"
)

// TestEndlessWords: a server that always says something, and never the answer,
// keeps no deadline from running out.
func TestEndlessWords(t *testing.T) {
	c := dial(t, "", func(s *server) {
		s.expect("NOOP")
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := io.WriteString(s.conn, "* OK Still here\r\n"); err != nil {
				return
			}
		}
	}, func(o *wire.Options) { o.Timeout = 10 * time.Millisecond })
	if err := client(t, c, nil).Noop().Wait(); err == nil {
		t.Error("NOOP succeeded")
	}
	fails(t, c, wire.KindTimeout, "only words")
}

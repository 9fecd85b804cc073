package wire_test

import (
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"

	"imapsync/remote/wire"
)

// What a connection that is given up has written must not reach the server when the next
// one is there already; a LOGOUT that nobody awaits the answer to must.
func TestOnlyCloseSendsWhatWasWritten(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(*wire.Conn)
		want error
	}{
		"abort": {func(c *wire.Conn) { c.Abort(errors.New("given up")) }, syscall.ECONNRESET},
		"close": {func(c *wire.Conn) { c.Close() }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan struct{})
			type result struct {
				text string
				err  error
			}
			got := make(chan result, 1)
			c := dial(t, "", func(s *server) {
				<-ended
				text, err := io.ReadAll(s.br)
				got <- result{string(text), err}
			})
			if _, err := io.WriteString(c, "T1 LOGOUT\r\n"); err != nil {
				t.Fatal(err)
			}
			test.end(c)
			close(ended)
			r := <-got
			if !errors.Is(r.err, test.want) {
				t.Errorf("the server read %q and then %v, want %v", r.text, r.err, test.want)
			}
			if test.want == nil && !strings.HasSuffix(r.text, "LOGOUT\r\n") {
				t.Errorf("the server read %q", r.text)
			}
		})
	}
}

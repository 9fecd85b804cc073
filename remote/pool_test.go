package remote

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"imapsync/mail"
	"imapsync/remote/wire"
)

func TestPoolPrefersWhatIsSelected(t *testing.T) {
	f := newFake(t, allCaps, nil)
	a := f.account(func(c *Config) { c.Connections = 2 })
	ctx := t.Context()
	for range 3 {
		one, err := a.Open(ctx, "A", false)
		if err != nil {
			t.Fatal(err)
		}
		two, err := a.Open(ctx, "B", false)
		if err != nil {
			t.Fatal(err)
		}
		one.Close()
		two.Close()
		two.Close()
	}
	if sent := f.sent("SELECT"); len(sent) != 2 {
		t.Errorf("sent %q", sent)
	}
	m := open(t, a, "A")
	snapshot(t, m, mail.Known{}, false) // must begin with a SELECT of its own
	if sent := f.sent("SELECT"); len(sent) != 3 {
		t.Errorf("sent %q", sent)
	}
	read, err := a.Open(ctx, "C", true)
	if err != nil {
		t.Fatal(err)
	}
	read.Close()
	open(t, a, "C") // what was opened read-only must be selected to write
	if sent := f.sent("SELECT", "EXAMINE"); len(sent) != 5 || !strings.HasPrefix(sent[4], `SELECT "C"`) {
		t.Errorf("sent %q", sent)
	}
}

func TestPoolWaitsForAConnection(t *testing.T) {
	f := newFake(t, allCaps, nil)
	a := f.account(func(c *Config) { c.Connections = 1 })
	m := open(t, a, "A")
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := make(chan error)
	go func() {
		_, err := a.Open(ctx, "B", false)
		cancelled <- err
	}()
	cancel()
	if err := <-cancelled; !errors.Is(err, context.Canceled) {
		t.Errorf("waiting was cancelled: %v", err)
	}
	opened := make(chan error)
	go func() {
		m, err := a.Open(t.Context(), "B", false)
		if err == nil {
			m.Close()
		}
		opened <- err
	}()
	m.Close()
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

func TestPoolAsksAnIdleConnection(t *testing.T) {
	f := newFake(t, allCaps, map[string]answer{"NOOP": func(c *fakeConn, tag, args string) {
		if c.n == 0 {
			c.Close()
			return
		}
		c.send("%s OK done", tag)
	}})
	a := f.account(func(c *Config) { c.Connections = 1 })
	open(t, a, "A").Close()
	a.idle[0].used = time.Now().Add(-2 * maxIdle)
	m := open(t, a, "A")
	if err := m.Store(t.Context(), []mail.UID{1}, mail.ParseFlags(":S"), mail.Flags{}); err != nil {
		t.Fatal(err)
	}
	if n := len(f.sent("SELECT")); n != 2 {
		t.Errorf("%d SELECTs", n)
	}
}

func TestCloseCutsOff(t *testing.T) {
	stuck := make(chan struct{})
	f := newFake(t, allCaps, map[string]answer{"UID FETCH": func(c *fakeConn, tag, args string) { close(stuck) }})
	a := f.account()
	m := open(t, a, "A")
	go func() {
		<-stuck
		_ = a.Close()
	}()
	_, err := m.Flags(t.Context(), []mail.UID{1})
	if !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestAlert(t *testing.T) {
	f := newFake(t, allCaps, map[string]answer{"SELECT": box(selected + "\n* OK [ALERT] the server closes down in May")})
	a := f.account()
	open(t, a, "A")
	if w := a.Warnings(); len(w) != 1 || !strings.Contains(w[0], "closes down in May") {
		t.Errorf("warnings %q", w)
	}
}

func TestDialFaults(t *testing.T) {
	for _, c := range []struct {
		kind  wire.Kind
		class mail.Class
	}{
		{wire.KindConfig, mail.ClassUsage},
		{wire.KindSecret, mail.ClassAuth},
		{wire.KindTLS, mail.ClassAuth},
		{wire.KindPlaintext, mail.ClassAuth},
		{wire.KindAuth, mail.ClassAuth},
		{wire.KindNetwork, mail.ClassTemporary},
		{wire.KindTimeout, mail.ClassTemporary},
		{wire.KindUnavailable, mail.ClassTemporary},
		{wire.KindBye, mail.ClassTemporary},
		{wire.KindLimit, mail.ClassFailed},
		{wire.KindProtocol, mail.ClassFailed},
	} {
		err := dialFault(t.Context(), &wire.Error{Kind: c.kind, Doing: "connect", Hint: "do this"})
		wantScope(t, err, mail.ScopeAccount, c.class, "connect (do this)")
		if n := strings.Count(err.Error(), "do this"); n != 1 {
			t.Errorf("the hint is said %d times: %v", n, err)
		}
	}
	away := fmt.Errorf("no token: %w", &mail.Fault{Class: mail.ClassTemporary, Err: errors.New("the authorization server is down")})
	err := dialFault(t.Context(), &wire.Error{Kind: wire.KindSecret, Doing: "connect", Err: away})
	wantScope(t, err, mail.ScopeAccount, mail.ClassTemporary, "connect: no token: the authorization server is down")
}

func TestThrottling(t *testing.T) {
	for text, want := range map[string]bool{
		"Request is throttled. Suggested Backoff Time: 3000 milliseconds": true,
		"User is authenticated but not connected.":                        true,
		"Too many simultaneous connections. (Failure)":                    true,
		"Mailbox does not exist":                                          false,
		"Too many keywords":                                               false,
	} {
		if got := temporary(&imap.Error{Type: "NO", Text: text}); got != want {
			t.Errorf("temporary(%q) = %v", text, got)
		}
	}
	var e *imap.Error
	if r := (&refusal{&imap.Error{Type: "NO", Code: "LIMIT", Text: "later"}}); !errors.As(r, &e) || !temporary(r) ||
		r.Error() != "the server refused: NO [LIMIT] later" {
		t.Errorf("refusal %v", r)
	}
}

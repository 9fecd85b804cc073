package remote

import (
	"context"
	"sync/atomic"
	"testing"

	"imapsync/mail"
)

// greetings lets connections in and tells when so many have come.
func greetings(caps string, n int) (all <-chan struct{}, greet answer) {
	var came atomic.Int64
	done := make(chan struct{})
	return done, func(c *fakeConn, _, _ string) {
		if came.Add(1) == int64(n) {
			close(done)
		}
		c.send("* OK [CAPABILITY %s] fake", caps)
	}
}

func TestExpectedConnectionsAreTheOnesUsed(t *testing.T) {
	all, greet := greetings(allCaps, 3)
	f := newFake(t, allCaps, map[string]answer{"greeting": greet})
	a := f.account(func(c *Config) { c.Connections = 3 })
	a.Expect(1)
	a.Expect(3)
	a.Expect(4)
	<-all
	var boxes []*Mailbox
	for _, name := range []mail.FolderName{"A", "B", "C"} {
		boxes = append(boxes, open(t, a, name))
	}
	if n := len(f.sent("LOGIN")); n != 3 {
		t.Errorf("%d connections", n)
	}
	for _, m := range boxes {
		m.Close()
	}
	if a.Expect(3); a.dialling != 0 {
		t.Error("connections are dialled that there are")
	}
}

func TestAWrongPasswordIsTriedOnce(t *testing.T) {
	for _, expected := range []int{1, 4} {
		all, greet := greetings(allCaps, expected)
		f := newFake(t, allCaps, map[string]answer{"greeting": greet, "LOGIN": func(c *fakeConn, tag, _ string) {
			<-all // the others could log in as well
			c.send("%s NO wrong password", tag)
		}})
		a := f.account()
		a.Expect(expected)
		_, err := a.Features(t.Context())
		wantScope(t, err, mail.ScopeAccount, mail.ClassAuth, "wrong password")
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if n := len(f.sent("LOGIN")); n != 1 {
			t.Errorf("of %d connections %d logged in", expected, n)
		}
	}
}

func TestAfterAFailureAnotherTryIsMade(t *testing.T) {
	var wrong atomic.Bool
	wrong.Store(true)
	f := newFake(t, allCaps, map[string]answer{"LOGIN": func(c *fakeConn, tag, _ string) {
		if wrong.Load() {
			c.send("%s NO wrong password", tag)
			return
		}
		c.send("%s OK welcome", tag)
	}})
	a := f.account()
	a.Expect(4)
	_, err := a.Features(t.Context())
	wantScope(t, err, mail.ScopeAccount, mail.ClassAuth, "wrong password")
	wrong.Store(false)
	if _, err := a.Features(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhoWaitsForADialTakesWhatIsFreeSooner(t *testing.T) {
	hangs, goOn := make(chan struct{}), make(chan struct{})
	f := newFake(t, allCaps, map[string]answer{"LOGIN": func(c *fakeConn, tag, _ string) {
		if c.n == 1 {
			close(hangs)
			<-goOn
		}
		c.send("%s OK welcome", tag)
	}})
	defer close(goOn)
	a := f.account(func(c *Config) { c.Connections = 2 })
	one := open(t, a, "A")
	opened := make(chan error)
	go func() {
		m, err := a.Open(t.Context(), "B", false)
		if err == nil {
			m.Close()
		}
		opened <- err
	}()
	<-hangs
	one.Close()
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

// What a dial came to that everybody has stopped waiting for is not told to who
// comes later.
func TestFailureIsForThoseWhoWait(t *testing.T) {
	asked, refuse := make(chan struct{}), make(chan struct{})
	f := newFake(t, allCaps, map[string]answer{"LOGIN": func(c *fakeConn, tag, _ string) {
		if c.n == 1 {
			close(asked)
			<-refuse
			c.send("%s NO not now", tag)
			return
		}
		c.send("%s OK welcome", tag)
	}})
	a := f.account(func(c *Config) { c.Connections = 2 })
	defer open(t, a, "A").Close()
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := a.Open(ctx, "B", false)
		gone <- err
	}()
	<-asked
	cancel()
	if err := <-gone; err == nil {
		t.Error("it waited on")
	}
	close(refuse)
	for dialling := 1; dialling > 0; {
		a.mu.Lock()
		freed := a.freed
		dialling = a.dialling
		a.mu.Unlock()
		if dialling > 0 {
			<-freed
		}
	}
	m, err := a.Open(t.Context(), "B", false)
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
}

package syncer_test

import (
	"context"
	"testing"
	"time"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/syncer"
)

// expecting remembers for how many connections a run has the server side dial
// in advance.
type expecting struct {
	syncer.Remote
	most int
}

func (e *expecting) Expect(connections int) { e.most = max(e.most, connections) }

// TestConnectionsAreDialledInAdvance: one in every run, and all of them in one
// that must look into every folder; a server that wants to be left alone gets
// none.
func TestConnectionsAreDialledInAdvance(t *testing.T) {
	b := newBench(t)
	run := func() int {
		t.Helper()
		server := &expecting{Remote: b.remote}
		b.Begin(time.Hour)
		_, _ = syncer.Run(context.Background(), syncer.Account{Name: "sim", Identity: mail.Identity{Server: b.server, User: "me"},
			Maildir: "/Mail", Local: b.Disk, Remote: server, State: b.Record, Now: b.Now}, syncer.Options{Lanes: 4}, nil)
		return server.most
	}
	b.edit(simworld.Remote, simworld.Add, "A", "M")
	if n := run(); n != 4 {
		t.Errorf("%d in the first run", n)
	}
	if n := run(); n != 1 {
		t.Errorf("%d in a later one", n)
	}
	pause := mail.Pause{Until: b.Now().Add(2 * time.Hour), Said: "go away"}
	if err := b.Record.Commit(t.Context(), mail.Batch{Pause: &pause}); err != nil {
		t.Fatal(err)
	}
	if n := run(); n != 0 {
		t.Errorf("%d while the server wants to be left alone", n)
	}
}

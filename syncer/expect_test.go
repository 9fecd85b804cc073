package syncer_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/plan"
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

// scanning tells when the first folder is scanned.
type scanning struct {
	syncer.Local
	begun func()
}

func (s scanning) Scan(ctx context.Context, folder mail.FolderName, stat bool) (mail.LocalSnapshot, error) {
	s.begun()
	return s.Local.Scan(ctx, folder, stat)
}

func (s scanning) Names(ctx context.Context, folder mail.FolderName, _ int) (syncer.Names, error) {
	return simworld.NamesOf(ctx, s, folder)
}

// late does not list its folders before it is let.
type late struct {
	*expecting
	let <-chan struct{}
}

func (l late) Folders(ctx context.Context) ([]mail.RemoteFolder, error) {
	<-l.let
	return l.expecting.Folders(ctx)
}

// TestWhatChangedOnDiskIsReadEarly: before the server has told anything; connections
// are dialled for it, one for every four folders.
func TestWhatChangedOnDiskIsReadEarly(t *testing.T) {
	for changed, want := range map[int]int{1: 1, 4: 1, 5: 2, 9: 3} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			for i := range 9 {
				b.edit(simworld.Local, simworld.Add, mail.FolderName(fmt.Sprint("F", i)), fmt.Sprint("M", i))
			}
			b.settled()
			for i := range changed {
				b.edit(simworld.Local, simworld.Add, mail.FolderName(fmt.Sprint("F", i)), fmt.Sprint("N", i))
			}
			b.Begin(time.Hour)
			let := make(chan struct{})
			server := late{&expecting{Remote: b.remote}, let}
			r, err := syncer.Run(context.Background(), syncer.Account{Name: "sim", Identity: mail.Identity{Server: b.server, User: "me"},
				Maildir: "/Mail", Local: scanning{b.Disk, sync.OnceFunc(func() { close(let) })}, Remote: server, State: b.Record, Now: b.Now},
				syncer.Options{Lanes: 4}, nil)
			if err != nil || r.Counts[plan.Upload] != changed || server.most != want {
				t.Errorf("%v, %v uploaded of %d, %d connections", err, r.Counts, changed, server.most)
			}
		})
	}
}

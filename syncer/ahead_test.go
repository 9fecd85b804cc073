package syncer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/syncer"
)

// lists counts how often the server is asked for its folders.
type lists struct {
	syncer.Remote
	times  int
	before func(ctx context.Context, time int)
}

func (l *lists) Folders(ctx context.Context) ([]mail.RemoteFolder, error) {
	l.times++
	if l.before != nil {
		l.before(ctx, l.times)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return l.Remote.Folders(ctx)
}

func (l *lists) LookAgain(ctx context.Context, absent []mail.Sought, readOnly bool, told func(mail.FolderName, []mail.UID, error)) ([]mail.RemoteFolder, error) {
	return simworld.LookAgain(ctx, l, absent, readOnly, told)
}

// opened does something where the record is first asked.
type opened struct {
	syncer.State
	first func() error
}

func (o opened) Account(ctx context.Context) (mail.Identity, error) {
	if err := o.first(); err != nil {
		return mail.Identity{}, err
	}
	return o.State.Account(ctx)
}

// runWith is one run with this server and record.
func (b *bench) runWith(server syncer.Remote, state syncer.State) error {
	b.Begin(time.Hour)
	_, err := syncer.Run(context.Background(), syncer.Account{Name: "sim", Identity: mail.Identity{Server: b.server, User: "me"},
		Maildir: "/Mail", Local: b.Disk, Remote: server, State: state, Now: b.Now, Wait: b.Wait}, syncer.Options{Lanes: 2}, nil)
	return err
}

// TestServerListsWhileTheRecordIsRead: a LIST waits for nothing that is read, and
// one serves.
func TestServerListsWhileTheRecordIsRead(t *testing.T) {
	b := newBench(t)
	b.settled()
	asked := make(chan struct{})
	server := &lists{Remote: b.remote, before: func(context.Context, int) { close(asked) }}
	err := b.runWith(server, opened{b.Record, func() error {
		select {
		case <-asked:
			return nil
		case <-time.After(time.Minute):
			return errors.New("the server is asked only when the record was read")
		}
	}})
	if err != nil || server.times != 1 {
		t.Errorf("%v, listed %d times", err, server.times)
	}
}

// TestServerListsAgainAfterRecovery: what was listed before copies of an
// interrupted run were looked for may be out of date.
func TestServerListsAgainAfterRecovery(t *testing.T) {
	b := newBench(t)
	b.settled()
	left := &mail.Intent{Kind: mail.IntentUpload, Folder: "A", Key: "k", UIDValidity: 1, UIDNext: 1}
	if err := b.Record.Commit(t.Context(), mail.Batch{AddIntents: []*mail.Intent{left}}); err != nil {
		t.Fatal(err)
	}
	server := &lists{Remote: b.remote}
	if err := b.runWith(server, b.Record); err != nil || server.times != 2 {
		t.Errorf("%v, listed %d times", err, server.times)
	}
}

// TestListingEndsWithTheRun: a run that ends before it needs the answer does not
// wait for it.
func TestListingEndsWithTheRun(t *testing.T) {
	b := newBench(t)
	b.settled()
	broken := &mail.Fault{Scope: mail.ScopeAccount, Class: mail.ClassFailed, Doing: "read state", Err: errors.New("damaged")}
	server := &lists{Remote: b.remote, before: func(ctx context.Context, _ int) { <-ctx.Done() }}
	if err := b.runWith(server, opened{b.Record, func() error { return broken }}); !errors.Is(err, broken) || server.times != 1 {
		t.Errorf("%v, listed %d times", err, server.times)
	}
}

package syncer_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/plan"
	"imapsync/syncer"
)

// slowDisk makes a batch durable only once the next one has begun.
type slowDisk struct {
	syncer.Local
	batches atomic.Int32
	next    chan struct{}
}

func (d *slowDisk) Deliver(ctx context.Context, folder mail.FolderName) (syncer.Delivery, error) {
	if d.batches.Add(1) == 2 {
		close(d.next)
	}
	inner, err := d.Local.Deliver(ctx, folder)
	return slowDelivery{inner, d.next}, err
}

type slowDelivery struct {
	syncer.Delivery
	next chan struct{}
}

func (d slowDelivery) Commit(ctx context.Context) (map[mail.Key]error, error) {
	<-d.next
	return d.Delivery.Commit(ctx)
}

// oneConnection has one mailbox open at a time.
type oneConnection struct {
	syncer.Remote
	free chan struct{}
}

func (r oneConnection) Open(ctx context.Context, folder mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	<-r.free
	back := sync.OnceFunc(func() { r.free <- struct{}{} })
	mb, err := r.Remote.Open(ctx, folder, readOnly)
	if err != nil {
		back()
	}
	return lent{mb, back}, err
}

type lent struct {
	syncer.Mailbox
	back func()
}

func (m lent) Close() {
	m.Mailbox.Close()
	m.back()
}

// TestDiskBesideLinkOfAnotherFolder: the last batch of a folder leaves the
// connection to another one.
func TestDiskBesideLinkOfAnotherFolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.edit(simworld.Remote, simworld.Add, "A", "M1")
		b.edit(simworld.Remote, simworld.Add, "G", "M2")
		free := make(chan struct{}, 1)
		free <- struct{}{}
		b.remote = oneConnection{b.remote, free}
		b.local = &slowDisk{Local: b.Disk, next: make(chan struct{})}
		if report := b.run(syncer.Options{Lanes: 1}); report.Counts[plan.Download] != 2 {
			t.Errorf("%+v", report)
		}
		b.settled()
	})
}

// TestDiskBesideLink: a batch is made durable while the next is fetched. The
// bubble ends in a deadlock where the one waits for the other.
func TestDiskBesideLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		for _, m := range []string{"M1", "M2", "M3"} {
			b.edit(simworld.Remote, simworld.Add, "A", m)
		}
		b.local = &slowDisk{Local: b.Disk, next: make(chan struct{})}
		if report := b.run(syncer.Options{Batch: 1}); report.Counts[plan.Download] != 3 {
			t.Errorf("%+v", report)
		}
		b.settled()
	})
}

// slowJournal tells when the intents of a second batch are written.
type slowJournal struct {
	syncer.State
	batches atomic.Int32
	second  chan struct{}
}

func (j *slowJournal) Commit(ctx context.Context, b mail.Batch) error {
	if len(b.AddIntents) > 0 && j.batches.Add(1) == 2 {
		close(j.second)
	}
	return j.State.Commit(ctx, b)
}

// afterJournal begins a delivery only then.
type afterJournal struct {
	syncer.Local
	second chan struct{}
}

func (d afterJournal) Deliver(ctx context.Context, folder mail.FolderName) (syncer.Delivery, error) {
	<-d.second
	return d.Local.Deliver(ctx, folder)
}

// TestJournalBesideLink: the next batch is journalled while one is fetched.
func TestJournalBesideLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		for _, m := range []string{"M1", "M2", "M3"} {
			b.edit(simworld.Remote, simworld.Add, "A", m)
		}
		second := make(chan struct{})
		b.Begin(time.Hour)
		report, err := syncer.Run(t.Context(), syncer.Account{Name: "sim", Identity: mail.Identity{Server: b.server, User: "me"},
			Maildir: "/Mail", Local: afterJournal{b.Disk, second}, Remote: b.remote, State: &slowJournal{State: b.Record, second: second},
			Now: b.Now}, syncer.Options{Lanes: 1, Batch: 1}, nil)
		if err != nil || report.Counts[plan.Download] != 3 {
			t.Errorf("%v, %+v", err, report)
		}
		b.settled()
	})
}

// lateJournal writes intents when everything else has come as far as it can
// without them.
type lateJournal struct {
	syncer.State
	asked     chan struct{}
	journaled *atomic.Bool
}

func (j lateJournal) Commit(ctx context.Context, b mail.Batch) error {
	if len(b.AddIntents) == 0 {
		return j.State.Commit(ctx, b)
	}
	<-j.asked
	synctest.Wait()
	err := j.State.Commit(ctx, b)
	j.journaled.Store(true)
	return err
}

// telling tells when bodies are asked for.
type telling struct {
	syncer.Remote
	asked chan struct{}
}

func (r telling) Open(ctx context.Context, folder mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	mb, err := r.Remote.Open(ctx, folder, readOnly)
	return tellingBox{mb, r.asked}, err
}

type tellingBox struct {
	syncer.Mailbox
	asked chan struct{}
}

func (m tellingBox) Fetch(ctx context.Context, uids []mail.UID, got func(mail.UID, io.Reader, error) error) error {
	close(m.asked)
	return m.Mailbox.Fetch(ctx, uids, got)
}

// journalFirst writes no file that is not journalled.
type journalFirst struct {
	syncer.Local
	t         *testing.T
	journaled *atomic.Bool
}

func (d journalFirst) Deliver(ctx context.Context, folder mail.FolderName) (syncer.Delivery, error) {
	inner, err := d.Local.Deliver(ctx, folder)
	return journalFirstDelivery{inner, d}, err
}

type journalFirstDelivery struct {
	syncer.Delivery
	d journalFirst
}

func (d journalFirstDelivery) Write(m mail.NewFile, body io.Reader) (mail.Content, mail.FileStamp, error) {
	if !d.d.journaled.Load() {
		d.d.t.Error("a file was written that no intent tells of")
	}
	return d.Delivery.Write(m, body)
}

// TestAskedForBesideTheJournal: the first batch is asked for before it is
// journalled, but nothing of it is written.
func TestAskedForBesideTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.edit(simworld.Remote, simworld.Add, "A", "M1")
		asked, journaled := make(chan struct{}), &atomic.Bool{}
		b.Begin(time.Hour)
		report, err := syncer.Run(t.Context(), syncer.Account{Name: "sim", Identity: mail.Identity{Server: b.server, User: "me"},
			Maildir: "/Mail", Local: journalFirst{b.Disk, t, journaled}, Remote: telling{b.remote, asked},
			State: lateJournal{b.Record, asked, journaled}, Now: b.Now}, syncer.Options{Lanes: 1}, nil)
		if err != nil || report.Counts[plan.Download] != 1 {
			t.Errorf("%v, %+v", err, report)
		}
		b.settled()
	})
}

// refusing refuses every FETCH of a whole message.
type refusing struct{ syncer.Remote }

func (r refusing) Open(ctx context.Context, folder mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	mb, err := r.Remote.Open(ctx, folder, readOnly)
	return refused{mb}, err
}

type refused struct{ syncer.Mailbox }

func (refused) Fetch(context.Context, []mail.UID, func(mail.UID, io.Reader, error) error) error {
	return &mail.Fault{Scope: mail.ScopeFolder, Folder: "A", Doing: "fetch messages", Err: errors.New("NO")}
}

// TestJournalledInVain: a batch that is not fetched leaves no intents behind.
func TestJournalledInVain(t *testing.T) {
	b := newBench(t)
	for _, m := range []string{"M1", "M2", "M3"} {
		b.edit(simworld.Remote, simworld.Add, "A", m)
	}
	b.remote = refusing{b.Server}
	if report := b.run(syncer.Options{Batch: 1}); len(report.Failures) == 0 || report.Counts[plan.Download] != 0 {
		t.Errorf("%+v", report)
	}
	if left, err := b.Record.Intents(context.Background()); err != nil || len(left) > 0 {
		t.Errorf("%d intents are left, %v", len(left), err)
	}
	b.remote = b.Server
	b.settled()
}

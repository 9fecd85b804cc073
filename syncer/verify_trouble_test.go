package syncer_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/syncer"
)

// filled is a bench on which A and B are in INBOX and M in U, all quiet.
func filled(t *testing.T) *bench {
	b := newBench(t)
	b.edit(simworld.Remote, simworld.Add, mail.Inbox, "A")
	b.edit(simworld.Remote, simworld.Add, mail.Inbox, "B")
	b.edit(simworld.Remote, simworld.Add, "U", "M")
	b.settled()
	return b
}

func (b *bench) mustFind(found []syncer.Finding, want string, says ...string) {
	b.Helper()
	if got := strings.Join(brief(found), ", "); got != want {
		b.Errorf("found %s\nwant  %s", got, want)
	}
	for _, s := range says {
		said := false
		for _, f := range found {
			said = said || strings.Contains(f.Text, s)
		}
		if !said {
			b.Errorf("nothing says %q: %+v", s, found)
		}
	}
}

// What cannot be read is named, and everything else is compared.
func TestVerifyNamesWhatCannotBeRead(t *testing.T) {
	b := filled(t)
	b.local, b.remote = sealedFile{b.Disk}, sealedMail{b.Server}
	b.edit(simworld.Local, simworld.Delete, mail.Inbox, "A")
	found, report := b.verify(syncer.VerifyOptions{Repair: true})
	b.mustFind(found, "pending missing local, wrong unreadable local, wrong unreadable remote", "permission denied", "NO [UNAVAILABLE]")
	if report.Wrong != 2 || report.Repaired != 0 || report.Messages != 3 || report.Folders != 2 {
		t.Errorf("%+v", report)
	}
}

// A folder that cannot be compared is a failure, and the others are compared.
func TestVerifyOfAFolderThatFails(t *testing.T) {
	b := filled(t)
	b.remote = closedBox{b.Server, "Archive"}
	b.edit(simworld.Local, simworld.Delete, mail.Inbox, "A")
	b.edit(simworld.Remote, simworld.Create, "Archive", "")
	found, report := b.verify(syncer.VerifyOptions{Lanes: 2})
	if len(report.Failures) == 0 || mail.ScopeOf(report.Failures[0]) != mail.ScopeFolder {
		t.Errorf("failures %v", report.Failures)
	}
	b.mustFind(found, "pending missing local")
}

// Of messages missing in a listing that does not add up nothing is said.
func TestVerifyBelievesNoPartialListing(t *testing.T) {
	b := filled(t)
	b.edit(simworld.Remote, simworld.Partial, mail.Inbox, "")
	found, report := b.verify(syncer.VerifyOptions{})
	b.mustFind(found, "")
	if len(report.Failures) != 1 || !strings.Contains(report.Failures[0].Error(), "does not add up") {
		t.Errorf("failures %v", report.Failures)
	}
}

// A server that was restored from a backup has forgotten messages, not deleted
// them.
func TestVerifyOfARestoredServer(t *testing.T) {
	b := newBench(t)
	b.Server.NoModSeq = true
	b.edit(simworld.Remote, simworld.Add, mail.Inbox, "A")
	b.edit(simworld.Remote, simworld.Add, mail.Inbox, "B")
	b.settled()
	row := b.row("B")
	b.edit(simworld.Remote, simworld.Delete, mail.Inbox, "B")
	row.UID = 70
	b.put(row)
	b.record(mail.Inbox, func(r *mail.FolderRecord) { r.Mark.UIDNext = 80 })
	found, _ := b.verify(syncer.VerifyOptions{Repair: true})
	b.mustFind(found, "wrong missing remote, wrong watermark remote", "it has not deleted the message but forgotten it", "restored from a backup")
	if r := b.run(syncer.Options{}); deletes(r) != 0 {
		t.Error(r.Plan.Ops)
	}
	b.settled()
	b.want("A B")
	found, _ = b.verify(syncer.VerifyOptions{})
	b.mustFind(found, "")
}

// A server that changes headers of what it is sent is no contradiction, unless
// what it has is another message.
func TestVerifyOfAServerThatAlters(t *testing.T) {
	b := newBench(t)
	b.Server.NoUIDPlus = true
	b.edit(simworld.Local, simworld.Add, mail.Inbox, "A")
	b.edit(simworld.Local, simworld.Add, mail.Inbox, "B")
	b.remote = altering{b.Server}
	b.settled()
	found, report := b.verify(syncer.VerifyOptions{Repair: true})
	b.mustFind(found, "harmless altered remote, harmless altered remote")
	if report.Wrong+report.Pending != 0 {
		t.Errorf("%+v", report)
	}
}

// Flags that a server cannot store are not missing there.
func TestVerifyKnowsWhatFlagsAServerStores(t *testing.T) {
	b := newBench(t)
	b.edit(simworld.Remote, simworld.Permanent, mail.Inbox, "", with(mail.Seen))
	b.edit(simworld.Local, simworld.Add, mail.Inbox, "A", with(mail.Seen|mail.Flagged))
	b.settled()
	b.remote = examining{b.Server}
	found, _ := b.verify(syncer.VerifyOptions{})
	b.mustFind(found, "")
}

// examining is a server whose mailboxes, opened read-only, do not tell which
// flags they store.
type examining struct{ syncer.Remote }

func (e examining) Open(ctx context.Context, f mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	m, err := e.Remote.Open(ctx, f, readOnly)
	if err != nil || !readOnly {
		return m, err
	}
	return examined{m}, nil
}

type examined struct{ syncer.Mailbox }

func (m examined) Snapshot(ctx context.Context, known mail.Known, full bool) (mail.RemoteSnapshot, error) {
	s, err := m.Mailbox.Snapshot(ctx, known, full)
	s.Space = mail.FullSpace()
	return s, err
}

func TestVerifyOfAnotherServer(t *testing.T) {
	b := filled(t)
	b.server = "imap.example.net:993"
	found, _ := b.verify(syncer.VerifyOptions{})
	b.mustFind(found, "pending renumbered", "matched again by their content")
}

func TestVerifyOfAnUnmountedMaildir(t *testing.T) {
	b := filled(t)
	b.edit(simworld.Local, simworld.Unmount, "", "")
	b.Begin(time.Hour)
	_, err := syncer.Verify(context.Background(), b.account(), syncer.VerifyOptions{Repair: true}, nil)
	if mail.ClassOf(err) != mail.ClassHeld {
		t.Errorf("%v", err)
	}
}

func TestVerifyOfChosenFolders(t *testing.T) {
	b := filled(t)
	b.edit(simworld.Local, simworld.Delete, mail.Inbox, "A")
	found, report := b.verify(syncer.VerifyOptions{Folders: []mail.FolderName{"U"}})
	b.mustFind(found, "")
	if report.Folders != 1 || report.Messages != 1 {
		t.Errorf("%+v", report)
	}
	_, err := syncer.Verify(context.Background(), b.account(), syncer.VerifyOptions{Folders: []mail.FolderName{"None"}}, nil)
	if mail.ClassOf(err) != mail.ClassUsage {
		t.Errorf("%v", err)
	}
}

// checked is a state that contradicts itself.
type checked struct{ syncer.State }

func (checked) Check(context.Context) error { return errors.New("not so: a folder counts its rows") }

func TestVerifyAsksTheState(t *testing.T) {
	b := filled(t)
	account := b.account()
	account.State = checked{b.Record}
	found, report := verify(t, account, syncer.VerifyOptions{Repair: true})
	b.mustFind(found, "wrong state", "a folder counts its rows", "move the state file away")
	if report.Repaired != 0 {
		t.Error("it cannot have repaired that")
	}
}

// stopping ends the verification while it reads.
type stopping struct {
	syncer.Remote
	stop func()
}

func (s stopping) Open(ctx context.Context, f mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	s.stop()
	return s.Remote.Open(ctx, f, readOnly)
}

func TestVerifyInterrupted(t *testing.T) {
	b := filled(t)
	b.edit(simworld.Local, simworld.Delete, mail.Inbox, "A")
	b.Begin(time.Hour)
	ctx, stop := context.WithCancel(context.Background())
	b.remote = stopping{b.Server, stop}
	report, err := syncer.Verify(ctx, b.account(), syncer.VerifyOptions{Lanes: 2, Repair: true}, func(f syncer.Finding) { t.Errorf("found %+v", f) })
	if err != nil || !report.Interrupted {
		t.Errorf("%+v, %v", report, err)
	}
}

// moving has a mail reader move a file while it is being compared.
type moving struct {
	syncer.Remote
	do func()
}

func (m *moving) Open(ctx context.Context, f mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	box, err := m.Remote.Open(ctx, f, readOnly)
	return movingBox{box, m}, err
}

type movingBox struct {
	syncer.Mailbox
	m *moving
}

func (b movingBox) Fetch(ctx context.Context, uids []mail.UID, got func(mail.UID, io.Reader, error) error) error {
	if b.m.do != nil {
		b.m.do()
		b.m.do = nil
	}
	return b.Mailbox.Fetch(ctx, uids, got)
}

// What changes on a side while it is compared is a change like any other.
func TestVerifyBesideAnotherClient(t *testing.T) {
	b := filled(t)
	b.remote = &moving{b.Server, func() { b.edit(simworld.Remote, simworld.Delete, mail.Inbox, "B") }}
	found, report := b.verify(syncer.VerifyOptions{Folders: []mail.FolderName{mail.Inbox}})
	b.mustFind(found, "pending missing remote", "deleted on the server")
	if len(report.Failures) > 0 {
		t.Error(report.Failures)
	}
}

func TestVerifyTellsProgress(t *testing.T) {
	b := filled(t)
	last, calls := 0, 0
	b.verify(syncer.VerifyOptions{Lanes: 2, Progress: func(_ mail.FolderName, read, expected int) {
		if calls++; read != calls || expected != 6 {
			t.Errorf("%d of %d contents at call %d", read, expected, calls)
		}
		last = read
	}})
	if last != 6 {
		t.Errorf("%d contents read", last)
	}
}

package syncer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/plan"
	"imapsync/syncer"
)

// bench is a simulated world with an account on it that tests may bend.
type bench struct {
	*testing.T
	*simworld.World
	server string
	local  syncer.Local
	remote syncer.Remote
}

func newBench(t *testing.T) *bench {
	w := simworld.New(1)
	return &bench{T: t, World: w, server: "imap.example.org:993", local: w.Disk, remote: w.Server}
}

func (b *bench) edit(side simworld.Side, verb simworld.Verb, folder mail.FolderName, name string, more ...func(*simworld.Edit)) {
	b.Helper()
	e := simworld.Edit{Verb: verb, Folder: folder, Name: name}
	for _, m := range more {
		m(&e)
	}
	if err := b.Edit(side, e); err != nil {
		b.Fatal(err)
	}
}

func to(folder mail.FolderName) func(*simworld.Edit) {
	return func(e *simworld.Edit) { e.To = folder }
}

func with(system mail.System) func(*simworld.Edit) {
	return func(e *simworld.Edit) { e.Flags = mail.NewFlags(system) }
}

func (b *bench) run(o syncer.Options) *syncer.Report {
	b.Helper()
	b.Begin(time.Hour)
	o.Lanes = max(o.Lanes, 1)
	report, err := syncer.Run(context.Background(), syncer.Account{Name: "sim", Identity: mail.Identity{Server: b.server, User: "me"},
		Maildir: "/Mail", Local: b.local, Remote: b.remote, State: b.Record, FullCheck: 7 * 24 * time.Hour, Now: b.Now, Wait: b.Wait}, o, nil)
	if err != nil {
		b.Fatal(err)
	}
	if wrong := b.Wrong(); len(wrong) > 0 {
		b.Fatal(wrong)
	}
	return report
}

// settled runs until both sides are quiet.
func (b *bench) settled() {
	b.Helper()
	for range 4 {
		if len(b.run(syncer.Options{}).Plan.Ops) == 0 {
			return
		}
	}
	b.Fatal("never quiet")
}

// want checks what both sides hold.
func (b *bench) want(entries string) {
	b.Helper()
	for _, side := range []simworld.Side{simworld.Local, simworld.Remote} {
		if got := strings.ReplaceAll(simworld.EntriesText(b.List(side))+" ", "= ", " "); got != entries+" " {
			b.Errorf("%s: %s, want %s", side, got, entries)
		}
	}
}

func deletes(r *syncer.Report) (n int) {
	for _, o := range r.Plan.Ops {
		if o.Deletion() && !o.Moved && !o.Held {
			n++
		}
	}
	return n
}

type lateScan struct {
	syncer.Local
	before func()
}

func (l *lateScan) Scan(ctx context.Context, f mail.FolderName, stat bool) (mail.LocalSnapshot, error) {
	if f == mail.Inbox && l.before != nil {
		l.before()
		l.before = nil
	}
	return l.Local.Scan(ctx, f, stat)
}

func (l *lateScan) Names(ctx context.Context, folder mail.FolderName, _ int) (syncer.Names, error) {
	return simworld.NamesOf(ctx, l, folder)
}

// TestFileMovedBehindTheScan: Archive was found unchanged, then a mail reader
// archived a message, then INBOX was scanned. The message is in neither
// listing, and was not deleted.
func TestFileMovedBehindTheScan(t *testing.T) {
	b := newBench(t)
	b.edit(simworld.Remote, simworld.Create, "Archive", "")
	b.edit(simworld.Remote, simworld.Add, mail.Inbox, "M")
	b.edit(simworld.Remote, simworld.Add, mail.Inbox, "N")
	b.settled()
	b.edit(simworld.Local, simworld.Change, mail.Inbox, "N", with(mail.Seen))
	b.local = &lateScan{b.Disk, func() { b.edit(simworld.Local, simworld.Move, mail.Inbox, "M", to("Archive")) }}
	if n := deletes(b.run(syncer.Options{})); n != 0 {
		t.Errorf("%d deletions", n)
	}
	b.settled()
	b.want("N=S Archive/M")
}

type lateOpen struct {
	syncer.Remote
	before func()
}

func (l *lateOpen) Look(ctx context.Context, f mail.FolderName, readOnly bool, known mail.Known, full bool) (mail.RemoteSnapshot, error) {
	return look(ctx, l, f, readOnly, known, full)
}

func (l *lateOpen) Open(ctx context.Context, f mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	if f == mail.Inbox && l.before != nil {
		l.before()
		l.before = nil
	}
	return l.Remote.Open(ctx, f, readOnly)
}

// TestMessageMovedBehindTheList is the same on the server, with a flag set in
// the Maildir that a deletion would yield to: the message must not be doubled.
func TestMessageMovedBehindTheList(t *testing.T) {
	b := newBench(t)
	b.edit(simworld.Remote, simworld.Create, "Archive", "")
	b.edit(simworld.Remote, simworld.Add, mail.Inbox, "M")
	b.settled()
	b.edit(simworld.Local, simworld.Change, mail.Inbox, "M", with(mail.Flagged))
	b.edit(simworld.Remote, simworld.Add, mail.Inbox, "N")
	b.remote = &lateOpen{b.Server, func() { b.edit(simworld.Remote, simworld.Move, mail.Inbox, "M", to("Archive")) }}
	b.run(syncer.Options{})
	b.settled()
	b.want("N Archive/M=F")
}

type closedBox struct {
	syncer.Remote
	name mail.FolderName
}

func (c closedBox) Look(ctx context.Context, f mail.FolderName, readOnly bool, known mail.Known, full bool) (mail.RemoteSnapshot, error) {
	return look(ctx, c, f, readOnly, known, full)
}

func (c closedBox) Open(ctx context.Context, f mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	if f == c.name {
		return nil, &mail.Fault{Scope: mail.ScopeFolder, Class: mail.ClassTemporary, Folder: f, Doing: "select", Err: errors.New("NO [INUSE]")}
	}
	return c.Remote.Open(ctx, f, readOnly)
}

// TestMovedIntoAFolderThatFails: the other end of the move cannot be looked at.
func TestMovedIntoAFolderThatFails(t *testing.T) {
	for _, side := range []simworld.Side{simworld.Local, simworld.Remote} {
		b := newBench(t)
		b.edit(simworld.Remote, simworld.Create, "U", "")
		b.edit(simworld.Remote, simworld.Add, mail.Inbox, "M")
		b.settled()
		b.edit(side, simworld.Move, mail.Inbox, "M", to("U"))
		b.remote = closedBox{b.Server, "U"}
		if r := b.run(syncer.Options{Full: true}); deletes(r) != 0 {
			t.Errorf("moved on %s: %d deletions, failures %v", side, deletes(r), r.Failures)
		}
		b.remote = b.Server
		b.settled()
		b.want("U/M")
	}
}

type unreadable struct{ syncer.Local }

func (unreadable) Open(context.Context, mail.FolderName, mail.Key) (io.ReadCloser, error) {
	return nil, &mail.Fault{Scope: mail.ScopeMessage, Err: errors.New("cannot be read")}
}

// TestServerSwitchIsOver: after a config that points elsewhere one run matches
// everything again. A message that can never be sent does not make all later
// runs do the same, which would undo every deletion.
func TestServerSwitchIsOver(t *testing.T) {
	b := newBench(t)
	for i := range 4 {
		b.edit(simworld.Remote, simworld.Add, mail.Inbox, fmt.Sprint("M", i))
	}
	b.settled()
	b.edit(simworld.Local, simworld.Add, mail.Inbox, "stuck")
	b.server, b.local = "imap.example.net:993", unreadable{b.Disk}
	b.run(syncer.Options{})
	b.edit(simworld.Local, simworld.Delete, mail.Inbox, "M1")
	b.edit(simworld.Remote, simworld.Delete, mail.Inbox, "M2")
	b.run(syncer.Options{})
	if got := simworld.EntriesText(b.List(simworld.Remote)); got != "M0= M3=" {
		t.Errorf("the server has %s", got)
	}
}

// TestServerSwitchReachesAllFolders: a run on one folder after the switch does
// not let the others be compared by the old server's UIDs.
func TestServerSwitchReachesAllFolders(t *testing.T) {
	b := newBench(t)
	b.edit(simworld.Remote, simworld.Create, "A", "")
	b.edit(simworld.Remote, simworld.Add, "A", "M")
	b.settled()
	b.server = "other.example.org:993"
	b.run(syncer.Options{Folders: []mail.FolderName{mail.Inbox}})
	b.edit(simworld.Remote, simworld.Delete, "A", "M") // as if the new server never had it
	b.settled()
	b.want("A/M")
}

// TestHeldFolderIsNotMadeAgain: new mail in a folder that the server deleted
// does not turn its held deletions into uploads.
func TestHeldFolderIsNotMadeAgain(t *testing.T) {
	b := newBench(t)
	b.edit(simworld.Remote, simworld.Create, "A", "")
	for i := range 110 {
		b.edit(simworld.Remote, simworld.Add, "A", fmt.Sprint("M", i))
	}
	b.settled()
	b.edit(simworld.Remote, simworld.Remove, "A", "")
	b.edit(simworld.Local, simworld.Add, "A", "NEW", with(mail.Seen))
	for range 2 {
		if r := b.run(syncer.Options{}); len(r.Held) != 1 || r.Held[0].Count != 110 || r.Counts[plan.Upload] != 0 {
			t.Fatalf("held %v, done %v", r.Held, r.Counts)
		}
	}
	b.run(syncer.Options{AcceptDeletions: true})
	b.settled()
	b.want("A/NEW=S")
}

// altering is a server without UIDPLUS that adds a header field to what it
// stores.
type altering struct{ syncer.Remote }

func (a altering) Look(ctx context.Context, f mail.FolderName, readOnly bool, known mail.Known, full bool) (mail.RemoteSnapshot, error) {
	return look(ctx, a, f, readOnly, known, full)
}

func (a altering) Open(ctx context.Context, f mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	m, err := a.Remote.Open(ctx, f, readOnly)
	if err != nil {
		return nil, err
	}
	return alteringBox{m}, nil
}

type alteringBox struct{ syncer.Mailbox }

const added = "X-Server: yes\r\n"

func (b alteringBox) Append(ctx context.Context, messages iter.Seq[mail.Outgoing], done func(int, mail.UID, error)) error {
	return b.Mailbox.Append(ctx, func(yield func(mail.Outgoing) bool) {
		for out := range messages {
			open := out.Open
			out.Size += int64(len(added))
			out.Open = func() (io.ReadCloser, error) {
				body, err := open()
				if err != nil {
					return nil, err
				}
				return struct {
					io.Reader
					io.Closer
				}{io.MultiReader(strings.NewReader(added), body), body}, nil
			}
			if !yield(out) {
				return
			}
		}
	}, done)
}

func TestServerThatAltersWhatItStores(t *testing.T) {
	b := newBench(t)
	b.Server.NoUIDPlus = true
	b.edit(simworld.Local, simworld.Add, mail.Inbox, "A")
	b.edit(simworld.Local, simworld.Add, mail.Inbox, "B")
	b.remote = altering{b.Server}
	b.settled()
	if l, r := len(b.List(simworld.Local)), len(b.List(simworld.Remote)); l != 2 || r != 2 {
		t.Errorf("%d files, %d messages", l, r)
	}
}

// TestRecoveryBesideADamagedFolder: what cannot be looked through costs the
// folders with open copies, not the run.
func TestRecoveryBesideADamagedFolder(t *testing.T) {
	b := newBench(t)
	b.edit(simworld.Remote, simworld.Create, "A", "")
	b.settled()
	b.edit(simworld.Remote, simworld.Add, "A", "M")
	intent := mail.Intent{Kind: mail.IntentDownload, Folder: "A", Key: "k", UID: 1, UIDValidity: validityOf(b, "A"), Date: time.Unix(1, 0)}
	if err := b.Record.Commit(context.Background(), mail.Batch{AddIntents: []*mail.Intent{&intent}}); err != nil {
		t.Fatal(err)
	}
	b.edit(simworld.Remote, simworld.Add, mail.Inbox, "N")
	b.local = damaged{b.Disk}
	if r := b.run(syncer.Options{}); r.Counts[plan.Download] != 1 || len(r.Failures) == 0 {
		t.Errorf("done %v, failures %v", r.Counts, r.Failures)
	}
	b.local = b.Disk
	b.settled()
	b.want("N A/M")
}

func validityOf(b *bench, name mail.FolderName) uint32 {
	b.Helper()
	records, err := b.Record.Folders(context.Background())
	for _, rec := range records {
		if rec.Folder == name {
			return rec.Mark.UIDValidity
		}
	}
	b.Fatal("no record", err)
	return 0
}

type picky struct{ syncer.Remote }

func (p picky) Open(ctx context.Context, f mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	m, err := p.Remote.Open(ctx, f, readOnly)
	if err != nil {
		return nil, err
	}
	return pickyBox{m}, nil
}

type pickyBox struct{ syncer.Mailbox }

func (p pickyBox) StoreAndLook(ctx context.Context, changes []mail.FlagChange, refused func(int, error)) (all []mail.UID, err error) {
	for i, change := range changes {
		if change.Add.HasKeyword("bad") {
			refused(i, &mail.Fault{Scope: mail.ScopeMessage, Err: errors.New("NO too many keywords")})
			continue
		}
		there, err := p.Mailbox.StoreAndLook(ctx, changes[i:i+1], func(_ int, err error) { refused(i, err) })
		if err != nil {
			return nil, err
		}
		all = append(all, there...)
	}
	slices.Sort(all)
	return all, nil
}

// TestRefusedStoreCostsItsMessages: the other flags and the deletions of the
// folder are done all the same.
func TestRefusedStoreCostsItsMessages(t *testing.T) {
	b := newBench(t)
	for _, name := range []string{"A", "B", "C"} {
		b.edit(simworld.Remote, simworld.Add, mail.Inbox, name)
	}
	b.settled()
	b.edit(simworld.Local, simworld.Change, mail.Inbox, "A", func(e *simworld.Edit) { e.Flags = mail.NewFlags(0, "bad") })
	b.edit(simworld.Local, simworld.Change, mail.Inbox, "B", with(mail.Flagged))
	b.edit(simworld.Local, simworld.Delete, mail.Inbox, "C")
	b.remote = picky{b.Server}
	if r := b.run(syncer.Options{}); len(r.Failures) != 1 || r.Counts[plan.SetFlags] != 1 || r.Counts[plan.DeleteRemote] != 1 {
		t.Errorf("done %v, failures %v", r.Counts, r.Failures)
	}
	b.remote = b.Server
	b.settled()
	b.want("A=+bad B=F")
}

// TestInboxInAnotherCase: a Maildir of another tool with Inbox/ is INBOX to the
// server; nothing of either is copied until it is renamed.
func TestInboxInAnotherCase(t *testing.T) {
	b := newBench(t)
	b.edit(simworld.Remote, simworld.Add, mail.Inbox, "A")
	b.edit(simworld.Local, simworld.Add, "Inbox", "A")
	b.edit(simworld.Local, simworld.Add, "Inbox/kid", "B")
	r := b.run(syncer.Options{})
	if len(r.Plan.Ops) != 0 || len(r.Failures) != 2 || !strings.Contains(r.Failures[0].Error(), "rename it to INBOX") {
		t.Errorf("planned %v, failures %v", r.Plan.Ops, r.Failures)
	}
}

// TestDeletionsOutOfARunOnChosenFolders: a file moved to a folder that is not
// part of the run is no deletion.
func TestDeletionsOutOfARunOnChosenFolders(t *testing.T) {
	for seed := range uint64(8) { // some give the moved file a new name
		b := newBench(t)
		b.World = simworld.New(seed)
		b.local, b.remote = b.Disk, b.Server
		b.edit(simworld.Remote, simworld.Create, "Archive", "")
		b.edit(simworld.Remote, simworld.Add, mail.Inbox, "M")
		b.settled()
		b.edit(simworld.Local, simworld.Move, mail.Inbox, "M", to("Archive"))
		if r := b.run(syncer.Options{Folders: []mail.FolderName{mail.Inbox}}); deletes(r) != 0 {
			t.Error(seed, r.Plan.Ops)
		}
		b.settled()
		b.want("Archive/M")
	}
}

// sealed has a folder whose files nobody may read.
type sealed struct {
	syncer.Local
	folder mail.FolderName
}

func (s sealed) Read(ctx context.Context, folder mail.FolderName, key mail.Key) (mail.Content, mail.FileStamp, time.Time, error) {
	if folder == s.folder {
		return mail.Content{}, mail.FileStamp{}, time.Time{}, &mail.Fault{Scope: mail.ScopeMessage, Folder: folder, Err: errors.New("permission denied")}
	}
	return s.Local.Read(ctx, folder, key)
}

// A file outside of the run that cannot be read may be the one that is missing: that
// costs its message and not the run.
func TestUnreadableFileOutOfARunOnChosenFolders(t *testing.T) {
	for seed := range uint64(8) {
		b := newBench(t)
		b.World = simworld.New(seed)
		b.local, b.remote = b.Disk, b.Server
		b.edit(simworld.Remote, simworld.Create, "Archive", "")
		b.edit(simworld.Remote, simworld.Add, mail.Inbox, "M")
		b.edit(simworld.Remote, simworld.Add, mail.Inbox, "N")
		b.settled()
		b.edit(simworld.Local, simworld.Move, mail.Inbox, "M", to("Archive"))
		b.edit(simworld.Remote, simworld.Change, mail.Inbox, "N", with(mail.Flagged))
		b.local = sealed{b.Disk, "Archive"}
		r := b.run(syncer.Options{Folders: []mail.FolderName{mail.Inbox}})
		if deletes(r) != 0 || r.Counts[plan.SetFlags] != 1 {
			t.Error(seed, r.Plan.Ops)
		}
		b.local = b.Disk
		b.settled()
		b.want("N=F Archive/M")
	}
}

type lateCopy struct {
	syncer.Remote
	before func()
}

func (l *lateCopy) Open(ctx context.Context, f mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	m, err := l.Remote.Open(ctx, f, readOnly)
	if err != nil {
		return nil, err
	}
	return lateCopyBox{m, l}, nil
}

type lateCopyBox struct {
	syncer.Mailbox
	l *lateCopy
}

func (b lateCopyBox) Copy(ctx context.Context, uids []mail.UID, to mail.FolderName, validity uint32) (map[mail.UID]mail.UID, error) {
	if b.l.before != nil {
		b.l.before()
		b.l.before = nil
	}
	return b.Mailbox.Copy(ctx, uids, to, validity)
}

// TestArrivalIsNotTakenForACopy: the message to be copied was deleted in the
// last moment, and another came into the target. On a server that tells no UIDs
// the arrival must not pass for the copy.
func TestArrivalIsNotTakenForACopy(t *testing.T) {
	b := newBench(t)
	b.Server.NoUIDPlus = true
	b.edit(simworld.Remote, simworld.Create, "B", "")
	b.edit(simworld.Remote, simworld.Add, mail.Inbox, "M")
	b.settled()
	b.edit(simworld.Local, simworld.Copy, mail.Inbox, "M", to("B"))
	b.remote = &lateCopy{b.Server, func() {
		b.edit(simworld.Remote, simworld.Delete, mail.Inbox, "M")
		b.edit(simworld.Remote, simworld.Add, "B", "X")
	}}
	if r := b.run(syncer.Options{}); len(r.Failures) != 0 {
		t.Error(r.Failures)
	}
	b.settled()
	b.want("B/M B/X")
}

// TestMoveCutShort: a file in two folders under one name is a move that was cut
// short, on file systems where a move is a link and an unlink; it is ended and
// not sent as a new message.
func TestMoveCutShort(t *testing.T) {
	b := newBench(t)
	b.edit(simworld.Remote, simworld.Create, "Work", "")
	b.edit(simworld.Remote, simworld.Add, mail.Inbox, "M")
	b.settled()
	rows, err := b.Record.Rows(context.Background(), mail.Inbox)
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	b.edit(simworld.Remote, simworld.Move, mail.Inbox, "M", to("Work"))
	if err := b.Disk.Copy(context.Background(), mail.Inbox, rows[0].Key, "Work", rows[0].Key); err != nil {
		t.Fatal(err)
	}
	b.settled()
	b.want("Work/M")
}

// TestFailingFolderCostsItselfAlone: a mailbox that cannot be looked into, but
// tells by its mark that nothing came into it, holds up no deletion elsewhere, in
// any run.
func TestFailingFolderCostsItselfAlone(t *testing.T) {
	b := newBench(t)
	b.edit(simworld.Remote, simworld.Add, "Broken", "X")
	for _, name := range []string{"A", "B", "C"} {
		b.edit(simworld.Remote, simworld.Add, mail.Inbox, name)
	}
	b.settled()
	b.edit(simworld.Remote, simworld.Change, "Broken", "X", with(mail.Flagged)) // so that it is looked into
	b.remote = closedBox{b.Server, "Broken"}
	for i, name := range []string{"A", "B", "C"} {
		b.edit(simworld.Remote, simworld.Delete, mail.Inbox, name)
		if r := b.run(syncer.Options{}); len(r.Failures) == 0 || r.Counts[plan.DeleteLocal] != 1 {
			t.Errorf("run %d: %v, failures %v", i+1, r.Counts, r.Failures)
		}
	}
}

// TestMessageMovedInSight: another client moves a message to a folder that is looked
// at after the one it was in, so that it is seen in both. It is no copy: whatever is
// done to its file afterwards, there is one message.
func TestMessageMovedInSight(t *testing.T) {
	for _, silent := range []bool{false, true} { // the server does not tell which messages are one
		for _, flagged := range []bool{false, true} { // the file was flagged, so that its folder is looked at, too
			b := newBench(t)
			b.Server.NoObjects = silent
			b.edit(simworld.Remote, simworld.Create, "Archive", "")
			b.edit(simworld.Remote, simworld.Add, mail.Inbox, "M", with(mail.Seen))
			b.settled()
			want := "Archive/M=S Archive/N"
			if flagged {
				b.edit(simworld.Local, simworld.Change, mail.Inbox, "M", with(mail.Flagged))
				want = "Archive/M=FS Archive/N"
			}
			b.edit(simworld.Remote, simworld.Add, "Archive", "N")
			b.remote = &lateArchive{b.Server, func() { b.edit(simworld.Remote, simworld.Move, mail.Inbox, "M", to("Archive")) }}
			b.run(syncer.Options{})
			b.want(want)
			b.settled()
			b.want(want)
		}
	}
}

// lateArchive is lateOpen of another folder.
type lateArchive struct {
	syncer.Remote
	before func()
}

func (l *lateArchive) Look(ctx context.Context, f mail.FolderName, readOnly bool, known mail.Known, full bool) (mail.RemoteSnapshot, error) {
	return look(ctx, l, f, readOnly, known, full)
}

func (l *lateArchive) Open(ctx context.Context, f mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	if f == "Archive" && l.before != nil {
		l.before()
		l.before = nil
	}
	return l.Remote.Open(ctx, f, readOnly)
}

// denying is a server that gives no message when asked by number.
type denying struct{ *simworld.Server }

func (d denying) LookAgain(ctx context.Context, absent []mail.Sought, readOnly bool, told func(mail.FolderName, []mail.UID, error)) ([]mail.RemoteFolder, error) {
	return d.Server.LookAgain(ctx, absent, readOnly, func(name mail.FolderName, _ []mail.UID, err error) { told(name, nil, err) })
}

// TestCopyOfADeniedMessage: nothing waits for a server that shows a message and does
// not give it when asked by number.
func TestCopyOfADeniedMessage(t *testing.T) {
	b := twinBench(t)
	b.remote = denying{b.Server}
	b.edit(simworld.Remote, simworld.Copy, mail.Inbox, "M", to("Label"))
	b.run(syncer.Options{})
	b.want("M=S Label/M=S")
}

// TestFileMovedTwiceInSight: a mail reader moves a file on while the folders are
// scanned, so that it is seen in two of them, under two names. There is one message.
func TestFileMovedTwiceInSight(t *testing.T) {
	w := simworld.New(2) // in which a moved file gets a new name
	b := &bench{T: t, World: w, server: "imap.example.org:993", local: w.Disk, remote: w.Server}
	for _, f := range []mail.FolderName{"A", "B", "C"} {
		b.edit(simworld.Remote, simworld.Create, f, "")
	}
	b.edit(simworld.Remote, simworld.Add, "A", "M", with(mail.Seen))
	b.settled()
	b.edit(simworld.Local, simworld.Move, "A", "M", to("B"))
	b.edit(simworld.Local, simworld.Add, "C", "N", with(mail.Seen))
	b.local = &lateScanOf{b.Disk, "C", func() { b.edit(simworld.Local, simworld.Move, "B", "M", to("C")) }}
	if r := b.run(syncer.Options{}); r.Counts[plan.MoveRemote] != 1 || r.Counts[plan.Upload] != 1 || r.Counts[plan.CopyRemote] != 0 {
		t.Errorf("%v", r.Plan.Ops)
	}
	b.settled()
	b.want("A/ B/ C/M=S C/N=S")
}

// lateScanOf is lateScan of another folder.
type lateScanOf struct {
	syncer.Local
	folder mail.FolderName
	before func()
}

func (l *lateScanOf) Scan(ctx context.Context, f mail.FolderName, stat bool) (mail.LocalSnapshot, error) {
	if f == l.folder && l.before != nil {
		l.before()
		l.before = nil
	}
	return l.Local.Scan(ctx, f, stat)
}

func (l *lateScanOf) Names(ctx context.Context, folder mail.FolderName, _ int) (syncer.Names, error) {
	return simworld.NamesOf(ctx, l, folder)
}

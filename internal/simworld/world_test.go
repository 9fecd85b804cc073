package simworld

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"imapsync/mail"
	"imapsync/syncer"
)

var ctx = context.Background()

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// worldOf is a world in which both sides hold the entries.
func worldOf(t *testing.T, entries string) *World {
	t.Helper()
	w := New(1)
	list, err := parseEntries(entries)
	must(t, err)
	for _, e := range list {
		for _, side := range []Side{Local, Remote} {
			must(t, w.Edit(side, Edit{Verb: Add, Folder: e.Folder, Name: e.Name, Flags: e.Flags, New: e.New}))
		}
	}
	return w
}

func edits(t *testing.T, w *World, side Side, text string) {
	t.Helper()
	list, err := parseEdits(text)
	must(t, err)
	for _, e := range list {
		must(t, w.Edit(side, e))
	}
}

func selected(t *testing.T, w *World, folder mail.FolderName) syncer.Mailbox {
	t.Helper()
	mb, err := w.Server.Open(ctx, folder, false)
	must(t, err)
	t.Cleanup(mb.Close)
	return mb
}

func keyOf(t *testing.T, w *World, folder mail.FolderName, name string) mail.Key {
	t.Helper()
	for k, x := range w.Disk.folders[folder].files {
		if NameOf(x.content) == name {
			return k
		}
	}
	t.Fatalf("no %s in %s", name, folder)
	return ""
}

func wantSide(t *testing.T, w *World, side Side, want string) {
	t.Helper()
	if got := EntriesText(w.List(side)); got != want {
		t.Errorf("%s is %q, want %q", side, got, want)
	}
}

func TestDeltaBelievesTheMark(t *testing.T) {
	w := worldOf(t, "A=S B=S")
	mark := selected(t, w, mail.Inbox).Mark()
	edits(t, w, Remote, "B+F, new C=S")
	known := mail.Known{Mark: mark, UIDs: []mail.UID{1, 2}}
	snap, err := selected(t, w, mail.Inbox).Snapshot(ctx, known, false)
	must(t, err)
	snap.Complete([]*mail.Base{{UID: 1, Flags: mail.NewFlags(mail.Draft)}, {UID: 2, Flags: mail.NewFlags(mail.Seen)}})
	if got := snap.Messages[1].Flags.String() + snap.Messages[2].Flags.String() + snap.Messages[3].Flags.String(); got != ":D:FS:S" {
		t.Errorf("delta gives %s: the first unchanged since the mark, the others as they are", got)
	}
	if snap.Messages[1].Size != 0 || snap.Messages[3].Size != int64(len(wire(Content("C")))) {
		t.Error("sizes are told for new messages only")
	}
	full, err := selected(t, w, mail.Inbox).Snapshot(ctx, known, true)
	must(t, err)
	if full.Messages[1].Flags.String() != ":S" {
		t.Errorf("a full listing gives %s", full.Messages[1].Flags)
	}
}

func TestAppendCopyMoveTellUIDsWithUIDPlusOnly(t *testing.T) {
	for _, plus := range []bool{true, false} {
		w := worldOf(t, "A=S Work/B=")
		w.Server.NoUIDPlus = !plus
		mb := selected(t, w, mail.Inbox)
		out := mail.Outgoing{Flags: mail.NewFlags(mail.Flagged), Size: int64(len(wire(Content("C")))),
			Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(wire(Content("C")))), nil }}
		calls := 0
		must(t, mb.Append(ctx, slices.Values([]mail.Outgoing{out}), func(i int, uid mail.UID, err error) {
			calls++
			if err != nil || (uid == 2) != plus {
				t.Errorf("append: uid %d, %v", uid, err)
			}
		}))
		copied, err := mb.Copy(ctx, []mail.UID{1}, "Work", 0)
		must(t, err)
		moved, err := mb.Move(ctx, []mail.UID{2}, "Work", 0)
		must(t, err)
		if calls != 1 || (copied[1] == 2) != plus || (moved[2] == 3) != plus {
			t.Errorf("uidplus %v: %d calls, copied %v, moved %v", plus, calls, copied, moved)
		}
		wantSide(t, w, Remote, "A=S Work/A=S Work/B= Work/C=F")
	}
}

func TestLostConnectionBreaksTheMailboxOnly(t *testing.T) {
	w := worldOf(t, "A= B=")
	mb := selected(t, w, mail.Inbox)
	w.TroubleAt(When{N: 1}, LostAfter)
	if err := mb.(*Mailbox).Store(ctx, []mail.UID{1, 2}, mail.NewFlags(mail.Seen), mail.Flags{}); err == nil {
		t.Error("the loss goes unnoticed")
	}
	wantSide(t, w, Remote, "A=S B=")
	if _, err := mb.Flags(ctx, []mail.UID{1}); err == nil {
		t.Error("a broken connection still answers")
	}
	_, err := selected(t, w, mail.Inbox).Flags(ctx, []mail.UID{1})
	must(t, err)
}

func TestFetchEndsUnexpectedlyWithTheConnection(t *testing.T) {
	w := worldOf(t, "A=")
	w.TroubleAt(When{Remote, 2}, LostBefore)
	var bodyErr error
	err := selected(t, w, mail.Inbox).Fetch(ctx, []mail.UID{1}, func(_ mail.UID, body io.Reader, err error) error {
		must(t, err)
		_, bodyErr = io.ReadAll(body)
		return nil
	})
	if err == nil || bodyErr != io.ErrUnexpectedEOF {
		t.Errorf("fetch: %v, body: %v", err, bodyErr)
	}
}

func TestPermanentFlagsAndReadOnly(t *testing.T) {
	w := worldOf(t, "A= Work/B=")
	edits(t, w, Remote, "permanent INBOX/=FS, readonly Work/")
	must(t, selected(t, w, mail.Inbox).(*Mailbox).Store(ctx, []mail.UID{1}, mail.NewFlags(mail.Seen|mail.Answered, "todo"), mail.Flags{}))
	if err := selected(t, w, "Work").(*Mailbox).Store(ctx, []mail.UID{1}, mail.NewFlags(mail.Seen), mail.Flags{}); err == nil {
		t.Error("a read-only folder takes flags")
	}
	wantSide(t, w, Remote, "A=S Work/B=")
}

func TestFolderThatIsNotEmptyIsNotDeleted(t *testing.T) {
	w := worldOf(t, "A= Work/B=")
	if err := w.Server.DeleteFolder(ctx, "Work"); !errors.Is(err, mail.ErrChanged) {
		t.Errorf("delete of a full mailbox: %v", err)
	}
	if err := w.Disk.RemoveFolder(ctx, "Work"); err == nil {
		t.Error("a full directory is removed")
	}
	edits(t, w, Remote, "remove Work/")
	missing, err := w.Server.Missing(ctx, "Work")
	must(t, err)
	if !missing {
		t.Error("a removed mailbox is not missing")
	}
}

func TestCrashTakesOnlyWhatWasNotSynced(t *testing.T) {
	undone := map[string]bool{}
	for seed := range uint64(20) {
		w := worldOf(t, "A= B= C=")
		w.seed = seed
		must(t, w.Disk.SetFlags(ctx, mail.Inbox, keyOf(t, w, mail.Inbox, "A"), mail.NewFlags(mail.Seen), mail.Flags{}))
		must(t, w.Disk.Sync(ctx, mail.Inbox))
		must(t, w.Disk.SetFlags(ctx, mail.Inbox, keyOf(t, w, mail.Inbox, "B"), mail.NewFlags(mail.Seen), mail.Flags{}))
		must(t, w.Disk.Remove(ctx, mail.Inbox, keyOf(t, w, mail.Inbox, "C"), mail.Flags{}, mail.FileStamp{}))
		w.TroubleAt(When{N: 4}, CrashBefore)
		if err := w.Disk.CreateFolder(ctx, "Work"); err != error(ErrCrash) {
			t.Fatal(err)
		}
		if _, err := w.Server.Folders(ctx); err != error(ErrCrash) {
			t.Error("a dead process still talks to the server:", err)
		}
		undone[EntriesText(w.List(Local))] = true
	}
	for _, want := range []string{"A=S B=S", "A=S B= C=", "A=S B=S C=", "A=S B="} {
		if !undone[want] {
			t.Errorf("no seed gives %q: %v", want, undone)
		}
		delete(undone, want)
	}
	if len(undone) > 0 {
		t.Errorf("also: %v", undone)
	}
}

// TestCrashTakesBackMoves: a move is whole or undone, and for good once both
// folders were synced.
func TestCrashTakesBackMoves(t *testing.T) {
	for _, c := range []struct {
		synced []mail.FolderName
		undone bool
	}{
		{nil, true},
		{[]mail.FolderName{"Work"}, true},
		{[]mail.FolderName{mail.Inbox}, true},
		{[]mail.FolderName{"Work", mail.Inbox}, false},
	} {
		ends := map[string]bool{}
		for seed := range uint64(20) {
			w := worldOf(t, "A=S Work/B=")
			w.seed = seed
			_, err := w.Disk.Move(ctx, mail.Inbox, keyOf(t, w, mail.Inbox, "A"), "Work")
			must(t, err)
			for _, folder := range c.synced {
				must(t, w.Disk.Sync(ctx, folder))
			}
			w.TroubleAt(When{N: 2}, CrashBefore)
			if err := w.Disk.CreateFolder(ctx, "Other"); err != error(ErrCrash) {
				t.Fatal(err)
			}
			ends[EntriesText(w.List(Local))] = true
		}
		if !ends["Work/A=S Work/B="] || ends["A=S Work/B="] != c.undone || len(ends) > 2 {
			t.Errorf("synced %v: %v", c.synced, ends)
		}
	}
}

func TestDelivery(t *testing.T) {
	w := worldOf(t, "A=")
	y, err := w.Disk.Deliver(ctx, mail.Inbox)
	must(t, err)
	seen, unseen := w.Disk.NewKey(), w.Disk.NewKey()
	c, stamp, err := y.Write(mail.NewFile{Key: seen, Flags: mail.NewFlags(mail.Seen), Date: epoch}, bytes.NewReader(wire(Content("B"))))
	must(t, err)
	if c != contentOf(Content("B")) || stamp.Size != int64(len(Content("B"))) {
		t.Errorf("content %+v, stamp %+v", c, stamp)
	}
	_, _, err = y.Write(mail.NewFile{Key: unseen, Date: epoch}, bytes.NewReader(wire(Content("C"))))
	must(t, err)
	if _, _, err := y.Write(mail.NewFile{Key: w.Disk.NewKey(), Date: epoch}, &cutReader{strings.NewReader("x")}); err == nil {
		t.Error("half a body is taken")
	}
	wantSide(t, w, Local, "A=")
	failed, err := y.Commit(ctx)
	must(t, err)
	y.Discard()
	wantSide(t, w, Local, "A= B=S C")
	if len(failed) > 0 || w.Wrong() != nil {
		t.Error(failed, w.Wrong())
	}
}

func TestKeywordTable(t *testing.T) {
	w := worldOf(t, "A=+one")
	edits(t, w, Local, "fill INBOX/")
	must(t, w.Disk.SetFlags(ctx, mail.Inbox, keyOf(t, w, mail.Inbox, "A"), mail.NewFlags(0, "two"), mail.Flags{}))
	wantSide(t, w, Local, "A=+one")
	snap, err := w.Disk.Scan(ctx, mail.Inbox, false)
	must(t, err)
	if got := snap.Space.Storable(mail.NewFlags(0, "one", "two")); !got.Equal(mail.NewFlags(0, "one")) {
		t.Errorf("storable: %s", got)
	}
}

func TestRemoveAndMoveOfChangedFiles(t *testing.T) {
	w := worldOf(t, "A=S Work/B=")
	key := keyOf(t, w, mail.Inbox, "A")
	if err := w.Disk.Remove(ctx, mail.Inbox, key, mail.Flags{}, mail.FileStamp{}); !errors.Is(err, mail.ErrChanged) {
		t.Errorf("remove with other flags: %v", err)
	}
	as, err := w.Disk.Move(ctx, mail.Inbox, key, "Work")
	must(t, err)
	if as != key {
		t.Errorf("the key became %s", as)
	}
	if _, err := w.Disk.Move(ctx, mail.Inbox, key, "Work"); !errors.Is(err, mail.ErrChanged) {
		t.Errorf("move of a file that is gone: %v", err)
	}
	wantSide(t, w, Local, "Work/A=S Work/B=")
}

func TestDirectoryStamps(t *testing.T) {
	w := worldOf(t, "A=")
	stamp := func() mail.DirStamp {
		list, err := w.Disk.Folders(ctx)
		must(t, err)
		return list[0].Stamp
	}
	young := stamp()
	w.Begin(10 * time.Second)
	old := stamp()
	if stamp().Unchanged(young) || !stamp().Unchanged(old) {
		t.Error("a stamp is to be trusted when it was old enough")
	}
	edits(t, w, Local, "A+F")
	if stamp().Unchanged(old) {
		t.Error("a rename leaves the stamp as it was")
	}
}

func TestRecord(t *testing.T) {
	w := New(1)
	id := mail.Identity{Marker: "m"}
	in := &mail.Intent{Kind: mail.IntentUpload, Folder: mail.Inbox}
	row := &mail.Base{Folder: mail.Inbox, UID: 1, Key: "k", Content: contentOf(Content("A"))}
	must(t, w.Record.Commit(ctx, mail.Batch{Identity: &id, AddIntents: []*mail.Intent{in}, Put: []*mail.Base{row}}))
	row.Flags = mail.NewFlags(mail.Seen)
	rows, err := w.Record.Rows(ctx, mail.Inbox)
	must(t, err)
	if len(rows) != 1 || !rows[0].Flags.IsEmpty() || in.ID == 0 || row.ID == 0 {
		t.Fatalf("rows %+v, intent %d, row %d", rows, in.ID, row.ID)
	}
	other := &mail.Base{Folder: mail.Inbox, UID: 1, Key: "l", Content: row.Content}
	if err := w.Record.Commit(ctx, mail.Batch{SettleIntents: []*mail.Intent{in}, Put: []*mail.Base{other}}); err == nil {
		t.Error("two rows share a UID")
	}
	if list, _ := w.Record.Intents(ctx); len(list) != 1 {
		t.Error("half of a refused batch was done")
	}
	w.TroubleAt(When{N: 3}, CrashBefore)
	if err := w.Record.Commit(ctx, mail.Batch{Drop: []*mail.Base{row}}); err != error(ErrCrash) {
		t.Error(err)
	}
	w.Begin(0)
	if rows, _ := w.Record.RowsOf(ctx, []mail.Digest{row.Content.Digest}); len(rows) != 1 {
		t.Error("a crash before the commit took the row")
	}
}

func TestHooksAndTrace(t *testing.T) {
	w := worldOf(t, "A=")
	w.HookAt(When{Remote, 2}, func() { must(t, w.EditInHook(Remote, Edit{Verb: Add, Folder: mail.Inbox, Name: "B"})) })
	mb := selected(t, w, mail.Inbox)
	snap, err := mb.Snapshot(ctx, mail.Known{}, false)
	must(t, err)
	if len(snap.Messages) != 2 || snap.Mark.Messages != 1 {
		t.Errorf("%d messages, %d at SELECT", len(snap.Messages), snap.Mark.Messages)
	}
	trace := w.Trace()
	if len(trace) != 2 || trace[1].String() != "remote snapshot INBOX" || trace[1].N != 2 || w.Steps() != 0 {
		t.Errorf("%v", trace)
	}
}

func TestBreachesAreNoted(t *testing.T) {
	w := worldOf(t, "A=")
	w.Server.NoMove = true
	mb, err := w.Server.Open(ctx, mail.Inbox, true)
	must(t, err)
	mb.(*Mailbox).Store(ctx, []mail.UID{1}, mail.NewFlags(mail.Seen), mail.Flags{})
	if len(w.Wrong()) != 2 { // the change, and the mailbox still open
		t.Errorf("%q", w.Wrong())
	}
	mb.Close()
	selected(t, w, mail.Inbox).Move(ctx, []mail.UID{1}, mail.Inbox, 0)
	w.Disk.Unmounted = true
	w.Disk.CreateFolder(ctx, "Work")
	if got := strings.Join(w.Wrong(), "; "); !strings.Contains(got, "MOVE") || !strings.Contains(got, "not mounted") {
		t.Error(got)
	}
}

// A stub has the name of its message, however often that was edited.
func TestStubsAreNamedAsTheirMessages(t *testing.T) {
	for _, name := range []string{"M1", "M1~", "Big2~~"} {
		for _, text := range []bool{false, true} {
			stub := stubOf(Content(name), int64(len(wire(Content(name)))), text)
			if c := contentOf(stub); NameOf(stub) != name || !c.StandsFor(contentOf(Content(name))) || c.Whole == 0 {
				t.Errorf("the stub of %s, with text %v, is that of %s: %+v", name, text, NameOf(stub), c)
			}
		}
	}
}

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"imapsync/internal/corpus"
	"imapsync/mail"
)

// tagged gives messages flags and keywords by turns.
func tagged(messages []corpus.Message) []corpus.Message {
	turns := []mail.Flags{mail.NewFlags(0), mail.NewFlags(mail.Seen), mail.NewFlags(mail.Seen|mail.Flagged, "todo"),
		mail.NewFlags(mail.Answered, "$Label1", "todo"), mail.NewFlags(0, "later")}
	for i := range messages {
		messages[i].Flags = turns[i%len(turns)]
	}
	return messages
}

// upload puts messages into a mailbox of the server.
func (a *account) upload(folder string, messages []corpus.Message) {
	a.t.Helper()
	for _, m := range messages {
		a.phone.Append(a.theirs(folder), m.Flags, m.Date, corpus.Wire(m.Body))
	}
}

// keys are the names of a folder's files without flags.
func (a *account) keys(folder string) map[string]bool {
	a.t.Helper()
	keys := map[string]bool{}
	for _, f := range a.files(folder) {
		keys[f.key()] = true
	}
	return keys
}

// undo runs `imapsync undo` and insists on an exit code and on words.
func (a *account) undo(code int, say string, args ...string) {
	a.t.Helper()
	r := a.run(append([]string{"undo"}, args...)...)
	if r.code != code {
		a.t.Fatalf("undo %q: want exit %d, got %v", args, code, r)
	}
	mustSay(a.t, r, say)
}

// keptFiles are what waits in the state directory to be put back.
func (a *account) keptFiles() []string {
	a.t.Helper()
	files, err := filepath.Glob(filepath.Join(a.state, "test.deleted", "*", "*", "*"))
	if err != nil {
		a.t.Fatal(err)
	}
	return slices.DeleteFunc(files, func(f string) bool { return filepath.Base(f) == "dovecot-keywords" })
}

func TestUndoBringsBackWhatTheServerDeleted(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.phone.Create("Work")
	a.upload("INBOX", tagged(small(1, 15)))
	a.upload("Work", tagged(small(2, 10)))
	a.sync(0)
	want, keys := a.local(), a.keys("INBOX")

	a.phone.Expunge("INBOX", a.phone.UIDs("INBOX")[:7]...)
	a.phone.Delete("Work")
	mustSay(t, a.sync(0), "17 deleted from the Maildir (imapsync -c "+a.config+" undo 2 brings them back)")
	if folders := a.folders(); len(folders) != 1 {
		t.Fatalf("folders %q, want INBOX only", folders)
	}
	// Letters get another meaning in the folder that is left.
	if err := os.WriteFile(filepath.Join(a.path("INBOX"), "dovecot-keywords"), []byte("0 first\n1 todo\n2 later\n3 $Label1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, f := range a.files("INBOX") {
		f.setFlags(mail.NewFlags(0))
	}
	a.sync(0)
	kept := a.local()

	a.undo(0, "17 messages of run 2", "2")
	for i, n := range want {
		if i.folder == "Work" && a.local()[i] != n {
			t.Errorf("%x of Work is back %d times with %s", i.sum[:4], a.local()[i], i.flags)
		}
	}
	if n := a.local().total(); n != kept.total()+17 {
		t.Errorf("%d messages, want %d", n, kept.total()+17)
	}
	for key := range keys {
		if !a.keys("INBOX")[key] {
			t.Errorf("%s is not back under its own name", key)
		}
	}
	back := a.local()
	a.sync(0)
	a.converged()
	mustEqual(t, "after the upload", a.remote(), back)
	a.datesAgree()
	a.syncQuiet()
	a.undo(0, "nothing to undo", "2")
	if left := a.keptFiles(); len(left) != 0 {
		t.Errorf("still kept: %q", left)
	}
}

// A run that is killed may have removed files and not recorded it; an undo that
// is killed may have put back a part. Both are completed, and nothing doubled.
func TestUndoAfterCrashes(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.phone.Create("Work")
	a.upload("Work", tagged(small(1, 300))) // so many that 90 deletions are not held
	a.sync(0)
	want := a.local()
	deleteSome := func() {
		t.Helper()
		a.phone.Expunge("Work", a.phone.UIDs("Work")[:90]...)
	}

	// The run dies when the first files are gone; the next one goes on.
	deleteSome()
	a.killedWhen(func() bool { return len(a.keptFiles()) > 10 }, "sync")
	a.undo(0, "of run 2", "2")
	mustEqual(t, "undone", a.local(), want)
	a.sync(0)
	if kept := len(a.keptFiles()); kept > 0 { // of what the killed run had not come to
		a.undo(0, fmt.Sprintf("%d messages of run 3", kept))
	}
	a.sync(0)
	mustEqual(t, "uploaded", a.remote(), want)
	a.converged()

	// Again, without a crash; then it is the undo that dies.
	deleteSome()
	a.sync(0)
	for range 3 {
		before := len(a.files("Work"))
		a.killedWhen(func() bool { return len(a.files("Work")) > before+5 }, "undo")
	}
	a.undo(0, "")
	mustEqual(t, "undone in pieces", a.local(), want)
	a.sync(0)
	mustEqual(t, "uploaded again", a.remote(), want)
	a.converged()
	a.undo(0, "nothing to undo")
}

// killedWhen starts the program and kills it as soon as something is so, or
// lets it end.
func (a *account) killedWhen(so func() bool, args ...string) {
	a.t.Helper()
	cmd, r := start(a.t, append([]string{"-c", a.config}, args...)...)
	ended := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for !so() {
			select {
			case <-ended:
				return
			case <-time.After(time.Millisecond):
			}
		}
		_ = cmd.Process.Kill()
	}()
	finish(a.t, cmd, r)
	close(ended)
	<-watched
}

// A message that the server still has, or that came back by another way, is
// paired by its content.
func TestUndoOfWhatCameBackAnotherWay(t *testing.T) {
	t.Parallel()
	a := single(t)
	messages := tagged(small(1, 6))
	a.upload("INBOX", messages)
	a.sync(0)
	want := a.local()
	a.phone.Expunge("INBOX", a.phone.UIDs("INBOX")[:3]...)
	a.sync(0)
	a.upload("INBOX", messages[:3])
	a.undo(0, "3 messages")
	a.sync(0)
	a.converged()
	mustEqual(t, "local", a.local(), want)
	a.syncQuiet()
}

func TestUndoWithSeveralAccounts(t *testing.T) {
	t.Parallel()
	a := single(t)
	b := newAccount(t, a.server, "bob")
	a.write(a.config, fmt.Sprintf("state_dir = %q\n\n%s%s", a.state, a.section("one"), b.section("two")))
	a.seedRemote(1, "INBOX", 4)
	b.seedRemote(2, "INBOX", 4)
	a.sync(0)
	a.undo(0, "two: nothing to undo")
	a.undo(2, "none of the accounts", "9")
	a.phone.Expunge("INBOX", a.phone.UIDs("INBOX")[0])
	mustSay(t, a.sync(0), "undo one 2 brings it back")
	a.undo(0, "one: 1 message of run 2")
	b.phone.Expunge("INBOX", b.phone.UIDs("INBOX")[0])
	a.sync(0)
	a.phone.Expunge("INBOX", a.phone.UIDs("INBOX")[0])
	b.phone.Expunge("INBOX", b.phone.UIDs("INBOX")[0])
	a.sync(0)
	a.undo(2, "undo ACCOUNT")
	a.undo(0, "one: 1 message", "one")
	a.undo(0, "two: 1 message of run 3", "two/3")
	a.undo(0, "two: 1 message of run 4", "4", "two")
	a.sync(0)
	a.converged()
	b.converged()
	if n, m := a.local().total(), b.local().total(); n != 4 || m != 4 {
		t.Errorf("%d and %d messages, want 4 and 4", n, m)
	}
}

func TestNothingIsKeptWithoutKeepDeleted(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.seedRemote(1, "INBOX", 4)
	a.sync(0)
	a.phone.Expunge("INBOX", a.phone.UIDs("INBOX")[0])
	a.sync(0)
	if n := len(a.keptFiles()); n != 1 {
		t.Fatalf("%d files kept, want 1", n)
	}
	a.configure(`keep_deleted = "0s"`)
	<-time.After(1100 * time.Millisecond) // what is kept bears whole seconds
	a.phone.Expunge("INBOX", a.phone.UIDs("INBOX")[0])
	if r := a.sync(0); contains(r.output(), "undo") {
		t.Errorf("an undo is offered of what is not kept: %v", r)
	}
	if left := a.keptFiles(); len(left) != 0 {
		t.Errorf("still kept: %q", left)
	}
	a.undo(1, "run 3 deleted from the Maildir")
	a.undo(1, "not kept any more", "2")
	a.undo(0, "keep_deleted is 0", "--list")
}

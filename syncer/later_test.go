package syncer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/plan"
	"imapsync/syncer"
)

// changedFolders is a world with so many folders, in each of which another client
// has stored a message, flagged one, moved one to the next folder and deleted one.
func changedFolders(t *testing.T, folders int) *bench {
	b := newBench(t)
	name := func(n int) mail.FolderName { return mail.FolderName(fmt.Sprintf("F%02d", n%folders)) }
	for n := range folders {
		for _, m := range []string{"Flag", "Move", "Gone", "Stay"} {
			b.edit(simworld.Remote, simworld.Add, name(n), fmt.Sprint(m, n))
		}
	}
	b.settled()
	for n := range folders {
		b.edit(simworld.Remote, simworld.Add, name(n), fmt.Sprint("New", n))
		b.edit(simworld.Remote, simworld.Change, name(n), fmt.Sprint("Flag", n), func(e *simworld.Edit) { e.Flags = mail.ParseFlags("S") })
		b.edit(simworld.Remote, simworld.Move, name(n), fmt.Sprint("Move", n), to(name(n+1)))
		b.edit(simworld.Remote, simworld.Delete, name(n), fmt.Sprint("Gone", n))
	}
	return b
}

// A transaction waits for the disk. How many a run takes does not grow with the
// folders in which little is to be done.
func TestFewTransactionsForManyFolders(t *testing.T) {
	commits := func(folders int) (n int) {
		b := changedFolders(t, folders)
		if r := b.run(syncer.Options{Lanes: 4}); len(r.Failures) > 0 || r.Counts[plan.Download] != folders || r.Counts[plan.MoveLocal] != folders ||
			r.Counts[plan.SetFlags] != folders || r.Counts[plan.DeleteLocal] != folders {
			t.Fatalf("%v, %v", r.Failures, r.Counts)
		}
		n = b.calls(simworld.State, "commit")
		b.settled()
		return n
	}
	few, many := commits(2), commits(20)
	// What is about to be removed is written down by each folder, in transactions that the state has them share.
	if removals := 18; many > few+removals {
		t.Errorf("%d commits for 2 folders, %d for 20", few, many)
	}
}

// undurable cannot make the changes of some folders durable.
type undurable struct {
	syncer.Local
	folders []mail.FolderName
}

func (l undurable) Sync(ctx context.Context, folder mail.FolderName) error {
	if slices.Contains(l.folders, folder) {
		return &mail.Fault{Scope: mail.ScopeFolder, Folder: folder, Doing: "make changes durable", Err: errors.New("no luck")}
	}
	return l.Local.Sync(ctx, folder)
}

// What is not durable in one folder is not recorded, and costs the others nothing.
func TestUndurableFolderIsNotRecorded(t *testing.T) {
	b := changedFolders(t, 6)
	b.local = undurable{b.Disk, []mail.FolderName{"F03"}}
	r := b.run(syncer.Options{Lanes: 4})
	if len(r.Failures) == 0 {
		t.Fatal("nothing was told")
	}
	for _, err := range r.Failures {
		if !strings.Contains(err.Error(), `"F03"`) {
			t.Error(err)
		}
	}
	// F02's message goes to F03, and that of F03 itself is moved in no other row.
	if r.Counts[plan.MoveLocal] != 4 {
		t.Errorf("%v", r.Counts)
	}
	if row := b.row("Flag3"); !row.Flags.IsEmpty() {
		t.Errorf("recorded: %+v", row)
	}
	b.local = b.Disk
	b.settled()
}

// exclusive is a state that does not take rows of a folder together with others.
type exclusive struct {
	syncer.State
	folder mail.FolderName
	times  int
}

func (s *exclusive) Commit(ctx context.Context, batch mail.Batch) error {
	if slices.ContainsFunc(batch.Put, func(row *mail.Base) bool { return row.Folder == s.folder }) {
		s.times++
		return &mail.Fault{Scope: mail.ScopeFolder, Folder: s.folder, Doing: "write state", Err: errors.New("it has that UID already")}
	}
	return s.State.Commit(ctx, batch)
}

// A row that cannot be recorded costs its folder, not those recorded with it.
func TestRefusedRowCostsItsFolder(t *testing.T) {
	b := changedFolders(t, 6)
	b.Begin(time.Hour)
	acc := b.account()
	acc.State = &exclusive{State: b.Record, folder: "F03"}
	r, err := syncer.Run(t.Context(), acc, syncer.Options{Lanes: 4}, nil)
	if err != nil || len(r.Failures) == 0 {
		t.Fatal(err, r.Failures)
	}
	// F02's message would go there, too.
	if r.Counts[plan.MoveLocal] != 5 || r.Counts[plan.Download] != 4 || r.Counts[plan.DeleteLocal] != 4 {
		t.Errorf("%v", r.Counts)
	}
	b.settled()
}

// Before a folder that the server deleted is made there again, it is recorded what
// was deleted with it: what cannot be, keeps the folder as it is.
func TestNoNewFolderBeforeTheOldOneIsRecorded(t *testing.T) {
	b := newBench(t)
	b.edit(simworld.Remote, simworld.Add, "Gone", "Old")
	b.settled()
	b.edit(simworld.Remote, simworld.Remove, "Gone", "")
	b.edit(simworld.Local, simworld.Add, "Gone", "New")
	b.local = undurable{b.Disk, []mail.FolderName{"Gone"}}
	if r := b.run(syncer.Options{}); len(r.Failures) == 0 || r.Counts[plan.CreateRemote] > 0 || r.Counts[plan.Upload] > 0 {
		t.Errorf("%v, %v", r.Failures, r.Counts)
	}
	b.local = b.Disk
	b.settled()
	b.want("Gone/New")
}

// Little that is new is journalled and settled together; of more, each folder's is to
// be seen as soon as it has come.
func TestOnlyLittleIsGathered(t *testing.T) {
	for messages, want := range map[int]string{499: "intents 500, settle 500", 500: "intents 1, intents 500, settle 1, settle 500"} {
		b := newBench(t)
		b.edit(simworld.Remote, simworld.Add, "A", "First")
		b.edit(simworld.Remote, simworld.Add, "B", "Other")
		b.settled()
		for n := range messages {
			b.edit(simworld.Remote, simworld.Add, "A", fmt.Sprint("M", n))
		}
		b.edit(simworld.Remote, simworld.Add, "B", "N")
		b.run(syncer.Options{})
		var journal []string
		for _, c := range b.Trace() {
			words := strings.Fields(c.Detail)
			if c.Side == simworld.State && c.Name == "commit" && len(words) > 1 && (words[0] == "intents" || words[0] == "settle") {
				journal = append(journal, words[0]+" "+words[1])
			}
		}
		slices.Sort(journal) // a folder is settled beside the next
		if got := strings.Join(journal, ", "); got != want {
			t.Errorf("%d messages and one more: %s, want %s", messages, got, want)
		}
	}
}

// brimful has a disk on which nothing can be changed any more, which the user sees.
type brimful struct {
	syncer.Local
	seen func()
}

var errNoRoom = &mail.Fault{Scope: mail.ScopeAccount, Doing: "set flags", Err: errors.New("no space left on device")}

func (l brimful) SetFlags(context.Context, mail.FolderName, mail.Key, mail.Flags, mail.Flags) error {
	l.seen()
	return errNoRoom
}

// An interruption does not hide what ended the run.
func TestErrorOfAnInterruptedStepIsTold(t *testing.T) {
	b := changedFolders(t, 2)
	b.Begin(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	acc := b.account()
	acc.Local = brimful{b.Disk, cancel}
	if r, err := syncer.Run(ctx, acc, syncer.Options{Lanes: 1}, nil); !errors.Is(err, errNoRoom) || !r.Interrupted {
		t.Errorf("%v, interrupted %v", err, r.Interrupted)
	}
}

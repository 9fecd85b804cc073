package syncer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/plan"
	"imapsync/syncer"
)

// renamedBench is a settled world with folder F, of n messages, which was then
// renamed G on a side.
func renamedBench(t *testing.T, side simworld.Side, n int) *bench {
	b := newBench(t)
	b.edit(simworld.Remote, simworld.Add, mail.Inbox, "A")
	for i := range n {
		b.edit(simworld.Remote, simworld.Add, "F", fmt.Sprint("M", i))
	}
	b.settled()
	b.edit(side, simworld.Rename, "F", "", to("G"))
	return b
}

// kinds are the operations of a plan, each kind once.
func kinds(r *syncer.Report) string {
	var list []string
	for _, o := range r.Plan.Ops {
		list = append(list, string(o.Kind))
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), ", ")
}

// calls counts the last run's calls of a name.
func (b *bench) calls(side simworld.Side, name string) (n int) {
	for _, c := range b.Trace() {
		if c.Side == side && c.Name == name {
			n++
		}
	}
	return n
}

// A renamed folder costs one call on the other side, and none for its messages.
func TestRenameIsFollowedByOneCall(t *testing.T) {
	b := renamedBench(t, simworld.Local, 100)
	if r := b.run(syncer.Options{}); kinds(r) != "rename remote folder" || r.Counts[plan.RenameRemote] != 1 {
		t.Errorf("%v, counted %v", r.Plan.Ops, r.Counts)
	}
	if n, f, m := b.calls(simworld.Remote, "rename folder"), b.calls(simworld.Remote, "fetch"), b.calls(simworld.Remote, "move"); n != 1 || f != 0 || m != 0 {
		t.Errorf("%d renames, %d fetches, %d moves", n, f, m)
	}
	if r := b.run(syncer.Options{}); len(r.Plan.Ops) != 0 || b.calls(simworld.Remote, "select")+b.calls(simworld.Local, "scan") != 0 {
		t.Errorf("the next run looks into the folder: %v", b.Trace())
	}
	b.edit(simworld.Remote, simworld.Rename, "G", "", to("H"))
	if r := b.run(syncer.Options{}); kinds(r) != "rename local folder" || r.Counts[plan.RenameLocal] != 1 {
		t.Errorf("%v, counted %v", r.Plan.Ops, r.Counts)
	}
	if n, m := b.calls(simworld.Local, "rename folder"), b.calls(simworld.Local, "move"); n != 1 || m != 0 {
		t.Errorf("%d renames, %d moves", n, m)
	}
	b.settled()
}

// A dry run tells of the rename and of what comes after it under the new name, and
// does nothing.
func TestRenameInADryRun(t *testing.T) {
	for side, want := range map[simworld.Side]string{
		simworld.Local:  "F: rename remote folder to G: renamed in the Maildir: 3 of the 3 messages known of it are there",
		simworld.Remote: "F: rename local folder to G: renamed on the server: 3 of the 3 messages known of it are there",
	} {
		b := renamedBench(t, side, 3)
		b.edit(side, simworld.Change, "G", "M1", with(mail.Flagged))
		b.edit(side, simworld.Delete, "G", "M2")
		want := strings.Replace(want, "3 of", "2 of", 1)
		dry := b.run(syncer.Options{DryRun: true}).Plan
		if b.Steps() != 0 || len(dry.Ops) != 3 || dry.Ops[0].String() != want {
			t.Errorf("%s: %d steps, %v", side, b.Steps(), dry.Ops)
		}
		real := b.run(syncer.Options{}).Plan
		if fmt.Sprint(real.Ops) != fmt.Sprint(dry.Ops) {
			t.Errorf("%s: planned\n%v\nand done\n%v", side, dry.Ops, real.Ops)
		}
		b.want("A G/M0 G/M1=F")
	}
}

// renamer bends what becomes of a rename on the server.
type renamer struct {
	syncer.Remote
	rename func(folder, to mail.FolderName) error
	attrs  map[mail.FolderName][]string
}

func (r renamer) RenameFolder(ctx context.Context, folder, to mail.FolderName) error {
	if r.rename == nil {
		return r.Remote.RenameFolder(ctx, folder, to)
	}
	return r.rename(folder, to)
}

func (r renamer) Folders(ctx context.Context) ([]mail.RemoteFolder, error) {
	list, err := r.Remote.Folders(ctx)
	for i := range list {
		list[i].Attrs = append(list[i].Attrs, r.attrs[list[i].Name]...)
	}
	return list, err
}

func (r renamer) LookAgain(ctx context.Context, absent []mail.Sought, readOnly bool, told func(mail.FolderName, []mail.UID, error)) ([]mail.RemoteFolder, error) {
	return simworld.LookAgain(ctx, r, absent, readOnly, told)
}

func no(class mail.Class) func(mail.FolderName, mail.FolderName) error {
	return func(folder, _ mail.FolderName) error {
		return &mail.Fault{Scope: mail.ScopeFolder, Class: class, Folder: folder, Doing: "rename", Err: errors.New("NO")}
	}
}

// A server that does not rename, whatever it says, has the messages moved in the
// same run.
func TestRenameRefused(t *testing.T) {
	for name, r := range map[string]renamer{
		"refused":     {rename: no(mail.ClassFailed)},
		"a lie":       {rename: func(mail.FolderName, mail.FolderName) error { return nil }},
		"special use": {attrs: map[mail.FolderName][]string{"F": {`\HasNoChildren`, `\sent`}}},
	} {
		t.Run(name, func(t *testing.T) {
			b := renamedBench(t, simworld.Local, 3)
			r.Remote = b.remote
			b.remote = r
			report := b.run(syncer.Options{})
			if kinds(report) != "create remote folder, move remote, remove remote folder" || len(report.Failures) != 0 {
				t.Errorf("%v %v", report.Plan.Ops, report.Failures)
			}
			b.want("A G/M0..M2")
			b.settled()
		})
	}
}

// What time may cure is tried again, and then done without.
func TestRenamePutOff(t *testing.T) {
	for attempts, tries := range map[int]int{1: 1, 3: 2} {
		b := renamedBench(t, simworld.Local, 3)
		tried := 0
		b.remote = renamer{Remote: b.remote, rename: func(folder, to mail.FolderName) error {
			tried++
			return no(mail.ClassTemporary)(folder, to)
		}}
		if r := b.run(syncer.Options{Attempts: attempts}); len(r.Failures) != 0 || r.Counts[plan.MoveRemote] != 3 || tried != tries {
			t.Errorf("%d tries, %v %v", tried, r.Counts, r.Failures)
		}
		b.want("A G/M0..M2")
	}
}

// A rename whose answer is lost is known by the names; of one that leaves behind
// what is below the folder nothing is believed, and the next attempt goes on from
// what it finds.
func TestRenameUnclear(t *testing.T) {
	for name, bend := range map[string]func(b *bench, folder, to mail.FolderName) error{
		"lost": func(b *bench, folder, as mail.FolderName) error {
			b.edit(simworld.Remote, simworld.Rename, folder, "", to(as))
			return no(mail.ClassTemporary)(folder, as)
		},
		"alone": func(b *bench, folder, as mail.FolderName) error {
			b.edit(simworld.Remote, simworld.Rename, folder, "", to(as))
			if folder == "F" {
				b.edit(simworld.Remote, simworld.Rename, as+"/Sub", "", to(folder+"/Sub"))
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			for _, m := range []string{"M0", "M1", "M2"} {
				b.edit(simworld.Remote, simworld.Add, "F", m)
			}
			b.edit(simworld.Remote, simworld.Add, "F/Sub", "M3")
			b.settled()
			b.edit(simworld.Local, simworld.Rename, "F", "", to("G"))
			b.edit(simworld.Local, simworld.Delete, "G", "M1")
			b.remote = renamer{Remote: b.remote, rename: func(folder, to mail.FolderName) error { return bend(b, folder, to) }}
			r := b.run(syncer.Options{Attempts: 3})
			if moves := r.Counts[plan.MoveLocal] + r.Counts[plan.MoveRemote] + r.Counts[plan.Pair]; moves != 0 || deletes(r) != 1 || len(r.Failures) != 0 {
				t.Errorf("%v %v", r.Plan.Ops, r.Failures)
			}
			b.want("G/M0 G/M2 G/Sub/M3")
			b.settled()
		})
	}
}

// A folder that is no part of the run is not renamed along with one that is.
func TestRenameLeavesOthersAlone(t *testing.T) {
	b := newBench(t)
	b.edit(simworld.Remote, simworld.Add, "F", "M")
	b.edit(simworld.Remote, simworld.Add, "F/Sub", "N")
	b.settled()
	b.edit(simworld.Local, simworld.Rename, "F", "", to("G"))
	r := b.run(syncer.Options{Folders: []mail.FolderName{"F", "G"}})
	if kinds(r) != "create remote folder, move remote, remove remote folder" {
		t.Errorf("%v", r.Plan.Ops)
	}
	if b.calls(simworld.Remote, "rename folder") != 0 {
		t.Error("it was renamed")
	}
	b.settled()
	b.want("G/M G/Sub/N")
}

// A folder in which a message is set aside keeps its name until that is over.
func TestRenameWaitsForWhatIsSetAside(t *testing.T) {
	b := newBench(t)
	s := &choosy{Remote: b.remote, refuses: "Bad"}
	b.remote = s
	b.edit(simworld.Remote, simworld.Add, "F", "M")
	b.edit(simworld.Remote, simworld.Add, "F", "Bad")
	b.run(syncer.Options{})
	b.edit(simworld.Remote, simworld.Rename, "F", "", to("G"))
	if r := b.run(syncer.Options{}); r.Counts[plan.RenameLocal] != 0 || r.Counts[plan.MoveLocal] != 1 {
		t.Errorf("%v", r.Plan.Ops)
	}
	s.refuses = ""
	b.run(syncer.Options{Full: true})
	b.settled()
	b.want("G/Bad G/M")
}

// Deletions in a renamed folder are as many as they would be under its old name.
func TestRenameIsNoWayAroundTheGuard(t *testing.T) {
	b := renamedBench(t, simworld.Local, 300)
	for i := range 140 {
		b.edit(simworld.Local, simworld.Delete, "G", fmt.Sprint("M", i))
	}
	r := b.run(syncer.Options{})
	if r.Counts[plan.RenameRemote] != 1 || deletes(r) != 0 || len(r.Held) != 1 || r.Held[0].Folder != "G" || r.Held[0].Count != 140 {
		t.Errorf("%v, held %+v", r.Counts, r.Held)
	}
	if r := b.run(syncer.Options{AcceptDeletions: true, AcceptFolders: []mail.FolderName{"G"}}); r.Counts[plan.DeleteRemote] != 140 {
		t.Errorf("%v", r.Counts)
	}
	b.settled()
}

// A mailbox that has the UIDVALIDITY, the UIDs and the sizes of one that is gone
// is another one all the same.
func TestRenameIsNotBelievedByNumbers(t *testing.T) {
	b := newBench(t)
	for i := range 3 {
		b.edit(simworld.Remote, simworld.Add, "F", fmt.Sprint("M", i))
		b.edit(simworld.Remote, simworld.Add, "N", fmt.Sprint("N", i))
	}
	b.remote = sameSecond{b.remote}
	b.edit(simworld.Remote, simworld.Hide, "N", "")
	b.settled()
	b.edit(simworld.Remote, simworld.Complete, "N", "")
	b.edit(simworld.Remote, simworld.Remove, "F", "")
	if r := b.run(syncer.Options{}); r.Counts[plan.RenameLocal] != 0 || r.Counts[plan.Download] != 3 {
		t.Errorf("%v", r.Plan.Ops)
	}
	b.settled()
	b.want("N/N0..N2")
}

// sameSecond is a server all of whose mailboxes were made in the same second,
// which it takes for their UIDVALIDITY.
type sameSecond struct{ syncer.Remote }

type sameSecondBox struct{ syncer.Mailbox }

func (s sameSecond) Folders(ctx context.Context) ([]mail.RemoteFolder, error) {
	list, err := s.Remote.Folders(ctx)
	for i := range list {
		list[i].Mark.UIDValidity = 77
	}
	return list, err
}

func (s sameSecond) LookAgain(ctx context.Context, absent []mail.Sought, readOnly bool, told func(mail.FolderName, []mail.UID, error)) ([]mail.RemoteFolder, error) {
	return simworld.LookAgain(ctx, s, absent, readOnly, told)
}

func (s sameSecond) Open(ctx context.Context, folder mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	mb, err := s.Remote.Open(ctx, folder, readOnly)
	if err != nil {
		return nil, err
	}
	return sameSecondBox{mb}, nil
}

func (s sameSecond) Look(ctx context.Context, folder mail.FolderName, readOnly bool, known mail.Known, full bool) (mail.RemoteSnapshot, error) {
	return look(ctx, s, folder, readOnly, known, full)
}

func (s sameSecond) StillThere(ctx context.Context, absent []mail.Sought, readOnly bool, told func(mail.FolderName, []mail.UID, error)) error {
	return simworld.StillThere(ctx, s, absent, readOnly, told)
}

func (b sameSecondBox) Mark() mail.Mark {
	m := b.Mailbox.Mark()
	m.UIDValidity = 77
	return m
}

func (b sameSecondBox) Snapshot(ctx context.Context, _ mail.Known, _ bool) (mail.RemoteSnapshot, error) {
	s, err := b.Mailbox.Snapshot(ctx, mail.Known{}, true)
	s.Mark.UIDValidity = 77
	return s, err
}

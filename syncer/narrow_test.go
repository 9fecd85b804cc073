package syncer_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"imapsync/conflict"
	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/plan"
	"imapsync/syncer"
)

// drifter edits both sides of a world at random. There are few contents, so that
// many messages are equal.
type drifter struct {
	*bench
	rand   *rand.Rand
	policy conflict.Policy
}

func (d *drifter) edits(verbs ...simworld.Verb) (done []string) {
	verbs = append(verbs, simworld.Change, simworld.Delete, simworld.Move, simworld.Copy, simworld.Add, simworld.Add)
	folders := []mail.FolderName{mail.Inbox, "F", "G"}
	systems := []mail.System{mail.Seen, mail.Flagged, mail.Deleted, mail.Draft, mail.Answered}
	for range 1 + d.rand.IntN(5) {
		e := simworld.Edit{Folder: folders[d.rand.IntN(len(folders))], Name: fmt.Sprint("M", d.rand.IntN(6)), To: folders[d.rand.IntN(len(folders))]}
		e.Verb = verbs[d.rand.IntN(len(verbs))]
		flags := mail.NewFlags(systems[d.rand.IntN(len(systems))])
		if d.rand.IntN(4) == 0 {
			flags = mail.NewFlags(0, "todo")
		}
		side := []simworld.Side{simworld.Local, simworld.Remote}[d.rand.IntN(2)]
		switch e.Verb {
		case simworld.Change:
			if e.To, e.Flags = "", flags; d.rand.IntN(2) == 0 {
				e.Flags, e.Minus = mail.Flags{}, flags
			}
		case simworld.Add:
			e.To, e.Flags = "", flags
		case simworld.Delete:
			e.To = ""
		case simworld.ReadOnly:
			if d.rand.IntN(8) > 0 {
				continue
			}
			side, e.Name, e.To = simworld.Remote, "", ""
		}
		if d.Edit(side, e) == nil {
			done = append(done, fmt.Sprint(side, " ", e))
		}
	}
	return done
}

func (d *drifter) sync(o syncer.Options) *syncer.Report {
	d.Helper()
	d.Begin(time.Hour)
	o.Lanes = 1
	report, err := syncer.Run(context.Background(), syncer.Account{Name: "sim", Identity: mail.Identity{Server: d.server, User: "me"},
		Maildir: "/Mail", Local: d.local, Remote: d.remote, State: d.Record, FullCheck: 300 * 24 * time.Hour, Now: d.Now, Wait: d.Wait,
		Policy: func(mail.FolderName) conflict.Policy { return d.policy }}, o, nil)
	if err != nil {
		d.Fatal(err)
	}
	return report
}

// planned is what a report would have done, in no order. Of what has the same content
// elsewhere any may be the source.
func planned(r *syncer.Report) []string {
	var ops []string
	for _, o := range r.Plan.Ops {
		said := o.String()
		switch {
		case o.Kind == plan.CopyLocal:
			said = fmt.Sprint("copy in the Maildir to ", o.Folder, " for ", o.Remote.UID)
		case o.Kind == plan.CopyRemote:
			said = fmt.Sprint("copy on the server to ", o.To, " for ", o.Row.Key)
		case o.Rule == conflict.RuleCopied: // the flags of that copy
			continue
		}
		ops = append(ops, said)
	}
	slices.Sort(ops)
	return ops
}

// A run that looks at folders narrowly plans what one plans that compares them as a
// whole, and keeps of its messages as many for the guard.
func TestNarrowPlansAsWhole(t *testing.T) {
	differing := 0
	for seed := range uint64(600) {
		d := &drifter{bench: newBench(t), rand: rand.New(rand.NewPCG(seed, 7))}
		d.policy.Expunge = []conflict.Expunge{conflict.ExpungeNone, conflict.ExpungeBoth, conflict.ExpungeRemote}[seed%3]
		var story []string
		for range 4 {
			story = append(story, d.edits(simworld.ReadOnly)...)
		}
		for range 6 {
			for range 2 {
				d.sync(syncer.Options{})
			}
			story = append(story, "settled")
			story = append(story, d.edits()...)
			narrow := d.sync(syncer.Options{DryRun: true})
			d.policy.Extent.MaxSize = 1 << 40 // which no message has, yet folders with limits are looked at as a whole
			whole := d.sync(syncer.Options{DryRun: true})
			d.policy.Extent.MaxSize = 0
			got, want := planned(narrow), planned(whole)
			if !slices.Equal(got, want) || narrow.Plan.Unproven != nil && fmt.Sprint(narrow.Plan.Unproven) != fmt.Sprint(whole.Plan.Unproven) {
				t.Fatalf("seed %d: %s\nnarrow %s\n%v\nwhole %s\n%v", seed, strings.Join(story, "\n"),
					strings.Join(got, "\n"), narrow.Plan.Unproven, strings.Join(want, "\n"), whole.Plan.Unproven)
			}
			if len(got) > 0 {
				differing++
			}
		}
	}
	if differing < 2000 {
		t.Errorf("only %d plans had anything to do", differing)
	}
}

// twoFolders has a message in each of two folders, settled long enough to be looked
// at narrowly.
func twoFolders(t *testing.T) *bench {
	b := newBench(t)
	b.edit(simworld.Remote, simworld.Add, "F", "A")
	b.edit(simworld.Remote, simworld.Add, "G", "B")
	for range 2 {
		b.run(syncer.Options{})
	}
	return b
}

// What a folder keeps counts where deletions are judged, whether it came into the
// run or not.
func TestNarrowCountsWhatStays(t *testing.T) {
	b := newBench(t)
	for i := range 30 {
		b.edit(simworld.Remote, simworld.Add, "F", fmt.Sprint("M", i))
	}
	for range 2 {
		b.run(syncer.Options{})
	}
	for i := range 21 {
		b.edit(simworld.Local, simworld.Delete, "F", fmt.Sprint("M", i))
	}
	if r := b.run(syncer.Options{}); len(r.Held) > 0 || r.Counts[plan.DeleteRemote] != 21 {
		t.Errorf("held %v, did %v", r.Held, r.Counts)
	}
	for i := range 9 {
		b.edit(simworld.Local, simworld.Delete, "F", fmt.Sprint("M", 21+i))
	}
	if r := b.run(syncer.Options{}); len(r.Held) > 0 { // 9 are not many
		t.Errorf("held %v", r.Held)
	}
}

// unexpunging is a server that expunges nothing for now.
type unexpunging struct {
	syncer.Remote
	refuses bool
}

type unexpungingBox struct {
	syncer.Mailbox
	u *unexpunging
}

func (u *unexpunging) Open(ctx context.Context, folder mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	mb, err := u.Remote.Open(ctx, folder, readOnly)
	return unexpungingBox{mb, u}, err
}

func (m unexpungingBox) Expunge(ctx context.Context, uids []mail.UID) error {
	if m.u.refuses {
		return &mail.Fault{Scope: mail.ScopeFolder, Class: mail.ClassFailed, Doing: "expunge", Err: errors.New("NO not now")}
	}
	return m.Mailbox.Expunge(ctx, uids)
}

// The copy of a message of which the original is still to be deleted gets the flags
// that the original gets, also where nothing else of the copy's folder is looked at.
func TestNarrowCopyGetsFlagsOfOriginal(t *testing.T) {
	b := twoFolders(t)
	b.Server.NoMove = true
	u := &unexpunging{b.remote, true}
	b.remote = u
	b.edit(simworld.Local, simworld.Move, "F", "A", to("G"))
	for range 3 {
		b.run(syncer.Options{})
	}
	if got := simworld.EntriesText(b.List(simworld.Remote)); got != "F/A= G/A= G/B=" {
		t.Fatalf("the server has %s", got)
	}
	b.edit(simworld.Remote, simworld.Change, "F", "A", with(mail.Flagged))
	b.edit(simworld.Remote, simworld.Delete, "G", "B") // or G would not be looked at
	u.refuses = false
	b.run(syncer.Options{})
	b.want("F/ G/A=F")
}

// A stub that is left of a message which is held whole is removed, though nothing of
// that message has changed.
func TestNarrowFindsLeftoverStub(t *testing.T) {
	ctx := context.Background()
	d := &drifter{bench: newBench(t)}
	d.edit(simworld.Remote, simworld.Add, "F", "A")
	d.policy.Extent.Body = conflict.Headers
	d.sync(syncer.Options{})
	s, err := d.Disk.Scan(ctx, "F", false)
	if err != nil {
		t.Fatal(err)
	}
	stub, err := d.Disk.Open(ctx, "F", slices.Collect(maps.Keys(s.Messages))[0])
	if err != nil {
		t.Fatal(err)
	}
	d.policy.Extent.Body = ""
	for range 3 {
		d.sync(syncer.Options{})
	}
	delivery, err := d.Disk.Deliver(ctx, "F")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := delivery.Write(mail.NewFile{Key: "left"}, stub); err != nil {
		t.Fatal(err)
	}
	if _, err := delivery.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if r := d.sync(syncer.Options{}); r.Counts[plan.Tidy] != 1 || len(r.Plan.Ops) != 1 {
		t.Errorf("planned %v", r.Plan.Ops)
	}
	d.want("F/A")
}

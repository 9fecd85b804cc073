package syncer_test

import (
	"context"
	"fmt"
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

package syncer_test

import (
	"slices"
	"testing"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/plan"
	"imapsync/syncer"
)

// Moves on disk are made durable together, in their new places before the old
// one, and recorded only then.
func TestMovesAreDurableBeforeTheyAreRecorded(t *testing.T) {
	b := newBench(t)
	for _, name := range []string{"A", "B", "C"} {
		b.edit(simworld.Local, simworld.Add, mail.Inbox, name)
	}
	b.edit(simworld.Local, simworld.Create, "X", "")
	b.edit(simworld.Local, simworld.Create, "Y", "")
	b.settled()
	b.edit(simworld.Remote, simworld.Move, mail.Inbox, "A", to("X"))
	b.edit(simworld.Remote, simworld.Move, mail.Inbox, "B", to("Y"))
	b.edit(simworld.Remote, simworld.Move, mail.Inbox, "C", to("X"))
	if r := b.run(syncer.Options{}); r.Counts[plan.MoveLocal] != 3 {
		t.Fatalf("counted %v", r.Counts)
	}
	b.want("X/A X/C Y/B")
	var calls []string
	for _, c := range b.Trace() {
		if c.Name == "move" || c.Name == "sync" || c.Name == "commit" {
			calls = append(calls, c.Name+" "+string(c.Folder))
		}
	}
	first := slices.Index(calls, "move INBOX")
	if first < 0 || len(calls) < first+7 {
		t.Fatalf("calls %q", calls)
	}
	got := slices.Clone(calls[first : first+7])
	slices.Sort(got[3:5]) // which of the new places comes first does not matter
	want := []string{"move INBOX", "move INBOX", "move INBOX", "sync X", "sync Y", "sync INBOX", "commit X"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

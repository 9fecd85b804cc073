package syncer

import (
	"fmt"
	"slices"
	"testing"

	"imapsync/mail"
	"imapsync/plan"
)

func op(kind plan.Kind, uid mail.UID) *plan.Op {
	return &plan.Op{Kind: kind, OnRemote: kind == plan.SetFlags, Remote: &mail.Remote{UID: uid}}
}

// Mailboxes that are changed go round in as many turns as there are lanes, in the
// order given, each announced to the one before it; those that need not be
// selected are left to whoever is free.
func TestTurns(t *testing.T) {
	const lanes = 2
	ops := map[mail.FolderName][]*plan.Op{
		"A": {op(plan.MoveRemote, 1)},
		"B": {op(plan.Download, 1)},
		"C": {op(plan.DeleteRemote, 7), op(plan.MoveRemote, 8), op(plan.DeleteRemote, 5)},
		"D": {op(plan.Download, 1), op(plan.SetFlags, 2)},
		"E": {{Kind: plan.SetFlags, OnLocal: true, Remote: &mail.Remote{UID: 3}}},
		"F": {op(plan.DeleteRemote, 9)},
		"G": {op(plan.MoveRemote, 4)},
	}
	a := &applier{run: &run{opt: Options{Lanes: lanes}}, ahead: map[mail.FolderName]upcoming{"old": {folder: "gone"}}}
	got := a.turns([]mail.FolderName{"A", "B", "C", "D", "E", "F", "G"}, ops)
	if want := "[[A D G] [C F] [B] [E]]"; fmt.Sprint(got) != want {
		t.Errorf("turns %v, want %s", got, want)
	}
	want := map[mail.FolderName]upcoming{"A": {"D", nil}, "D": {"G", nil}, "C": {"F", []mail.UID{9}}}
	if len(a.ahead) != len(want) {
		t.Errorf("ahead %v", a.ahead)
	}
	for name, next := range want {
		if got := a.ahead[name]; got.folder != next.folder || !slices.Equal(got.flags, next.flags) {
			t.Errorf("after %s comes %v, want %v", name, got, next)
		}
	}
	a.turns([]mail.FolderName{"A", "F", "C"}, ops)
	if next := a.ahead["A"]; len(a.ahead) != 1 || next.folder != "C" || !slices.Equal(next.flags, []mail.UID{7, 5}) {
		t.Errorf("in the next step ahead %v", a.ahead)
	}
}

// However many folders there are, each is in one turn, once.
func TestTurnsLeaveNobodyOut(t *testing.T) {
	for lanes := 1; lanes <= 5; lanes++ {
		for n := range 12 {
			ops := map[mail.FolderName][]*plan.Op{}
			var names []mail.FolderName
			for i := range n {
				name := mail.FolderName(fmt.Sprint("F", i))
				names = append(names, name)
				ops[name] = []*plan.Op{op([]plan.Kind{plan.MoveRemote, plan.Download, plan.DeleteRemote}[i%3], 1)}
			}
			a := &applier{run: &run{opt: Options{Lanes: lanes}}, ahead: map[mail.FolderName]upcoming{}}
			turns := a.turns(names, ops)
			all := slices.Concat(turns...)
			slices.Sort(all)
			slices.Sort(names)
			if !slices.Equal(all, names) {
				t.Errorf("%d lanes, %v: turns %v", lanes, names, turns)
			}
			shared := 0
			for _, turn := range turns {
				if len(turn) == 0 {
					t.Errorf("%d lanes, %v: turns %v", lanes, names, turns)
				}
				shared += len(turn) - 1
			}
			if shared != len(a.ahead) {
				t.Errorf("%d lanes: turns %v, announced %v", lanes, turns, a.ahead)
			}
		}
	}
}

// The last mailbox of a turn whose flags are stored is asked for those of the
// messages that are deleted there next, but not of those that wait for something.
func TestStayFor(t *testing.T) {
	flags := map[mail.FolderName][]*plan.Op{"A": {op(plan.SetFlags, 1)}, "B": {op(plan.SetFlags, 2)}, "C": {op(plan.SetFlags, 3)}}
	var all []*plan.Op
	for _, name := range []mail.FolderName{"A", "B", "C"} {
		waiting, held := op(plan.DeleteRemote, 7), op(plan.DeleteRemote, 6)
		waiting.After, held.Held = flags[name][0], true
		deletions := []*plan.Op{op(plan.DeleteRemote, 9), waiting, held, op(plan.DeleteRemote, 8)}
		if name == "B" {
			deletions = nil
		}
		for _, o := range slices.Concat(flags[name], deletions) {
			o.Folder = name
			all = append(all, o)
		}
	}
	a := &applier{run: &run{opt: Options{Lanes: 2}}, ahead: map[mail.FolderName]upcoming{}, plan: &plan.Plan{Ops: all}}
	a.stayFor(a.turns([]mail.FolderName{"A", "B", "C"}, flags)) // A and C share a turn
	want := map[mail.FolderName]upcoming{"A": {"C", nil}, "C": {"C", []mail.UID{9, 8}}}
	if fmt.Sprint(a.ahead) != fmt.Sprint(want) {
		t.Errorf("ahead %v, want %v", a.ahead, want)
	}
}

package conflict

import (
	"testing"

	"imapsync/mail"
)

func expunging(e Expunge) Policy { return Policy{Expunge: e, Trash: "Trash"} }

func judge(base, local, remote *State, policy Policy) Outcome {
	return Marked(Merge(base, local, remote, policy), base, local, remote, policy)
}

func TestMarked(t *testing.T) {
	at := func(folder mail.FolderName, letters string) *State {
		return &State{Folder: folder, Flags: mail.ParseFlags(":" + letters)}
	}
	edit := func(s *State) *State { s.Edited = true; return s }
	both := expunging(ExpungeBoth)
	for _, c := range []struct {
		name                string
		base, local, remote *State
		policy              Policy
		action              Action
		to                  string
		conflict            bool
	}{
		{"not configured", at("A", ""), at("A", "T"), at("A", ""), Policy{}, Settle, "T", false},
		{"marked on one side", at("A", ""), at("A", "T"), at("A", "S"), both, DeleteBoth, "ST", false},
		{"marked long ago", at("A", "T"), at("A", "T"), at("A", "T"), both, DeleteBoth, "T", false},
		{"no longer marked", at("A", "T"), at("A", ""), at("A", "T"), both, Settle, "", false},
		{"flagged by who marked it", at("A", ""), at("A", "FT"), at("A", ""), both, DeleteBoth, "FT", false},
		{"flagged by the other side", at("A", ""), at("A", "T"), at("A", "F"), both, Settle, "F", true},
		{"so with deletions that win", at("A", ""), at("A", "T"), at("A", "F"), Policy{Expunge: ExpungeBoth, Deletion: Wins}, DeleteBoth, "FT", true},
		{"moved by the other side", at("A", ""), at("A", "T"), at("B", ""), both, Settle, "", true},
		{"moved to the trash by the other side", at("A", ""), at("A", "T"), at("Trash", ""), both, Settle, "", false},
		{"in the trash", at("Trash", ""), at("Trash", "T"), at("Trash", ""), both, DeleteBoth, "T", false},
		{"edited here, marked there", at("A", "D"), edit(at("A", "D")), at("A", "DT"), both, Replace, "D", true},
		{"edited here, marked and flagged there", at("A", "D"), edit(at("A", "D")), at("A", "DFT"), both, Replace, "D", true},
		{"edited here, marked there, and the mark here since", at("A", "DT"), edit(at("A", "DT")), at("A", "DT"), both, Replace, "D", true},
		{"edited here, marked, and so moved to the trash there", at("A", ""), edit(at("A", "T")), at("Trash", ""), both, KeepBoth, "", true},
		{"edited here, marked and moved there", at("A", "D"), edit(at("A", "D")), at("B", "DT"), both, KeepBoth, "D", true},
		{"paired, marked on one side", nil, at("A", "T"), at("A", "S"), both, Settle, "S", false},
		{"paired, marked on both", nil, at("A", "T"), at("A", "ST"), both, DeleteBoth, "ST", false},
		{"new and marked", nil, at("A", "T"), nil, both, DeleteLocal, "", false},
		{"gone there, marked and flagged here", at("A", ""), at("A", "FT"), nil, both, DeleteLocal, "", false},
		{"gone there, edited here before it was marked", at("A", ""), edit(at("A", "T")), nil, both, Upload, "", true},
		{"the server's alone", at("A", ""), at("A", "T"), at("A", ""), expunging(ExpungeRemote), DeleteRemote, "T", false},
		{"and gone from there", at("A", ""), at("A", "T"), nil, expunging(ExpungeRemote), Forget, "", false},
		{"new, to stay alone", nil, at("A", "T"), nil, expunging(ExpungeRemote), Nothing, "", false},
		{"the Maildir's alone", at("A", ""), at("A", ""), at("A", "T"), expunging(ExpungeLocal), DeleteLocal, "T", false},
		{"and gone from here", at("A", ""), nil, at("A", "T"), expunging(ExpungeLocal), Forget, "", false},
	} {
		o := judge(c.base, c.local, c.remote, c.policy)
		if o.Action != c.action || o.Flags.System.Letters() != c.to || o.Conflict != c.conflict || o.Reason == "" {
			t.Errorf("%s: action %d, flags %s, conflict %v: %q", c.name, o.Action, o.Flags, o.Conflict, o.Reason)
		}
	}
}

// What marks come to is the same with the sides swapped.
func TestMarkedMirrored(t *testing.T) {
	swap := map[Expunge]Expunge{ExpungeBoth: ExpungeBoth, ExpungeLocal: ExpungeRemote, ExpungeRemote: ExpungeLocal}
	for e, swapped := range swap {
		everyTriple(func(base, local, remote *State, policy Policy) {
			policy.Expunge = e
			other := policy
			other.Expunge, other.LocalPlace = swapped, true
			a, b := judge(base, local, remote, policy), judge(base, remote, local, other)
			want, ok := mirror[a.Action]
			if !ok {
				want = a.Action
			}
			if b.Action != want || !a.Flags.Equal(b.Flags) || a.Conflict != b.Conflict {
				t.Errorf("%s (%s, %s, %s): %+v, mirrored %+v", e, show(base), show(local), show(remote), a, b)
			}
		})
	}
}

// A message that no side has marked is decided as without the key.
func TestUnmarkedIsAsEver(t *testing.T) {
	everyTriple(func(base, local, remote *State, policy Policy) {
		for _, s := range []*State{local, remote} {
			if s != nil && s.marked() {
				return
			}
		}
		want := Merge(base, local, remote, policy)
		policy.Expunge = ExpungeBoth
		if got := judge(base, local, remote, policy); got.Action != want.Action || got.Reason != want.Reason {
			t.Errorf("(%s, %s, %s): %+v, want %+v", show(base), show(local), show(remote), got, want)
		}
	})
}

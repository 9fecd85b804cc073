package conflict

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"imapsync/mail"
)

var update = flag.Bool("update", false, "rewrite the golden table")

const home mail.FolderName = "INBOX"

// space gives every state a message can be in with the flags of letters: nil
// for absent, then each subset.
func space(letters string) []*State {
	states := []*State{nil}
	for n := 0; n < 1<<len(letters); n++ {
		s := &State{Folder: home}
		for i := range letters {
			if n&(1<<i) != 0 {
				s.Flags.System |= mail.SystemOfLetter(letters[i])
			}
		}
		states = append(states, s)
	}
	return states
}

func show(s *State) string {
	if s == nil {
		return "-"
	}
	return s.Flags.String()
}

var actionNames = map[Action]string{Nothing: "nothing", Settle: "settle", Download: "download", Upload: "upload",
	DeleteLocal: "delete local", DeleteRemote: "delete remote", Forget: "forget", Replace: "replace", KeepBoth: "keep both"}

// TestTable prints the verdict on every triple of two flags for a person to
// read, and fails when one changes.
func TestTable(t *testing.T) {
	var b strings.Builder
	for _, policy := range []Policy{{Deletion: Yields}, {Deletion: Wins}} {
		fmt.Fprintf(&b, "conflicts.deletion = %q\n%-4s %-5s %-6s  %-13s %-4s %s\n", policy.Deletion, "base", "local", "remote", "action", "to", "rule: reason")
		for _, base := range space("FS") {
			for _, local := range space("FS") {
				for _, remote := range space("FS") {
					if base == nil && local == nil && remote == nil {
						continue
					}
					o := Merge(base, local, remote, policy)
					to, mark := "", ""
					if o.Action != Forget && o.Action != DeleteLocal && o.Action != DeleteRemote {
						to = o.Flags.String()
					}
					if o.Conflict {
						mark = " [conflict]"
					}
					fmt.Fprintf(&b, "%-4s %-5s %-6s  %-13s %-4s %s: %s%s\n", show(base), show(local), show(remote), actionNames[o.Action], to, o.Rule, o.Reason, mark)
				}
			}
		}
		b.WriteString("\n")
	}
	const golden = "testdata/table.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != b.String() {
		t.Errorf("the table has changed; read the difference, then run with -update\n%s", firstDifference(string(want), b.String()))
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range w {
		if i >= len(g) || w[i] != g[i] {
			return fmt.Sprintf("line %d\nwant %s\ngot  %s", i+1, w[i], strings.Join(g[min(i, len(g)-1):min(i+1, len(g))], ""))
		}
	}
	return "the table is longer"
}

// everyTriple calls f with all triples of four flags under both policies.
func everyTriple(f func(base, local, remote *State, policy Policy)) {
	states := space("FRST")
	for _, policy := range []Policy{{}, {Deletion: Wins}} {
		for _, base := range states {
			for _, local := range states {
				for _, remote := range states {
					if base != nil || local != nil || remote != nil {
						f(base, local, remote, policy)
					}
				}
			}
		}
	}
}

func TestNoDeletionWithoutBase(t *testing.T) {
	everyTriple(func(base, local, remote *State, policy Policy) {
		a := Merge(base, local, remote, policy).Action
		if base == nil && (a == DeleteLocal || a == DeleteRemote || a == Forget) {
			t.Errorf("(-, %s, %s): %s", show(local), show(remote), actionNames[a])
		}
	})
}

func TestChangedFlagReachesTheOtherSide(t *testing.T) {
	everyTriple(func(base, local, remote *State, policy Policy) {
		if base == nil || local == nil || remote == nil {
			return
		}
		got := Merge(base, local, remote, policy).Flags.System
		for f := mail.System(1); f <= mail.AllSystem; f <<= 1 {
			was, l, r := base.Flags.System&f, local.Flags.System&f, remote.Flags.System&f
			want := was
			if l != was || r != was {
				want = f &^ was
			}
			if got&f != want {
				t.Errorf("(%s, %s, %s): flag %s ends as %v", show(base), show(local), show(remote), f.Letters(), got&f != 0)
			}
		}
	})
}

var mirror = map[Action]Action{Nothing: Nothing, Settle: Settle, Forget: Forget, Download: Upload, Upload: Download,
	DeleteLocal: DeleteRemote, DeleteRemote: DeleteLocal}

func TestMirroredSidesMirrorTheVerdict(t *testing.T) {
	check := func(base, local, remote *State, policy Policy) {
		swapped := policy
		swapped.LocalPlace = !policy.LocalPlace
		a, b := Merge(base, local, remote, policy), Merge(base, remote, local, swapped)
		if b.Action != mirror[a.Action] || !a.Flags.Equal(b.Flags) || a.Conflict != b.Conflict || a.Rule == b.Rule && a.Folder != b.Folder {
			t.Errorf("(%s, %s, %s): %+v, mirrored %+v", show(base), show(local), show(remote), a, b)
		}
	}
	everyTriple(check)
	for _, l := range []mail.FolderName{"A", "B", "C"} {
		for _, r := range []mail.FolderName{"A", "B", "C"} {
			check(&State{Folder: "A"}, &State{Folder: l}, &State{Folder: r}, Policy{})
			check(&State{Folder: "A"}, &State{Folder: l}, nil, Policy{})
		}
	}
}

// TestSettled: what was settled is recorded as agreed, and then nothing is to
// be done.
func TestSettled(t *testing.T) {
	everyTriple(func(base, local, remote *State, policy Policy) {
		o := Merge(base, local, remote, policy)
		switch o.Action {
		case Settle, Nothing, Download, Upload:
			end := &State{Folder: o.Folder, Flags: o.Flags}
			if again := Merge(end, end, end, policy); again.Action != Nothing {
				t.Errorf("(%s, %s, %s) ends at %s, and then: %s", show(base), show(local), show(remote), show(end), actionNames[again.Action])
			}
		}
	})
}

func TestPlacesAndEdits(t *testing.T) {
	at := func(folder mail.FolderName, letters string) *State {
		return &State{Folder: folder, Flags: mail.ParseFlags(":" + letters)}
	}
	edit := func(s *State) *State { s.Edited = true; return s }
	tagged := &State{Folder: "A", Flags: mail.NewFlags(0, "todo")}
	for _, c := range []struct {
		name                string
		base, local, remote *State
		policy              Policy
		action              Action
		folder              mail.FolderName
		rule                Rule
		conflict            bool
	}{
		{"moved locally", at("A", ""), at("B", ""), at("A", "F"), Policy{}, Settle, "B", RuleMoved, false},
		{"moved on the server", at("A", ""), at("A", "S"), at("B", ""), Policy{}, Settle, "B", RuleMoved, false},
		{"moved alike", at("A", ""), at("B", ""), at("B", ""), Policy{}, Settle, "B", RuleMoved, false},
		{"moved apart", at("A", ""), at("B", ""), at("C", ""), Policy{}, Settle, "C", RuleMovedBoth, true},
		{"moved locally, deleted there", at("A", ""), at("B", ""), nil, Policy{}, Upload, "B", RuleMovedDeleted, true},
		{"moved there, deleted locally", at("A", ""), nil, at("B", ""), Policy{Deletion: Wins}, Download, "B", RuleMovedDeleted, true},
		{"tagged there, deleted locally", at("A", ""), nil, tagged, Policy{}, Download, "A", RuleDeletionYields, true},
		{"undeleted there, deleted locally", at("A", "T"), nil, at("A", ""), Policy{}, Download, "A", RuleDeletionYields, true},
		{"merely read there, deleted locally", at("A", ""), nil, at("A", "S"), Policy{}, DeleteRemote, "A", RuleDeleted, false},
		{"edited", at("A", "D"), edit(at("A", "D")), at("A", "D"), Policy{}, Replace, "A", RuleEdited, false},
		{"edited, read there", at("A", "D"), edit(at("A", "D")), at("A", "DS"), Policy{}, Replace, "A", RuleEdited, false},
		{"edited, flagged there", at("A", "D"), edit(at("A", "D")), at("A", "DF"), Policy{}, KeepBoth, "A", RuleEditedChanged, true},
		{"edited, deleted there", at("A", "D"), edit(at("A", "D")), nil, Policy{Deletion: Wins}, Upload, "A", RuleDeletionYields, true},
	} {
		o := Merge(c.base, c.local, c.remote, c.policy)
		if o.Action != c.action || o.Folder != c.folder || o.Rule != c.rule || o.Conflict != c.conflict || o.Reason == "" {
			t.Errorf("%s: %s to %s by %s (conflict %v): %q", c.name, actionNames[o.Action], o.Folder, o.Rule, o.Conflict, o.Reason)
		}
	}
}

func TestKeywordsMerge(t *testing.T) {
	base := mail.NewFlags(mail.Seen, "old", "Both")
	local := mail.NewFlags(mail.Seen, "both", "mine")
	remote := mail.NewFlags(0, "old", "both", "theirs")
	if got, want := MergeFlags(base, local, remote), mail.NewFlags(0, "both", "mine", "theirs"); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

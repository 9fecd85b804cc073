package simworld

import (
	"fmt"
	"sort"
	"strings"

	"imapsync/conflict"
	"imapsync/mail"
	"imapsync/plan"
)

// Names tells what scenarios call the messages of a plan. Any of its maps may
// be nil.
type Names struct {
	Digest map[mail.Digest]string
	Key    map[mail.Key]string
	UID    map[mail.FolderName]map[mail.UID]string
}

// Names tells the names of everything there is now. Take them before the run
// whose plan they are for.
func (w *World) Names() Names {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := Names{map[mail.Digest]string{}, map[mail.Key]string{}, map[mail.FolderName]map[mail.UID]string{}}
	for digest, name := range w.named {
		n.Digest[digest] = name
	}
	for _, f := range w.Disk.folders {
		for key, x := range f.files {
			n.Key[key] = NameOf(x.content)
		}
	}
	for folder, b := range w.Server.boxes {
		n.UID[folder] = map[mail.UID]string{}
		for _, m := range b.messages {
			n.UID[folder][m.uid] = NameOf(m.content)
		}
	}
	return n
}

// of returns the name of the message an operation is about.
func (n Names) of(op *plan.Op) string {
	if op.Row != nil && n.Digest[op.Row.Content.Digest] != "" {
		return n.Digest[op.Row.Content.Digest]
	}
	if op.Local != nil && n.Key[op.Local.Key] != "" {
		return n.Key[op.Local.Key]
	}
	if op.Remote != nil && n.UID[op.Folder][op.Remote.UID] != "" {
		return n.UID[op.Folder][op.Remote.UID]
	}
	return "?"
}

// Phrases says what a plan does to each side, as scenarios do; State is for
// what changes the record alone.
func Phrases(pl *plan.Plan, names Names) map[Side][]string {
	out := map[Side][]string{}
	if pl == nil {
		return out
	}
	all := map[Side][]phrase{}
	for _, op := range pl.Ops {
		for side, p := range opPhrases(op, names.of(op)) {
			if op.Conflict {
				p.after += " (conflict)"
			}
			if op.Held {
				p.after += " (held)"
			}
			all[side] = append(all[side], p)
		}
	}
	for side, ps := range all {
		out[side] = shorten(ps)
	}
	return out
}

func opPhrases(op *plan.Op, name string) map[Side]phrase {
	in := at(op.Folder, name)
	folder := string(op.Folder) + "/"
	to := " to " + string(op.To) + "/"
	added := func(side Side) map[Side]phrase {
		return map[Side]phrase{side: {"new ", in, "=" + flagWord(op.Flags)}}
	}
	switch op.Kind {
	case plan.RenameLocal:
		return map[Side]phrase{Local: {before: "rename " + folder + to}}
	case plan.RenameRemote:
		return map[Side]phrase{Remote: {before: "rename " + folder + to}}
	case plan.RenameFolder:
		return map[Side]phrase{State: {before: "rename " + folder + to}}
	case plan.CreateLocal:
		return map[Side]phrase{Local: {before: "create " + folder}}
	case plan.CreateRemote:
		return map[Side]phrase{Remote: {before: "create " + folder}}
	case plan.RemoveLocal:
		return map[Side]phrase{Local: {before: "remove " + folder}}
	case plan.RemoveRemote:
		return map[Side]phrase{Remote: {before: "remove " + folder}}
	case plan.ForgetFolder:
		return map[Side]phrase{State: {before: "forget " + folder}}
	case plan.Pair:
		return map[Side]phrase{State: {"pair ", in, ""}}
	case plan.Leave:
		return map[Side]phrase{State: {"leave ", in, ""}}
	case plan.Tidy:
		return map[Side]phrase{Local: {"tidy ", in, ""}}
	case plan.Fetch:
		return map[Side]phrase{Local: {"fetch ", in, ""}}
	case plan.Drop:
		return map[Side]phrase{Local: {"drop ", in, ""}}
	case plan.Forget:
		return map[Side]phrase{State: {"forget ", in, ""}}
	case plan.MoveLocal:
		return map[Side]phrase{Local: {"move ", in, to}}
	case plan.MoveRemote:
		return map[Side]phrase{Remote: {"move ", in, to}}
	case plan.CopyRemote:
		return map[Side]phrase{Remote: {"copy ", in, to}}
	case plan.DeleteLocal:
		return map[Side]phrase{Local: {"delete ", in, ""}}
	case plan.DeleteRemote:
		if op.To == "" {
			to = ""
		}
		return map[Side]phrase{Remote: {"delete ", in, to}}
	case plan.Download, plan.CopyLocal:
		return added(Local)
	case plan.Upload:
		return added(Remote)
	case plan.SetFlags:
		return flagPhrases(op, in)
	}
	return map[Side]phrase{State: {before: fmt.Sprintf("unknown operation %q", op.Kind)}}
}

func flagPhrases(op *plan.Op, in string) map[Side]phrase {
	changes := func(seen mail.Flags) string {
		return strings.ReplaceAll(conflict.Difference(seen, op.Flags), " ", "")
	}
	out := map[Side]phrase{}
	if op.OnLocal {
		out[Local] = phrase{"", in, changes(op.Local.Flags)}
	}
	if op.OnRemote {
		out[Remote] = phrase{"", in, changes(op.Remote.Flags)}
	}
	if len(out) == 0 {
		out[State] = phrase{"agree ", in, "=" + flagWord(op.Flags)}
	}
	return out
}

// NormalPlan is a plan for comparing with that of a mirrored or a real world:
// without its order, which follows keys and UIDs, the spelling of keywords, and
// the INBOX that only a Maildir can lack.
func NormalPlan(phrases []string) string {
	var kept []string
	for _, p := range phrases {
		if p != "create INBOX/" {
			kept = append(kept, strings.ToLower(p))
		}
	}
	sort.Strings(kept)
	return strings.Join(kept, ", ")
}

// mirror returns the scenario with its sides swapped.
func (s *Scenario) mirror() *Scenario {
	m := *s
	m.Rounds = nil
	for _, r := range s.Rounds {
		r.Edits = map[Side][]Edit{State: r.Edits[State], Local: r.Edits[Remote], Remote: r.Edits[Local]}
		r.Plan = map[Side][]string{State: r.Plan[State], Local: r.Plan[Remote], Remote: r.Plan[Local]}
		r.After = map[Side][]Entry{Local: r.After[Remote], Remote: r.After[Local]}
		r.Options.NotPulled, r.Options.NotPushed = r.Options.NotPushed, r.Options.NotPulled
		m.Rounds = append(m.Rounds, r)
	}
	return &m
}

// Mirrors reports whether the scenario can be played mirrored: it does not say
// oneway, and no edit is one that only one side knows.
func (s *Scenario) Mirrors() bool {
	for _, r := range s.Rounds {
		for _, edits := range r.Edits {
			for _, e := range edits {
				switch e.Verb {
				case Change, Add, Delete, Move, Copy, Create, Remove, Rename:
				default:
					return false
				}
			}
		}
	}
	return !s.OneWay
}

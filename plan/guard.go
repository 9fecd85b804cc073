package plan

import (
	"fmt"

	"imapsync/mail"
)

// wholeFolder is the number of messages above which losing all of a folder is
// held.
const wholeFolder = 20

// Limits say which deletions are too many: a run that would remove more than
// Count messages from one side, which are also more than Percent of what that
// side holds in the account, has them held. Count 0 stands for 100, Percent 0
// for 25.
type Limits struct{ Count, Percent int }

// Guard holds back deletions that look like an accident.
type Guard struct {
	Limits

	// What each side holds, folder by folder, in the whole account, for Percent.
	Local, Remote map[mail.FolderName]int

	// Confirmed tells how many deletions of a folder on a side the user has been told
	// of and wants, and whether any are wanted there.
	Confirmed func(side string, folder mail.FolderName) (n int, wanted bool)
}

// hold marks the deletions of the plan that need the user's word.
// staying tells how many messages of a folder that the base knows stay in it.
func (g Guard) hold(p *Plan, staying map[mail.FolderName]int) {
	g.holdSide(p, DeleteLocal, "local", g.Local, staying)
	g.holdSide(p, DeleteRemote, "remote", g.Remote, staying)
	p.holdTogether()
}

// holdTogether holds what builds on a deletion that is held, and both halves of one
// that takes a message from both sides: held on one it is not to be lost on the other.
func (p *Plan) holdTogether() {
	held := map[*mail.Base]bool{}
	for _, o := range p.Ops {
		if o.Held && o.Deletion() && o.Row != nil {
			held[o.Row] = true
		}
	}
	for _, o := range p.Ops {
		o.Held = o.Held || o.Deletion() && !o.Moved && held[o.Row] || o.After != nil && o.After.Held
	}
}

func (g Guard) holdSide(p *Plan, kind Kind, side string, holdings, staying map[mail.FolderName]int) {
	byFolder := map[mail.FolderName][]*Op{}
	var folders []mail.FolderName
	deletions, total := 0, 0
	for _, o := range p.Ops {
		if o.Kind != kind || o.Moved || o.Held {
			continue
		}
		if byFolder[o.Folder] == nil {
			folders = append(folders, o.Folder)
		}
		byFolder[o.Folder] = append(byFolder[o.Folder], o)
		deletions++
	}
	for _, n := range holdings {
		total += n
	}
	tooMany := deletions > or(g.Count, 100) && deletions*100 > or(g.Percent, 25)*total
	for _, f := range folders {
		n := len(byFolder[f])
		all := n > wholeFolder && staying[f] == 0 // mail that came since does not make it less of an accident
		confirmed, wanted := 0, false
		if g.Confirmed != nil {
			confirmed, wanted = g.Confirmed(side, f)
		}
		if !tooMany && !all || n <= confirmed {
			continue
		}
		reason := fmt.Sprintf("all %d messages of the folder would go", n)
		if !all {
			reason = fmt.Sprintf("%d of %d messages of the account would go", deletions, total)
		}
		if confirmed > 0 {
			reason += fmt.Sprintf(", and more of this folder than the %d of which you were told", confirmed)
		} else if wanted {
			reason += ", of which you were not told yet"
		}
		for _, o := range byFolder[f] {
			o.Held = true
		}
		p.Holds = append(p.Holds, mail.Hold{Side: side, Folder: f, Count: n, Reason: reason})
	}
}

func or(n, fallback int) int {
	if n == 0 {
		return fallback
	}
	return n
}

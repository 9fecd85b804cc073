package realworld

import (
	"fmt"
	"slices"
	"strings"

	"imapsync/internal/simworld"
	"imapsync/mail"
)

// places are the folders of a history. None lies in another, for the layouts
// differ in what renaming one does to those below it.
var places = []mail.FolderName{mail.Inbox, "Work", "Home", "Lists/Go", "Häuser", "R&D", "100%"}

// maxMessages bounds what a side may hold before it gets no more.
const maxMessages = 40

// do does an edit and remembers it. A mailbox that is deleted or renamed and then
// made anew is renumbered.
func (h *history) do(side simworld.Side, e simworld.Edit) {
	h.t.Helper()
	if side == simworld.Remote {
		switch e.Verb {
		case simworld.Remove, simworld.Rename:
			h.now.gone = append(h.now.gone, e.Folder)
		case simworld.Renumber:
			h.now.blurred = true
		}
		h.now.blurred = h.now.blurred || slices.Contains(h.now.gone, e.To) ||
			slices.Contains(h.now.gone, e.Folder) && e.Verb != simworld.Remove && e.Verb != simworld.Rename
	}
	h.log = append(h.log, fmt.Sprintf("%-7s%s", side, e))
	h.edit(side, e)
}

// random does one edit of any kind that there is something for.
func (h *history) random() {
	side := simworld.Local
	if h.IntN(2) == 0 {
		side = simworld.Remote
	}
	switch n := h.IntN(100); {
	case n < 25 && len(h.have[side]) < maxMessages:
		h.add(side)
	case n < 83:
		h.message(side, n)
	case n < 95:
		h.folder(side, n)
	case n < 97 && side == simworld.Remote:
		h.renumber()
	}
}

func (h *history) flags() mail.Flags {
	system := []mail.System{mail.Seen, mail.Seen, mail.Flagged, mail.Answered, mail.Draft, mail.Forwarded, mail.Deleted, 0}
	keywords := []string{"todo", "$Label1", "Later", "$Junk"}
	f := mail.NewFlags(system[h.IntN(len(system))])
	if h.IntN(4) == 0 {
		f = f.Union(mail.NewFlags(0, keywords[h.IntN(len(keywords))]))
	}
	return f
}

func (h *history) place() mail.FolderName { return places[h.IntN(len(places))] }

// came and went keep the books for one side.
func (h *history) came(side simworld.Side, folder mail.FolderName, name string, isNew bool) {
	h.have[side] = append(h.have[side], simworld.Entry{Folder: folder, Name: name})
	if isNew {
		if h.now.added[name] == nil {
			h.now.added[name] = map[simworld.Side]int{}
		}
		h.now.added[name][side]++
	}
}

func (h *history) went(side simworld.Side, e simworld.Entry) {
	i := slices.IndexFunc(h.have[side], func(x simworld.Entry) bool { return x.Folder == e.Folder && x.Name == e.Name })
	h.have[side] = slices.Delete(h.have[side], i, i+1)
}

func (h *history) add(side simworld.Side) {
	h.made++
	e := simworld.Edit{Verb: simworld.Add, Folder: h.place(), Name: fmt.Sprintf("M%d", h.made), Flags: h.flags()}
	if h.IntN(12) == 0 {
		e.Name = fmt.Sprintf("Bare%d", h.made)
	}
	e.New = e.Flags.IsEmpty()
	h.do(side, e)
	h.came(side, e.Folder, e.Name, true)
	if h.IntN(10) == 0 { // it arrives on the other side, too, by another way
		other := simworld.Local
		if side == other {
			other = simworld.Remote
		}
		e.Flags, e.New = h.flags(), false
		h.do(other, e)
		h.came(other, e.Folder, e.Name, true)
	}
}

// message edits one of the side's messages.
func (h *history) message(side simworld.Side, n int) {
	var there []simworld.Entry
	for _, e := range h.have[side] {
		if e.Name != "" {
			there = append(there, e)
		}
	}
	if len(there) == 0 {
		return
	}
	m := there[h.IntN(len(there))]
	e := simworld.Edit{Folder: m.Folder, Name: m.Name}
	switch {
	case n < 50:
		e.Verb, e.Flags = simworld.Change, h.flags()
		if h.IntN(3) == 0 {
			e.Flags, e.Minus = e.Minus, e.Flags
		}
		if e.Flags.IsEmpty() && e.Minus.IsEmpty() {
			return
		}
		h.do(side, e)
	case n < 61:
		e.Verb = simworld.Delete
		h.do(side, e)
		h.went(side, m)
		h.now.deleted[m.Name]++
	case n < 73:
		if e.Verb, e.To = simworld.Move, h.place(); e.To == m.Folder {
			return
		}
		h.do(side, e)
		h.went(side, m)
		h.came(side, e.To, m.Name, false)
		h.now.moved[m.Name] = append(h.now.moved[m.Name], e.To)
	case n < 79:
		e.Verb, e.To = simworld.Copy, h.place()
		h.do(side, e)
		h.came(side, e.To, m.Name, true)
	case side == simworld.Local && !strings.HasSuffix(m.Name, "~~"):
		e.Verb = simworld.Rewrite
		h.do(side, e)
		h.went(side, m)
		h.now.deleted[m.Name]++
		h.came(side, m.Folder, m.Name+"~", true)
		h.now.options.Full = true
	}
}

// folder creates, removes or renames a folder.
func (h *history) folder(side simworld.Side, n int) {
	e := simworld.Edit{Folder: h.place()}
	if e.Folder == mail.Inbox {
		return
	}
	in := func(x simworld.Entry) bool { return x.Folder == e.Folder }
	switch {
	case n < 87:
		e.Verb = simworld.Create
		h.do(side, e)
		h.have[side] = append(h.have[side], simworld.Entry{Folder: e.Folder})
	case !slices.ContainsFunc(h.have[side], in):
	case n < 91:
		e.Verb = simworld.Remove
		h.do(side, e)
		for _, x := range h.have[side] {
			if in(x) && x.Name != "" {
				h.now.deleted[x.Name]++
			}
		}
		h.have[side] = slices.DeleteFunc(h.have[side], in)
	default:
		e.Verb, e.To = simworld.Rename, h.place()
		if e.To == mail.Inbox || h.exists(side, e.To) {
			return
		}
		h.do(side, e)
		for i, x := range h.have[side] {
			if in(x) {
				h.have[side][i].Folder = e.To
				h.now.moved[x.Name] = append(h.now.moved[x.Name], e.To)
			}
		}
	}
}

// exists looks for a folder, which may be there without a message.
func (h *history) exists(side simworld.Side, folder mail.FolderName) bool {
	if side == simworld.Remote {
		return slices.Contains(h.client.Folders(), string(folder))
	}
	return h.reader.folders()[folder] != ""
}

// renumber gives a folder another UIDVALIDITY.
func (h *history) renumber() {
	if len(h.have[simworld.Remote]) == 0 {
		return
	}
	folder := h.have[simworld.Remote][h.IntN(len(h.have[simworld.Remote]))].Folder
	h.do(simworld.Remote, simworld.Edit{Verb: simworld.Renumber, Folder: folder})
}

package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"imapsync/mail"
)

// tree is a world of folders of which some are renamed.
type tree struct {
	in     RenameInput
	byName map[mail.FolderName]*Folder
}

// newTree makes folders that both sides have, of four messages each where the
// name does not end in "0".
func newTree(names ...mail.FolderName) *tree {
	t := &tree{RenameInput{Local: map[mail.FolderName]bool{}, Remote: map[mail.FolderName]bool{}}, map[mail.FolderName]*Folder{}}
	for _, name := range names {
		f := t.add(name)
		f.Known, f.Settled, f.Local.Exists, f.Remote.Exists = true, true, true, true
		f.Mark = mail.Mark{UIDValidity: 7, UIDNext: 5, HighestModSeq: 9}
		f.Remote.Mark = f.Mark
		for u := mail.UID(1); u <= 4 && !strings.HasSuffix(string(name), "0"); u++ {
			c := contentOfText(fmt.Sprint(name, u))
			key := mail.Key(fmt.Sprint(name, " key ", u))
			f.Base = append(f.Base, &mail.Base{ID: int64(u), Folder: name, UID: u, Key: key, Content: c, RemoteSize: c.Wire})
			f.Local.Messages[key] = mail.Local{Key: key}
			f.Remote.Messages[u] = mail.Remote{UID: u}
		}
		t.in.Local[name], t.in.Remote[name] = true, true
	}
	return t
}

func (t *tree) add(name mail.FolderName) *Folder {
	if f := t.byName[name]; f != nil {
		return f
	}
	f := &Folder{Name: name}
	f.Local.Messages, f.Remote.Messages = map[mail.Key]mail.Local{}, map[mail.UID]mail.Remote{}
	t.byName[name] = f
	t.in.Folders = append(t.in.Folders, f)
	slices.SortFunc(t.in.Folders, func(a, b *Folder) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return f
}

// local renames one folder in the Maildir, whose files are read then.
func (t *tree) local(from, to mail.FolderName) {
	x, y := t.add(from), t.add(to)
	for _, row := range x.Base {
		if l, ok := x.Local.Messages[row.Key]; ok {
			l.Content = &row.Content
			x.Local.Messages[row.Key] = l
		}
	}
	y.Local, x.Local = x.Local, mail.LocalSnapshot{Messages: map[mail.Key]mail.Local{}}
	delete(t.in.Local, from)
	t.in.Local[to] = true
}

// remote renames one folder on the server, whose headers are fetched then.
func (t *tree) remote(from, to mail.FolderName) {
	x, y := t.add(from), t.add(to)
	for _, row := range x.Base {
		if r, ok := x.Remote.Messages[row.UID]; ok {
			r.Size, r.Content = row.Content.Wire, &mail.Content{Header: row.Content.Header, Fields: row.Content.Fields}
			x.Remote.Messages[row.UID] = r
		}
	}
	y.Remote, x.Remote = x.Remote, mail.RemoteSnapshot{Messages: map[mail.UID]mail.Remote{}}
	delete(t.in.Remote, from)
	t.in.Remote[to] = true
}

func (t *tree) renames() string {
	var words []string
	for _, r := range Renames(t.in) {
		for _, f := range r.Folders {
			words = append(words, fmt.Sprintf("%s %s>%s", strings.Fields(string(r.Kind))[1], f.From, f.To))
		}
	}
	return strings.Join(words, ", ")
}

// inMaildir and onServer rename X to Y, and then something else comes about.
func inMaildir(more func(t *tree, x, y *Folder)) func(t *tree) {
	return func(t *tree) { t.local("X", "Y"); more(t, t.byName["X"], t.byName["Y"]) }
}

func onServer(more func(t *tree, x, y *Folder)) func(t *tree) {
	return func(t *tree) { t.remote("X", "Y"); more(t, t.byName["X"], t.byName["Y"]) }
}

var renameCases = []struct {
	name string
	do   func(t *tree)
	want string
}{
	{"nothing", func(*tree) {}, ""},
	{"in the Maildir", inMaildir(func(*tree, *Folder, *Folder) {}), "remote X>Y"},
	{"on the server", onServer(func(*tree, *Folder, *Folder) {}), "local X>Y"},
	{"alike", func(t *tree) { t.local("X", "Y"); t.remote("X", "Y") }, "folder X>Y"},
	{"apart", func(t *tree) { t.local("X", "Y"); t.remote("X", "Y2") }, ""},
	{"two", func(t *tree) { t.local("X", "Y"); t.remote("W", "V") }, "local W>V, remote X>Y"},
	{"INBOX", func(t *tree) { t.remote("INBOX", "Y") }, ""},
	{"swapped", func(t *tree) { t.local("X", "tmp"); t.local("W", "X"); t.local("tmp", "W") }, ""},

	{"one file gone", inMaildir(func(_ *tree, _, y *Folder) { delete(y.Local.Messages, "X key 1") }), "remote X>Y"},
	{"half of the files gone", inMaildir(func(_ *tree, _, y *Folder) { delete(y.Local.Messages, "X key 1"); delete(y.Local.Messages, "X key 2") }), ""},
	{"no message known", inMaildir(func(_ *tree, x, _ *Folder) { x.Base = nil }), ""},
	{"a file of a key with another content", inMaildir(func(_ *tree, _, y *Folder) {
		c := contentOfText("other")
		y.Local.Messages["X key 1"] = mail.Local{Key: "X key 1", Content: &c}
	}), ""},
	{"a file that was not read", inMaildir(func(_ *tree, _, y *Folder) { y.Local.Messages["X key 1"] = mail.Local{Key: "X key 1"} }), ""},
	{"files that cannot be read", inMaildir(func(_ *tree, _, y *Folder) { y.Unread = []int64{3} }), ""},
	{"copied with its directory", inMaildir(func(t *tree, _, y *Folder) {
		z := t.add("Z")
		z.Local = y.Local
		t.in.Local["Z"] = true
	}), ""},
	{"merged", inMaildir(func(t *tree, _, y *Folder) {
		y1 := y.Local
		t.local("W", "Y")
		for k, l := range y1.Messages {
			y.Local.Messages[k] = l
		}
	}), ""},
	{"known under the new name", inMaildir(func(_ *tree, _, y *Folder) { y.Known = true }), ""},
	{"a place of the new name", inMaildir(func(t *tree, _, _ *Folder) { t.in.Remote["Y"] = true }), ""},
	{"something below the new name", inMaildir(func(t *tree, _, _ *Folder) { t.in.Remote["Y/Z"] = true }), ""},
	{"renumbered", inMaildir(func(_ *tree, x, _ *Folder) { x.Remote.Mark.UIDValidity++ }), ""},
	{"a row without its number", inMaildir(func(_ *tree, x, _ *Folder) { x.Base[0].UID = 0 }), ""},
	{"a row without its file", inMaildir(func(_ *tree, x, _ *Folder) { x.Base[0].Key = "" }), ""},
	{"in doubt", inMaildir(func(_ *tree, x, _ *Folder) { x.Remote.Doubt = "?" }), ""},
	{"read-only", inMaildir(func(_ *tree, x, _ *Folder) { x.Remote.Space.ReadOnly = true }), ""},
	{"fixed", inMaildir(func(t *tree, _, _ *Folder) { t.in.Fixed = func(n mail.FolderName) bool { return n == "X" } }), ""},
	{"into itself", func(t *tree) { t.local("X", "X/Y") }, ""},
	{"out of itself", func(t *tree) {
		t.local("W/Z", "V")
		t.local("V", "W")
		w := t.byName["W"]
		w.Known, w.Base, w.Remote.Exists = false, nil, false
		delete(t.in.Remote, "W")
	}, ""},

	{"one message gone", onServer(func(_ *tree, _, y *Folder) { delete(y.Remote.Messages, 1) }), "local X>Y"},
	{"half of the messages gone", onServer(func(_ *tree, _, y *Folder) { delete(y.Remote.Messages, 1); delete(y.Remote.Messages, 2) }), ""},
	{"an equal UIDVALIDITY by chance", onServer(func(_ *tree, _, y *Folder) {
		for u, r := range y.Remote.Messages {
			r.Content = &mail.Content{Header: mail.Digest{byte(u)}, Fields: 9}
			y.Remote.Messages[u] = r
		}
	}), ""},
	{"an equal UIDVALIDITY, and one other message", onServer(func(_ *tree, _, y *Folder) {
		r := y.Remote.Messages[4]
		r.Size++
		y.Remote.Messages[4] = r
	}), ""},
	{"headers unknown", onServer(func(_ *tree, _, y *Folder) { y.Remote.Messages[4] = mail.Remote{UID: 4} }), ""},
	{"another UIDVALIDITY", onServer(func(_ *tree, _, y *Folder) { y.Remote.Mark.UIDValidity++ }), ""},
	{"fewer UIDs given out", onServer(func(_ *tree, _, y *Folder) { y.Remote.Mark.UIDNext-- }), ""},
	{"an older HIGHESTMODSEQ", onServer(func(_ *tree, _, y *Folder) { y.Remote.Mark.HighestModSeq-- }), ""},
	{"no CONDSTORE any more", onServer(func(_ *tree, _, y *Folder) { y.Remote.Mark.HighestModSeq = 0 }), "local X>Y"},
	{"a UID to be given out yet", onServer(func(_ *tree, x, y *Folder) {
		x.Mark.UIDNext, x.Base[3].UID = 0, 20
		delete(y.Remote.Messages, 4)
	}), ""},
	{"still listed", onServer(func(t *tree, _, _ *Folder) { t.in.Remote["X"] = true }), ""},
	{"a folder left out of the new name", onServer(func(t *tree, _, _ *Folder) { t.in.Local["Y"] = true }), ""},
}

// A rename is found where everything fits, on either side; where anything does
// not, there is none.
func TestRenames(t *testing.T) {
	for _, c := range renameCases {
		tree := newTree("INBOX", "W", "W/Z", "X")
		if !strings.Contains(c.name, "itself") {
			tree = newTree("INBOX", "W", "X")
		}
		c.do(tree)
		if got := tree.renames(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// What lies below a folder comes along with a rename, so that all of it must
// have.
func TestRenamesOfTrees(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(t *tree)
		want string
	}{
		{"all", func(t *tree) { t.local("X", "Y"); t.local("X/A", "Y/A"); t.local("X/A/0", "Y/A/0") }, "remote X>Y, remote X/A>Y/A, remote X/A/0>Y/A/0"},
		{"all, on the server", func(t *tree) { t.remote("X", "Y"); t.remote("X/A", "Y/A"); t.remote("X/A/0", "Y/A/0") }, "local X>Y, local X/A>Y/A, local X/A/0>Y/A/0"},
		{"a part stays", func(t *tree) { t.local("X", "Y"); t.local("X/A/0", "Y/A/0") }, ""},
		{"an empty part stays", func(t *tree) { t.local("X", "Y"); t.local("X/A", "Y/A") }, ""},
		{"a part goes elsewhere", func(t *tree) { t.local("X", "Y"); t.local("X/A", "Z"); t.local("X/A/0", "Z/0") }, "remote X/A>Z, remote X/A/0>Z/0"},
		{"a part alone", func(t *tree) { t.local("X/A", "X/B"); t.local("X/A/0", "X/B/0") }, "remote X/A>X/B, remote X/A/0>X/B/0"},
		{"a part that is not synchronised", func(t *tree) {
			t.local("X", "Y")
			t.local("X/A", "Y/A")
			t.local("X/A/0", "Y/A/0")
			t.in.Remote["X/Secret"] = true
		}, "remote X/A>Y/A, remote X/A/0>Y/A/0"},
		{"a name that begins alike", func(t *tree) {
			t.local("X", "Y")
			t.local("X/A", "Y/A")
			t.local("X/A/0", "Y/A/0")
			t.in.Remote["X-2"], t.in.Remote["Y-2"] = true, true
		}, "remote X>Y, remote X/A>Y/A, remote X/A/0>Y/A/0"},
		{"one into the other", func(t *tree) {
			t.local("V", "Z")
			t.local("W", "Z/W")
		}, "remote V>Z"},
		{"a part on both sides", func(t *tree) {
			t.local("X", "Y")
			t.remote("X", "Y")
			t.remote("X/A", "Y/A")
			t.remote("X/A/0", "Y/A/0")
		}, "folder X>Y, local X/A>Y/A, local X/A/0>Y/A/0"},
	} {
		tree := newTree("INBOX", "V", "W", "X", "X/A", "X/A/0")
		c.do(tree)
		if got := tree.renames(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

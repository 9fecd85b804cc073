package plan

import (
	"fmt"
	"testing"

	"imapsync/conflict"
	"imapsync/mail"
)

// oneFolder has a message on both sides, one that the Maildir has lost, and a new
// file, in a mailbox where something may be denied.
func oneFolder(name mail.FolderName, denied mail.Denied) *Folder {
	f := &Folder{Name: name, Known: true, Settled: true, Mark: mail.Mark{UIDValidity: 7, UIDNext: 30}}
	f.Local = mail.LocalSnapshot{Folder: name, Exists: true, Space: mail.FullSpace(), Messages: map[mail.Key]mail.Local{}}
	f.Remote = mail.RemoteSnapshot{Folder: name, Exists: true, Space: mail.FullSpace(), Messages: map[mail.UID]mail.Remote{}, Mark: f.Mark, Denied: denied}
	f.Remote.Space.ReadOnly = denied.Flags
	for u := mail.UID(1); u <= 25; u++ {
		key := mail.Key(fmt.Sprint(name, u))
		f.Base = append(f.Base, &mail.Base{ID: int64(u), Folder: name, UID: u, Key: key, Content: contentOfText(string(key))})
		f.Remote.Messages[u] = mail.Remote{UID: u}
	}
	f.Local.Messages[mail.Key(name+"1")] = mail.Local{Key: mail.Key(name + "1"), Flags: mail.NewFlags(mail.Flagged)}
	c := contentOfText("new in " + string(name))
	f.Local.Messages["new"] = mail.Local{Key: "new", Content: &c}
	return f
}

func tally(p *Plan) map[string]int {
	n := map[string]int{}
	for _, o := range p.Ops {
		switch {
		case o.Denied:
			n["denied "+string(o.Kind)]++
		case o.Held:
			n["held "+string(o.Kind)]++
		default:
			n[string(o.Kind)]++
		}
	}
	return n
}

func TestDenied(t *testing.T) {
	for _, c := range []struct {
		denied mail.Denied
		want   map[string]int
	}{
		{mail.ReadOnly, map[string]int{"denied delete remote": 24, "denied upload": 1}},
		{mail.Denied{Insert: true}, map[string]int{"delete remote": 24, "denied upload": 1, "flags": 1}},
		{mail.Denied{Delete: true}, map[string]int{"denied delete remote": 24, "upload": 1, "flags": 1}},
	} {
		p := Make(Input{Folders: []*Folder{oneFolder("F", c.denied)}})
		if got := tally(p); fmt.Sprint(got) != fmt.Sprint(c.want) || len(p.Holds) != 0 {
			t.Errorf("%+v: %v, %v, want %v", c.denied, got, p.Holds, c.want)
		}
	}
}

// The flags agreed on where none can be stored are the server's.
func TestFlagsOfReadOnly(t *testing.T) {
	f := oneFolder("F", mail.ReadOnly)
	f.Base, f.Remote.Messages = f.Base[:1], map[mail.UID]mail.Remote{1: {UID: 1, Flags: mail.NewFlags(mail.Answered)}}
	delete(f.Local.Messages, "new")
	p := Make(Input{Folders: []*Folder{f}})
	if len(p.Ops) != 1 || p.Ops[0].OnRemote || !p.Ops[0].OnLocal || !p.Ops[0].Agreed.Equal(mail.NewFlags(mail.Answered)) ||
		!p.Ops[0].Flags.Equal(mail.NewFlags(mail.Answered|mail.Flagged)) {
		t.Fatalf("%v", p.Ops)
	}
	// Done, there is nothing to do; and when it may be told, the server is.
	f.Base[0].Flags = p.Ops[0].Agreed
	f.Local.Messages["F1"] = mail.Local{Key: "F1", Flags: p.Ops[0].Flags}
	if p = Make(Input{Folders: []*Folder{f}}); len(p.Ops) != 0 {
		t.Errorf("%v", p.Ops)
	}
	f.Remote.Space, f.Remote.Denied = mail.FullSpace(), mail.Denied{}
	if p = Make(Input{Folders: []*Folder{f}}); len(p.Ops) != 1 || !p.Ops[0].OnRemote || p.Ops[0].OnLocal {
		t.Errorf("%v", p.Ops)
	}
}

// What is moved out of a folder in which nothing can be deleted is copied, and the
// original stays, with its row; into one that takes nothing, nothing is moved.
func TestMovesAndDenied(t *testing.T) {
	for _, c := range []struct {
		from, to mail.Denied
		want     map[string]int
	}{
		{mail.ReadOnly, mail.Denied{}, map[string]int{"copy remote": 1, "denied delete remote": 1}},
		{mail.Denied{}, mail.ReadOnly, map[string]int{"denied move remote": 1, "denied flags": 1}},
	} {
		from, to := oneFolder("From", c.from), oneFolder("To", c.to)
		content := from.Base[0].Content
		from.Base, to.Base, to.Remote.Messages = from.Base[:1], nil, map[mail.UID]mail.Remote{}
		from.Remote.Messages = map[mail.UID]mail.Remote{1: {UID: 1}}
		from.Local.Messages = map[mail.Key]mail.Local{}
		to.Local.Messages = map[mail.Key]mail.Local{"From1": {Key: "From1", Content: &content, Flags: mail.NewFlags(mail.Seen)}}
		in := Input{Folders: []*Folder{from, to}, Features: mail.Features{Move: true}}
		got := tally(Make(in))
		if c.from != (mail.Denied{}) {
			delete(got, "flags")
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%v: %v, want %v", c, got, c.want)
		}
	}
}

// A message that the server lets nobody delete where it is, or move to the trash,
// stays on both sides: its file waits for it.
func TestMarkedAndDenied(t *testing.T) {
	for _, c := range []struct {
		from, trash mail.Denied
		expunge     conflict.Expunge
		want        map[string]int
	}{
		{mail.Denied{}, mail.Denied{}, conflict.ExpungeBoth, map[string]int{"delete remote": 1, "delete local": 1}},
		{mail.Denied{Delete: true}, mail.Denied{}, conflict.ExpungeBoth, map[string]int{"denied delete remote": 1, "denied delete local": 1}},
		{mail.Denied{}, mail.ReadOnly, conflict.ExpungeBoth, map[string]int{"denied delete remote": 1, "denied delete local": 1}},
		{mail.ReadOnly, mail.Denied{}, conflict.ExpungeLocal, map[string]int{}}, // unmarked there, it would come back
	} {
		f, trash := oneFolder("F", c.from), oneFolder("Trash", c.trash)
		mark := mail.NewFlags(mail.Deleted)
		f.Base, f.Remote.Messages = f.Base[:1], map[mail.UID]mail.Remote{1: {UID: 1}}
		f.Local.Messages = map[mail.Key]mail.Local{"F1": {Key: "F1", Flags: mark}}
		if c.expunge == conflict.ExpungeBoth {
			f.Remote.Messages[1] = mail.Remote{UID: 1, Flags: mark}
		}
		trash.Base, trash.Remote.Messages, trash.Local.Messages = nil, nil, nil
		p := Make(Input{Folders: []*Folder{f, trash}, Features: mail.Features{Move: true}, Trash: "Trash",
			Policy: func(mail.FolderName) conflict.Policy { return conflict.Policy{Expunge: c.expunge} }})
		if got := tally(p); fmt.Sprint(got) != fmt.Sprint(c.want) || len(p.GoOn) > 0 {
			t.Errorf("%+v: %v %v, want %v", c, got, p.GoOn, c.want)
		}
	}
}

package plan

import (
	"crypto/sha256"
	"fmt"
	"sort"
	"strings"
	"time"

	"imapsync/conflict"
	"imapsync/mail"
)

// model is two sides and a base without any I/O, on which plans are carried
// out to see where they lead.
type model struct {
	base   []*mail.Base
	known  map[mail.FolderName]bool
	local  map[mail.FolderName]map[mail.Key]file
	remote map[mail.FolderName]map[mail.UID]file
	move   bool // the server has MOVE
	next   int
}

// file is a message on either side.
type file struct {
	text  string
	flags mail.Flags
}

func newModel(folders ...mail.FolderName) *model {
	m := &model{known: map[mail.FolderName]bool{}, local: map[mail.FolderName]map[mail.Key]file{},
		remote: map[mail.FolderName]map[mail.UID]file{}, move: true, next: 1}
	for _, f := range folders {
		m.known[f], m.local[f], m.remote[f] = true, map[mail.Key]file{}, map[mail.UID]file{}
	}
	return m
}

func contentOfText(text string) mail.Content {
	n := int64(len(text))
	return mail.Content{Digest: sha256.Sum256([]byte(text)), Header: sha256.Sum256([]byte("h" + text)),
		Body: sha256.Sum256([]byte("b" + text)), Size: n, Wire: n, Net: n, Fields: 5}
}

func (m *model) fresh() int { m.next++; return m.next }

func (m *model) putLocal(folder mail.FolderName, text, letters string) mail.Key {
	k := mail.Key(fmt.Sprintf("k%03d", m.fresh()))
	m.local[folder][k] = file{text, mail.ParseFlags(":" + letters)}
	return k
}

func (m *model) putRemote(folder mail.FolderName, text, letters string) mail.UID {
	u := mail.UID(m.fresh())
	m.remote[folder][u] = file{text, mail.ParseFlags(":" + letters)}
	return u
}

// modelDate is that of all messages: twins are told by their content.
var modelDate = time.Unix(1e9, 0)

// agree puts a message on both sides and into the base.
func (m *model) agree(folder mail.FolderName, text, letters string) (mail.Key, mail.UID) {
	k, u := m.putLocal(folder, text, letters), m.putRemote(folder, text, letters)
	m.base = append(m.base, &mail.Base{ID: int64(m.fresh()), Folder: folder, UID: u, Key: k,
		Flags: mail.ParseFlags(":" + letters), Content: contentOfText(text), RemoteSize: int64(len(text)), Date: modelDate})
	return k, u
}

func (m *model) clone() *model {
	c := newModel()
	c.move, c.next = m.move, m.next
	for _, row := range m.base {
		r := *row
		c.base = append(c.base, &r)
	}
	for f := range m.known {
		c.known[f] = true
	}
	for f, files := range m.local {
		c.local[f] = map[mail.Key]file{}
		for k, v := range files {
			c.local[f][k] = v
		}
	}
	for f, messages := range m.remote {
		c.remote[f] = map[mail.UID]file{}
		for k, v := range messages {
			c.remote[f][k] = v
		}
	}
	return c
}

// observe gives the input a run on the model would decide on.
func (m *model) observe(policy conflict.Policy) Input {
	in := Input{Features: mail.Features{Move: m.move}, Policy: func(mail.FolderName) conflict.Policy { return policy },
		Guard: Guard{Local: map[mail.FolderName]int{}, Remote: map[mail.FolderName]int{}}}
	names := map[mail.FolderName]bool{}
	for f := range m.known {
		names[f] = true
	}
	for f := range m.local {
		names[f] = true
	}
	for f := range m.remote {
		names[f] = true
	}
	for f := range names {
		in.Folders = append(in.Folders, m.observeFolder(f))
		in.Guard.Local[f], in.Guard.Remote[f] = len(m.local[f]), len(m.remote[f])
	}
	sort.Slice(in.Folders, func(a, b int) bool { return in.Folders[a].Name < in.Folders[b].Name })
	return in
}

func (m *model) observeFolder(name mail.FolderName) *Folder {
	f := &Folder{Name: name, Known: m.known[name]}
	rows := map[mail.UID]bool{}
	for _, row := range m.base {
		if row.Folder == name {
			f.Base = append(f.Base, row)
			rows[row.UID] = true
		}
	}
	files, exists := m.local[name]
	f.Local = mail.LocalSnapshot{Folder: name, Exists: exists, Space: mail.FullSpace(), Messages: map[mail.Key]mail.Local{}}
	for k, v := range files {
		c := contentOfText(v.text)
		f.Local.Messages[k] = mail.Local{Key: k, Flags: v.flags, Content: &c}
	}
	messages, exists := m.remote[name]
	f.Remote = mail.RemoteSnapshot{Folder: name, Exists: exists, Space: mail.FullSpace(), Messages: map[mail.UID]mail.Remote{}}
	for u, v := range messages {
		c := contentOfText(v.text)
		c.Body, c.Digest = mail.Digest{}, mail.Digest{} // only the header was fetched
		f.Remote.Messages[u] = mail.Remote{UID: u, Flags: v.flags, Size: int64(len(v.text)), Date: modelDate, Content: &c}
	}
	return f
}

// renumber is what a run does when the server has renumbered its folders.
func (m *model) renumber() {
	for _, row := range m.base {
		row.UID = 0
	}
}

// row returns the model's own row for one of the plan.
func (m *model) row(r *mail.Base) *mail.Base {
	for _, row := range m.base {
		if row == r {
			return row
		}
	}
	r.ID = int64(m.fresh())
	m.base = append(m.base, r)
	return r
}

func (m *model) drop(r *mail.Base) {
	for i, row := range m.base {
		if row == r {
			m.base = append(m.base[:i:i], m.base[i+1:]...)
			return
		}
	}
}

// do carries out the effect of an operation, and records it unless told not
// to, as if the run had died in between.
func (m *model) do(o *Op, record bool) {
	place := func(folder mail.FolderName, uid mail.UID, key mail.Key) {
		if record {
			r := m.row(o.Row)
			r.Folder, r.UID, r.Key = folder, uid, key
		}
	}
	flags := func(f mail.Flags) {
		if record {
			m.row(o.Row).Flags = f
		}
	}
	switch o.Kind {
	case CreateLocal:
		m.local[o.Folder] = map[mail.Key]file{}
		m.known[o.Folder] = m.known[o.Folder] || record
	case CreateRemote:
		m.remote[o.Folder] = map[mail.UID]file{}
		m.known[o.Folder] = m.known[o.Folder] || record
	case RemoveLocal:
		delete(m.local, o.Folder)
		m.forgetFolder(o.Folder, record)
	case RemoveRemote:
		delete(m.remote, o.Folder)
		m.forgetFolder(o.Folder, record)
	case ForgetFolder:
		m.forgetFolder(o.Folder, record)
	case Pair:
		place(o.To, o.Remote.UID, o.Local.Key)
	case MoveLocal:
		m.local[o.To][o.Local.Key] = m.local[o.Folder][o.Local.Key]
		delete(m.local[o.Folder], o.Local.Key)
		place(o.To, o.Remote.UID, o.Local.Key)
	case MoveRemote:
		u := mail.UID(m.fresh())
		m.remote[o.To][u] = m.remote[o.Folder][o.Remote.UID]
		delete(m.remote[o.Folder], o.Remote.UID)
		place(o.To, u, o.Local.Key)
	case CopyRemote:
		u := mail.UID(m.fresh())
		m.remote[o.To][u] = m.remote[o.Folder][o.Remote.UID]
		m.takeFile(o)
		place(o.To, u, o.Local.Key)
	case Download, CopyLocal:
		k := mail.Key(fmt.Sprintf("k%03d", m.fresh()))
		text := m.remote[o.Folder][o.Remote.UID].text
		m.local[o.Folder][k] = file{text, o.Flags}
		o.Row.Content = contentOfText(text)
		place(o.Folder, o.Remote.UID, k)
		flags(o.Flags)
	case Upload:
		u := mail.UID(m.fresh())
		m.remote[o.Folder][u] = file{m.local[o.Folder][o.Local.Key].text, o.Flags}
		m.takeFile(o)
		place(o.Folder, u, o.Local.Key)
		flags(o.Flags)
	case SetFlags:
		m.setFlags(o)
		flags(o.Agreed)
	case DeleteLocal:
		delete(m.local[o.Folder], o.Local.Key)
		m.dropIf(record, o.Row)
	case DeleteRemote:
		delete(m.remote[o.Folder], o.Remote.UID)
		m.dropIf(record, o.Row)
	case Forget:
		m.dropIf(record, o.Row)
	}
}

func (m *model) takeFile(o *Op) {
	switch {
	case o.Old == nil:
	case o.DropOld:
		m.drop(o.Old)
	default:
		o.Old.Key, o.Old.UID = "", o.Remote.UID
	}
}

func (m *model) setFlags(o *Op) {
	if o.OnLocal {
		f := m.local[o.Row.Folder][o.Row.Key]
		m.local[o.Row.Folder][o.Row.Key] = file{f.text, o.Flags}
	}
	if o.OnRemote {
		f := m.remote[o.Row.Folder][o.Row.UID]
		m.remote[o.Row.Folder][o.Row.UID] = file{f.text, o.Flags}
	}
}

func (m *model) dropIf(record bool, r *mail.Base) {
	if record {
		m.drop(r)
	}
}

func (m *model) forgetFolder(name mail.FolderName, record bool) {
	if record {
		delete(m.known, name)
	}
}

// run plans and carries out until nothing is left to do, at most three times.
func (m *model) run(policy conflict.Policy) error {
	for range 3 {
		p := Make(m.observe(policy))
		if len(p.Ops) == 0 {
			return nil
		}
		for _, o := range p.Ops {
			if !o.Held {
				m.do(o, true)
			}
		}
	}
	if p := Make(m.observe(policy)); len(p.Ops) > 0 {
		return fmt.Errorf("still to do after three runs: %v", p.Ops)
	}
	return nil
}

// sides writes what each side holds, without keys and UIDs.
func (m *model) sides() (local, remote string) {
	var l, r []string
	for folder, files := range m.local {
		l = append(l, string(folder)+"/")
		for _, f := range files {
			l = append(l, fmt.Sprintf("%s/%s%s", folder, f.text, f.flags))
		}
	}
	for folder, files := range m.remote {
		r = append(r, string(folder)+"/")
		for _, f := range files {
			r = append(r, fmt.Sprintf("%s/%s%s", folder, f.text, f.flags))
		}
	}
	sort.Strings(l)
	sort.Strings(r)
	return strings.Join(l, " "), strings.Join(r, " ")
}

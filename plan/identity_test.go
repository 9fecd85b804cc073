package plan

import (
	"testing"
	"time"

	"imapsync/conflict"
	"imapsync/mail"
)

// strangers is a folder that both sides have and the base does not know: n
// files and messages, of which header and size tell what tweak says.
func strangers(n int, tweak func(i int, l *mail.Content, r *mail.Remote)) Input {
	f := &Folder{Name: "INBOX"}
	f.Local = mail.LocalSnapshot{Exists: true, Space: mail.FullSpace(), Messages: map[mail.Key]mail.Local{}}
	f.Remote = mail.RemoteSnapshot{Exists: true, Space: mail.FullSpace(), Messages: map[mail.UID]mail.Remote{}}
	for i := range n {
		l := contentOfText(string(rune('a' + i)))
		r := mail.Remote{UID: mail.UID(i + 1), Size: l.Wire, Content: &mail.Content{Header: l.Header, Fields: l.Fields}}
		tweak(i, &l, &r)
		k := mail.Key(rune('a' + i))
		f.Local.Messages[k] = mail.Local{Key: k, Content: &l}
		f.Remote.Messages[r.UID] = r
	}
	return Input{Folders: []*Folder{f}}
}

func count(in Input) map[Kind]int {
	n := map[Kind]int{}
	for _, o := range Make(in).Ops {
		n[o.Kind]++
	}
	return n
}

func TestHeaderAndSizeArePairing(t *testing.T) {
	in := strangers(3, func(int, *mail.Content, *mail.Remote) {})
	if need := NeedBodies(in); len(need) != 0 {
		t.Errorf("bodies wanted: %v", need)
	}
	if n := count(in); n[Pair] != 3 || n[Download] != 0 || n[Upload] != 0 {
		t.Errorf("%v", n)
	}
}

// Offlineimap writes a few bodies anew. Its file names have the UIDs of the
// messages, so that a copy is known by its header block all the same.
func TestCopiesOfOfflineimapAreTheirMessages(t *testing.T) {
	altered := func(key mail.Key) Input {
		in := strangers(1, func(_ int, l *mail.Content, _ *mail.Remote) {
			l.Body, l.Digest, l.Net = mail.Digest{1}, mail.Digest{1}, l.Net+2
		})
		f := in.Folders[0]
		l := f.Local.Messages["a"]
		l.Key = key
		f.Local.Messages = map[mail.Key]mail.Local{key: l}
		return in
	}
	in := altered("17_0.1.host,U=1,FMD5=7e33429f656f1e6e9d79b29c3f82c57e")
	if need := NeedBodies(in); len(need) != 0 {
		t.Errorf("bodies wanted: %v", need)
	}
	if n := count(in); n[Pair] != 1 || n[Download] != 0 || n[Upload] != 0 {
		t.Errorf("%v", n)
	}
	for _, key := range []mail.Key{"17_0.1.host,U=11,FMD5=7e", "17_0.1.host,U=2,FMD5=7e", "17.1.host,U=1", "17_0.1.host,U=,FMD5=7e", "1,FMD5=,U=1"} {
		if need := NeedBodies(altered(key)); len(need) != 1 {
			t.Errorf("%s: bodies wanted: %v", key, need)
		}
		if n := count(altered(key)); n[Pair] != 0 {
			t.Errorf("%s: %v", key, n)
		}
	}
	// Another header block is another message, whatever the name says.
	in = altered("17_0.1.host,U=1,FMD5=7e")
	in.Folders[0].Local.Messages["17_0.1.host,U=1,FMD5=7e"].Content.Header[0]++
	if n := count(in); n[Pair] != 0 {
		t.Errorf("another header: %v", n)
	}
}

func TestHeadersAreWantedOfWhatCouldMatch(t *testing.T) {
	in := strangers(2, func(_ int, _ *mail.Content, r *mail.Remote) { r.Content = nil })
	if need := NeedHeaders(in); len(need) != 2 {
		t.Errorf("headers wanted: %v", need)
	}
	in.Folders[0].Local.Messages = map[mail.Key]mail.Local{}
	if need := NeedHeaders(in); len(need) != 0 {
		t.Errorf("headers wanted although no file is new: %v", need)
	}
}

// TestBodiesAreWanted covers the cases in which the header block is no
// identity.
func TestBodiesAreWanted(t *testing.T) {
	same := contentOfText("same")
	for name, c := range map[string]struct {
		tweak func(i int, l *mail.Content, r *mail.Remote)
		need  int
	}{
		"sizes differ":       {func(_ int, _ *mail.Content, r *mail.Remote) { r.Size++ }, 2},
		"no header":          {func(_ int, _ *mail.Content, r *mail.Remote) { r.Content.Fields = 0 }, 2},
		"thin header":        {func(_ int, _ *mail.Content, r *mail.Remote) { r.Content.Fields = 3 }, 2},
		"header shared":      {func(_ int, l *mail.Content, r *mail.Remote) { l.Header = same.Header; r.Content.Header = same.Header }, 2},
		"nothing in common":  {func(_ int, _ *mail.Content, r *mail.Remote) { r.Content.Header = same.Header }, 0},
		"fields left out":    {func(_ int, l *mail.Content, _ *mail.Remote) { l.Wire += 20 }, 0},
		"left out on server": {func(_ int, _ *mail.Content, r *mail.Remote) { r.Size += 20; r.Content.Wire = 20 }, 0},
	} {
		if need := NeedBodies(strangers(2, c.tweak)); len(need) != c.need {
			t.Errorf("%s: bodies wanted of %v", name, need)
		}
	}
}

// TestBodiesDecide: once fetched, equal contents pair whatever was announced,
// and others do not, though header and size are equal.
func TestBodiesDecide(t *testing.T) {
	in := strangers(2, func(i int, l *mail.Content, r *mail.Remote) {
		whole := *l
		r.Content, r.Size = &whole, r.Size+7
		if i == 1 {
			whole.Body, whole.Digest = mail.Digest{1}, mail.Digest{2}
			r.Size = l.Wire
		}
	})
	if n := count(in); n[Pair] != 1 || n[Download] != 1 || n[Upload] != 1 {
		t.Errorf("%v", n)
	}
}

// TestEqualMessagesPairOneToOne: two on one side and one on the other leave
// one to copy.
func TestEqualMessagesPairOneToOne(t *testing.T) {
	m := newModel("INBOX")
	m.base, m.known = nil, map[mail.FolderName]bool{}
	m.putLocal("INBOX", "twin", "S")
	m.putLocal("INBOX", "twin", "")
	m.putRemote("INBOX", "twin", "F")
	in := m.observe(conflict.Policy{})
	for uid, r := range in.Folders[0].Remote.Messages {
		whole := contentOfText("twin")
		r.Content = &whole
		in.Folders[0].Remote.Messages[uid] = r
	}
	if n := count(in); n[Pair] != 1 || n[Upload]+n[CopyRemote] != 1 || n[Download] != 0 {
		t.Errorf("%v", n)
	}
}

// TestCopyGetsFlagsOfItsOriginal: what somebody did to the original of a
// half-done move goes to the copy, but not the mark with which an expunge of the
// original was begun.
func TestCopyGetsFlagsOfItsOriginal(t *testing.T) {
	c := contentOfText("moved")
	folder := func(name mail.FolderName) *Folder {
		return &Folder{Name: name, Known: true, Settled: true,
			Local:  mail.LocalSnapshot{Exists: true, Space: mail.FullSpace(), Messages: map[mail.Key]mail.Local{}},
			Remote: mail.RemoteSnapshot{Exists: true, Space: mail.FullSpace(), Messages: map[mail.UID]mail.Remote{}}}
	}
	from, to := folder("INBOX"), folder("Work")
	from.Base = []*mail.Base{{ID: 1, Folder: "INBOX", UID: 7, Content: c}}
	from.Remote.Messages[7] = mail.Remote{UID: 7, Flags: mail.NewFlags(mail.Deleted | mail.Flagged)}
	to.Base = []*mail.Base{{ID: 2, Folder: "Work", UID: 3, Key: "k", Content: c}}
	to.Local.Messages["k"] = mail.Local{Key: "k"}
	to.Remote.Messages[3] = mail.Remote{UID: 3}
	flagged := false
	for _, o := range Make(Input{Folders: []*Folder{from, to}}).Ops {
		if o.Kind == SetFlags {
			flagged = true
			if o.Row.ID != 2 || !o.Flags.Equal(mail.NewFlags(mail.Flagged)) {
				t.Errorf("planned %v to %v", o, o.Flags)
			}
		}
	}
	if !flagged {
		t.Error("the copy does not get the flag")
	}
}

// leftAndCame has a message that left A and a new one of the same header and size
// in B, as the tweak changes them.
func leftAndCame(tweak func(in *Input, row *mail.Base, r *mail.Remote)) Input {
	m := newModel("A", "B")
	_, uid := m.agree("A", "text", "S")
	delete(m.remote["A"], uid)
	uid = m.putRemote("B", "text", "S")
	in := m.observe(conflict.Policy{})
	r := in.Folders[1].Remote.Messages[uid]
	r.Content = &mail.Content{Header: r.Content.Header, Fields: r.Content.Fields}
	tweak(&in, in.Folders[0].Base[0], &r)
	in.Folders[1].Remote.Messages[uid] = r
	return in
}

// TestBodiesAreWantedOfWhatMayHaveChanged: header block and size do not tell of a
// draft, or without a Message-ID, nor that a message was moved if the date differs.
func TestBodiesAreWantedOfWhatMayHaveChanged(t *testing.T) {
	draft := mail.NewFlags(mail.Draft)
	edit := func(in *Input, change func(l *mail.Local)) {
		for key, l := range in.Folders[0].Local.Messages {
			change(&l)
			in.Folders[0].Local.Messages[key] = l
		}
	}
	for name, c := range map[string]struct {
		tweak func(in *Input, row *mail.Base, r *mail.Remote)
		need  int
	}{
		"moved":               {func(*Input, *mail.Base, *mail.Remote) {}, 0},
		"another second":      {func(_ *Input, _ *mail.Base, r *mail.Remote) { r.Date = r.Date.Add(time.Second) }, 1},
		"the same second":     {func(_ *Input, _ *mail.Base, r *mail.Remote) { r.Date = r.Date.Add(time.Second / 2) }, 0},
		"no date in the base": {func(_ *Input, row *mail.Base, _ *mail.Remote) { row.Date = time.Time{} }, 1},
		"no date":             {func(_ *Input, row *mail.Base, r *mail.Remote) { row.Date, r.Date = time.Time{}, time.Time{} }, 1},
		"no Message-ID":       {func(_ *Input, _ *mail.Base, r *mail.Remote) { r.Content.NoID = true }, 1},
		"draft in the base":   {func(_ *Input, row *mail.Base, _ *mail.Remote) { row.Flags = draft }, 1},
		"draft on the server": {func(_ *Input, _ *mail.Base, r *mail.Remote) { r.Flags = draft }, 1},
		"draft here":          {func(in *Input, _ *mail.Base, _ *mail.Remote) { edit(in, func(l *mail.Local) { l.Flags = draft }) }, 1},
		"edited here":         {func(in *Input, _ *mail.Base, _ *mail.Remote) { edit(in, func(l *mail.Local) { l.Edited = true }) }, 1},
		"from the drafts":     {func(in *Input, _ *mail.Base, _ *mail.Remote) { in.Folders[0].Drafts = true }, 1},
		"to the drafts":       {func(in *Input, _ *mail.Base, _ *mail.Remote) { in.Folders[1].Drafts = true }, 1},
		"renumbered, elsewhere and of another date": {func(_ *Input, row *mail.Base, r *mail.Remote) {
			row.UID, r.Date = 0, r.Date.Add(time.Hour)
		}, 1},
		"another new one elsewhere": {func(in *Input, _ *mail.Base, r *mail.Remote) {
			other := *r
			other.UID = 99
			in.Folders[0].Remote.Messages[99] = other
		}, 2},
	} {
		if need := NeedBodies(leftAndCame(c.tweak)); len(need) != c.need {
			t.Errorf("%s: bodies wanted of %v", name, need)
		}
	}
	in := strangers(1, func(_ int, _ *mail.Content, r *mail.Remote) { r.Flags = draft })
	if need := NeedBodies(in); len(need) != 1 {
		t.Errorf("a draft that is new on both sides: bodies wanted of %v", need)
	}
}

// TestRenumberedAndDatedAnew: who gives a folder new numbers may date it anew, too,
// and its bodies are not fetched for that.
func TestRenumberedAndDatedAnew(t *testing.T) {
	m := newModel("A")
	_, uid := m.agree("A", "text", "S")
	in := m.observe(conflict.Policy{})
	r := in.Folders[0].Remote.Messages[uid]
	in.Folders[0].Base[0].UID, r.Date = 0, r.Date.Add(time.Hour)
	r.Content = &mail.Content{Header: in.Folders[0].Base[0].Content.Header, Fields: 5}
	r.Size = in.Folders[0].Base[0].RemoteSize
	in.Folders[0].Remote.Messages[uid] = r
	if need := NeedBodies(in); len(need) != 0 {
		t.Errorf("bodies wanted of %v", need)
	}
}

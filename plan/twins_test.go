package plan

import (
	"testing"
	"time"

	"imapsync/conflict"
	"imapsync/mail"
)

// twins has a message in A that both sides hold and one in B that only the server
// does, which is the same one by size and date and by what the server says.
func twins() (Input, *mail.Base, *mail.Remote) {
	m := newModel()
	m.known["A"], m.known["B"] = true, true
	for _, f := range []mail.FolderName{"A", "B"} {
		m.local[f], m.remote[f] = map[mail.Key]file{}, map[mail.UID]file{}
	}
	m.agree("A", "text", "S")
	uid := m.putRemote("B", "text", "")
	in := m.observe(conflict.Policy{})
	r := in.Folders[1].Remote.Messages[uid]
	in.Objects = map[Message]string{{"A", in.Folders[0].Base[0].UID}: "M1", {"B", uid}: "M1"}
	return in, in.Folders[0].Base[0], &r
}

func TestTwins(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(in *Input, row *mail.Base, r *mail.Remote)
		copied int
	}{
		{"same", func(*Input, *mail.Base, *mail.Remote) {}, 1},
		{"another date", func(_ *Input, _ *mail.Base, r *mail.Remote) { r.Date = r.Date.Add(time.Second) }, 0},
		{"no date", func(_ *Input, row *mail.Base, r *mail.Remote) { row.Date, r.Date = time.Time{}, time.Time{} }, 0},
		{"another size", func(_ *Input, _ *mail.Base, r *mail.Remote) { r.Size++ }, 0},
		{"another header", func(_ *Input, _ *mail.Base, r *mail.Remote) { r.Content.Header[0]++ }, 0},
		{"header not known", func(_ *Input, _ *mail.Base, r *mail.Remote) { r.Content = nil }, 1},
		{"another object", func(in *Input, _ *mail.Base, r *mail.Remote) { in.Objects[Message{"B", r.UID}] = "M2" }, 0},
		{"object not known", func(in *Input, _ *mail.Base, r *mail.Remote) { delete(in.Objects, Message{"B", r.UID}) }, 0},
		{"of the row neither", func(in *Input, row *mail.Base, _ *mail.Remote) { delete(in.Objects, Message{"A", row.UID}) }, 0},
		{"no objects", func(in *Input, _ *mail.Base, _ *mail.Remote) { in.Objects = nil }, 0},
		{"in its own folder", func(_ *Input, row *mail.Base, _ *mail.Remote) { row.Folder = "B" }, 0},
		{"marked to go", func(in *Input, row *mail.Base, _ *mail.Remote) {
			row.Flags.System |= mail.Deleted
			in.Policy = func(mail.FolderName) conflict.Policy { return conflict.Policy{Expunge: conflict.ExpungeBoth} }
		}, 0},
		{"draft", func(_ *Input, row *mail.Base, _ *mail.Remote) { row.Flags.System |= mail.Draft }, 0},
		{"another of the same object and another content", func(in *Input, row *mail.Base, _ *mail.Remote) {
			other := *row
			other.Folder, other.Content.Digest = "C", mail.Digest{1}
			in.Twins, in.Objects[Message{"C", row.UID}] = append(in.Twins, &other), "M1"
		}, 0},
		{"another of the same content", func(in *Input, row *mail.Base, _ *mail.Remote) {
			other := *row
			other.Folder = "C"
			in.Twins, in.Objects[Message{"C", row.UID}] = append(in.Twins, &other), "M1"
		}, 1},
		{"a stub", func(_ *Input, row *mail.Base, r *mail.Remote) { row.Content.Whole = r.Size }, 0},
		{"to be a stub", func(in *Input, _ *mail.Base, _ *mail.Remote) {
			in.Policy = func(mail.FolderName) conflict.Policy {
				return conflict.Policy{Extent: conflict.Extent{Body: conflict.Headers}}
			}
		}, 0},
		{"another that is a stub", func(in *Input, row *mail.Base, r *mail.Remote) {
			other := *row
			other.Folder, other.Content.Digest, other.Content.Whole = "C", mail.Digest{1}, r.Size
			in.Twins, in.Objects[Message{"C", row.UID}] = append(in.Twins, &other), "M1"
		}, 1},
		{"left on the server", func(in *Input, row *mail.Base, _ *mail.Remote) {
			delete(in.Folders[0].Local.Messages, row.Key)
			row.Key, row.RemoteOnly = "", true
		}, 0},
		{"file gone", func(in *Input, row *mail.Base, _ *mail.Remote) { delete(in.Folders[0].Local.Messages, row.Key) }, 0},
	} {
		in, row, r := twins()
		c.change(&in, row, r)
		in.Folders[1].Remote.Messages[r.UID] = *r
		if n := count(in); n[CopyLocal] != c.copied || n[CopyLocal]+n[Download] != 1 {
			t.Errorf("%s: %v", c.name, n)
		}
	}
}

// TestTwinsAreAskedFor: those alone that share size and date with a message of
// another folder.
func TestTwinsAreAskedFor(t *testing.T) {
	in, row, r := twins()
	r.Content = nil
	in.Folders[1].Remote.Messages[r.UID] = *r
	stranger := *r
	stranger.UID, stranger.Size = r.UID+1, r.Size+1
	in.Folders[1].Remote.Messages[stranger.UID] = stranger
	sibling := stranger
	sibling.UID++
	in.Folders[1].Remote.Messages[sibling.UID] = sibling
	if need := NeedObjects(in); len(need) != 2 || need[0] != (Message{"B", r.UID}) || need[1] != (Message{"A", row.UID}) {
		t.Errorf("asked for %v", need)
	}
	if need := NeedHeaders(in); len(need) != 0 {
		t.Errorf("asked for the headers of %v", need)
	}
}

// TestCopiesOfKnownMessages: what may be a copy of a message that is seen elsewhere,
// too, by all that is known of both.
func TestCopiesOfKnownMessages(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(in *Input, row *mail.Base, r *mail.Remote)
		copies int
	}{
		{"same", func(*Input, *mail.Base, *mail.Remote) {}, 1},
		{"nothing fetched", func(in *Input, _ *mail.Base, r *mail.Remote) { in.Objects, r.Content = nil, nil }, 1},
		{"another date", func(_ *Input, _ *mail.Base, r *mail.Remote) { r.Date = r.Date.Add(time.Second) }, 0},
		{"another size", func(_ *Input, _ *mail.Base, r *mail.Remote) { r.Size++ }, 0},
		{"another object", func(in *Input, _ *mail.Base, r *mail.Remote) { in.Objects[Message{"B", r.UID}] = "M2" }, 0},
		{"another header", func(in *Input, _ *mail.Base, r *mail.Remote) { in.Objects, r.Content.Header = nil, mail.Digest{1} }, 0},
		{"not seen elsewhere", func(in *Input, row *mail.Base, _ *mail.Remote) { delete(in.Folders[0].Remote.Messages, row.UID) }, 0},
		{"of which the file is gone", func(in *Input, row *mail.Base, _ *mail.Remote) { delete(in.Folders[0].Local.Messages, row.Key) }, 1},
	} {
		in, row, r := twins()
		c.change(&in, row, r)
		in.Folders[1].Remote.Messages[r.UID] = *r
		if copies := Copies(in); len(copies) != c.copies || c.copies > 0 && copies[0] != (Copy{Message{"B", r.UID}, row}) {
			t.Errorf("%s: %v", c.name, copies)
		}
	}
}

package plan

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"imapsync/conflict"
	"imapsync/mail"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// limited is a folder with messages of these ages in days, of which the first
// known are in the base, each held or left on the server as held says.
func limited(ages []int, flags []string, held []bool) *Folder {
	f := &Folder{Name: "A", Known: true, Settled: true, Mark: mail.Mark{UIDValidity: 1}}
	f.Local = mail.LocalSnapshot{Folder: "A", Exists: true, Messages: map[mail.Key]mail.Local{}, Space: mail.FullSpace()}
	f.Remote = mail.RemoteSnapshot{Folder: "A", Exists: true, Messages: map[mail.UID]mail.Remote{}, Space: mail.FullSpace()}
	for i, age := range ages {
		uid, date := mail.UID(i+1), now.AddDate(0, 0, -age)
		r := mail.Remote{UID: uid, Flags: mail.ParseFlags(":" + flags[i])}
		if i < len(held) {
			row := &mail.Base{ID: int64(i + 1), Folder: "A", UID: uid, Flags: r.Flags, Date: date, RemoteSize: 100, RemoteOnly: !held[i]}
			if held[i] {
				row.Key = mail.Key(fmt.Sprint("k", i+1))
				row.Content.Digest[0] = byte(i + 1)
				f.Local.Messages[row.Key] = mail.Local{Key: row.Key, Flags: row.Flags}
			}
			f.Base = append(f.Base, row)
		} else {
			r.Date, r.Size = date, 100
		}
		f.Remote.Messages[uid] = r
	}
	return f
}

func decideWith(f *Folder, e conflict.Extent) string {
	p := Make(Input{Folders: []*Folder{f}, Now: now, Policy: func(mail.FolderName) conflict.Policy { return conflict.Policy{Extent: e} }})
	var ops []string
	for _, o := range p.Ops {
		ops = append(ops, fmt.Sprintf("%s %d", o.Kind, o.uid()))
	}
	return strings.Join(ops, ", ")
}

func TestLimits(t *testing.T) {
	const day = 24 * time.Hour
	year := conflict.Extent{MaxAge: 365 * day}
	for _, c := range []struct {
		name   string
		ages   []int
		flags  []string
		held   []bool
		trim   bool
		extent conflict.Extent
		want   string
	}{
		{"a first run", []int{500, 500, 500, 10}, []string{"S", "", "FS", "S"}, nil, true, year, "download 2, download 3, download 4, leave 1"},
		{"nothing new", []int{500, 10}, []string{"S", "S"}, []bool{false, true}, false, year, ""},
		{"a day later", []int{500, 400, 400, 10}, []string{"S", "S", "FS", "S"}, []bool{false, true, true, true}, true, year, "drop local 2"},
		{"not the same day", []int{400}, []string{"S"}, []bool{true}, false, year, ""},
		{"widened", []int{500, 400, 10}, []string{"S", "S", "S"}, []bool{false, false, true}, true, conflict.Extent{MaxAge: 450 * day}, "download 2"},
		{"no limit any more", []int{500, 400}, []string{"S", "S"}, []bool{false, false}, true, conflict.Extent{}, "download 1, download 2"},
		{"the newest two", []int{3, 1, 2, 9}, []string{"S", "S", "S", ""}, nil, true, conflict.Extent{MaxMessages: 2}, "download 2, download 3, download 4, leave 1"},
		{"the newest two of more", []int{3, 1, 2, 0}, []string{"S", "S", "S", "S"}, []bool{false, true, true}, false, conflict.Extent{MaxMessages: 2}, "download 4"},
		{"drafts stay", []int{500}, []string{"DS"}, []bool{true}, true, year, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := limited(c.ages, c.flags, c.held)
			f.Trim = c.trim
			if got := decideWith(f, c.extent); got != c.want {
				t.Errorf("plan %q, want %q", got, c.want)
			}
		})
	}
}

// No limit has anything deleted on the server, whatever is held and whatever is
// missing there.
func TestLimitsDeleteNothingOnTheServer(t *testing.T) {
	letters := []string{"S", "", "FS"}
	for n := range 1 << 9 {
		f := limited([]int{500, 400, 10}, []string{letters[n&3%3], letters[n>>2&3%3], "S"}, []bool{n&16 != 0, n&32 != 0, n&64 != 0})
		f.Trim = n&128 != 0
		if n&256 != 0 {
			delete(f.Remote.Messages, 1)
		}
		for _, e := range []conflict.Extent{{}, {MaxAge: 450 * 24 * time.Hour}, {MaxMessages: 1}} {
			if got := decideWith(f, e); strings.Contains(got, "delete remote") || strings.Contains(got, "upload") {
				t.Errorf("%d, %q: %s", n, e, got)
			}
		}
	}
}

// A message that is left on the server and changes there is noted, and fetched if
// somebody wants it.
func TestLeftMessageChanges(t *testing.T) {
	for flags, want := range map[string]string{"RS": "leave 1", "FS": "download 1", "": "download 1", "S": ""} {
		f := limited([]int{500}, []string{"S"}, []bool{false})
		f.Remote.Messages[1] = mail.Remote{UID: 1, Flags: mail.ParseFlags(":" + flags)}
		if got := decideWith(f, conflict.Extent{MaxAge: time.Hour}); got != want {
			t.Errorf("flags %q: %q, want %q", flags, got, want)
		}
	}
}

// A file of the content of a message left on the server is that message.
func TestFilePutBackIsPaired(t *testing.T) {
	f := limited([]int{500}, []string{"S"}, []bool{false})
	h := mail.NewHasher()
	h.Write([]byte("From: a\nTo: b\nSubject: c\nDate: d\n\ntext\n"))
	c := h.Content()
	f.Base[0].Content, f.Base[0].RemoteSize = c, c.Wire
	f.Local.Messages["back"] = mail.Local{Key: "back", Flags: mail.ParseFlags(":FS"), Content: &c}
	if got := decideWith(f, conflict.Extent{MaxAge: time.Hour}); got != "pair 1, flags 1" {
		t.Errorf("plan %q", got)
	}
	f.Base[0].Content = mail.Content{} // it was never held: its header has to be asked for
	if need := NeedHeaders(Input{Folders: []*Folder{f}}); len(need) != 1 || need[0].UID != 1 {
		t.Errorf("headers asked for: %v", need)
	}
}

// A stub is never sent, nor does it replace its message.
func TestStubIsNoMessage(t *testing.T) {
	f := limited([]int{1}, []string{"S"}, []bool{true})
	f.Base[0].Content.Whole = 100
	h := mail.NewHasher()
	h.Write([]byte("Subject: rewritten by a tool\n\n"))
	c := h.Content()
	f.Local.Messages["k1"] = mail.Local{Key: "k1", Flags: mail.ParseFlags(":S"), Content: &c, Edited: true}
	if got := decideWith(f, conflict.Extent{}); strings.Contains(got, "delete remote") {
		t.Errorf("a rewritten stub: %q", got)
	}
}

// A file goes whatever is propagated, for that is no deletion; and where nothing
// new comes into the Maildir nothing comes back.
func TestLimitsAndDirections(t *testing.T) {
	for _, c := range []struct {
		notPulled conflict.Kinds
		flags     string
		held      bool
		want      string
	}{
		{conflict.Deletions, "S", true, "drop local 1"},
		{conflict.AllKinds, "S", true, "drop local 1"},
		{conflict.New, "S", false, ""},
		{conflict.New, "RS", false, "leave 1"},
		{conflict.New, "FS", false, "remembered 1, again {false false true false 0}"},
		{conflict.Deletions, "FS", false, "download 1"},
	} {
		f := limited([]int{500}, []string{"S"}, []bool{c.held})
		f.Trim = true
		f.Remote.Messages[1] = mail.Remote{UID: 1, Flags: mail.ParseFlags(":" + c.flags)}
		p := Make(Input{Folders: []*Folder{f}, Now: now, Policy: func(mail.FolderName) conflict.Policy {
			return conflict.Policy{NotPulled: c.notPulled, Extent: conflict.Extent{MaxAge: time.Hour}}
		}})
		got := ""
		for _, o := range p.Ops {
			got += fmt.Sprintf("%s %d", o.Kind, o.uid())
		}
		for _, w := range p.Remembered {
			got += fmt.Sprintf("remembered %d, again %v", w.UID, p.Again[w.Folder])
		}
		if got != c.want {
			t.Errorf("not pulled %s, %s: %s, want %s", c.notPulled, c.flags, got, c.want)
		}
	}
}

package maildir

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"imapsync/mail"
)

// TestLink: a file is delivered as a link to another one under its own flags, and
// nothing of it is to be seen before Commit.
func TestLink(t *testing.T) {
	m := open(t, Config{Fsync: true}, "A", "B")
	key := deliver(t, m, "A", ":S", "x")
	stamp, err := m.Stat(t.Context(), "A", key, flags(":S"))
	if err != nil {
		t.Fatal(err)
	}
	date := time.Unix(0, stamp.MTime)
	d, err := m.Deliver(t.Context(), "B")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Link(mail.NewFile{Key: "n", Flags: flags(":F"), Date: date}, "A", key, stamp); err != nil {
		t.Fatal(err)
	}
	want(t, m, "B", "tmp/n")
	if failed, err := d.Commit(t.Context()); len(failed) > 0 || err != nil {
		t.Fatal(failed, err)
	}
	want(t, m, "B", "cur/n:2,F")
	if !sameFile(filepath.Join(m.root, "B/cur/n:2,F"), filepath.Join(m.root, "A/cur/"+string(key)+":2,S")) {
		t.Error("it is no link")
	}
}

// TestLinkOfWhatChanged: a file that is not what was recorded, or would not be
// found again by its date, is no source and leaves nothing behind.
func TestLinkOfWhatChanged(t *testing.T) {
	m := open(t, Config{}, "A", "B")
	key := deliver(t, m, "A", ":S", "x")
	stamp, err := m.Stat(t.Context(), "A", key, flags(":S"))
	if err != nil {
		t.Fatal(err)
	}
	date := time.Unix(0, stamp.MTime)
	d, err := m.Deliver(t.Context(), "B")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Discard()
	larger := stamp
	larger.Size++
	for name, err := range map[string]error{
		"size":  d.Link(mail.NewFile{Key: "n", Date: date}, "A", key, larger),
		"date":  d.Link(mail.NewFile{Key: "n", Date: date.Add(time.Second)}, "A", key, stamp),
		"gone":  d.Link(mail.NewFile{Key: "n", Date: date}, "A", "no-such", stamp),
		"place": d.Link(mail.NewFile{Key: "n", Date: date}, "no-such", key, stamp),
	} {
		if !errors.Is(err, mail.ErrChanged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantScope(t, d.Link(mail.NewFile{Key: "n/../n", Date: date}, "A", key, stamp), mail.ScopeMessage, "slash")
	want(t, m, "B")
}

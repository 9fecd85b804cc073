package maildir

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"imapsync/mail"
)

// TestDuplicate: a file is delivered with the content of another one, under its own
// flags and date; nothing of it is to be seen before Commit, and what is written into
// the one afterwards is not in the other.
func TestDuplicate(t *testing.T) {
	m := open(t, Config{Fsync: true}, "A", "B")
	key := deliver(t, m, "A", ":S", "x")
	stamp, err := m.Stat(t.Context(), "A", key, flags(":S"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := m.Deliver(t.Context(), "B")
	if err != nil {
		t.Fatal(err)
	}
	date := time.Unix(1e9, 0)
	got, err := d.Duplicate(mail.NewFile{Key: "n", Flags: flags(":F"), Date: date}, "A", key, stamp)
	if err != nil || got != (mail.FileStamp{Size: stamp.Size, MTime: date.UnixNano()}) {
		t.Fatal(got, err)
	}
	want(t, m, "B", "tmp/n")
	if failed, err := d.Commit(t.Context()); len(failed) > 0 || err != nil {
		t.Fatal(failed, err)
	}
	want(t, m, "B", "cur/n:2,F")
	if err := os.WriteFile(filepath.Join(m.root, "A/cur", string(key)+":2,S"), []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := get(t, m, "B/cur/n:2,F"); got != "x" {
		t.Errorf("it holds %q", got)
	}
}

// TestDuplicateOfWhatChanged: a file that is not what was recorded is no source and
// leaves nothing behind.
func TestDuplicateOfWhatChanged(t *testing.T) {
	m := open(t, Config{}, "A", "B")
	key := deliver(t, m, "A", ":S", "x")
	stamp, err := m.Stat(t.Context(), "A", key, flags(":S"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := m.Deliver(t.Context(), "B")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Discard()
	larger, later := stamp, stamp
	larger.Size++
	later.MTime++
	duplicate := func(from mail.FolderName, key mail.Key, stamp mail.FileStamp) error {
		_, err := d.Duplicate(mail.NewFile{Key: "n"}, from, key, stamp)
		return err
	}
	for name, err := range map[string]error{
		"size":  duplicate("A", key, larger),
		"time":  duplicate("A", key, later),
		"gone":  duplicate("A", "no-such", stamp),
		"place": duplicate("no-such", key, stamp),
	} {
		if !errors.Is(err, mail.ErrChanged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = d.Duplicate(mail.NewFile{Key: "n/../n"}, "A", key, stamp)
	wantScope(t, err, mail.ScopeMessage, "slash")
	want(t, m, "B")
}

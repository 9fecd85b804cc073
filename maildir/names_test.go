package maildir

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"imapsync/mail"
)

func names(t *testing.T, m *Maildir, folder mail.FolderName) *Names {
	t.Helper()
	n, err := m.Names(t.Context(), folder, 3)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// What is known with its flags is left out; what has other flags, another name or
// is not there is not.
func TestNamesLeaveOutWhatIsKnown(t *testing.T) {
	m := open(t, Config{}, "A")
	put(t, m, "A/dovecot-keywords", "0 todo\n")
	for _, f := range []string{"cur/same:2,FS", "cur/other:2,F", "new/new", "cur/word:2,Sa"} {
		put(t, m, "A/"+f, "x")
	}
	whole := scan(t, m, "A")
	n := names(t, m, "A")
	for key, c := range map[mail.Key]struct {
		flags string
		like  bool
	}{"same": {":FS", true}, "other": {":FS", false}, "new": {":", true}, "word": {":S todo", true}, "gone": {":", false}} {
		for range 2 { // it may be asked again
			if got := n.Like(key, mail.ParseFlags(c.flags)); got != c.like {
				t.Errorf("%s: %v", key, got)
			}
		}
	}
	s := n.Snapshot()
	if got := slices.Collect(maps.Keys(s.Messages)); !slices.Equal(got, []mail.Key{"other"}) || s.Messages["other"].Flags.String() != ":F" {
		t.Errorf("left are %v", s.Messages)
	}
	if !s.Exists || s.Stamp.Cur != whole.Stamp.Cur || s.Still != whole.Still || fmt.Sprint(s.Space) != fmt.Sprint(whole.Space) {
		t.Errorf("%+v\nscanned %+v", s, whole)
	}
	if l, there := n.File("same"); !there || l.Flags.String() != ":FS" || l.New {
		t.Errorf("the file is %+v, %v", l, there)
	}
	if l, there := n.File("new"); !there || !l.New {
		t.Errorf("the file is %+v, %v", l, there)
	}
	if _, there := n.File("gone"); there {
		t.Error("there is a file that there is not")
	}
	if again := names(t, m, "A").Snapshot(); len(again.Messages) != len(whole.Messages) {
		t.Errorf("the next listing has %v", again.Messages)
	}
}

func TestNamesOfNoFolder(t *testing.T) {
	n := names(t, open(t, Config{}, "A"), "none")
	if _, there := n.File("k"); there || n.Like("k", mail.Flags{}) || n.Snapshot().Exists {
		t.Error("there is something")
	}
}

package maildir

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"imapsync/mail"
)

func TestScan(t *testing.T) {
	m := open(t, Config{}, "A")
	if s := scan(t, m, "none"); s.Exists || len(s.Messages) != 0 {
		t.Errorf("a folder that is not there: %+v", s)
	}
	put(t, m, "A/dovecot-keywords", "0 todo\n2 $Label1\n3 $Forwarded\n")
	for _, f := range []string{
		"new/n1", "new/n2:2,F", "cur/c1", "cur/c2:2,", "cur/c3:2,SRD", "cur/c4:1,x", "cur/c5:2,Sac", "cur/c6:2,SXz9",
		"cur/c7:2,d", "cur/c8:2,S,U=4", "cur/.hidden", "new/.nfs123", "cur/sub/file", "tmp/t1", "cur/" + strings.Repeat("k", 240) + ":2,S",
	} {
		put(t, m, "A/"+f, "x")
	}
	if err := os.Symlink("c1", filepath.Join(m.root, "A/cur/link:2,S")); err != nil {
		t.Fatal(err)
	}
	os.Symlink("sub", filepath.Join(m.root, "A/cur/linkdir"))
	os.Symlink("nowhere", filepath.Join(m.root, "A/cur/dangling"))
	s := scan(t, m, "A")
	got := map[mail.Key]string{}
	for k, l := range s.Messages {
		if k != l.Key || l.Stamp != nil {
			t.Errorf("%s: %+v", k, l)
		}
		got[k] = l.Flags.String()
		if l.New {
			got[k] += " new"
		}
	}
	wanted := map[mail.Key]string{
		"n1": ": new", "n2": ":F new", "c1": ":", "c2": ":", "c3": ":DRS", "c4:1,x": ":", "c5": ":S $Label1 todo", "c6": ":S",
		"c7": ":P", "c8": ":S", "dangling": ":", mail.Key(strings.Repeat("k", 240)): ":S", "link": ":S",
	}
	for k, w := range wanted {
		if got[k] != w {
			t.Errorf("%s: %q, want %q", k, got[k], w)
		}
		delete(got, k)
	}
	if len(got) > 0 {
		t.Errorf("too many: %v", got)
	}
	if !s.Exists || !s.Space.AnyKeyword || !s.Space.Keywords.HasKeyword("TODO") || s.Space.System != mail.AllSystem {
		t.Errorf("%+v", s.Space)
	}
}

func TestScanWithStat(t *testing.T) {
	m := open(t, Config{}, "A")
	put(t, m, "A/cur/k:2,S", "12345")
	when := time.Unix(1_500_000_000, 123_456_789)
	if err := os.Chtimes(filepath.Join(m.root, "A/cur/k:2,S"), when, when); err != nil {
		t.Fatal(err)
	}
	s, err := m.Scan(t.Context(), "A", true)
	if err != nil || *s.Messages["k"].Stamp != (mail.FileStamp{Size: 5, MTime: when.UnixNano()}) {
		t.Errorf("%+v, %v", s.Messages["k"].Stamp, err)
	}
}

func TestDamagedFolder(t *testing.T) {
	for _, missing := range []string{"cur", "new"} {
		m := open(t, Config{}, "A")
		key := deliver(t, m, "A", ":S", "x")
		os.RemoveAll(filepath.Join(m.root, "A", missing))
		_, err := m.Scan(t.Context(), "A", false)
		wantScope(t, err, mail.ScopeFolder, "damaged", missing)
		if err := m.SetFlags(t.Context(), "A", key, flags(":F"), mail.Flags{}); missing == "cur" && !strings.Contains(err.Error(), "damaged") {
			t.Errorf("a message in a missing %s: %v", missing, err)
		}
		if found, _ := m.Folders(t.Context()); len(found) != 1 {
			t.Errorf("a folder without %s is not listed", missing)
		}
	}
}

func TestOneKeyTwice(t *testing.T) {
	m := open(t, Config{}, "A")
	for _, f := range []string{"new/k", "cur/k:2,S", "cur/l:2,", "cur/l:2,F", "cur/l:2,FS", "new/only"} {
		put(t, m, "A/"+f, "x")
	}
	for range 5 {
		s := scan(t, again(t, m), "A")
		if len(s.Messages) != 3 || s.Messages["k"].New || s.Messages["k"].Flags.String() != ":S" || s.Messages["l"].Flags.String() != ":FS" {
			t.Fatalf("%+v", s.Messages)
		}
	}
}

func TestStampSeesEveryChange(t *testing.T) {
	m := open(t, Config{}, "A")
	key := deliver(t, m, "A", ":", "x")
	last := scan(t, m, "A").Stamp
	for name, change := range map[string]func() error{
		"flag":   func() error { return m.SetFlags(t.Context(), "A", key, flags(":S"), mail.Flags{}) },
		"arrive": func() error { deliver(t, m, "A", ":", "y"); return nil },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		now := scan(t, m, "A").Stamp
		if now.Cur == last.Cur && now.New == last.New {
			t.Errorf("%s: the same stamp %v", name, now)
		}
		last = now
	}
}

func TestSetFlags(t *testing.T) {
	table := "0 todo\n1 $Label1\n5 ToDo\n6 $Forwarded\n"
	for _, c := range []struct{ before, add, remove, after string }{
		{"cur/k:2,", ":S", ":", "cur/k:2,S"},
		{"cur/k:2,S", ":F", ":S", "cur/k:2,F"},
		{"cur/k:2,FS", ":S", ":", "cur/k:2,FS"},
		{"cur/k:2,SF", ":", ":", "cur/k:2,SF"}, // not sorted, yet nothing to do
		{"cur/k:2,SF", ":R", ":", "cur/k:2,FRS"},
		{"cur/k", ":", ":", "cur/k"},
		{"cur/k", ":S", ":", "cur/k:2,S"},
		{"cur/k:1,x", ":S", ":", "cur/k:1,x:2,S"},
		{"new/k", ":S", ":", "cur/k:2,S"},
		{"new/k", ":", ":S", "new/k"},
		{"new/k", ": todo", ":", "cur/k:2,a"},
		{"new/k:2,FS", ":", ":S", "new/k:2,F"},
		{"new/k:2,S", ":", ":S", "new/k"},
		{"new/k:2,S", ":F", ":S", "cur/k:2,F"},
		{"cur/k:2,SXz", ":F", ":S", "cur/k:2,FXz"}, // letters of others stay
		{"cur/k:2,S,U=5", ":F", ":", "cur/k:2,FS,U=5"},
		{"cur/k:2,Sb", ": todo", ":", "cur/k:2,Sab"},
		{"cur/k:2,Saf", ":", ": TODO", "cur/k:2,S"}, // both letters say it
		{"cur/k:2,Sf", ": todo", ":", "cur/k:2,Sf"},
		{"cur/k:2,g", ":P", ":", "cur/k:2,g"},
		{"cur/k:2,Pg", ":", ":P", "cur/k:2,"},
		{"cur/k:2,S", ": fresh", ":", "cur/k:2,Sc"},
		{"cur/k:2,Sc", ": fresh", ":", "cur/k:2,Scd"}, // c is in use for something
	} {
		m := open(t, Config{Fsync: true}, "A")
		put(t, m, "A/dovecot-keywords", table)
		put(t, m, "A/"+c.before, "text")
		key := parseName(filepath.Base(c.before)).key
		for range 2 { // the second time there is nothing to do
			if err := m.SetFlags(t.Context(), "A", key, flags(c.add), flags(c.remove)); err != nil {
				t.Fatalf("%s: %v", c.before, err)
			}
		}
		want(t, m, "A", c.after, "dovecot-keywords")
		if err := m.Sync(t.Context(), "A"); err != nil {
			t.Error(err)
		}
	}
}

func TestUnchangedFlagsTouchNothing(t *testing.T) {
	m := open(t, Config{}, "A")
	key := deliver(t, m, "A", ":FS todo", "x")
	before := scan(t, m, "A").Stamp
	if err := m.SetFlags(t.Context(), "A", key, flags(":S TODO"), flags(":R other")); err != nil {
		t.Fatal(err)
	}
	if after := scan(t, m, "A").Stamp; after.Cur != before.Cur || after.New != before.New {
		t.Error("setting what is set changed a directory")
	}
}

func TestFileThatIsGone(t *testing.T) {
	m := open(t, Config{KeepDir: filepath.Join(t.TempDir(), "kept")}, "A", "B")
	deliver(t, m, "A", ":S", "x")
	for _, listed := range []bool{true, false} {
		if !listed {
			m = again(t, m)
		}
		k := mail.Key("no-such")
		_, _, _, readErr := m.Read(t.Context(), "A", k)
		_, openErr := m.Open(t.Context(), "A", k)
		_, moveErr := m.Move(t.Context(), "A", k, "B")
		for what, err := range map[string]error{
			"read": readErr, "open": openErr, "move": moveErr,
			"flags":  m.SetFlags(t.Context(), "A", k, flags(":S"), mail.Flags{}),
			"remove": m.Remove(t.Context(), "A", k, mail.Flags{}, mail.FileStamp{}),
			"folder": m.SetFlags(t.Context(), "no-such", k, flags(":S"), mail.Flags{}),
		} {
			if !errors.Is(err, mail.ErrChanged) {
				t.Errorf("%s: %v", what, err)
			}
			wantScope(t, err, mail.ScopeMessage, "changed")
		}
	}
}

// TestRenamedMeanwhile covers an index that another program has made stale.
func TestRenamedMeanwhile(t *testing.T) {
	keep := filepath.Join(t.TempDir(), "kept")
	for what, do := range map[string]func(m *Maildir) error{
		"flags": func(m *Maildir) error { return m.SetFlags(t.Context(), "A", "k", flags(":R"), mail.Flags{}) },
		"move":  func(m *Maildir) error { _, err := m.Move(t.Context(), "A", "k", "B"); return err },
		"read":  func(m *Maildir) error { _, _, _, err := m.Read(t.Context(), "A", "k"); return err },
		"remove": func(m *Maildir) error {
			if err := m.Remove(t.Context(), "A", "k", mail.Flags{}, mail.FileStamp{}); !errors.Is(err, mail.ErrChanged) {
				return errors.New("removed a message that got a flag")
			}
			return m.Remove(t.Context(), "A", "k", flags(":F"), mail.FileStamp{})
		},
	} {
		m := open(t, Config{KeepDir: keep}, "A", "B")
		put(t, m, "A/new/k", what)
		scan(t, m, "A")
		if err := os.Rename(filepath.Join(m.root, "A/new/k"), filepath.Join(m.root, "A/cur/k:2,F")); err != nil {
			t.Fatal(err)
		}
		if err := do(m); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		all := append(files(t, m.root), files(t, keep)...)
		if len(all) == 0 {
			t.Errorf("%s: the message is lost", what)
		}
		os.RemoveAll(keep)
	}
}

func TestMove(t *testing.T) {
	m := open(t, Config{Fsync: true}, "A", "B")
	put(t, m, "A/dovecot-keywords", "0 todo\n1 both\n")
	put(t, m, "B/dovecot-keywords", "0 other\n3 Both\n")
	for _, c := range []struct{ from, to string }{
		{"new/n", "new/n"},
		{"new/f:2,F", "new/f:2,F"},
		{"cur/s:2,S", "cur/s:2,S"},
		{"cur/w:2,Sab", "cur/w:2,Sbd"},      // todo gets b, both is d
		{"cur/x:2,Scz", "cur/x:2,Scz"},      // unknown here and there
		{"cur/y:2,Sd,U=4", "cur/y:2,S,U=4"}, // would say "Both" there
	} {
		put(t, m, "A/"+c.from, "text of "+c.from)
		key := parseName(filepath.Base(c.from)).key
		as, err := m.Move(t.Context(), "A", key, "B")
		if err != nil || as != key {
			t.Fatalf("%s: %s, %v", c.from, as, err)
		}
		want(t, m, "A", "dovecot-keywords")
		want(t, m, "B", c.to, "dovecot-keywords")
		if got := get(t, m, "B/"+c.to); got != "text of "+c.from {
			t.Errorf("%s holds %q", c.to, got)
		}
		os.Remove(filepath.Join(m.root, "B", c.to))
	}
	if as, err := m.Move(t.Context(), "A", "whatever", "A"); as != "whatever" || err != nil {
		t.Errorf("a move to its own folder: %s, %v", as, err)
	}
}

// TestMoveIntoADamagedFolder covers a folder that lost its directories since it
// was listed. Where only those that the file does not go to are missing it arrives.
func TestMoveIntoADamagedFolder(t *testing.T) {
	for _, missing := range []string{"cur", "new", "."} {
		m := open(t, Config{}, "A", "B")
		put(t, m, "A/cur/first:2,S", "1")
		put(t, m, "A/cur/k:2,S", "2")
		if _, err := m.Move(t.Context(), "A", "first", "B"); err != nil {
			t.Fatal(err)
		}
		os.RemoveAll(filepath.Join(m.root, "B", missing))
		_, err := m.Move(t.Context(), "A", "k", "B")
		if missing == "new" {
			want(t, m, "B", "cur/first:2,S", "cur/k:2,S")
			continue
		}
		var fault *mail.Fault
		if !errors.As(err, &fault) || fault.Scope != mail.ScopeFolder || fault.Folder != "B" {
			t.Errorf("without %s: %v", missing, err)
		}
		want(t, m, "A", "cur/k:2,S")
	}
}

func TestMoveToATakenKey(t *testing.T) {
	for _, taken := range []string{"cur/k:2,S", "new/k", "cur/k:2,F"} {
		for _, stale := range []bool{false, true} {
			m := open(t, Config{}, "A", "B")
			put(t, m, "A/cur/k:2,S", "moved")
			if stale {
				scan(t, m, "B")
			}
			put(t, m, "B/"+taken, "was there")
			as, err := m.Move(t.Context(), "A", "k", "B")
			if err != nil {
				t.Fatal(err)
			}
			if stale && taken != "cur/k:2,S" {
				continue // then two files share the key, and neither is lost
			}
			if as == "k" {
				t.Errorf("%s: the key was taken", taken)
			}
			want(t, m, "B", taken, "cur/"+string(as)+":2,S")
			if got := get(t, m, "B/"+taken); got != "was there" {
				t.Errorf("a file was written over with %q", got)
			}
		}
	}
}

// TestMoveCutShort covers one file in two folders under one name, linked or
// copied, as a move that was cut short leaves it: moving the one again ends it.
func TestMoveCutShort(t *testing.T) {
	for _, linked := range []bool{true, false} {
		m := open(t, Config{}, "A", "B")
		put(t, m, "A/cur/k:2,S", "x")
		scan(t, m, "B")
		if linked {
			if err := os.Link(filepath.Join(m.root, "A/cur/k:2,S"), filepath.Join(m.root, "B/cur/k:2,S")); err != nil {
				t.Fatal(err)
			}
		} else {
			put(t, m, "B/cur/k:2,S", "x")
		}
		scan(t, m, "B")
		as, err := m.Move(t.Context(), "A", "k", "B")
		if err != nil || as != "k" {
			t.Fatalf("key %s, %v", as, err)
		}
		want(t, m, "A")
		want(t, m, "B", "cur/k:2,S")
		if got := get(t, m, "B/cur/k:2,S"); got != "x" {
			t.Errorf("it holds %q", got)
		}
	}
}

func TestRemoveKeeps(t *testing.T) {
	keep := filepath.Join(t.TempDir(), "state/kept")
	m := open(t, Config{KeepDir: keep, Fsync: true, Layout: MaildirPP}, "INBOX", "A/cur")
	date := time.Unix(1_400_000_000, 0)
	key := deliver(t, m, "A/cur", ":FS todo", "text")
	fresh := deliver(t, m, "INBOX", ":", "new")
	file := filepath.Join(m.root, ".A.cur/cur", string(key)+":2,FSa")
	if err := os.Chtimes(file, date, date); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{":S todo", ":FS", ":"} {
		if err := m.Remove(t.Context(), "A/cur", key, flags(wrong), mail.FileStamp{}); !errors.Is(err, mail.ErrChanged) {
			t.Errorf("expecting %s: %v", wrong, err)
		}
	}
	at := mail.FileStamp{Size: 4, MTime: date.UnixNano()}
	for _, other := range []mail.FileStamp{{Size: 5, MTime: at.MTime}, {Size: 4, MTime: at.MTime + 1}} {
		if err := m.Remove(t.Context(), "A/cur", key, flags(":FS todo"), other); !errors.Is(err, mail.ErrChanged) {
			t.Errorf("a file written since: %v", err)
		}
	}
	// The keyword that has no letter here cannot be expected of a file.
	if err := m.Remove(t.Context(), "A/cur", key, flags(":FS TODO elsewhere"), at); err != nil {
		t.Fatal(err)
	}
	if err := m.Remove(t.Context(), "INBOX", fresh, mail.Flags{}, mail.FileStamp{}); err != nil {
		t.Fatal(err)
	}
	for _, f := range []mail.FolderName{"A/cur", "INBOX"} {
		if err := m.Sync(t.Context(), f); err != nil {
			t.Error(err)
		}
		if n := len(scan(t, m, f).Messages); n != 0 {
			t.Errorf("%s still has %d messages", f, n)
		}
	}
	var under []string
	for _, f := range files(t, keep) {
		stamp, rest, _ := strings.Cut(f, "/")
		if at, err := time.Parse(keepStamp, stamp); err != nil || time.Since(at) > time.Hour {
			t.Errorf("%s is not under the time of its removal: %v", f, err)
		}
		under = append(under, rest)
		if strings.HasSuffix(f, "FSa") {
			info, _ := os.Stat(filepath.Join(keep, f))
			if !info.ModTime().Equal(date) {
				t.Errorf("the kept file has time %v", info.ModTime())
			}
		}
	}
	slices.Sort(under)
	wanted := []string{"A/%63ur/" + string(key) + ":2,FSa", "A/%63ur/dovecot-keywords", "INBOX/" + string(fresh)}
	if !slices.Equal(under, wanted) {
		t.Errorf("kept:\n  %s\nwant\n  %s", strings.Join(under, "\n  "), strings.Join(wanted, "\n  "))
	}
}

func TestRemoveForGood(t *testing.T) {
	m := open(t, Config{}, "A")
	key := deliver(t, m, "A", ":S", "x")
	if err := m.Remove(t.Context(), "A", key, flags(":S"), mail.FileStamp{}); err != nil {
		t.Fatal(err)
	}
	want(t, m, "A")
	if err := m.Prune(t.Context(), time.Now()); err != nil {
		t.Error(err)
	}
}

func TestPrune(t *testing.T) {
	keep := filepath.Join(t.TempDir(), "kept")
	m := open(t, Config{KeepDir: keep}, "A")
	if err := m.Prune(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"20200101T000000Z/A/k", "20200102T000000Z/A/k", "other/file"} {
		put(t, m, "../kept-/"+f, "x")
	}
	if err := os.Rename(filepath.Join(m.root, "../kept-"), keep); err != nil {
		t.Fatal(err)
	}
	before := time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC)
	if err := m.Prune(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	if got := files(t, keep); !slices.Equal(got, []string{"20200102T000000Z/A/k", "other/file"}) {
		t.Errorf("left: %q", got)
	}
}

// Equal files of one key, as a backup leaves them that is copied over the Maildir, go
// together; with another content nothing goes.
func TestRemoveCopies(t *testing.T) {
	for _, keep := range []string{"", "kept"} {
		c := Config{}
		if keep != "" {
			c.KeepDir = filepath.Join(t.TempDir(), keep)
		}
		m := open(t, c, "A")
		for _, f := range []string{"new/k", "cur/k:2,", "cur/k:2,S", "new/other"} {
			put(t, m, "A/"+f, "x")
		}
		put(t, m, "A/cur/other:2,S", "y")
		if err := os.Symlink("nowhere", filepath.Join(m.root, "A/cur/away:2,")); err != nil {
			t.Fatal(err)
		}
		put(t, m, "A/cur/away:2,S", "z")
		scan(t, m, "A")
		if err := m.Remove(t.Context(), "A", "k", flags(":S"), mail.FileStamp{}); err != nil {
			t.Error(err)
		}
		wantScope(t, m.Remove(t.Context(), "A", "other", flags(":S"), mail.FileStamp{}), mail.ScopeMessage, "A/new/other has the name of this message, too")
		wantScope(t, m.Remove(t.Context(), "A", "away", flags(":S"), mail.FileStamp{}), mail.ScopeMessage, "symbolic link")
		if s := scan(t, again(t, m), "A"); len(s.Messages) != 2 || get(t, m, "A/new/other") != "x" || get(t, m, "A/cur/other:2,S") != "y" {
			t.Errorf("left: %v", s.Messages)
		}
		if keep != "" && len(files(t, c.KeepDir)) != 1 {
			t.Errorf("kept: %v", files(t, c.KeepDir))
		}
	}
}

// Of a file that is a symbolic link the content is kept, and the link goes.
func TestRemoveLink(t *testing.T) {
	c := Config{KeepDir: filepath.Join(t.TempDir(), "kept")}
	m := open(t, c, "A", "B/C")
	put(t, m, "B/elsewhere", "x")
	if err := os.Symlink("../../B/elsewhere", filepath.Join(m.root, "A/cur/k:2,S")); err != nil {
		t.Fatal(err)
	}
	_, stamp, _, err := m.Read(t.Context(), "A", "k")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Remove(t.Context(), "A", "k", flags(":S"), stamp); err != nil {
		t.Error(err)
	}
	kept := files(t, c.KeepDir)
	if len(kept) != 1 || flagsOf(t, m, "A", "k") != "-" || get(t, m, "B/elsewhere") != "x" {
		t.Fatalf("kept %v", kept)
	}
	if text, err := os.ReadFile(filepath.Join(c.KeepDir, kept[0])); err != nil || string(text) != "x" {
		t.Errorf("kept %q, %v", text, err)
	}
}

func TestMoveCopies(t *testing.T) {
	m := open(t, Config{}, "A", "B")
	for f, text := range map[string]string{"new/k": "x", "cur/k:2,S": "x", "cur/k:2,": "another"} {
		put(t, m, "A/"+f, text)
	}
	scan(t, m, "A")
	if _, err := m.Move(t.Context(), "A", "k", "B"); err != nil {
		t.Error(err)
	}
	want(t, m, "A/cur", "k:2,")
	want(t, m, "A/new")
	want(t, m, "B/cur", "k:2,S")
}

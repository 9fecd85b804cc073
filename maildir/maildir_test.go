package maildir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"imapsync/mail"
)

// open returns a Maildir in a temporary directory with these folders.
func open(t testing.TB, c Config, folders ...mail.FolderName) *Maildir {
	t.Helper()
	if c.Root == "" {
		c.Root = filepath.Join(t.TempDir(), "mail")
	}
	m, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if err := m.CreateFolder(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// again opens the same tree with nothing remembered, as the next run does.
func again(t testing.TB, m *Maildir) *Maildir {
	t.Helper()
	n, err := Open(Config{Root: m.root, Layout: m.naming.layout, Fsync: m.fsync, KeepDir: m.keep})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func flags(s string) mail.Flags { return mail.ParseFlags(s) }

// deliver stores one message and returns its key.
func deliver(t testing.TB, m *Maildir, folder mail.FolderName, set, body string) mail.Key {
	t.Helper()
	d, err := m.Deliver(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	key := m.NewKey()
	if _, _, err := d.Write(mail.NewFile{Key: key, Flags: flags(set)}, strings.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	if failed, err := d.Commit(t.Context()); err != nil || len(failed) > 0 {
		t.Fatal(err, failed)
	}
	return key
}

// put makes a file of any name, as another program would.
func put(t testing.TB, m *Maildir, path, text string) {
	t.Helper()
	file := filepath.Join(m.root, path)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func get(t testing.TB, m *Maildir, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(m.root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// files lists the names under a directory of the tree, with sub-directories.
func files(t testing.TB, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			found = append(found, rel)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	slices.Sort(found)
	return found
}

// want compares the files of a folder.
func want(t testing.TB, m *Maildir, dir string, names ...string) {
	t.Helper()
	slices.Sort(names)
	if got := files(t, filepath.Join(m.root, dir)); !slices.Equal(got, names) {
		t.Errorf("%s holds\n  %s\nwant\n  %s", dir, strings.Join(got, "\n  "), strings.Join(names, "\n  "))
	}
}

func scan(t testing.TB, m *Maildir, folder mail.FolderName) mail.LocalSnapshot {
	t.Helper()
	s, err := m.Scan(t.Context(), folder, false)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// flagsOf tells a message's flags as a new scan sees them, "-" if it is not there.
func flagsOf(t testing.TB, m *Maildir, folder mail.FolderName, key mail.Key) string {
	t.Helper()
	l, ok := scan(t, m, folder).Messages[key]
	if !ok {
		return "-"
	}
	return l.Flags.String()
}

func wantScope(t testing.TB, err error, scope mail.Scope, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", words)
		return
	}
	if mail.ScopeOf(err) != scope {
		t.Errorf("%v has scope %d, want %d", err, mail.ScopeOf(err), scope)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%v does not say %q", err, w)
		}
	}
}

func TestOpenChecksItsConfig(t *testing.T) {
	for _, c := range []Config{
		{Root: "mail"},
		{Root: "/m", Layout: "mh"},
		{Root: "/m", Layout: Flat, Separator: "/"},
		{Root: "/m", Layout: Flat, Separator: "ab"},
		{Root: "/m", Layout: Flat, Separator: "%"},
		{Root: "/m", Layout: Verbatim, Separator: "."},
		{Root: "/m", KeepDir: "kept"},
		{Root: "/m", KeepDir: "/m"},
		{Root: "/m", KeepDir: "/m/../m/kept"},
	} {
		_, err := Open(c)
		if mail.ClassOf(err) != mail.ClassUsage || err == nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for _, c := range []Config{{Root: "/m"}, {Root: "/m", Layout: Flat}, {Root: "/m", Layout: Flat, Separator: "_", KeepDir: "/mkept"}} {
		if _, err := Open(c); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestNewKey(t *testing.T) {
	m := open(t, Config{})
	m.host = "a/b:c\\d e"
	seen := map[mail.Key]bool{}
	for range 1000 {
		k := m.NewKey()
		if seen[k] {
			t.Fatalf("key %s twice", k)
		}
		seen[k] = true
		if err := checkKey(k); err != nil || strings.ContainsAny(string(k), ":, ") {
			t.Fatalf("key %s: %v", k, err)
		}
		if !strings.HasSuffix(string(k), `.a\057b\072c\134d\040e`) {
			t.Fatalf("key %s does not end with the host", k)
		}
	}
	if h := escapeHost(strings.Repeat("h", 300)); len(h) > 70 {
		t.Errorf("a host of %d bytes in a key", len(h))
	}
}

func TestMarker(t *testing.T) {
	m := open(t, Config{})
	id, exists, err := m.Marker(t.Context())
	if id != "" || exists || err != nil {
		t.Fatalf("no root: %q %v %v", id, exists, err)
	}
	if err := m.SetMarker(t.Context(), "account-1"); err != nil {
		t.Fatal(err)
	}
	if id, exists, err = m.Marker(t.Context()); id != "account-1" || exists || err != nil {
		t.Fatalf("empty root: %q %v %v", id, exists, err)
	}
	if err := m.CreateFolder(t.Context(), "INBOX"); err != nil {
		t.Fatal(err)
	}
	put(t, m, ".imapsync-id.new", "acc") // left by a run that was killed
	if err := m.SetMarker(t.Context(), "account-2"); err != nil {
		t.Fatal(err)
	}
	if id, exists, err = again(t, m).Marker(t.Context()); id != "account-2" || !exists || err != nil {
		t.Fatalf("with a folder: %q %v %v", id, exists, err)
	}
	want(t, m, ".", ".imapsync-id")
	for _, bad := range []string{"", " x", "a\nb"} {
		if m.SetMarker(t.Context(), bad) == nil {
			t.Errorf("identity %q is taken", bad)
		}
	}
}

func TestModes(t *testing.T) {
	keep := filepath.Join(t.TempDir(), "kept")
	for _, layout := range []Layout{Verbatim, MaildirPP, Flat} {
		m := open(t, Config{Layout: layout, KeepDir: filepath.Join(keep, string(layout))}, "INBOX", "A/B")
		deliver(t, m, "INBOX", ":", "x")
		key := deliver(t, m, "A/B", ":S kw", "x")
		if err := m.Remove(t.Context(), "A/B", key, flags(":S kw"), mail.FileStamp{}); err != nil {
			t.Fatal(err)
		}
		deliver(t, m, "A/B", ":S kw", "x")
		if err := m.SetMarker(t.Context(), "id"); err != nil {
			t.Fatal(err)
		}
		for _, root := range []string{m.root, keep} {
			filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
				info, _ := e.Info()
				if mode := info.Mode().Perm(); (e.IsDir() && mode != 0o700) || (!e.IsDir() && mode != 0o600) {
					t.Errorf("%s has mode %o", path, mode)
				}
				return err
			})
		}
	}
}

func TestFoldersOfEveryLayout(t *testing.T) {
	names := []mail.FolderName{"INBOX", "A", "A/B", "A/B/C.d", "Entwürfe/日本", "deep/only/here"}
	for layout, dirs := range map[Layout][]string{
		Verbatim:  {"INBOX", "A", "A/B", "A/B/C.d", "Entwürfe/日本", "deep/only/here"},
		MaildirPP: {".", ".A", ".A.B", ".A.B.C%2Ed", ".Entwürfe.日本", ".deep.only.here"},
		Flat:      {"INBOX", "A", "A.B", "A.B.C%2Ed", "Entwürfe.日本", "deep.only.here"},
	} {
		m := open(t, Config{Layout: layout}, names...)
		for i, d := range dirs {
			for _, sub := range []string{"cur", "new", "tmp"} {
				if info, err := os.Stat(filepath.Join(m.root, d, sub)); err != nil || !info.IsDir() {
					t.Errorf("%s: folder %s is not in %s: %v", layout, names[i], d, err)
				}
			}
			_, err := os.Stat(filepath.Join(m.root, d, "maildirfolder"))
			if (err == nil) != (layout == MaildirPP && d != ".") {
				t.Errorf("%s: maildirfolder in %s: %v", layout, d, err)
			}
		}
		found, err := again(t, m).Folders(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []mail.FolderName
		for _, f := range found {
			got = append(got, f.Name)
			if s := scan(t, m, f.Name).Stamp; s.Cur != f.Stamp.Cur || s.New != f.Stamp.New || f.Stamp.Taken == 0 {
				t.Errorf("%s: folder %s has stamp %v, scanned %v", layout, f.Name, f.Stamp, s)
			}
		}
		slices.Sort(got)
		if all := slices.Sorted(slices.Values(names)); !slices.Equal(got, all) {
			t.Errorf("%s: found %q, want %q", layout, got, all)
		}
	}
}

func TestFoldersLeavesOthersAlone(t *testing.T) {
	m := open(t, Config{}, "INBOX", "A")
	put(t, m, ".notmuch/xapian/cur/x", "")
	put(t, m, "A/.hidden/cur/x", "")
	put(t, m, "A/dovecot-uidlist", "")
	put(t, m, "plain/file", "")
	put(t, m, "lost+found/cur/x", "")
	put(t, m, "bad\nname/cur/x", "")
	put(t, m, "latin\xe4/new/x", "")
	put(t, m, "50%20off/cur/x", "")
	found, err := m.Folders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []mail.FolderName
	for _, f := range found {
		got = append(got, f.Name)
	}
	slices.Sort(got)
	if !slices.Equal(got, []mail.FolderName{"50%20off", "A", "INBOX"}) {
		t.Errorf("found %q", got)
	}
	if s := m.Skipped(); len(s) != 2 {
		t.Errorf("skipped: %v", s)
	}
}

func TestFoldersThroughLinks(t *testing.T) {
	real := t.TempDir()
	m := open(t, Config{Root: filepath.Join(real, "mail")}, "INBOX", "A", "A/B")
	other := t.TempDir()
	if err := os.MkdirAll(filepath.Join(other, "cur"), 0o700); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{
		"Z": other, "A/loop": "..", "A/twin": "B", "dangling": "nowhere", "0": "A",
	} {
		if err := os.Symlink(target, filepath.Join(m.root, link)); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(real, "link")
	if err := os.Symlink("mail", link); err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{m.root, link} {
		found, err := open(t, Config{Root: root}).Folders(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []mail.FolderName
		for _, f := range found {
			got = append(got, f.Name)
		}
		slices.Sort(got)
		if !slices.Equal(got, []mail.FolderName{"A", "A/B", "INBOX", "Z"}) {
			t.Errorf("under %s: %q", root, got)
		}
	}
}

func TestRemoveFolder(t *testing.T) {
	for _, layout := range []Layout{Verbatim, MaildirPP, Flat} {
		m := open(t, Config{Layout: layout}, "INBOX", "A", "A/B", "C/D/E")
		key := deliver(t, m, "A", ":S kw", "x")
		err := m.RemoveFolder(t.Context(), "A")
		wantScope(t, err, mail.ScopeFolder, "A", "not empty")
		if flagsOf(t, m, "A", key) != ":S kw" {
			t.Errorf("%s: a folder that was not removed lost a message", layout)
		}
		deliver(t, m, "A", ":", "x")
		if err := m.Remove(t.Context(), "A", key, flags(":S kw"), mail.FileStamp{}); err != nil {
			t.Fatal(err)
		}
		if m.RemoveFolder(t.Context(), "A") == nil {
			t.Errorf("%s: a folder with new mail was removed", layout)
		}
		for k := range scan(t, m, "A").Messages {
			if err := m.Remove(t.Context(), "A", k, mail.Flags{}, mail.FileStamp{}); err != nil {
				t.Fatal(err)
			}
		}
		for _, f := range []mail.FolderName{"A", "C/D/E"} {
			if err := m.RemoveFolder(t.Context(), f); err != nil {
				t.Fatalf("%s: %v", layout, err)
			}
			if scan(t, m, f).Exists {
				t.Errorf("%s: %s is still there", layout, f)
			}
		}
		if !scan(t, m, "A/B").Exists {
			t.Errorf("%s: a folder below went too", layout)
		}
		entries, _ := os.ReadDir(m.root)
		for _, e := range entries {
			if strings.Contains(e.Name(), "C") || strings.HasPrefix(e.Name(), ".C") {
				t.Errorf("%s: %s was left behind", layout, e.Name())
			}
		}
		wantScope(t, m.RemoveFolder(t.Context(), "INBOX"), mail.ScopeFolder, "INBOX")
	}
}

func TestRemoveFolderSparesForeignFiles(t *testing.T) {
	m := open(t, Config{}, "A", "B", "C")
	put(t, m, "A/notes.txt", "mine")
	put(t, m, "A/dovecot-uidlist", "3 V1")
	put(t, m, "A/dovecot-keywords", "0 a\n")
	if err := m.RemoveFolder(t.Context(), "A"); err != nil {
		t.Fatal(err)
	}
	want(t, m, "A", "notes.txt", "dovecot-uidlist", "dovecot-keywords")
	if found, _ := m.Folders(t.Context()); len(found) != 2 {
		t.Errorf("the removed folder is listed: %v", found)
	}
	put(t, m, "B/tmp/under-way", "x")
	wantScope(t, m.RemoveFolder(t.Context(), "B"), mail.ScopeFolder, "tmp")
	put(t, m, "C/cur/.other", "x")
	wantScope(t, m.RemoveFolder(t.Context(), "C"), mail.ScopeFolder, "cur")
	if s := scan(t, m, "C"); !s.Exists {
		t.Error("a folder that could not be removed is not whole")
	}
	// Nobody has touched it for 36 hours, by the clock of a later day.
	f, _ := m.folder("B")
	if err := f.cleanTmp(time.Now().Add(37 * time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := m.RemoveFolder(t.Context(), "B"); err != nil {
		t.Error(err)
	}
}

func TestRootThatIsAFile(t *testing.T) {
	m := open(t, Config{})
	put(t, m, "../mail", "not a directory")
	if _, _, err := m.Marker(t.Context()); err == nil {
		t.Error("a root that is a file passes for an empty one")
	}
}

func TestGrades(t *testing.T) {
	m := open(t, Config{}, "A")
	f, _ := m.folder("A")
	for _, c := range []struct {
		err   error
		scope mail.Scope
		words string
	}{
		{f.message("k", "x", &fs.PathError{Op: "write", Path: "p", Err: syscall.ENOSPC}), mail.ScopeAccount, "make room"},
		{f.inFolder("x", syscall.EROFS), mail.ScopeAccount, "read-only"},
		{f.inFolder("x", syscall.EDQUOT), mail.ScopeAccount, "quota"},
		{f.message("k", "x", syscall.EIO), mail.ScopeAccount, "kernel"},
		{f.writing("k", "x", syscall.EACCES), mail.ScopeFolder, "owner and mode"},
		{f.message("k", "x", syscall.EACCES), mail.ScopeMessage, "owner and mode"},
		{f.writing("k", "x", syscall.EEXIST), mail.ScopeMessage, "message k"},
		{f.inFolder("x", fmt.Errorf("y: %w", mail.ErrChanged)), mail.ScopeMessage, "changed"},
	} {
		wantScope(t, c.err, c.scope, c.words)
	}
}

func bigBody(lines int) []byte {
	var b bytes.Buffer
	b.WriteString("Subject: big\r\n\r\n")
	for i := range lines {
		fmt.Fprintf(&b, "%076d\r\n", i)
	}
	return b.Bytes()
}

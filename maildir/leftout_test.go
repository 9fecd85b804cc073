package maildir

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"imapsync/mail"
)

// link makes a symbolic link in the tree.
func link(t testing.TB, m *Maildir, path, to string) {
	t.Helper()
	if err := os.Symlink(to, filepath.Join(m.root, path)); err != nil {
		t.Fatal(err)
	}
}

// listed are the folders that are found.
func listed(t testing.TB, m *Maildir) []mail.FolderName {
	t.Helper()
	found, err := m.Folders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []mail.FolderName
	for _, f := range found {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	return names
}

// What cannot be looked at is not gone, nor is anything below it.
func TestHiddenFolders(t *testing.T) {
	m := open(t, Config{}, "INBOX", "A", "B/C")
	link(t, m, "Away", "nowhere")
	link(t, m, "Loop", "Loop")
	for _, dir := range []string{"Half", "Seen"} {
		if err := os.Mkdir(filepath.Join(m.root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	link(t, m, "Half/cur", "nowhere")
	link(t, m, "Half/new", "nowhere")
	if got := listed(t, m); !slices.Equal(got, []mail.FolderName{"A", "B/C", "INBOX"}) {
		t.Errorf("found %q", got)
	}
	if s := m.Skipped(); len(s) != 3 {
		t.Errorf("skipped: %v", s)
	}
	for _, name := range []mail.FolderName{"Away", "Away/2020", "Loop/x", "Half"} {
		err := m.LeftOut(mail.FolderRecord{Folder: name})
		wantScope(t, err, mail.ScopeFolder, "is left out", m.root)
	}
	for _, name := range []mail.FolderName{"A", "B/C", "INBOX", "Seen", "Gone", "Awa", "Away2"} {
		if err := m.LeftOut(mail.FolderRecord{Folder: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s := m.Skipped(); len(s) != 0 {
		t.Errorf("told twice: %v", s)
	}
	if _, err := m.Scan(t.Context(), "Away", false); err == nil {
		t.Error("a folder behind a link that cannot be followed has no messages")
	}
}

// A message file that is a link which cannot be followed is there, and cannot be read.
func TestHiddenMessage(t *testing.T) {
	m := open(t, Config{}, "A")
	put(t, m, "A/cur/k:2,S", "x")
	link(t, m, "A/cur/l:2,F", "nowhere")
	link(t, m, "A/new/loop", "loop")
	for _, stat := range []bool{false, true} {
		s, err := again(t, m).Scan(t.Context(), "A", stat)
		if err != nil || len(s.Messages) != 3 || s.Messages["l"].Stamp != nil || s.Messages["loop"].Stamp != nil {
			t.Errorf("stat %v: %v, %v", stat, s.Messages, err)
		}
	}
	_, _, _, err := m.Read(t.Context(), "A", "l")
	wantScope(t, err, mail.ScopeMessage, "the symbolic link leads to something that is not there")
	if err := m.SetFlags(t.Context(), "A", "l", flags(":S"), mail.Flags{}); err != nil || flagsOf(t, m, "A", "l") != ":FS" {
		t.Errorf("flags of a link: %v", err)
	}
}

// A folder whose directory has a name that no folder has, or is another's too, is
// not gone.
func TestMisnamedFolders(t *testing.T) {
	m := open(t, Config{}, "INBOX", "Archive", "R%C3%A9sum%C3%A9", "Entwürfe", "Entwürfe/Alt")
	settled := scan(t, m, "Archive").Stamp
	for _, c := range []struct {
		of   string
		make Config
		do   func()
		was  []mail.FolderRecord
	}{
		{"other folder_names", Config{UTF7: true}, func() {}, []mail.FolderRecord{{Folder: "Entwürfe"}, {Folder: "Entwürfe/Alt"}}},
		{"another inbox", Config{Inbox: "In"}, func() {}, []mail.FolderRecord{{Folder: "INBOX"}}},
		{"another inbox, and it is there", Config{Inbox: "Archive"}, func() {}, []mail.FolderRecord{{Folder: "INBOX", Stamp: scan(t, m, "INBOX").Stamp}}},
		{"one directory for two", Config{}, func() { link(t, m, "archive", "Archive") }, []mail.FolderRecord{{Folder: "archive"}, {Folder: "archive/2"}}},
		{"renamed to no folder's name", Config{}, func() { os.Rename(filepath.Join(m.root, "Archive"), filepath.Join(m.root, "new\nname")) },
			[]mail.FolderRecord{{Folder: "Archive", Stamp: settled}}},
	} {
		c.do()
		c.make.Root = m.root
		n := open(t, c.make)
		listed(t, n)
		for _, was := range c.was {
			wantScope(t, n.LeftOut(was), mail.ScopeFolder, "is left out")
		}
		if err := n.LeftOut(mail.FolderRecord{Folder: "Gone"}); err != nil {
			t.Errorf("%s: %v", c.of, err)
		}
	}
}

// A folder is not made where another has its directory, whether or not it was listed.
func TestCreateFolderInAnothers(t *testing.T) {
	for _, list := range []bool{false, true} {
		m := open(t, Config{}, "Archive", "Gone")
		link(t, m, "archive", "Archive")
		if list {
			m = again(t, m)
			listed(t, m)
		}
		wantScope(t, m.CreateFolder(t.Context(), "archive"), mail.ScopeFolder, "directory of another folder too", "/Archive")
		if err := m.CreateFolder(t.Context(), "Archive"); err != nil {
			t.Error(err)
		}
		if err := os.Rename(filepath.Join(m.root, "Gone"), filepath.Join(m.root, "Here")); err != nil {
			t.Fatal(err)
		}
		if err := m.CreateFolder(t.Context(), "Here"); err != nil {
			t.Error(err)
		}
	}
}

// A directory without mail may be where a disk is not mounted. One that is gone,
// that never had mail or that is there for the folders in it is no such.
func TestEmptyDirectory(t *testing.T) {
	for _, layout := range []Layout{Verbatim, MaildirPP} {
		m := open(t, Config{Layout: layout}, "INBOX", "Mount", "Above", "Above/Below")
		for _, name := range []mail.FolderName{"INBOX", "Mount", "Above"} {
			dir, err := m.dirOf(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, sub := range []string{"cur", "new", "tmp"} {
				if err := os.Remove(filepath.Join(dir, sub)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := listed(t, m); !slices.Equal(got, []mail.FolderName{"Above/Below"}) {
			t.Errorf("%s: found %q", layout, got)
		}
		for _, name := range []mail.FolderName{"INBOX", "Mount"} {
			wantScope(t, m.LeftOut(mail.FolderRecord{Folder: name, Rows: 3, RemoteOnly: 1}), mail.ScopeFolder, "neither cur nor new", "2 messages", "mount it")
		}
		for _, was := range []mail.FolderRecord{{Folder: "Mount", Rows: 3, RemoteOnly: 3}, {Folder: "Above/Below", Rows: 3}, {Folder: "Gone", Rows: 3}} {
			if err := m.LeftOut(was); err != nil {
				t.Errorf("%s: %v", layout, err)
			}
		}
		if err := m.LeftOut(mail.FolderRecord{Folder: "Above", Rows: 3}); (err == nil) != (layout == Verbatim) {
			t.Errorf("%s: a directory with a folder in it: %v", layout, err)
		}
	}
}

// A file without a key is no message: there would be no telling it from another.
func TestFileWithoutAKey(t *testing.T) {
	m := open(t, Config{}, "A")
	put(t, m, "A/cur/:2,S", "x")
	put(t, m, "A/cur/k:2,S", "x")
	for range 2 {
		if s := scan(t, m, "A"); len(s.Messages) != 1 {
			t.Errorf("%v", s.Messages)
		}
	}
	if s := m.Skipped(); len(s) != 1 || !strings.Contains(s[0].Error(), "A/cur/:2,S is no message") {
		t.Errorf("%v", s)
	}
}

// The Maildir of another account is none of this one's folders, however it comes there.
func TestMaildirInAnother(t *testing.T) {
	m, other := open(t, Config{}, "INBOX", "A", "copy/B"), open(t, Config{}, "INBOX", "B")
	for of, id := range map[*Maildir]string{m: "1 me@here", other: "2 you@there"} {
		if err := of.SetMarker(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	put(t, m, "copy/.imapsync-id", "1 me@before")
	link(t, m, "other", other.root)
	link(t, m, "A/B", filepath.Join(other.root, "B"))
	if got := listed(t, m); !slices.Equal(got, []mail.FolderName{"A", "A/B", "INBOX", "copy/B"}) {
		t.Errorf("found %q", got)
	}
	if s := m.Skipped(); len(s) != 1 || !strings.Contains(s[0].Error(), "other is left out: it is the Maildir of another account, you@there") {
		t.Errorf("told: %v", s)
	}
	for _, name := range []mail.FolderName{"other", "other/INBOX"} {
		wantScope(t, m.LeftOut(mail.FolderRecord{Folder: name}), mail.ScopeFolder, "another account")
	}
}

package maildir

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"imapsync/mail"
)

func folderNames(t *testing.T, m *Maildir) []mail.FolderName {
	t.Helper()
	folders, err := again(t, m).Folders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []mail.FolderName
	for _, f := range folders {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	return names
}

// In each layout a renamed folder takes along what is below it, its messages, the
// names of its keywords and its stamp, and no folder beside it.
func TestRenameFolder(t *testing.T) {
	for _, layout := range []Layout{Verbatim, MaildirPP, Flat} {
		t.Run(string(layout), func(t *testing.T) {
			m := open(t, Config{Layout: layout, Fsync: true}, "INBOX", "A/Old", "A/Old/Sub", "A/Old/Sub/cur", "A/Older", "Old")
			key := deliver(t, m, "A/Old", ":FS todo", "one")
			below := deliver(t, m, "A/Old/Sub", ":S", "two")
			before, err := m.Scan(t.Context(), "A/Old", false)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.RenameFolder(t.Context(), "A/Old", "B/C/Nëw.1"); err != nil {
				t.Fatal(err)
			}
			want := []mail.FolderName{"A/Older", "B/C/Nëw.1", "B/C/Nëw.1/Sub", "B/C/Nëw.1/Sub/cur", "INBOX", "Old"}
			if got := folderNames(t, m); !slices.Equal(got, want) {
				t.Errorf("folders %q, want %q", got, want)
			}
			for _, m := range []*Maildir{m, again(t, m)} { // what is remembered of folders has changed, too
				s, err := m.Scan(t.Context(), "B/C/Nëw.1", false)
				if err != nil || !s.Messages[key].Flags.Equal(flags(":FS todo")) {
					t.Errorf("messages %+v, %v", s.Messages, err)
				}
				if s.Stamp.Cur != before.Stamp.Cur || s.Stamp.New != before.Stamp.New {
					t.Errorf("stamp %+v, was %+v", s.Stamp, before.Stamp)
				}
				if s, err := m.Scan(t.Context(), "B/C/Nëw.1/Sub", false); err != nil || len(s.Messages) != 1 || s.Messages[below].Key == "" {
					t.Errorf("messages below %+v, %v", s.Messages, err)
				}
				if s, err := m.Scan(t.Context(), "A/Old", false); err != nil || s.Exists {
					t.Errorf("the old name is there: %+v, %v", s, err)
				}
			}
		})
	}
}

// Directories that were there for the old name's sake only go.
func TestRenameFolderLeavesNoEmptyParents(t *testing.T) {
	m := open(t, Config{}, "INBOX", "A/B/C")
	if err := m.RenameFolder(t.Context(), "A/B/C", "D"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(m.root, "A")); !os.IsNotExist(err) {
		t.Errorf("A is still there: %v", err)
	}
}

// A rename that cannot be is refused before anything is done.
func TestRenameFolderRefused(t *testing.T) {
	elsewhere := t.TempDir()
	for _, c := range []struct {
		name     string
		layout   Layout
		from, to mail.FolderName
		make     func(root string) error
		words    string
	}{
		{"taken", Verbatim, "A", "Other", nil, "is there already"},
		{"taken by a place", Verbatim, "A", "Place", nil, "is there already"},
		{"taken below", MaildirPP, "A", "New", func(root string) error { return os.MkdirAll(filepath.Join(root, ".New.Sub", "cur"), 0o700) }, "is there already"},
		{"taken by a file", Flat, "A", "New", func(root string) error { return os.WriteFile(filepath.Join(root, "New"), nil, 0o600) }, "is there already"},
		{"not there", Verbatim, "None", "New", nil, "no such file"},
		{"inbox", Verbatim, "INBOX", "New", nil, "keeps its name"},
		{"to inbox", MaildirPP, "A", "INBOX", nil, "keeps its name"},
		{"into itself", Verbatim, "A", "A/B", nil, "part of the other"},
		{"out of itself", Flat, "A/Sub", "A", nil, "part of the other"},
		{"link", Verbatim, "Link", "New", func(root string) error { return os.Symlink(elsewhere, filepath.Join(root, "Link")) }, "not a directory itself"},
		{"no name", Verbatim, "A", mail.FolderName(strings.Repeat("x", 300)), nil, "255"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := open(t, Config{Layout: c.layout}, "INBOX", "A", "A/Sub", "Other", "Place/Sub")
			deliver(t, m, "A", ":S", "one")
			if c.make != nil {
				if err := c.make(m.root); err != nil {
					t.Fatal(err)
				}
			}
			before := folderNames(t, m)
			err := m.RenameFolder(t.Context(), c.from, c.to)
			wantScope(t, err, mail.ScopeFolder, c.words)
			if after := folderNames(t, m); !slices.Equal(after, before) {
				t.Errorf("folders %q, were %q", after, before)
			}
		})
	}
}

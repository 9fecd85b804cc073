package maildir

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"imapsync/mail"
)

func TestLocate(t *testing.T) {
	for _, c := range []struct {
		layout Layout
		path   string // below the root
		folder mail.FolderName
		key    mail.Key
	}{
		{Verbatim, "INBOX/new/1.host", "INBOX", "1.host"},
		{Verbatim, "A/%63ur/cur/1.host:2,FS", "A/cur", "1.host"},
		{MaildirPP, "cur/1.host:2,", "INBOX", "1.host"},
		{MaildirPP, ".A.B/cur/1.host", "A/B", "1.host"},
		{Flat, "A.B/tmp/1.host", "A/B", "1.host"},
		{Verbatim, "INBOX/1.host", "", ""},
		{Verbatim, "../INBOX/cur/1.host", "", ""},
		{Verbatim, ".hidden/cur/1.host", "", ""}, // no folder has that path
	} {
		m := open(t, Config{Layout: c.layout})
		folder, key, ok := m.Locate(filepath.Join(m.root, c.path))
		if folder != c.folder || key != c.key || ok != (c.folder != "") {
			t.Errorf("%s %s: %q %q %v", c.layout, c.path, folder, key, ok)
		}
	}
}

func TestFindMessageID(t *testing.T) {
	m := open(t, Config{}, "A")
	for name, text := range map[string]string{
		"cur/plain:2,S": "Subject: x\nMessage-ID: <1@x>\n\nbody\n",
		"new/folded":    "message-id :\n <1@x>\nSubject: x\n\n",
		"cur/crlf:2,":   "Message-ID:<1@x>  \r\n\r\nbody",
		"cur/bare:2,":   "Message-Id: 1@x",
		"cur/other:2,":  "Message-ID: <2@x>\n\n",
		"cur/body:2,":   "Subject: x\n\nMessage-ID: <1@x>\n",
		"cur/none:2,":   "",
		"cur/long:2,":   "X: " + strings.Repeat("y", longestHeader) + "\nMessage-ID: <1@x>\n\n",
	} {
		put(t, m, "A/"+name, text)
	}
	found, err := m.FindMessageID(t.Context(), "A", "1@x")
	slices.Sort(found)
	if want := []mail.Key{"bare", "crlf", "folded", "plain"}; err != nil || !slices.Equal(found, want) {
		t.Errorf("found %q, %v", found, err)
	}
	if BareMessageID(" <1@x>\n") != "1@x" || BareMessageID("1@x") != "1@x" {
		t.Error("brackets are not taken off")
	}

	if path, err := m.Path(t.Context(), "A", "folded"); err != nil || path != filepath.Join(m.root, "A/new/folded") {
		t.Errorf("path %q, %v", path, err)
	}
	if err := os.Rename(filepath.Join(m.root, "A/new/folded"), filepath.Join(m.root, "A/cur/folded:2,S")); err != nil {
		t.Fatal(err)
	}
	if path, err := m.Path(t.Context(), "A", "folded"); err != nil || path != filepath.Join(m.root, "A/cur/folded:2,S") {
		t.Errorf("path %q, %v", path, err)
	}
	if _, err := m.Path(t.Context(), "A", "no-such"); !errors.Is(err, mail.ErrChanged) {
		t.Errorf("a file that is not there: %v", err)
	}
}

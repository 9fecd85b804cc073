package maildir

import (
	"path/filepath"
	"strings"
	"testing"

	"imapsync/mail"
)

var namings = []naming{
	{layout: Verbatim}, {layout: MaildirPP, separator: '.'}, {layout: Flat, separator: '.'}, {layout: Flat, separator: '_'}, {layout: Flat, separator: '#'},
	{layout: Verbatim, utf7: true}, {layout: MaildirPP, separator: '.', utf7: true}, {layout: Flat, separator: '.', utf7: true},
	{layout: Verbatim, inbox: "mail"}, {layout: Verbatim, inbox: "."}, {layout: Flat, separator: '.', inbox: "In", utf7: true},
	{layout: Flat, separator: '-'},
}

var awkwardNames = []mail.FolderName{
	"INBOX", "inbox", "INBOX/INBOX", "A", "A/B", "A.B", "A/.B", ".", "..", "../x", "x/..", "...", "cur", "new", "tmp", "x/cur", "cur/x",
	"Cur", "dovecot-keywords", "x/dovecot-uidlist.lock", "%64ovecot-keywords", "%63ur", "%6Eew", "%2563ur", "curx", "x\ny", "\x01", "\x7f", "%", "%%", "%2", "%2E", "%2e", "%25", "%2525", "%20", "50%20", "a%2Fb", "%41",
	"_", "a_b", "a#b", "#", "~", " ", "a ", "Entwürfe", "日本/語", "\u202e", "-", "*", "a:b", `a\b`, "%5F", "%5F_", "%23#",
}

func TestAwkwardNamesRoundTrip(t *testing.T) {
	for _, n := range namings {
		paths := map[string]mail.FolderName{}
		for _, name := range awkwardNames {
			rel, err := n.rel(name)
			if err != nil {
				if n.inbox != "." || !name.Within(mail.Inbox) {
					t.Errorf("%s %q: %v", n.layout, name, err)
				}
				continue
			}
			checkPath(t, n, name, rel)
			if other, taken := paths[rel]; taken {
				t.Errorf("%s: %q and %q are both in %q", n.layout, name, other, rel)
			}
			paths[rel] = name
		}
	}
}

// checkPath asserts what must hold of every name and its path.
func checkPath(t *testing.T, n naming, name mail.FolderName, rel string) {
	t.Helper()
	back, err := n.folder(rel)
	if err != nil || back != name {
		t.Errorf("%s%c: %q in %q comes back as %q, %v", n.layout, n.separator, name, rel, back, err)
	}
	if !filepath.IsLocal(rel) || filepath.Clean(rel) != rel {
		t.Errorf("%s: %q would be in %q", n.layout, name, rel)
	}
	for i, c := range strings.Split(rel, "/") {
		hidden := strings.HasPrefix(c, ".") && n.layout != MaildirPP && rel != "."
		file := n.layout != MaildirPP && (c == "dovecot-keywords" || c == "dovecot-uidlist.lock")
		if c == "cur" || c == "new" || c == "tmp" || file || hidden || strings.ContainsAny(c, "\x00\n\x7f") || len(c) > 255 {
			t.Errorf("%s: %q has component %q", n.layout, name, c)
		}
		if i > 0 && n.layout != Verbatim {
			t.Errorf("%s: %q is nested: %q", n.layout, name, rel)
		}
	}
}

func TestPathsOnDisk(t *testing.T) {
	for _, c := range []struct {
		n    naming
		name mail.FolderName
		rel  string
	}{
		{namings[0], "INBOX", "INBOX"},
		{namings[0], "A/..", "A/%2E."},
		{namings[0], "cur/a.b", "%63ur/a.b"},
		{namings[0], "X/dovecot-keywords", "X/%64ovecot-keywords"},
		{namings[0], "a%2Fb", "a%2Fb"},
		{namings[0], "x\ny%0A", "x%0Ay%250A"},
		{namings[1], "INBOX", "."},
		{namings[1], "INBOX/A", ".INBOX.A"},
		{namings[1], "cur", ".cur"},
		{namings[1], "v1.2/..", ".v1%2E2.%2E%2E"},
		{namings[2], "A/B.C", "A.B%2EC"},
		{namings[3], "A_B/C", "A%5FB_C"},
		{namings[5], "Entwürfe/A&B", "Entw&APw-rfe/A&-B"},
		{namings[5], "日本/a\x01", "&ZeVnLA-/a&AAE-"},
		{namings[6], "Entwürfe/😀", ".Entw&APw-rfe.&2D3eAA-"},
		{namings[8], "INBOX", "mail"},
		{namings[8], "INBOX/Lists", "mail/Lists"},
		{namings[8], "Inbox", "Inbox"},
		{namings[9], "INBOX", "."},
		{namings[9], "A/B", "A/B"},
		{namings[10], "INBOX", "In"},
		{namings[10], "INBOX/ü", "INBOX.&APw-"},
	} {
		if rel, err := c.n.rel(c.name); rel != c.rel || err != nil {
			t.Errorf("%s: %q is in %q, %v; want %q", c.n.layout, c.name, rel, err, c.rel)
		}
	}
}

func TestPathsThatAreNoFolders(t *testing.T) {
	for _, n := range namings {
		for _, rel := range []string{"R&D", "&AOQ", "&A-", "&2D3-", "&AGE-", "&&--", "INBOX", "mail/../x", "..", "A..B", "x\ny", "%2541", ".INBOX", "abc%01%2", "%2E%2E", "cur", "\xff"} {
			if name, err := n.folder(rel); err == nil {
				if back, err := n.rel(name); back != rel || err != nil {
					t.Errorf("%s: %q is taken for %q, which is in %q", n.layout, rel, name, back)
				}
			}
		}
	}
}

// What would be at the inbox's place is told to be so, not mixed with it.
func TestInboxElsewhere(t *testing.T) {
	for _, c := range []struct {
		inbox string
		name  mail.FolderName
	}{{"mail", "mail"}, {"mail", "mail/x"}, {".", "INBOX/x"}} {
		n, err := naming{layout: Verbatim}.withInbox(c.inbox)
		if err != nil {
			t.Fatal(err)
		}
		if rel, err := n.rel(c.name); err == nil {
			t.Errorf("inbox %q: %q is in %q", c.inbox, c.name, rel)
		}
	}
	for _, inbox := range []string{"/abs", "..", "../x", ".hidden", "cur", "a/b", "a/"} {
		if _, err := (naming{layout: Verbatim}).withInbox(inbox); err == nil {
			t.Errorf("inbox %q is taken", inbox)
		}
	}
	if _, err := (naming{layout: MaildirPP}).withInbox("In"); err == nil {
		t.Error("an inbox is taken in the maildir++ layout")
	}

	m := open(t, Config{Inbox: ".", Layout: Verbatim})
	for _, name := range []mail.FolderName{"INBOX", "A/B"} {
		if err := m.CreateFolder(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	folders, err := m.Folders(t.Context())
	if err != nil || len(folders) != 2 || len(m.Skipped()) != 0 {
		t.Errorf("found %v, skipped %v, %v", folders, m.Skipped(), err)
	}
}

func TestOverlongNamesAreRefused(t *testing.T) {
	fits, long := mail.FolderName(strings.Repeat("x", 255)), mail.FolderName(strings.Repeat("\x01", 86))
	m := open(t, Config{})
	if err := m.CreateFolder(t.Context(), fits); err != nil {
		t.Error(err)
	}
	_, err := m.Scan(t.Context(), long, false)
	wantScope(t, err, mail.ScopeFolder, "258 bytes", "rename the folder")
	if _, err := namings[0].rel("a/" + fits); err != nil {
		t.Errorf("nested: %v", err)
	}
	if _, err := namings[1].rel(fits); err == nil {
		t.Error("a name of 256 bytes on disk is taken")
	}
}

func FuzzNames(f *testing.F) {
	for _, name := range awkwardNames {
		f.Add(string(name))
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, n := range namings {
			if rel, err := n.rel(mail.FolderName(s)); err == nil {
				checkPath(t, n, mail.FolderName(s), rel)
			}
			// And from the disk: a path that is a folder's is that folder's only.
			if s == "" || strings.HasPrefix(s, "/") {
				continue
			}
			if name, err := n.folder(s); err == nil {
				if back, err := n.rel(name); back != s || err != nil {
					t.Errorf("%s: path %q is folder %q, which is in %q", n.layout, s, name, back)
				}
			}
		}
	})
}

func TestParseName(t *testing.T) {
	for file, want := range map[string]fileName{
		"1.M2P3.host":          {key: "1.M2P3.host"},
		"1.host:2,":            {key: "1.host", info: true},
		"1.host:2,FS":          {key: "1.host", info: true, letters: "FS"},
		"1.host:2,SaZ,x=1,y":   {key: "1.host", info: true, letters: "SaZ", rest: ",x=1,y"},
		"1.host,S=12:2,S":      {key: "1.host,S=12", info: true, letters: "S"},
		"1.host:1,exp":         {key: "1.host:1,exp"},
		"1.host:1,exp:2,S":     {key: "1.host:1,exp", info: true, letters: "S"},
		"1.host:3,FS":          {key: "1.host:3,FS"},
		"1.host:2":             {key: "1.host:2"},
		"plain":                {key: "plain"},
		"1.host:2,S:2,F":       {key: "1.host", info: true, letters: "S:2", rest: ",F"},
		"1.host:2,\xc3\xa9S":   {key: "1.host", info: true, letters: "\xc3\xa9S"},
		"1.M2P3V4I5.h,U=7:2,S": {key: "1.M2P3V4I5.h,U=7", info: true, letters: "S"},
	} {
		got := parseName(file)
		if got != want {
			t.Errorf("%q: %+v, want %+v", file, got, want)
		}
		if got.info && got.file(false) != file {
			t.Errorf("%q comes back as %q", file, got.file(false))
		}
	}
}

package remote

import (
	"path/filepath"
	"strings"
	"testing"

	"imapsync/mail"
	"imapsync/maildir"
)

// FuzzServerNameToPath: whatever a server calls a mailbox, creating its folder
// puts nothing outside the Maildir's root, and the mailbox asked for afterwards
// is the one that was listed.
func FuzzServerNameToPath(f *testing.F) {
	for _, name := range []string{
		"../../x", "..", ".", "/a", "a/", "a//b", "a\x00b", "a\nb", "cur", "new", "tmp", "x/cur", ".imapsync-id", "INBOX/..", "inbox", "%2F", "%2E%2E/x",
		strings.Repeat("n", 300), strings.Repeat("n", 5000), strings.Repeat("x/", 900), "\xff", "é", "e\u0301", "~", "C:\\x", "-rf", "a.b", "a\\..\\b",
	} {
		f.Add(name, "", "/")
		f.Add(name, name, ".")
		f.Add(name, "INBOX.", ".")
	}
	f.Fuzz(func(t *testing.T, server, prefix, delim string) {
		if len(delim) > 1 {
			return
		}
		n := names{prefix: prefix, delim: delim}
		folder, err := n.ours(server)
		if err != nil {
			return
		}
		if err := folder.Check(); err != nil {
			t.Fatalf("%q became %q, which is no folder: %v", server, folder, err)
		}
		// A mailbox outside of the namespace is known by what LIST called it.
		rest, inside := cutPrefixFold(server, prefix)
		if back, err := n.server(folder); err != nil || inside && rest != "" && back != server && !aliasOf(back, server, prefix) {
			t.Errorf("prefix %q, delimiter %q: %q became %q and then %q, %v", prefix, delim, server, folder, back, err)
		}
		for _, layout := range []maildir.Layout{maildir.Verbatim, maildir.MaildirPP, maildir.Flat} {
			checkPlace(t, layout, folder)
		}
	})
}

// aliasOf tells names that mean the same mailbox: INBOX in any case, with or
// without the prefix of the personal namespace.
func aliasOf(a, b, prefix string) bool {
	trim := func(s string) string {
		if rest, ok := cutPrefixFold(s, prefix); ok {
			s = rest
		}
		return strings.ToUpper(s)
	}
	return trim(a) == trim(b)
}

// checkPlace creates the folder and looks at what came into being.
func checkPlace(t *testing.T, layout maildir.Layout, folder mail.FolderName) {
	t.Helper()
	outer := t.TempDir()
	root := filepath.Join(outer, "deep", "Mail")
	m, err := maildir.Open(maildir.Config{Root: root, Layout: layout})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.CreateFolder(t.Context(), folder); err != nil {
		return // named in the error, and nothing was done
	}
	folders, err := m.Folders(t.Context())
	found := false
	for _, f := range folders {
		found = found || f.Name == folder
	}
	if err != nil || !found {
		t.Errorf("%s: %q was created, and there are %v, %v", layout, folder, folders, err)
	}
	for _, pattern := range []string{"*", "deep/*"} {
		if all, _ := filepath.Glob(filepath.Join(outer, pattern)); len(all) != 1 {
			t.Errorf("%s: %q made %q", layout, folder, all)
		}
	}
}

package remote

import (
	"slices"
	"strings"
	"testing"

	"imapsync/mail"
)

// boxes answers LIST "*" with these lines and all other LISTs with nothing.
func boxes(lines ...string) map[string]answer {
	return map[string]answer{
		"LIST": func(c *fakeConn, tag, args string) {
			if strings.Contains(args, `"" "*"`) || strings.HasPrefix(args, `"" *`) {
				for _, line := range lines {
					c.send("* LIST %s", line)
				}
			}
			c.send("%s OK done", tag)
		},
	}
}

func renaming(pairs ...mail.FolderName) func(*Config) {
	return func(c *Config) {
		for i := 0; i < len(pairs); i += 2 {
			c.Rename = append(c.Rename, mail.Renaming{Server: pairs[i], Local: pairs[i+1]})
		}
	}
}

// chosen lists the folders that are not left out, and those that are.
func chosen(t *testing.T, a *Account) (in, out []string) {
	t.Helper()
	list, err := a.Folders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if why, _ := a.LeftOut(f.Name, ""); why != "" {
			out = append(out, string(f.Name))
		} else {
			in = append(in, string(f.Name))
		}
	}
	slices.Sort(in)
	slices.Sort(out)
	return in, out
}

func wantNames(t *testing.T, what string, got []string, want string) {
	t.Helper()
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("%s %s, want %s", what, s, want)
	}
}

// Namespaces of other kinds are left out unless chosen, keep their prefix and have
// delimiters of their own.
func TestNamespaceKinds(t *testing.T) {
	on := boxes(`() "." INBOX`, `() "." INBOX.Sent`, `() "." INBOX.user`, `() "/" "user/bob/A.B"`, `(\Noselect) "/" user`, `() "." News.local`)
	on["NAMESPACE"] = func(c *fakeConn, tag, _ string) {
		c.send(`* NAMESPACE (("INBOX." ".")) (("user/" "/")) (("" "."))`)
		c.send("%s OK done", tag)
	}
	f := newFake(t, allCaps, on)
	in, out := chosen(t, f.account())
	wantNames(t, "chosen", in, "INBOX, Sent, user")
	wantNames(t, "left out", out, "News/local, user/bob/A.B")

	a := f.account(func(c *Config) { c.Namespaces = []string{Shared, Personal, Other} })
	in, out = chosen(t, a)
	wantNames(t, "chosen", in, "INBOX, News/local, Sent, user, user/bob/A.B")
	wantNames(t, "left out", out, "")
	if got := f.sent("LIST"); !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, `user/*`) }) {
		t.Errorf("sent %q", got)
	}
	// A folder of the Maildir alone that would lie in a namespace that is not chosen.
	a = f.account()
	if _, err := a.Folders(t.Context()); err != nil {
		t.Fatal(err)
	}
	for folder, want := range map[mail.FolderName]string{"user/carol": "in the other namespace", "New": ""} {
		if why, err := a.LeftOut(folder, ""); why != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", folder, why, err, want)
		}
	}
}

// What a server will not tell of namespaces is no list without their folders, and
// without their names.
func TestNamespacesRefused(t *testing.T) {
	for _, c := range []struct{ namespace, list, want string }{
		{namespace: "NO [UNAVAILABLE] later", list: "OK done", want: "NAMESPACE"},
		{namespace: "BAD what", list: "OK done", want: "disable_extensions"},
		{namespace: "OK done", list: "NO not for you", want: `leave "other" out`},
	} {
		on := boxes(`() "/" INBOX`)
		all := on["LIST"]
		on["LIST"] = func(fc *fakeConn, tag, args string) {
			if strings.Contains(args, "user/*") {
				fc.send("%s %s", tag, c.list)
				return
			}
			all(fc, tag, args)
		}
		on["NAMESPACE"] = func(fc *fakeConn, tag, _ string) {
			fc.send(`* NAMESPACE (("" "/")) (("user/" "/")) NIL`)
			fc.send("%s %s", tag, c.namespace)
		}
		f := newFake(t, allCaps, on)
		_, err := f.account(func(c *Config) { c.Namespaces = []string{Personal, Other} }).Folders(t.Context())
		class := mail.ClassFailed
		if strings.Contains(c.namespace, "UNAVAILABLE") {
			class = mail.ClassTemporary
		}
		wantScope(t, err, mail.ScopeAccount, class, c.want)
	}
}

// Without LIST-EXTENDED LSUB tells what is subscribed, and is not guessed at.
func TestSubscribedByLsub(t *testing.T) {
	on := boxes(`() "/" inbox`, `() "/" "R&AOk-"`, `() "/" A`, `() "/" A/B`)
	answer := `* LSUB () "/" "R&AOk-"` + "\n" + `* LSUB (\Noselect) "/" A` + "\n" + `* LSUB () "/" A/B`
	on["LSUB"] = func(c *fakeConn, tag, _ string) { c.send("%s", answer); c.send("%s OK done", tag) }
	f := newFake(t, "IMAP4rev1", on)
	subscribed := func(c *Config) { c.Subscribed = true }
	in, out := chosen(t, f.account(subscribed))
	wantNames(t, "chosen", in, "A/B, INBOX, Ré")
	wantNames(t, "left out", out, "A")

	answer = "* LSUB () \"/\" \"\xe9\""
	if _, err := f.account(subscribed).Folders(t.Context()); err == nil {
		t.Error("an answer that cannot be read is taken for none")
	}
	on = boxes(`() "/" inbox`, `() "/" "R&AOk-"`, `() "/" A`, `() "/" A/B`)
	on["LSUB"] = func(c *fakeConn, tag, _ string) { c.send("%s NO %s", tag, answer) }
	f = newFake(t, "IMAP4rev1", on)
	for words, class := range map[string]mail.Class{"not here": mail.ClassFailed, "[UNAVAILABLE] later": mail.ClassTemporary} {
		answer = words
		_, err := f.account(subscribed).Folders(t.Context())
		wantScope(t, err, mail.ScopeAccount, class, "which folders are subscribed", words)
	}
	in, _ = chosen(t, f.account())
	wantNames(t, "chosen", in, "A, A/B, INBOX, Ré")
}

// Two mailboxes with one name are an error, unless one of them is left out anyway.
func TestRenameCollision(t *testing.T) {
	f := newFake(t, "IMAP4rev1 LIST-EXTENDED", boxes(`() "/" INBOX`, `(\Subscribed) "/" Sent`, `() "/" "[G]/Sent"`, `() "/" "[G]/INBOX"`, `() "/" "[G]/x"`))
	a := f.account(renaming("[G]/", ""))
	in, out := chosen(t, a)
	wantNames(t, "chosen", in, "INBOX, x")
	wantNames(t, "left out", out, "Sent")
	_, err := a.LeftOut("Sent", "")
	wantScope(t, err, mail.ScopeFolder, mail.ClassFailed, `"Sent"`, `"[G]/Sent"`, "rename")
	if w := strings.Join(a.Warnings(), "; "); !strings.Contains(w, `"[G]/INBOX" skipped`) {
		t.Errorf("warnings %s", w)
	}
	for _, was := range []mail.FolderName{"[G]/INBOX", "[G]/Sent"} {
		if why, _ := a.LeftOut("Elsewhere", was); why == "" {
			t.Errorf("what was %s is taken for gone", was)
		}
	}
	a = f.account(renaming("[G]/", ""), func(c *Config) { c.Subscribed = true })
	if in, _ = chosen(t, a); strings.Join(in, ", ") != "INBOX, Sent" {
		t.Errorf("chosen %s", in)
	}
}

// A new folder is made under the name that the entries give it back, else under
// its own; below a folder that is there, there.
func TestCreateRenamed(t *testing.T) {
	on := boxes(`() "/" INBOX`, `() "/" "[Gmail]/Sent Mail"`, `() "/" Mine`)
	on["CREATE"] = func(c *fakeConn, tag, args string) {
		if strings.Contains(args, "[Gmail]/New") {
			c.send("%s NO [CANNOT] not there", tag)
			return
		}
		c.send("%s OK done", tag)
	}
	f := newFake(t, "IMAP4rev1", on)
	a := f.account(renaming("[Gmail]/Sent Mail", "Sent", "[Gmail]/", ""))
	if _, err := a.Folders(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []mail.FolderName{"Sent/2020", "Mine/Sub", "New", "New/Sub"} {
		if err := a.CreateFolder(t.Context(), folder); err != nil {
			t.Error(err)
		}
	}
	got := strings.ReplaceAll(strings.Join(f.sent("CREATE"), "; "), `"`, "")
	if want := "CREATE [Gmail]/Sent Mail/2020; CREATE Mine/Sub; CREATE [Gmail]/New; CREATE New; CREATE New/Sub"; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
	a = f.account(renaming("A", "B"))
	if _, err := a.Folders(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantScope(t, a.CreateFolder(t.Context(), "A"), mail.ScopeFolder, mail.ClassFailed, "no mailbox can be this folder")
}

// A mailbox is not renamed where what lies below it there is not what lies below
// it here.
func TestRenameOtherFoldersBelow(t *testing.T) {
	on := boxes(`() "/" INBOX`, `() "/" A`, `() "/" A/x`, `() "/" B`, `() "/" B/y`, `() "/" C`, `() "/" C/z`)
	ok := func(c *fakeConn, tag, _ string) { c.send("%s OK done", tag) }
	on["RENAME"], on["SUBSCRIBE"], on["UNSUBSCRIBE"] = ok, ok, ok
	f := newFake(t, "IMAP4rev1", on)
	a := f.account(renaming("A/x", "Elsewhere", "B", "Near", "C/z", "N/z"))
	if _, err := a.Folders(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]mail.FolderName{{"A", "D"}, {"C", "D"}} {
		wantScope(t, a.RenameFolder(t.Context(), c[0], c[1]), mail.ScopeFolder, mail.ClassFailed, "other folders")
	}
	if err := a.RenameFolder(t.Context(), "Near", "Far"); err != nil {
		t.Error(err)
	}
	got := strings.ReplaceAll(strings.Join(f.sent("RENAME", "SUBSCRIBE"), "; "), `"`, "")
	if want := "RENAME B Far; SUBSCRIBE Far; SUBSCRIBE Far/y"; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
}

// Gone is what has none of the names that it may have had.
func TestMissingUnderEveryName(t *testing.T) {
	there := "New"
	on := boxes(`() "/" INBOX`)
	on["STATUS"] = func(c *fakeConn, tag, args string) {
		if strings.Trim(strings.TrimSuffix(args, "(UIDVALIDITY)"), `" `) == there {
			c.send("%s OK done", tag)
			return
		}
		c.send("%s NO [NONEXISTENT] no", tag)
	}
	f := newFake(t, "IMAP4rev1", on)
	a := f.account(renaming("[G]/", "", "A", "B"))
	if _, err := a.Folders(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		there  string
		folder mail.FolderName
		gone   bool
	}{{"New", "New", false}, {"[G]/New", "New", false}, {"", "New", true}, {"A", "B", false}, {"A", "A", true}, {"[G]/A", "A", false}} {
		there = c.there
		if gone, err := a.Missing(t.Context(), c.folder); gone != c.gone || err != nil {
			t.Errorf("with %q there %q is gone: %v, %v", c.there, c.folder, gone, err)
		}
	}
}

// Entries may have the prefix that is left out anyway.
func TestRenameWithPrefix(t *testing.T) {
	on := boxes(`() "." INBOX`, `() "." INBOX.Sent`, `() "." INBOX.A.b`, `() "." INBOX.C`)
	on["NAMESPACE"] = func(c *fakeConn, tag, _ string) {
		c.send(`* NAMESPACE (("INBOX." ".")) NIL NIL`)
		c.send("%s OK done", tag)
	}
	f := newFake(t, allCaps, on)
	for _, c := range []struct {
		entries []mail.FolderName
		want    string
	}{
		{[]mail.FolderName{"INBOX/", ""}, "A/b, C, INBOX, Sent"},
		{[]mail.FolderName{"INBOX/Sent", "Gesendet", "A", "B"}, "B/b, C, Gesendet, INBOX"},
		{[]mail.FolderName{"INBOX/", "Work/"}, "INBOX, Work/A/b, Work/C, Work/Sent"},
	} {
		in, _ := chosen(t, f.account(renaming(c.entries...)))
		wantNames(t, "chosen", in, c.want)
	}
}

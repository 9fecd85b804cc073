package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"imapsync/internal/dovecot"
	"imapsync/internal/proxy"
	"imapsync/mail"
)

// gmail is what a user of Gmail would write.
const gmail = `rename = { "[Gmail]/Sent Mail" = "Sent", "[Gmail]/" = "" }`

// hasMapped insists on exactly these folders, by the server's names, each with the
// same messages on both sides.
func (a *account) hasMapped(folders map[string]string) {
	a.t.Helper()
	var local, remote []string
	for server, folder := range folders {
		local, remote = append(local, folder), append(remote, server)
		sameBodies(a.t, folder, a.localBodies(folder), a.remoteBodies(server))
	}
	slices.Sort(local)
	slices.Sort(remote)
	boxes := a.phone.Folders()
	slices.Sort(boxes)
	if got := a.folders(); !slices.Equal(got, local) {
		a.t.Errorf("folders %q, want %q", got, local)
	}
	if !slices.Equal(boxes, remote) {
		a.t.Errorf("mailboxes %q, want %q", boxes, remote)
	}
}

// Folders have their names of the configuration in the Maildir; those made,
// renamed, deleted and moved between there go back by it.
func TestRename(t *testing.T) {
	t.Parallel()
	without := `disable_extensions = ["NAMESPACE", "LIST-EXTENDED", "SPECIAL-USE", "LIST-STATUS", "MOVE", "UIDPLUS"]`
	s := dovecot.Start(t)
	for i, extra := range []string{"", without} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, s, fmt.Sprintf("renamer%d", i), gmail, extra)
			a.phone.Create("[Gmail]/Sent Mail/2020", "[Gmail]/Sent Mail", "[Gmail]/Trash", "Mine")
			for i, box := range []string{"INBOX", "[Gmail]/Sent Mail", "[Gmail]/Sent Mail/2020", "[Gmail]/Trash", "Mine"} {
				a.seedRemote(uint64(i), box, 3)
			}
			a.sync(0)
			a.hasMapped(map[string]string{"INBOX": "INBOX", "[Gmail]/Sent Mail": "Sent", "[Gmail]/Sent Mail/2020": "Sent/2020", "[Gmail]/Trash": "Trash", "Mine": "Mine"})
			a.syncQuiet()

			a.seedLocal(9, "Sent/2021", 1)
			a.seedLocal(10, "Mine/Sub", 1)
			a.seedLocal(11, "New", 1)
			a.files("Trash")[0].move("Sent/2020")
			a.phone.Create("[Gmail]/Spam")
			a.seedRemote(12, "[Gmail]/Spam", 2)
			a.sync(0)
			a.hasMapped(map[string]string{"INBOX": "INBOX", "[Gmail]/Sent Mail": "Sent", "[Gmail]/Sent Mail/2020": "Sent/2020", "[Gmail]/Trash": "Trash", "Mine": "Mine",
				"[Gmail]/Sent Mail/2021": "Sent/2021", "Mine/Sub": "Mine/Sub", "[Gmail]/New": "New", "[Gmail]/Spam": "Spam"})
			a.syncQuiet()

			if err := os.Rename(a.path("Sent"), a.path("Gesendet")); err != nil {
				t.Fatal(err)
			}
			a.phone.Rename("[Gmail]/Trash", "[Gmail]/Papierkorb")
			a.removeFolder("New")
			a.phone.Delete("Mine/Sub")
			a.sync(0)
			a.hasMapped(map[string]string{"INBOX": "INBOX", "[Gmail]/Gesendet": "Gesendet", "[Gmail]/Gesendet/2020": "Gesendet/2020", "[Gmail]/Gesendet/2021": "Gesendet/2021",
				"[Gmail]/Papierkorb": "Papierkorb", "Mine": "Mine", "[Gmail]/Spam": "Spam"})
			a.syncQuiet("--full")
		})
	}
}

// A rename that is changed renames folders of the Maildir, and nothing else, also
// where names are exchanged and where the new name is left out.
func TestRenameChanged(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.phone.Create("A", "A/Sub", "B", "C")
	for i, box := range []string{"INBOX", "A", "A/Sub", "B", "C"} {
		a.seedRemote(uint64(i), box, 4)
	}
	a.configure(`rename = { "A" = "First" }`)
	a.sync(0)
	a.hasMapped(map[string]string{"INBOX": "INBOX", "A": "First", "A/Sub": "First/Sub", "B": "B", "C": "C"})
	before := a.remote()
	for _, c := range []struct {
		config []string
		want   map[string]string
	}{
		{[]string{`rename = { "A" = "Second" }`}, map[string]string{"INBOX": "INBOX", "A": "Second", "A/Sub": "Second/Sub", "B": "B", "C": "C"}},
		{nil, map[string]string{"INBOX": "INBOX", "A": "A", "A/Sub": "A/Sub", "B": "B", "C": "C"}},
		{[]string{`rename = { "A" = "B", "B" = "A" }`}, map[string]string{"INBOX": "INBOX", "A": "B", "A/Sub": "B/Sub", "B": "A", "C": "C"}},
		{[]string{`rename = { "" = "Work/" }`}, map[string]string{"INBOX": "INBOX", "A": "Work/A", "A/Sub": "Work/A/Sub", "B": "Work/B", "C": "Work/C"}},
	} {
		a.configure(c.config...)
		a.proxy.Reset()
		a.sync(0)
		if changing := proxy.Changing(a.proxy.Commands()); len(changing) > 0 {
			t.Errorf("%q sent %q", c.config, changing)
		}
		if fetched := a.bodiesFetched(); len(fetched) > 0 {
			t.Errorf("%q fetched %q", c.config, fetched)
		}
		mustEqual(t, "remote", a.remote(), before)
		a.hasMapped(c.want)
		a.syncQuiet()
	}
	// The folder has a name now that is left out: it is neither gone nor new.
	a.configure(`folders = ["*", "!C"]`, `rename = { "" = "Work/", "C" = "C" }`)
	files := a.localBodies("Work/C")
	a.syncQuiet()
	sameBodies(t, "Work/C", a.localBodies("Work/C"), files)
	mustEqual(t, "remote", a.remote(), before)
}

// Of two mailboxes with one name neither is touched, and all else is done.
func TestRenameCollides(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.phone.Create("Sent", "Gesendet", "Other")
	a.sync(0)
	a.configure(`rename = { "Gesendet" = "Sent" }`)
	for i, box := range []string{"Sent", "Gesendet", "Other"} {
		a.seedRemote(uint64(i), box, 2)
	}
	a.deliver("Sent", small(9, 1)[0])
	a.proxy.Reset()
	r := a.sync(1)
	mustSay(t, r, "Sent", `"Gesendet"`, "would both be this folder", "rename")
	sameBodies(t, "Other", a.localBodies("Other"), a.remoteBodies("Other"))
	if got := a.folders(); !slices.Equal(got, []string{"Gesendet", "INBOX", "Other", "Sent"}) {
		t.Errorf("folders %q", got)
	}
	if n, m := len(a.files("Sent")), len(a.phone.UIDs("Sent")); n != 1 || m != 2 {
		t.Errorf("%d files and %d messages in Sent, want 1 and 2", n, m)
	}
	a.configure()
	a.sync(0)
	a.converged()
}

// INBOX may be spelt another way on disk; one that is spelt otherwise than the
// configuration says is not believed to be gone.
func TestInboxSpelling(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.configure(`inbox = "Inbox"`)
	a.phone.Create("INBOX/Sub")
	a.seedRemote(1, "INBOX", 3)
	a.seedRemote(2, "INBOX/Sub", 1)
	a.sync(0)
	if got := a.folders(); !slices.Equal(got, []string{"Inbox", "Inbox/Sub"}) {
		t.Errorf("folders %q", got)
	}
	a.syncQuiet()
	a.configure()
	before := a.remote()
	mustSay(t, a.sync(5), "was laid out as verbatim, inbox Inbox and is to be verbatim now")
	forget := func() {
		if err := os.Remove(filepath.Join(a.state, "test.db")); err != nil {
			t.Fatal(err)
		}
	}
	forget()
	mustSay(t, a.sync(1), "rename it to INBOX")
	mustEqual(t, "remote", a.remote(), before)
	a.configure(`inbox = "inbox"`)
	forget()
	a.sync(1)
	mustEqual(t, "remote", a.remote(), before)
	a.configure(`inbox = "Inbox"`)
	forget()
	a.deliver("Inbox", small(9, 1)[0])
	a.sync(0)
	sameBodies(t, "INBOX", a.localBodies("Inbox"), a.remoteBodies("INBOX"))
}

// Of the folders only those that are subscribed are synchronised; one that is not
// any more is left alone on both sides.
func TestSubscribed(t *testing.T) {
	t.Parallel()
	s := dovecot.Start(t)
	for i, extra := range []string{"", `disable_extensions = ["LIST-EXTENDED"]`} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, s, fmt.Sprintf("subscriber%d", i), "subscribed = true", extra)
			a.phone.Create("Wanted & Süß", "Unwanted", "Wanted & Süß/Not")
			a.phone.Subscribe("Wanted & Süß")
			for i, box := range []string{"INBOX", "Wanted & Süß", "Unwanted", "Wanted & Süß/Not"} {
				a.seedRemote(uint64(i), box, 2)
			}
			a.sync(0)
			if got := a.folders(); !slices.Equal(got, []string{"INBOX", "Wanted & Süß"}) {
				t.Errorf("folders %q", got)
			}
			a.seedLocal(7, "Made here", 1)
			a.sync(0)
			sameBodies(t, "Made here", a.localBodies("Made here"), a.remoteBodies("Made here"))
			a.syncQuiet()

			a.phone.Unsubscribe("Wanted & Süß")
			remote, local := a.remote(), a.local()
			a.deliver("Wanted & Süß", small(9, 1)[0])
			a.files("Wanted & Süß")[0].remove()
			a.syncQuiet("--full")
			mustEqual(t, "remote", a.remote(), remote)
			if n := a.local().total(); n != local.total() {
				t.Errorf("%d files, want %d", n, local.total())
			}
			a.phone.Subscribe("Wanted & Süß")
			a.sync(0)
			sameBodies(t, "Wanted & Süß", a.localBodies("Wanted & Süß"), a.remoteBodies("Wanted & Süß"))
		})
	}
}

// shared starts a server with public mailboxes and one that bob shares with alice.
func shared(t *testing.T, without ...string) *account {
	t.Helper()
	s := dovecot.Start(t, dovecot.Without(without...), dovecot.WithShared(
		"Public user=keeper lrwstipekxa", "Public/* user=keeper lrwstipekxa",
		"Public/News user=alice lr", "Public/Read user=alice lrs", "Public/Team user=alice lrwstiekx"))
	keeper := newAccount(t, s, "keeper")
	keeper.phone.Create("Public/News", "Public/Read", "Public/Team")
	for i, box := range []string{"Public/News", "Public/Read", "Public/Team"} {
		keeper.seedRemote(uint64(20+i), box, 3)
	}
	bob := newAccount(t, s, "bob")
	bob.phone.Create("Plans")
	bob.seedRemote(30, "Plans", 2)
	bob.phone.Share("Plans", "alice", "lr")
	a := newAccount(t, s, "alice")
	a.seedRemote(40, "INBOX", 1)
	return a
}

func TestNamespaces(t *testing.T) {
	t.Parallel()
	a := shared(t)
	a.sync(0)
	if got := a.folders(); !slices.Equal(got, []string{"INBOX"}) {
		t.Errorf("folders %q", got)
	}
	mustSay(t, a.run("folders"), "Public/News", "left out, in the shared namespace", "left out, in the other namespace")
	a.configure(`namespaces = ["personal", "other", "shared"]`)
	a.sync(0)
	want := []string{"INBOX", "Public/News", "Public/Read", "Public/Team", "shared/bob/Plans"}
	if got := a.folders(); !slices.Equal(got, want) {
		t.Errorf("folders %q, want %q", got, want)
	}
	for _, folder := range want {
		sameBodies(t, folder, a.localBodies(folder), a.remoteBodies(folder))
	}
	a.syncQuiet()
	// What is left out again is neither gone nor sent.
	a.configure()
	a.deliver("Public/Team", small(9, 1)[0])
	a.seedLocal(10, "Public/Mine", 1)
	a.syncQuiet("--full")
}

// In what may only be read changes of the Maildir are kept and not sent, while what
// others change is taken; without ACL a SELECT tells that it is read-only.
func TestReadOnlyFolders(t *testing.T) {
	t.Parallel()
	for _, without := range [][]string{nil, {"ACL", "RIGHTS=texk"}} {
		t.Run(strings.Join(without, " "), func(t *testing.T) {
			t.Parallel()
			a := shared(t, without...)
			all := `namespaces = ["personal", "other", "shared"]`
			a.configure(all)
			a.sync(0)
			keeper := newAccount(t, a.server, "keeper")
			news := a.files("Public/News")
			news[0].remove()
			news[1].setFlags(mail.NewFlags(mail.Flagged | mail.Seen))
			a.deliver("Public/News", small(50, 1)[0])
			a.deliver("shared/bob/Plans", small(51, 1)[0])
			a.files("Public/Team")[0].remove()
			a.files("INBOX")[0].move("Public/News")
			before := keeper.remoteBodies("Public/News")
			plan := a.run("plan")
			if plan.code != 0 || strings.Contains(plan.output(), "News") {
				t.Errorf("the plan %v", plan)
			}
			r := a.sync(0)
			if strings.Contains(r.output(), "News") {
				t.Errorf("%v", r)
			}
			mustSay(t, a.sync(0, "-v"), "the server does not allow", "Public/News")
			sameBodies(t, "Public/News", keeper.remoteBodies("Public/News"), before)
			if n := len(a.phone.UIDs("INBOX")); n != 1 {
				t.Errorf("%d messages in INBOX, want 1", n)
			}
			if n := len(a.phone.UIDs("Public/Team")); n != 2 {
				t.Errorf("%d messages in Public/Team, want 2", n)
			}
			if n := len(a.files("Public/News")); n != 4 {
				t.Errorf("%d files in Public/News, want 4", n)
			}
			keeper.seedRemote(60, "Public/News", 1)
			keeper.phone.Expunge("Public/News", keeper.phone.UIDs("Public/News")[2])
			a.sync(0)
			if n := len(a.files("Public/News")); n != 4 {
				t.Errorf("%d files in Public/News, want 4", n)
			}
			a.proxy.Reset()
			a.sync(0)
			if changing := proxy.Changing(a.proxy.Commands()); len(changing) > 0 {
				t.Errorf("sent %q", changing)
			}
		})
	}
}

var sentElsewhere = dovecot.WithExtra("namespace inbox {\n mailbox Gesendet {\n  special_use = \\Sent\n  auto = create\n }\n}")

// notInEarnest: this server announces it and cannot do it.
var notInEarnest = dovecot.Pretending("CREATE-SPECIAL-USE")

// lineWith is the line of a text that holds a part.
func lineWith(text, part string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return line
		}
	}
	return ""
}

// A folder with a well-known name is made with its purpose where no other has it,
// and without where the server refuses that.
func TestSpecialUse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		options []dovecot.Option
		extra   string
		created []string          // with their purpose
		want    map[string]string // what folders are for
	}{
		{"in use", []dovecot.Option{sentElsewhere, notInEarnest}, "", []string{"Drafts"}, map[string]string{"Gesendet": `\Sent`, "Sent": "", "Drafts": ""}},
		{"refused", []dovecot.Option{notInEarnest}, "", []string{"Drafts", "Sent"}, map[string]string{"Sent": "", "Drafts": ""}},
		{"not offered", nil, "", nil, map[string]string{"Sent": "", "Drafts": ""}},
		{"not known", []dovecot.Option{notInEarnest}, `disable_extensions = ["SPECIAL-USE", "LIST-EXTENDED"]`, nil, map[string]string{"Sent": "", "Drafts": ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := single(t, c.options...)
			a.configure(c.extra)
			a.seedLocal(1, "Sent", 1)
			a.seedLocal(2, "Drafts", 1)
			a.proxy.Reset()
			a.sync(0)
			a.converged()
			var created []string
			for _, command := range a.proxy.Commands() {
				for _, name := range []string{"Drafts", "Sent"} {
					if contains(command, fmt.Sprintf(`(USE (\%s))`, name)) {
						created = append(created, name)
					}
				}
			}
			if !slices.Equal(created, c.created) {
				t.Errorf("created for their purpose %q, want %q", created, c.created)
			}
			text, list := a.run("folders").output(), a.run("--json", "folders").output()
			for folder, use := range c.want {
				line := lineWith(text, "  "+folder+" ")
				object := lineWith(list, fmt.Sprintf(`"folder":%q`, folder))
				if use == "" && strings.Contains(object, "special_use") ||
					use != "" && (!strings.Contains(line, use) || !strings.Contains(object, fmt.Sprintf(`"special_use":[%q]`, use))) {
					t.Errorf("%s is for %q:\n%s\n%s", folder, use, line, object)
				}
			}
		})
	}
}

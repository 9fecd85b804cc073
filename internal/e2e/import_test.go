package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"imapsync/config"
	"imapsync/internal/bench/bare"
	"imapsync/internal/corpus"
	"imapsync/internal/dovecot"
	"imapsync/internal/proxy"
	"imapsync/mail"
)

// mbsync runs the real mbsync with a configuration of its own.
func (a *account) mbsync(rc string) {
	a.t.Helper()
	a.old("/usr/bin/mbsync", "-q", "-c", rc, "-a")
}

// old runs a program that imapsync replaces.
func (a *account) old(program string, args ...string) {
	a.t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "HOME="+a.dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		a.t.Fatalf("%s: %v\n%s", program, err, out)
	}
}

// mbsyncrc writes a configuration for the account; store is the MaildirStore's
// section and channel the Channel's, but for their first lines.
func (a *account) mbsyncrc(store, channel string) string {
	a.t.Helper()
	rc := filepath.Join(a.dir, "mbsyncrc")
	if err := os.MkdirAll(a.root, 0o700); err != nil {
		a.t.Fatal(err)
	}
	a.write(rc, fmt.Sprintf("FSync no\nSyncState *\n\nIMAPAccount test\nHost 127.0.0.1\nPort %d\nSSLType None\nAuthMechs LOGIN\nUser %s\nPass %s\n\n"+
		"IMAPStore far\nAccount test\n\nMaildirStore near\n%s\n\nChannel test\nMaster :far:\nSlave :near:\nCreate Both\nRemove Both\nExpunge Both\n%s\n",
		a.proxy.Port(), a.user, a.server.Password, store, channel))
	return rc
}

// imports makes the account's configuration of another program's.
func (a *account) imports(program, file string) {
	a.t.Helper()
	if err := os.Remove(a.config); err != nil {
		a.t.Fatal(err)
	}
	if r := a.run("import", program, file); r.code != 0 || !strings.Contains(r.stdout, "written to "+a.config+": test") {
		a.t.Fatalf("import: %v", r)
	}
	text, err := os.ReadFile(a.config)
	if err != nil {
		a.t.Fatal(err)
	}
	info, err := os.Stat(a.config)
	if err != nil || info.Mode().Perm() != 0o600 {
		a.t.Errorf("the configuration has mode %v, %v", info.Mode(), err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if key, _, ok := strings.Cut(line, " = "); !ok || knownKey(key) {
			lines = append(lines, line)
		}
	}
	a.write(a.config, fmt.Sprintf("state_dir = %q\n", a.state)+strings.Join(lines, ""))
}

// knownKey reports whether this version has a key that an import may write.
func knownKey(name string) bool {
	return slices.ContainsFunc(config.Keys(), func(k config.Key) bool { return k.Name == name })
}

// adopted insists that a first run takes the Maildir as it is: nothing is
// transferred, sent or renamed, and then there is nothing to do.
func (a *account) adopted() {
	a.t.Helper()
	before, want := a.stamps(), a.remote()
	a.proxy.Reset()
	a.sync(0)
	a.nothingTransferred()
	for _, c := range proxy.Changing(a.proxy.Commands()) {
		a.t.Errorf("the first run sent %q", c)
	}
	after := a.stamps()
	for file, stamp := range before {
		if strings.Contains(file, "/cur/") || strings.Contains(file, "/new/") {
			if after[file] != stamp {
				a.t.Errorf("the first run touched %s", file)
			}
		}
	}
	mustEqual(a.t, "remote", a.remote(), want)
	a.syncQuiet()
	a.syncQuiet("--full")
}

// withoutKeywords are small messages with flags that other programs carry over.
func withoutKeywords(seed uint64, n int) []corpus.Message {
	g := corpus.New(seed)
	messages := make([]corpus.Message, n)
	for i := range messages {
		messages[i] = g.Sized(900)
		messages[i].Flags = mail.NewFlags(messages[i].Flags.System &^ mail.Forwarded) // which offlineimap does not know
	}
	return messages
}

// mbsyncNames writes folder names as mbsync and offlineimap leave them on disk.
func mbsyncNames(folder string) string {
	return strings.NewReplacer("INBOX", "Inbox", "ä", "&AOQ-", "R&D", "R&-D").Replace(folder)
}

func offlineimapNames(folder string) string {
	return strings.NewReplacer("/", ".", "ä", "&AOQ-", "R&D", "R&-D").Replace(folder)
}

var importFolders = []string{"INBOX", "Gäste", "Lists/go", "R&D"}

// seedImport fills the server: in all n messages, a part of them in each folder.
func (a *account) seedImport(n int) {
	a.t.Helper()
	a.phone.Create(importFolders[1:]...)
	fast, err := bare.Dial(a.server.Addr(), a.user, a.server.Password)
	if err != nil {
		a.t.Fatal(err)
	}
	defer fast.Close()
	for i, folder := range importFolders {
		messages := withoutKeywords(uint64(i), n/len(importFolders))
		err := fast.Append(mail.EncodeUTF7(folder), len(messages), 100, func(j int) (bare.Upload, error) {
			m := messages[j]
			if j%10 == 0 { // which offlineimap writes otherwise
				m.Body = append([]byte("X-Mailer:none\nX-Tabs:\t\tvalue\nX-Empty:\n"), m.Body...)
			}
			return bare.Upload{Flags: m.Flags.IMAP(), Date: m.Date, Body: corpus.Wire(m.Body)}, nil
		})
		if err != nil {
			a.t.Fatal(err)
		}
	}
}

// goOn carries over changes of both sides after an import.
func (a *account) goOn() {
	a.t.Helper()
	guests, research := len(a.phone.UIDs("Gäste")), len(a.files("R&D"))
	a.files("Gäste")[0].remove()
	a.phone.Append("R&D", noFlags, someDate, corpus.Wire(small(20, 1)[0].Body))
	a.phone.Store("INBOX", mail.NewFlags(mail.Flagged), noFlags, a.phone.UIDs("INBOX")[7])
	a.sync(0)
	if n := len(a.phone.UIDs("Gäste")); n != guests-1 {
		a.t.Errorf("%d messages in Gäste, were %d", n, guests)
	}
	if n := len(a.files("R&D")); n != research+1 {
		a.t.Errorf("%d files in R&D, were %d", n, research)
	}
	a.syncQuiet()
}

// marked counts the messages on the server that have a header field.
func (a *account) marked(folder, field string) (n int) {
	a.t.Helper()
	for _, m := range a.phone.Messages(folder) {
		if strings.Contains(strings.ToLower(string(m.Body)), "\n"+field) {
			n++
		}
	}
	return n
}

func TestImportMbsync(t *testing.T) {
	t.Parallel()
	dovecot.Need(t, "/usr/bin/mbsync", "isync")
	t.Run("10,000", func(t *testing.T) { importMbsync(t, 9_920) })
	t.Run("without UIDPLUS", func(t *testing.T) { importMbsync(t, 80, dovecot.Without("UIDPLUS")) })
}

func importMbsync(t *testing.T, n int, options ...dovecot.Option) {
	a := single(t, options...)
	a.folderDir = mbsyncNames
	a.seedImport(n)
	rc := a.mbsyncrc(fmt.Sprintf("Path %s/\nInbox %s/Inbox\nSubFolders Verbatim", a.root, a.root), "Patterns *")
	a.mbsync(rc)
	for i, folder := range []string{"INBOX", "Gäste"} { // which mbsync uploads
		for _, m := range withoutKeywords(uint64(10+i), 40) {
			a.deliver(folder, m)
		}
	}
	a.mbsync(rc)
	if got := a.remote().total(); got != n+80 {
		t.Fatalf("%d messages on the server, want %d", got, n+80)
	}
	if len(options) > 0 && a.marked("INBOX", "x-tuid:") != 40 {
		t.Errorf("mbsync marked %d messages", a.marked("INBOX", "x-tuid:"))
	}
	a.imports("mbsync", rc)
	a.adopted()
	a.goOn()
}

func TestImportOfflineimap(t *testing.T) {
	t.Parallel()
	dovecot.Need(t, "/usr/bin/offlineimap", "offlineimap3")
	t.Run("10,000", func(t *testing.T) { importOfflineimap(t, 9_920) })
	t.Run("without UIDPLUS", func(t *testing.T) { importOfflineimap(t, 80, dovecot.Without("UIDPLUS")) })
}

func importOfflineimap(t *testing.T, n int, options ...dovecot.Option) {
	a := single(t, options...)
	a.folderDir = offlineimapNames
	a.seedImport(n)
	rc := a.offlineimaprc("", "")
	a.offlineimap(rc)
	for i, folder := range []string{"INBOX", "Gäste"} { // which offlineimap uploads
		for _, m := range withoutKeywords(uint64(10+i), 40) {
			a.deliver(folder, m)
		}
	}
	a.offlineimap(rc)
	if got := a.remote().total(); got != n+80 {
		t.Fatalf("%d messages on the server, want %d", got, n+80)
	}
	if len(options) > 0 && a.marked("INBOX", "x-offlineimap:") != 40 {
		t.Errorf("offlineimap marked %d messages", a.marked("INBOX", "x-offlineimap:"))
	}
	a.imports("offlineimap", rc)
	a.adopted()
	if r := a.run("verify"); r.code != 0 || !strings.Contains(r.stdout, "0 differences pending, 0 wrong") {
		t.Errorf("verify: %v", r)
	}
	a.goOn()
}

// offlineimaprc writes a configuration for the account, with further options of
// the repositories.
func (a *account) offlineimaprc(local, remote string) string {
	a.t.Helper()
	rc := filepath.Join(a.dir, "offlineimaprc")
	a.write(rc, fmt.Sprintf("[general]\naccounts = test\nfsync = false\nmetadata = %s/metadata\n"+
		"[Account test]\nlocalrepository = local\nremoterepository = remote\n"+
		"[Repository local]\ntype = Maildir\nlocalfolders = %s\n%s\n"+
		"[Repository remote]\ntype = IMAP\nremotehost = 127.0.0.1\nremoteport = %d\nssl = no\nstarttls = no\n"+
		"remoteuser = %s\nremotepass = %s\nauth_mechanisms = LOGIN\n%s\n",
		a.dir, a.root, local, a.proxy.Port(), a.user, a.server.Password, remote))
	return rc
}

// offlineimap runs the real offlineimap with a configuration of its own.
func (a *account) offlineimap(rc string) {
	a.t.Helper()
	a.old("/usr/bin/offlineimap", "-o", "-u", "quiet", "-c", rc)
}

// plusPlus writes folder names as they are in a Maildir++.
func plusPlus(folder string) string {
	if folder == "INBOX" {
		return "."
	}
	return "." + offlineimapNames(folder)
}

func TestImportLayouts(t *testing.T) {
	t.Parallel()
	nested := func(folder string) string { return strings.NewReplacer("ä", "&AOQ-", "R&D", "R&-D").Replace(folder) }
	root := func(folder string) string { return strings.Replace(nested(folder), "INBOX", ".", 1) }
	for name, c := range map[string]struct {
		names         func(string) string
		store         string // of mbsync, ROOT for the Maildir; else what follows is offlineimap's
		local, remote string
		options       []dovecot.Option
	}{
		"mbsync Maildir++":      {names: plusPlus, store: "Inbox ROOT\nSubFolders Maildir++"},
		"mbsync Flatten":        {names: offlineimapNames, store: "Path ROOT/\nInbox ROOT/INBOX\nFlatten ."},
		"mbsync Inbox is Path":  {names: root, store: "Path ROOT/\nInbox ROOT\nSubFolders Verbatim"},
		"mbsync namespace":      {names: nested, store: "Path ROOT/\nInbox ROOT/INBOX\nSubFolders Verbatim", options: []dovecot.Option{dovecot.WithNamespace("INBOX.", ".")}},
		"offlineimap nested":    {names: nested, local: "sep = /"},
		"offlineimap Maildir++": {names: plusPlus, remote: `nametrans = lambda f: re.sub('^INBOX\.*', '.', f)`, local: `nametrans = lambda f: re.sub('^\.', 'INBOX.', f) if f != '.' else 'INBOX'`, options: []dovecot.Option{dovecot.WithNamespace("INBOX.", ".")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program, debian, _ := strings.Cut(map[bool]string{true: "/usr/bin/mbsync isync", false: "/usr/bin/offlineimap offlineimap3"}[c.store != ""], " ")
			dovecot.Need(t, program, debian)
			a := single(t, c.options...)
			a.folderDir = c.names
			for i, folder := range importFolders {
				if folder != "INBOX" {
					a.phone.Create(a.theirs(folder))
				}
				for _, m := range withoutKeywords(uint64(i), 10) {
					a.phone.Append(a.theirs(folder), m.Flags, m.Date, corpus.Wire(m.Body))
				}
			}
			if c.store != "" {
				rc := a.mbsyncrc(strings.ReplaceAll(c.store, "ROOT", a.root), "Patterns * INBOX")
				a.mbsync(rc)
				a.imports("mbsync", rc)
			} else {
				rc := a.offlineimaprc(c.local, c.remote)
				a.offlineimap(rc)
				a.imports("offlineimap", rc)
			}
			for _, folder := range importFolders {
				if n := len(a.files(folder)); n != 10 {
					t.Errorf("%s has %d files", folder, n)
				}
			}
			a.adopted()
		})
	}
}

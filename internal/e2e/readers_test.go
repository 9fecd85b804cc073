package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"imapsync/internal/dovecot"
	"imapsync/mail"
)

func TestNotmuchIndexesTheResult(t *testing.T) {
	t.Parallel()
	dovecot.Need(t, "/usr/bin/notmuch", "notmuch")
	a := single(t)
	a.phone.Create("Arbeit/Übung")
	a.seedRemote(1, "INBOX", 20)
	a.seedRemote(2, "Arbeit/Übung", 10)
	a.sync(0)

	config := filepath.Join(a.dir, "notmuch-config")
	a.write(config, fmt.Sprintf("[database]\npath=%s\n[user]\nname=Me\nprimary_email=me@example.org\n[new]\ntags=unread;inbox\nignore=.imapsync-id;dovecot-keywords\n"+
		"[maildir]\nsynchronize_flags=true\n", a.root))
	notmuch := func(args ...string) string {
		cmd := exec.Command("/usr/bin/notmuch", args...)
		cmd.Env = append(os.Environ(), "NOTMUCH_CONFIG="+config, "HOME="+a.dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("notmuch %q: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	out := notmuch("new")
	if strings.Contains(out, "non-mail") || strings.Contains(out, "ignoring") {
		t.Errorf("notmuch new says:\n%s", out)
	}
	if n := notmuch("count", "*"); n != "30" {
		t.Errorf("notmuch counts %s messages, want 30", n)
	}
	if n := notmuch("count", "path:Arbeit/Übung/**"); n != "10" {
		t.Errorf("notmuch counts %s messages in the folder, want 10", n)
	}
	// Reading and flagging in notmuch reaches the server.
	notmuch("tag", "-unread", "+flagged", "--", "path:Arbeit/Übung/**")
	a.sync(0)
	for _, m := range a.phone.Messages("Arbeit/Übung") {
		if m.Flags.System&(mail.Seen|mail.Flagged) != mail.Seen|mail.Flagged {
			t.Errorf("UID %d has %v on the server", m.UID, m.Flags)
		}
	}
	a.converged()
	// notmuch keeps its index in the Maildir, where it is no folder.
	for _, folder := range a.phone.Folders() {
		if strings.Contains(folder, "notmuch") || strings.Contains(folder, "xapian") {
			t.Errorf("notmuch's own directory became the mailbox %q", folder)
		}
	}
	a.syncQuiet()
}

func TestMuttReadsAndFlags(t *testing.T) {
	t.Parallel()
	dovecot.Need(t, "/usr/bin/mutt", "mutt")
	a := single(t)
	messages := a.seedRemote(1, "INBOX", 6)
	a.phone.Store("INBOX", noFlags, mail.NewFlags(mail.AllSystem), a.phone.UIDs("INBOX")...)
	a.phone.Store("INBOX", mail.NewFlags(0, "todo"), noFlags, a.phone.UIDs("INBOX")...)
	a.sync(0)

	// Flag everything, mark all but the last as read, delete the first, quit.
	a.mutt(`<first-entry><tag-pattern>~A<enter><tag-prefix><flag-message>` +
		`<tag-prefix><clear-flag>N<first-entry><delete-message><sync-mailbox><quit>`)
	a.sync(0)
	a.converged()
	left := a.phone.Messages("INBOX")
	if len(left) != len(messages)-1 {
		t.Errorf("%d messages on the server, want %d", len(left), len(messages)-1)
	}
	for _, m := range left {
		if want := mail.NewFlags(mail.Seen|mail.Flagged, "todo"); !m.Flags.Minus(mail.NewFlags(0, "work", "$Label1", "$Junk", "NonJunk")).Equal(want) {
			t.Errorf("UID %d has %v on the server, want %v", m.UID, m.Flags, want)
		}
	}
	a.syncQuiet()
}

// mutt opens INBOX in mutt on a terminal of its own and types keys.
func (a *account) mutt(keys string) {
	a.t.Helper()
	rc := filepath.Join(a.dir, "muttrc")
	a.write(rc, fmt.Sprintf("set mbox_type=Maildir\nset folder=%q\nset delete=yes\nset quit=yes\nset move=no\nset confirmappend=no\n"+
		"set header_cache=\"\"\nset wait_key=no\nset sleep_time=0\nset maildir_trash=no\nset mark_old=no\npush %q\n", a.root, keys))
	cmd := exec.Command("/usr/bin/script", "-qec", fmt.Sprintf("/usr/bin/mutt -n -F %s -f %s", rc, a.path("INBOX")), "/dev/null")
	cmd.Env = append(os.Environ(), "TERM=xterm", "HOME="+a.dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		a.t.Fatalf("mutt: %v\n%q", err, out)
	}
}

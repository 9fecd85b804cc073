package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"imapsync/internal/dovecot"
	"imapsync/mail"
)

// TestHooksFeedNotmuch: notmuch knows each run's mail when the run ends, and
// what it does in a hook gives the next run nothing to do.
func TestHooksFeedNotmuch(t *testing.T) {
	t.Parallel()
	dovecot.Need(t, "/usr/bin/notmuch", "notmuch")
	a := single(t)
	config, arrived := filepath.Join(a.dir, "notmuch-config"), filepath.Join(a.dir, "arrived")
	a.write(config, fmt.Sprintf("[database]\npath=%s\n[user]\nname=Me\nprimary_email=me@example.org\n[new]\ntags=unread;inbox\nignore=.imapsync-id;dovecot-keywords\n"+
		"[maildir]\nsynchronize_flags=true\n", a.root))
	a.configure("[accounts.test.hooks]",
		fmt.Sprintf("after_sync = %q", "NOTMUCH_CONFIG="+config+" notmuch new --quiet"),
		fmt.Sprintf("on_new_mail = %q", "cat >>"+arrived))
	count := func(query string) string {
		cmd := exec.Command("/usr/bin/notmuch", "count", query)
		cmd.Env = append(os.Environ(), "NOTMUCH_CONFIG="+config, "HOME="+a.dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("notmuch count: %v\n%s", err, out)
		}
		return strings.TrimSpace(string(out))
	}

	a.phone.Create("Arbeit/Übung")
	a.seedRemote(1, "INBOX", 20)
	a.seedRemote(2, "Arbeit/Übung", 10)
	a.sync(0)
	if n := count("*"); n != "30" {
		t.Errorf("notmuch knows %s messages after the first run, want 30", n)
	}
	told, err := os.ReadFile(arrived)
	if err != nil {
		t.Fatal(err)
	}
	var there []string
	for _, folder := range a.folders() {
		for _, f := range a.files(folder) {
			there = append(there, f.path)
		}
	}
	paths := strings.Fields(string(told))
	slices.Sort(paths)
	if slices.Sort(there); !slices.Equal(paths, there) {
		t.Errorf("the hook was told of %q, there are %q", paths, there)
	}
	a.syncQuiet()

	a.phone.Store("INBOX", mail.NewFlags(mail.Flagged), noFlags, a.phone.UIDs("INBOX")[:3]...)
	flagged := count("tag:flagged")
	a.sync(0)
	if n := count("tag:flagged"); n == flagged {
		t.Errorf("notmuch has %s flagged messages, before and after three more were flagged", n)
	}
	a.converged()
	a.syncQuiet()
}

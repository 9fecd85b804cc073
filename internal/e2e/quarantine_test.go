package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"imapsync/internal/corpus"
	"imapsync/internal/dovecot"
	"imapsync/mail"
)

// A message that is larger than the server takes is set aside; the others, and
// later ones, go their way.
func TestRefusedMessageIsSetAside(t *testing.T) {
	t.Parallel()
	a := single(t, dovecot.WithQuota(100<<20), dovecot.WithExtra("plugin {\n quota_max_mail_size = 20k\n}"))
	a.seedLocal(1, "INBOX", 3)
	large := corpus.New(2).Sized(100_000)
	refused := a.deliver("INBOX", large)
	for try := 1; try <= 3; try++ {
		a.proxy.Reset()
		mustSay(t, a.sync(1), refused.key())
		if n := len(a.phone.UIDs("INBOX")); n != 2+try {
			t.Errorf("run %d: %d messages on the server, want %d", try, n, 2+try)
		}
		appends := len(linesWith(strings.Join(a.proxy.Commands(), "\n"), "APPEND"))
		// What is refused together is sent again one by one; the third leaves it alone.
		if want := map[int]int{1: 1 + 4, 2: 1 + 2, 3: 1}[try]; appends != want {
			t.Errorf("run %d: %d APPENDs sent, want %d", try, appends, want)
		}
		a.seedLocal(uint64(10+try), "INBOX", 1)
	}
	var status struct {
		Quarantined []struct{ Key, Error string }
	}
	if err := json.Unmarshal([]byte(a.run("--json", "status").stdout), &status); err != nil {
		t.Fatal(err)
	}
	if q := status.Quarantined; len(q) != 1 || q[0].Key != refused.key() || q[0].Error == "" {
		t.Errorf("status %+v", status)
	}
	mustSay(t, a.run("status"), "set aside", "2 tries", "sync --full")

	refused.remove()
	smaller := corpus.Message{Flags: mail.NewFlags(mail.Seen), Date: someDate, Body: large.Body[:5000]}
	a.deliver("INBOX", smaller)
	a.sync(0)
	a.converged()
	a.syncQuiet()
	if out := a.run("status").stdout; strings.Contains(out, "set aside") {
		t.Errorf("status still says %s", out)
	}
}

package e2e

import (
	"testing"

	"imapsync/internal/dovecot"
)

// TestListedAndGone: where Dovecot keeps Maildirs it goes on listing a mailbox that
// was deleted while it had others below it. That is no trouble of any folder.
func TestListedAndGone(t *testing.T) {
	a := single(t, dovecot.WithFormat("maildir"))
	a.phone.Create("A")
	a.phone.Create("A/B")
	a.seedRemote(1, "INBOX", 3)
	a.seedRemote(2, "A", 3)
	a.seedRemote(3, "A/B", 3)
	a.sync(0)
	a.phone.Delete("A")
	a.phone.Expunge("INBOX", a.phone.UIDs("INBOX")[1])
	mustSay(t, a.sync(0), "4 deleted from the Maildir")
	a.syncQuiet()
	if n := a.local().total(); n != 5 {
		t.Errorf("the Maildir has %d messages", n)
	}
}

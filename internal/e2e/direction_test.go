package e2e

import (
	"slices"
	"strings"
	"testing"

	"imapsync/internal/dovecot"
	"imapsync/mail"
)

// disturb changes mail on both sides, one message for each kind of change, and
// adds new ones.
func (a *account) disturb() {
	a.t.Helper()
	files := a.files("INBOX")
	files[0].remove()
	files[1].setFlags(mail.NewFlags(mail.Seen | mail.Flagged))
	files[2].move("Work")
	a.seedLocal(11, "INBOX", 2)
	a.seedLocal(12, "Kept here", 2)
	uids := a.phone.UIDs("Work")
	a.phone.Expunge("Work", uids[0])
	a.phone.Store("Work", mail.NewFlags(mail.Answered), mail.Flags{}, uids[1])
	a.phone.Move("Work", "Lists", uids[2])
	a.seedRemote(13, "Work", 2)
	a.phone.Create("Kept there")
	a.seedRemote(14, "Kept there", 2)
}

// Pulled alone and pushed alone: the other side is not touched, an unchanged
// account costs no more for what is left, and with everything propagated both
// sides are the same and nothing was lost.
func TestOneDirectionAlone(t *testing.T) {
	t.Parallel()
	for _, server := range []struct {
		name    string
		options []dovecot.Option
	}{{"CONDSTORE", nil}, {"no CONDSTORE", []dovecot.Option{dovecot.Without("CONDSTORE", "QRESYNC")}}} {
		for _, direction := range []string{"push = []", "pull = []"} {
			t.Run(direction+", "+server.name, func(t *testing.T) {
				t.Parallel()
				a := single(t, server.options...)
				a.phone.Create("Work", "Lists")
				a.seedRemote(1, "INBOX", 8)
				a.seedRemote(2, "Work", 8)
				a.seedRemote(3, "Lists", 4)
				a.sync(0)
				a.converged()
				a.disturb()
				local, remote := a.local(), a.remote()

				a.configure(direction)
				a.sync(0)
				if direction == "push = []" {
					mustEqual(t, "the server", a.remote(), remote)
				} else {
					mustEqual(t, "the Maildir", a.local(), local)
				}
				a.syncQuiet()
				a.looksAtNothing(direction, server.options == nil)
				a.syncQuiet("--full")

				a.configure()
				a.sync(0)
				a.converged()
				// 20 at first, 8 new, one deleted on each side.
				if n := a.local().total(); n != 26 {
					t.Errorf("%d messages in the end, want 26", n)
				}
				a.syncQuiet()
			})
		}
	}
}

// looksAtNothing insists that the last run has not looked into a mailbox for the
// sake of what is left in the Maildir, nor fetched a header for what is left on
// the server.
func (a *account) looksAtNothing(direction string, condstore bool) {
	a.t.Helper()
	for _, c := range a.proxy.Commands() {
		c = strings.ToUpper(c)
		if strings.Contains(c, "BODY.PEEK[HEADER") || direction == "push = []" && condstore && slices.ContainsFunc([]string{"SELECT", "EXAMINE", "FETCH"}, func(word string) bool { return strings.Contains(c, word) }) {
			a.t.Errorf("%s: an unchanged account cost %s", direction, c)
		}
	}
}

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"imapsync/internal/dovecot"
	"imapsync/mail"
)

// lacking are the servers deletions are tried on: with all they can do, and without
// what makes a deletion exact or a move one step.
var lacking = map[string]string{
	"all":                 `[]`,
	"no UIDPLUS":          `["UIDPLUS"]`,
	"no MOVE":             `["MOVE"]`,
	"no UIDPLUS, no MOVE": `["UIDPLUS", "MOVE"]`,
}

func onLacking(t *testing.T, test func(t *testing.T, extensions string)) {
	for name, list := range lacking {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, "disable_extensions = "+list)
		})
	}
}

const marked = mail.Deleted

func TestExpungeRemovesWhatIsMarkedOnEitherSide(t *testing.T) {
	onLacking(t, func(t *testing.T, extensions string) {
		a := single(t)
		a.seedRemote(1, "INBOX", 8)
		a.phone.Create("Kept")
		a.seedRemote(2, "Kept", 3)
		a.configure(extensions)
		a.sync(0)
		a.configure(extensions, `expunge = "both"`, `[accounts.test.folder."Kept"]`, `expunge = "none"`)
		files, uids := a.files("INBOX"), a.phone.UIDs("INBOX")
		a.phone.Store("INBOX", mail.Flags{System: marked}, mail.Flags{}, uids[0])
		for _, f := range files[3:6] {
			f.setFlags(mail.Flags{System: marked})
		}
		a.files("Kept")[0].setFlags(mail.Flags{System: marked})
		a.sync(0)
		a.converged()
		if n := len(a.phone.UIDs("INBOX")); n < 4 || n > 5 { // the one marked there may be among the others
			t.Errorf("%d messages are left, want 4 or 5", n)
		}
		if n := a.marks("Kept"); n != 1 {
			t.Errorf("%d messages are marked where marks only are mirrored, want 1", n)
		}
		a.syncQuiet()
		a.undo(0, "")
		a.sync(0)
		a.converged()
		if n := len(a.phone.UIDs("INBOX")); n != 8 || a.marks("INBOX") > 0 {
			t.Errorf("after undo %d messages, %d marked", n, a.marks("INBOX"))
		}
		a.syncQuiet()
	})
}

// marks counts the marked messages of a folder on the server.
func (a *account) marks(folder string) (n int) {
	for _, m := range a.phone.Messages(folder) {
		if m.Flags.System&marked != 0 {
			n++
		}
	}
	return n
}

func TestExpungeInTheMaildirLeavesTheServersMessages(t *testing.T) {
	onLacking(t, func(t *testing.T, extensions string) {
		a := single(t)
		a.configure(extensions, `expunge = "local"`)
		a.seedRemote(1, "INBOX", 6)
		a.sync(0)
		uids := a.phone.UIDs("INBOX")
		a.phone.Store("INBOX", mail.Flags{System: marked}, mail.Flags{}, uids[:2]...)
		a.sync(0)
		if n := len(a.files("INBOX")); n != 4 {
			t.Errorf("%d files, want 4", n)
		}
		a.files("INBOX")[0].remove() // a deletion beside marked messages of others
		a.sync(0)
		if n := len(a.phone.UIDs("INBOX")); n != 5 || a.marks("INBOX") != 2 {
			t.Errorf("%d messages, %d marked; want 5, 2", n, a.marks("INBOX"))
		}
		a.syncQuiet()
	})
}

// Deletions go to the trash, and what another client has only marked stays, whatever
// the server lacks; where marks are heeded it goes there, too, and what is deleted
// in the trash is gone.
func TestTrashTakesDeletionsOnTheServer(t *testing.T) {
	for _, synced := range []bool{true, false} {
		onLacking(t, func(t *testing.T, extensions string) {
			a := single(t)
			lines := []string{extensions, `trash = "Trash"`}
			if !synced {
				lines = append(lines, `folders = ["*", "!Trash"]`)
			}
			a.configure(lines...)
			a.seedRemote(1, "INBOX", 8)
			a.sync(0)
			a.phone.Store("INBOX", mail.Flags{System: marked}, mail.Flags{}, a.phone.UIDs("INBOX")[0])
			a.sync(0)
			a.unmarkedFile().remove()
			a.sync(0)
			a.mustHold(7, 1, 1)

			a.configure(append(lines, `expunge = "both"`)...)
			f := a.unmarkedFile()
			f.setFlags(mail.Flags{System: f.flags().System | marked})
			a.proxy.Reset()
			a.sync(0)
			a.mustHold(5, 0, 3)
			if synced {
				if fetched := a.bodiesFetched(); len(fetched) > 0 {
					t.Errorf("what went to the trash was fetched: %q", fetched)
				}
				a.converged()
				a.files("Trash")[0].remove()
				a.sync(0)
				a.mustHold(5, 0, 2)
				a.converged()
			}
			a.syncQuiet()
		})
	}
}

// mustHold tells what INBOX and the trash hold on the server; in the trash nothing
// is marked.
func (a *account) mustHold(inbox, marked, trash int) {
	a.t.Helper()
	if in, m, out := len(a.phone.UIDs("INBOX")), a.marks("INBOX"), len(a.phone.UIDs("Trash")); in != inbox || m != marked || out != trash {
		a.t.Errorf("%d messages in INBOX, %d marked, %d in the trash; want %d, %d, %d", in, m, out, inbox, marked, trash)
	}
	if n := a.marks("Trash"); n > 0 {
		a.t.Errorf("%d messages in the trash are marked", n)
	}
}

func (a *account) unmarkedFile() file {
	for _, f := range a.files("INBOX") {
		if f.flags().System&marked == 0 {
			return f
		}
	}
	a.t.Fatal("every file is marked")
	return file{}
}

func TestTrashByUse(t *testing.T) {
	t.Parallel()
	const bin = "namespace inbox {\n  mailbox Bin {\n    auto = create\n    special_use = \\Trash\n  }\n}\n"
	a := single(t, dovecot.WithExtra(bin))
	a.configure(`trash = "auto"`)
	a.seedRemote(1, "INBOX", 3)
	a.sync(0)
	a.files("INBOX")[0].remove()
	a.sync(0)
	a.converged()
	if in, out := len(a.phone.UIDs("Bin")), len(a.phone.UIDs("INBOX")); in != 1 || out != 2 {
		t.Errorf("%d messages in the trash, %d in INBOX; want 1, 2", in, out)
	}
	a.syncQuiet()
}

func TestTrashByUseWithoutSpecialUse(t *testing.T) {
	t.Parallel()
	a := single(t, dovecot.Without("SPECIAL-USE"))
	a.configure(`trash = "auto"`)
	a.seedRemote(1, "INBOX", 3)
	a.sync(0)
	a.files("INBOX")[0].remove()
	mustSay(t, a.sync(1), `marks no mailbox as \Trash`, `trash = "Trash"`)
	if n := len(a.phone.UIDs("INBOX")); n != 3 {
		t.Errorf("%d messages on the server, want all 3", n)
	}
	a.configure(`trash = "Trash"`)
	a.sync(0)
	a.converged()
	if n := len(a.phone.UIDs("Trash")); n != 1 {
		t.Errorf("%d messages in the trash, want 1", n)
	}
}

// What the server does not take into the trash is not expunged.
func TestTrashRefused(t *testing.T) {
	onLacking(t, func(t *testing.T, extensions string) {
		a := single(t)
		a.configure(extensions, fmt.Sprintf("trash = %q", strings.Repeat("long", 100)))
		a.seedRemote(1, "INBOX", 3)
		a.sync(0)
		a.files("INBOX")[0].remove()
		mustSay(t, a.sync(1), "create the folder")
		if n := len(a.phone.UIDs("INBOX")); n != 3 {
			t.Errorf("%d messages on the server, want all 3", n)
		}
	})
}

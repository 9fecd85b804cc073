package e2e

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"imapsync/internal/corpus"
	"imapsync/internal/dovecot"
	"imapsync/internal/proxy"
	"imapsync/mail"
)

var someDate = time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)

// bodies counts messages by their exact bytes in Maildir form.
func bodies(list ...[]byte) map[string]int {
	all := map[string]int{}
	for _, b := range list {
		all[string(corpus.Disk(b))]++
	}
	return all
}

func (a *account) localBodies(folder string) map[string]int {
	a.t.Helper()
	all := map[string]int{}
	for _, f := range a.files(folder) {
		all[string(f.body())]++
	}
	return all
}

func (a *account) remoteBodies(folder string) map[string]int {
	a.t.Helper()
	var list [][]byte
	for _, m := range a.phone.Messages(a.theirs(folder)) {
		list = append(list, m.Body)
	}
	return bodies(list...)
}

// sameBodies compares and says which special message is wrong.
func sameBodies(t *testing.T, what string, got, want map[string]int) {
	t.Helper()
	for body, n := range want {
		if got[body] != n {
			t.Errorf("%s: %d, want %d of %.300q", what, got[body], n, body)
		}
	}
	for body, n := range got {
		if want[body] == 0 {
			t.Errorf("%s: %d, want none of %.300q", what, n, body)
		}
	}
}

func accepted() (list [][]byte) {
	for _, s := range corpus.Specials() {
		if !s.Refused {
			list = append(list, s.Body)
		}
	}
	return list
}

func TestAwkwardMessagesComeDown(t *testing.T) {
	t.Parallel()
	a := single(t)
	for _, body := range accepted() {
		a.phone.Append("INBOX", noFlags, someDate, corpus.Wire(body))
	}
	a.sync(0)
	sameBodies(t, "local", a.localBodies("INBOX"), a.remoteBodies("INBOX"))
	sameBodies(t, "local", a.localBodies("INBOX"), bodies(accepted()...))
	a.syncQuiet()
	a.syncQuiet("--full")
}

func TestAwkwardMessagesGoUpAndRefusedOnesCostThemselves(t *testing.T) {
	t.Parallel()
	for _, without := range []string{"", `"LITERAL+"`, `"LITERAL+", "UIDPLUS"`} {
		t.Run("without "+without, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, dovecot.Start(t), "alice", "disable_extensions = ["+without+"]")
			var refused []file
			for _, s := range corpus.Specials() {
				f := a.deliver("Up", corpus.Message{Flags: mail.NewFlags(mail.Seen), Date: someDate, Body: s.Body})
				if s.Refused {
					refused = append(refused, f)
				}
			}
			before := a.stamps()
			for range 2 { // they are tried again
				r := a.sync(1)
				for _, f := range refused {
					mustSay(t, r, "Up", f.key())
				}
				sameBodies(t, "remote", a.remoteBodies("Up"), bodies(accepted()...))
			}
			after := a.stamps()
			for _, f := range a.files("Up") {
				if after[f.path] != before[f.path] {
					t.Errorf("%s was touched", f.path)
				}
			}
			for _, f := range refused {
				f.remove()
			}
			a.sync(0)
			a.converged()
			a.syncQuiet("--full")
		})
	}
}

func TestOverQuotaCostsThatMessageAndIsTriedAgain(t *testing.T) {
	t.Parallel()
	a := single(t, dovecot.WithQuota(300_000))
	a.seedLocal(1, "INBOX", 4)
	// The big one is neither the first nor the last, whatever the order.
	big := a.deliver("INBOX", corpus.Message{Flags: mail.NewFlags(mail.Seen), Date: someDate, Body: corpus.Huge(400_000)})
	a.seedLocal(2, "INBOX", 4)
	for range 2 {
		// The server refuses at the size announced, so the connection may be
		// closed before the message has passed the proxy: its beginning counts.
		var begun atomic.Int32
		a.proxy.Intercept(func(command string) proxy.Fate {
			if proxy.Verb(command) == "APPEND" {
				begun.Add(1)
			}
			return proxy.Pass
		})
		mustSay(t, a.sync(1), "INBOX", big.key())
		if n := len(a.phone.UIDs("INBOX")); n != 8 {
			t.Errorf("%d messages on the server, want 8", n)
		}
		if begun.Load() == 0 {
			t.Error("the message was not tried again")
		}
	}
	big.remove()
	a.sync(0)
	a.converged()
}

func TestHugeMessageBothWaysInBoundedMemory(t *testing.T) {
	// Not parallel: it is about memory.
	const size = 50 << 20
	a := single(t)
	a.seedRemote(1, "INBOX", 3)
	r, usual := runMeasured(t, "-c", a.config, "sync")
	if r.code != 0 {
		t.Fatal(r)
	}
	huge := corpus.Huge(size)
	a.phone.Append("INBOX", noFlags, someDate, corpus.Wire(huge))
	r, down := runMeasured(t, "-c", a.config, "sync")
	if r.code != 0 {
		t.Fatal(r)
	}
	other := bytes.Replace(huge, []byte("Subject: huge"), []byte("Subject: vast"), 1)
	a.deliver("Up", corpus.Message{Flags: mail.NewFlags(mail.Seen), Date: someDate, Body: other})
	r, up := runMeasured(t, "-c", a.config, "sync")
	if r.code != 0 {
		t.Fatal(r)
	}
	t.Logf("peak memory: usual %d MB, down %d MB, up %d MB", usual>>20, down>>20, up>>20)
	if most := usual + size/2; down > most || up > most {
		t.Errorf("peak memory %d MB down, %d MB up, usual %d MB: a message of %d MB was held whole", down>>20, up>>20, usual>>20, size>>20)
	}
	a.converged()
}

// TestAlikeInSeveralFolders: a server that does not say which messages are one gives
// each, and each folder has its own: copies, and messages of one header block, size and
// date that say something else.
func TestAlikeInSeveralFolders(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.phone.Create("Label", "Later")
	alert := "From: disk@example.org\nTo: me@example.org\nDate: Sat, 2 Mar 2024 10:00:00 +0000\nSubject: alert\n\ndisk %d fails\n"
	for i, folder := range []string{"INBOX", "INBOX", "Label", "Later"} {
		a.phone.Append(folder, noFlags, someDate, corpus.Wire(fmt.Appendf(nil, alert, i)))
	}
	a.sync(0)
	a.converged()
	a.phone.Append("Label", noFlags, someDate, corpus.Wire(fmt.Appendf(nil, alert, 5)))
	a.phone.Copy("INBOX", "Label", a.phone.UIDs("INBOX")...)
	a.sync(0)
	a.converged()
	a.datesAgree()
	a.syncQuiet("--full")
}

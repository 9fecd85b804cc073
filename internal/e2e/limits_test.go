package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"imapsync/internal/dovecot"
	"imapsync/mail"
)

var serial atomic.Int64

// aged puts messages of an age and flags into a folder of the server.
func (a *account) aged(folder string, n int, years int, flags mail.Flags) []mail.UID {
	a.t.Helper()
	var uids []mail.UID
	for range n {
		i := serial.Add(1)
		date := time.Now().AddDate(-years, 0, -1).Add(time.Duration(i) * time.Minute)
		text := fmt.Sprintf("From: ann@example.org\r\nTo: me@example.org\r\nSubject: number %d\r\nMessage-ID: <%d@example.org>\r\nDate: %s\r\n\r\nHello %d.\r\n",
			i, i, date.Format(time.RFC1123Z), i)
		uids = append(uids, a.phone.Append(folder, flags, date, []byte(text)))
	}
	return uids
}

// counts insists on how many messages each side has.
func (a *account) counts(folder string, files, messages int) {
	a.t.Helper()
	if n := len(a.files(folder)); n != files {
		a.t.Errorf("%s: %d files, want %d", folder, n, files)
	}
	if n := len(a.phone.UIDs(folder)); n != messages {
		a.t.Errorf("%s: %d messages on the server, want %d", folder, n, messages)
	}
}

var seen = mail.NewFlags(mail.Seen)

// Limits by age and by number concern the Maildir alone, whatever happens.
func TestLimitsConcernTheMaildirAlone(t *testing.T) {
	t.Parallel()
	for i, extra := range []string{"", `disable_extensions = ["CONDSTORE", "ESEARCH", "UIDPLUS", "MOVE", "LIST-STATUS"]`} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, dovecot.Start(t), "alice", `max_age = "2y"`, extra)
			a.phone.Create("Work")
			old := a.aged("Work", 10, 3, seen)
			a.aged("Work", 2, 3, mail.Flags{})
			a.aged("Work", 2, 3, mail.NewFlags(mail.Seen|mail.Flagged))
			a.aged("Work", 16, 0, seen)
			mustSay(t, a.sync(0), "10 left on the server", "20 downloaded")
			a.counts("Work", 20, 30)
			a.syncQuiet()
			mustSay(t, a.run("status"), "20 messages", "10 messages more")
			mustSay(t, a.run("why", fmt.Sprintf("Work:%d", old[0])), "max_age")
			mustSay(t, a.run("verify"), "0 differences")

			// What is flagged or marked unread there comes back; a mere answer does not bring it.
			a.phone.Store("Work", mail.NewFlags(mail.Flagged), mail.Flags{}, old[0])
			a.phone.Store("Work", mail.Flags{}, seen, old[1])
			a.phone.Store("Work", mail.NewFlags(mail.Answered), mail.Flags{}, old[2])
			mustSay(t, a.sync(0), "2 downloaded")
			a.counts("Work", 22, 30)
			a.syncQuiet()

			// A deletion in the Maildir and one on the server concern those alone.
			a.files("Work")[21].remove()
			a.phone.Expunge("Work", old[3])
			a.sync(0)
			a.counts("Work", 21, 28)

			// A narrower limit takes files away, keeps nothing for undo, and a file that is
			// put back is known.
			saved := a.files("Work")
			texts := map[string][]byte{}
			for _, f := range saved {
				text, err := os.ReadFile(f.path)
				if err != nil {
					t.Fatal(err)
				}
				texts[f.path] = text
			}
			a.configure(`max_messages = 5`, extra)
			mustSay(t, a.sync(0), "dropped from the Maildir by a limit")
			held := len(a.files("Work"))
			if held < 5 || held > 10 {
				t.Errorf("%d files with max_messages = 5 and at most five that are unread or flagged", held)
			}
			a.counts("Work", held, 28)
			a.syncQuiet()
			if entries, err := os.ReadDir(filepath.Join(a.state, "test.deleted")); err == nil && len(entries) > 1 {
				t.Errorf("dropped files are kept: %v", entries)
			}
			for _, f := range saved {
				if _, err := os.Stat(f.path); err != nil {
					a.write(f.path, string(texts[f.path]))
				}
			}
			mustSay(t, a.sync(0), "matched")
			a.counts("Work", 21, 28)
			a.syncQuiet()

			// A lost state pairs what is held and leaves the rest where it is.
			if err := os.Remove(filepath.Join(a.state, "test.db")); err != nil {
				t.Fatal(err)
			}
			a.sync(0)
			a.counts("Work", 21, 28)
			a.syncQuiet()

			// So does a renumbered folder.
			a.phone.ResetUIDValidity("Work")
			a.sync(0)
			a.counts("Work", 21, 28)
			a.syncQuiet()

			// No limit brings everything.
			a.configure(extra)
			a.sync(0)
			a.counts("Work", 28, 28)
			a.converged()
			a.syncQuiet()
		})
	}
}

// A folder section has limits of its own, and messages move in and out.
func TestMovesAcrossLimits(t *testing.T) {
	t.Parallel()
	a := newAccount(t, dovecot.Start(t), "alice", "[accounts.test.folder.\"Archive\"]", "max_messages = 3")
	a.phone.Create("Archive")
	uids := a.aged("INBOX", 4, 1, seen)
	archived := a.aged("Archive", 10, 0, seen)
	a.sync(0)
	a.counts("Archive", 3, 10)
	a.counts("INBOX", 4, 4)

	a.phone.Move("INBOX", "Archive", uids[0])     // held, and followed
	a.phone.Move("Archive", "INBOX", archived[0]) // not held, and new there
	a.files("INBOX")[1].move("Archive")
	a.sync(0)
	a.counts("Archive", 5, 11)
	a.counts("INBOX", 3, 3)
	a.syncQuiet()
	a.configure()
	a.sync(0)
	a.converged()
}

// A folder with messages that a limit leaves on the server takes them along when
// it is renamed, and outlives the deletion of its Maildir.
func TestRenamedAndRemovedWithLimits(t *testing.T) {
	t.Parallel()
	a := newAccount(t, dovecot.Start(t), "alice", "max_messages = 3")
	a.phone.Create("Old")
	a.aged("Old", 10, 0, seen)
	a.sync(0)
	if err := os.Rename(a.path("Old"), a.path("New")); err != nil {
		t.Fatal(err)
	}
	mustSay(t, a.sync(0), "1 folder renamed on the server")
	a.counts("New", 3, 10)
	a.phone.Rename("New", "Newer")
	mustSay(t, a.sync(0), "1 folder renamed in the Maildir")
	a.counts("Newer", 3, 10)
	a.syncQuiet()
	if err := os.RemoveAll(a.path("Newer")); err != nil {
		t.Fatal(err)
	}
	a.sync(0)
	a.counts("Newer", 0, 7)
	a.syncQuiet()
}

// bigMessage is a message with a text and attachments, of which the first is itself large.
func bigMessage(i int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "From: ann@example.org\r\nTo: me@example.org\r\nSubject: big %d\r\nMessage-ID: <big%d@example.org>\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\n"+
		"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"outer\"\r\n\r\npreamble\r\n"+
		"--outer\r\nContent-Type: multipart/alternative; boundary=inner\r\n\r\n"+
		"--inner\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThe text of message %d.\r\n"+
		"--inner\r\nContent-Type: text/html\r\n\r\n<p>The text of message %d.</p>\r\n--inner--\r\n"+
		"--outer\r\nContent-Type: application/pdf; name=\"report.pdf\"\r\nContent-Disposition: attachment; filename=\"report.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n",
		i, i, i, i)
	for range 3000 {
		b.WriteString("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5eg==\r\n")
	}
	b.WriteString("--outer--\r\n")
	return []byte(b.String())
}

// stubs are the files that are stubs.
func (a *account) stubs(folder string) (list []file) {
	for _, f := range a.files(folder) {
		if strings.HasPrefix(string(f.body()), mail.StubField+": whole=") {
			list = append(list, f)
		}
	}
	return list
}

// A message beyond max_size is held as a stub, which is flagged, moved, copied and
// deleted as the message, never sent, and replaced by the whole when that is asked
// for.
func TestStubs(t *testing.T) {
	t.Parallel()
	for i, extra := range []string{"", `disable_extensions = ["CONDSTORE", "ESEARCH", "UIDPLUS", "MOVE", "LIST-STATUS"]`} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, dovecot.Start(t), "alice", `max_size = "100kB"`, `upgrade = "flagged"`, extra)
			a.phone.Create("A", "B")
			var uids []mail.UID
			for n := range 6 {
				uids = append(uids, a.phone.Append("A", seen, time.Date(2026, 3, 2, 10, n, 0, 0, time.UTC), bigMessage(n)))
			}
			a.aged("A", 2, 0, seen)
			a.sync(0)
			a.counts("A", 8, 8)
			stubs := a.stubs("A")
			if len(stubs) != 6 {
				t.Fatalf("%d stubs, want 6", len(stubs))
			}
			if len(a.bodiesFetched()) == 0 {
				t.Error("the small messages were not fetched whole")
			}
			for _, part := range []string{"Subject: big ", "The text of message", `application/pdf "report.pdf", 221998 bytes`, "imapsync fetch A:"} {
				if !strings.Contains(string(stubs[0].body()), part) {
					t.Errorf("the stub lacks %q:\n%s", part, stubs[0].body())
				}
			}
			if n := len(stubs[0].body()); n > 4000 {
				t.Errorf("the stub has %d bytes", n)
			}
			a.syncQuiet()
			a.sync(0, "--full")
			mustSay(t, a.run("status"), "6 of these are not held whole")
			mustSay(t, a.run("verify"), "0 differences")

			// Moved, copied, deleted and flagged: no body crosses.
			a.proxy.Reset()
			stubs[0].setFlags(mail.NewFlags(mail.Seen | mail.Answered))
			moved := stubs[1].move("B")
			a.write(filepath.Join(a.path("B"), "cur", "copied.here:2,S"), string(stubs[2].body()))
			stubs[3].remove()
			a.sync(0)
			a.counts("A", 6, 6)
			a.counts("B", 2, 2)
			for _, c := range a.proxy.Commands() {
				if strings.Contains(c, "APPEND") {
					t.Errorf("a stub was sent: %s", c)
				}
			}
			for _, m := range append(a.phone.Messages("A"), a.phone.Messages("B")...) {
				if strings.Contains(string(m.Body), mail.StubField) {
					t.Errorf("a stub lies on the server")
				}
			}
			a.syncQuiet()

			// The state lost and the folder renumbered: they are known by their headers.
			if err := os.Remove(filepath.Join(a.state, "test.db")); err != nil {
				t.Fatal(err)
			}
			a.sync(0)
			a.counts("A", 6, 6)
			a.counts("B", 2, 2)
			a.phone.ResetUIDValidity("B")
			a.sync(0)
			a.counts("B", 2, 2)
			if n := len(a.stubs("A")) + len(a.stubs("B")); n != 6 {
				t.Errorf("%d stubs, want 6", n)
			}
			a.syncQuiet()

			// One that stands for nothing is named and never sent.
			orphan := filepath.Join(a.path("B"), "cur", "orphan.here:2,S")
			a.write(orphan, strings.Replace(string(moved.body()), "Subject: big", "Subject: none", 1))
			mustSay(t, a.sync(1), "is a stub")
			a.counts("B", 3, 2)
			if err := os.Remove(orphan); err != nil {
				t.Fatal(err)
			}

			// Flagged, and asked for: the whole takes its place.
			a.sync(0)
			before := len(a.stubs("A"))
			a.stubs("A")[0].setFlags(mail.NewFlags(mail.Seen | mail.Flagged))
			mustSay(t, a.sync(0), "1 fetched whole")
			a.phone.Store("A", mail.NewFlags(mail.Flagged), mail.Flags{}, uids[5])
			mustSay(t, a.sync(0), "1 fetched whole")
			f := a.stubs("B")[0]
			mustSay(t, a.run("fetch", f.path), "1 fetched whole")
			if n := len(a.stubs("A")); n != before-2 {
				t.Errorf("%d stubs in A, want %d", n, before-2)
			}
			a.counts("A", 6, 6)
			a.counts("B", 2, 2)
			a.syncQuiet()
			a.configure(extra)
			a.sync(0)
			a.converged()
			a.syncQuiet()
		})
	}
}

// What was fetched by hand stays until limits are applied the next time.
func TestFetchOfMessagesLeftOnTheServer(t *testing.T) {
	t.Parallel()
	a := newAccount(t, dovecot.Start(t), "alice", "max_messages = 2")
	a.aged("INBOX", 5, 0, seen)
	a.sync(0)
	mustSay(t, a.run("fetch", "INBOX:1"), "1 downloaded")
	mustSay(t, a.run("fetch", "INBOX:2"), "1 downloaded")
	a.counts("INBOX", 4, 5)
	a.syncQuiet()
}

// Headers alone are fetched where no more is wanted.
func TestHeadersAlone(t *testing.T) {
	t.Parallel()
	a := newAccount(t, dovecot.Start(t), "alice", `body = "headers"`)
	a.phone.Create("A", "B")
	for i, folder := range []string{"INBOX", "A", "B"} {
		a.seedRemote(uint64(i+1), folder, 20)
	}
	a.sync(0)
	if fetched := a.bodiesFetched(); len(fetched) > 0 {
		t.Errorf("bodies were fetched: %q", fetched)
	}
	a.syncQuiet()
	a.configure(`body = "text"`)
	a.sync(0)
	a.configure()
	a.sync(0)
	a.converged()
}

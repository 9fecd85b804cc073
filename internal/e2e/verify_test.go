package e2e

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"imapsync/internal/corpus"
	"imapsync/internal/proxy"
	"imapsync/mail"
)

// verify runs `imapsync verify --json`, insists on an exit code and returns what
// was found, as "severity kind" sorted, watermarks left out.
func (a *account) verify(code int, args ...string) []string {
	a.t.Helper()
	r := a.run(append([]string{"verify", "--json"}, args...)...)
	if r.code != code {
		a.t.Errorf("verify %s: want exit %d, got %v", strings.Join(args, " "), code, r)
	}
	var found []string
	for line := range strings.Lines(r.stdout) {
		var object struct{ Event, Kind, Severity string }
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			a.t.Fatalf("%v in %s", err, line)
		}
		// Whether stamps are old enough to be believed is a matter of time.
		if object.Event == "difference" && object.Kind != "watermark" {
			found = append(found, object.Severity+" "+object.Kind)
		}
	}
	slices.Sort(found)
	return found
}

// mustFind insists on what a verification finds.
func (a *account) mustFind(code int, want ...string) {
	a.t.Helper()
	slices.Sort(want)
	if found := a.verify(code); !slices.Equal(found, want) {
		a.t.Errorf("found %q\nwant  %q\n%v", found, want, a.run("verify"))
	}
}

// sql changes the state as only a person with sqlite3 could.
func (a *account) sql(statements ...string) {
	a.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(a.state, "test.db"))
	if err != nil {
		a.t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			a.t.Fatalf("%s: %v", s, err)
		}
	}
}

// overwrite gives the file another content and leaves its time as it is.
func (f file) overwrite(body []byte) {
	f.r.t.Helper()
	info, err := os.Stat(f.path)
	if err == nil {
		err = os.WriteFile(f.path, body, 0o600)
	}
	if err == nil {
		err = os.Chtimes(f.path, info.ModTime(), info.ModTime())
	}
	if err != nil {
		f.r.t.Fatal(err)
	}
}

// contents are the messages of a side whatever their flags.
func (c items) contents() items {
	all := items{}
	for i, n := range c {
		all[item{folder: i.folder, sum: i.sum}] += n
	}
	return all
}

// atLeast has of each message as many as the one or the other has.
func (c items) atLeast(d items) items {
	all := items{}
	for i, n := range c {
		all[i] = max(n, d[i])
	}
	for i, n := range d {
		all[i] = max(n, c[i])
	}
	return all
}

// equallyLong are n messages of the same size that share no content.
func equallyLong(n int) []corpus.Message {
	list := make([]corpus.Message, n)
	for i := range list {
		list[i] = corpus.Message{Date: someDate.Add(time.Duration(i) * time.Minute), Flags: mail.NewFlags(mail.Seen),
			Body: fmt.Appendf(nil, "From: a@example.org\nTo: b@example.org\nSubject: number %03d\nMessage-ID: <%03d@example.org>\nDate: Sat, 2 Mar 2024 10:00:00 +0000\n\nText of number %03d.\n", i, i, i)}
	}
	return list
}

// A verification changes nothing, and finds nothing where a run has nothing to
// do.
func TestVerifyOfAnAccountThatIsWell(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.phone.Create("Work", "Work/Old")
	a.seedRemote(1, "INBOX", 40)
	a.seedLocal(2, "Work", 20)
	for _, body := range accepted() {
		a.phone.Append("Work/Old", mail.NewFlags(mail.Seen, "todo"), someDate, corpus.Wire(body))
	}
	a.sync(0)
	a.proxy.Reset()
	before := a.stamps()
	a.mustFind(0)
	mustSay(t, a.run("verify"), "0 differences pending, 0 wrong")
	if changing := proxy.Changing(a.proxy.Commands()); len(changing) > 0 {
		t.Errorf("it sent %q", changing)
	}
	after := a.stamps()
	for file, stamp := range after {
		if before[file] != stamp {
			t.Errorf("it touched %s", file)
		}
	}
	if len(after) != len(before) {
		t.Errorf("%d files, %d before", len(after), len(before))
	}
	a.syncQuiet()
}

// Changes that wait for a sync are explained, and are no failure.
func TestVerifyExplainsWhatIsPending(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.phone.Create("Work")
	a.seedRemote(1, "INBOX", 12)
	a.sync(0)
	all := a.pairs("INBOX")
	all[0].local.remove()
	all[1].local.move("Work")
	all[2].local.setFlags(all[2].local.flags().Union(mail.NewFlags(mail.Flagged, "urgent")))
	a.phone.Expunge("INBOX", all[3].remote)
	a.phone.Move("INBOX", "Work", all[4].remote)
	a.phone.Store("INBOX", mail.NewFlags(mail.Answered, "odd"), noFlags, all[5].remote)
	a.seedRemote(2, "INBOX", 1)
	a.seedLocal(3, "INBOX", 1)
	a.phone.Create("Fresh")
	a.mustFind(0, "pending missing", "pending moved", "pending flags", "pending missing", "pending moved", "pending flags",
		"pending new", "pending new", "pending folder")
	mustSay(t, a.run("verify"), "deleted in the Maildir since the last run", "deleted on the server since the last run",
		`moved to "Work" in the Maildir`, `moved to "Work" on the server`, "new on the server", "new in the Maildir", "9 differences pending, 0 wrong")
	a.sync(0)
	a.converged()
	a.mustFind(0)
}

// What disk, hand or backup have spoiled is named, and a repair loses nothing and
// doubles nothing.
func TestVerifyRepairsWhatIsWrong(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.phone.Create("Work")
	for _, m := range equallyLong(8) {
		a.phone.Append("INBOX", m.Flags, m.Date, corpus.Wire(m.Body))
	}
	a.seedRemote(1, "Work", 8)
	a.sync(0)
	a.sync(0)

	inbox := a.files("INBOX")
	one, two := inbox[0].body(), inbox[1].body()
	inbox[0].overwrite(two) // exchanged
	inbox[1].overwrite(one)
	spoilt := inbox[2].body()
	spoilt[len(spoilt)-4] ^= 1 // a bit that fell over
	inbox[2].overwrite(spoilt)
	inbox[3].remove() // comes back, for the record is not to be relied on
	inbox[4].setFlags(mail.NewFlags(mail.Seen | mail.Flagged))
	work := `(SELECT id FROM folders WHERE name = 'Work')`
	a.sql(
		`UPDATE base SET uid = 1001 WHERE uid = 1 AND folder = `+work,
		`UPDATE base SET uid = 1 WHERE uid = 2 AND folder = `+work,
		`UPDATE base SET uid = 2 WHERE uid = 1001 AND folder = `+work,
		`DELETE FROM base WHERE uid IN (3, 4) AND folder = `+work,
		`UPDATE folders SET base_rows = base_rows - 2 WHERE name = 'Work'`)
	want := a.local().contents().atLeast(a.remote().contents())

	a.mustFind(1,
		"wrong mispaired", "wrong mispaired", "wrong edited", "pending missing", "pending flags", // INBOX
		"wrong mispaired", "wrong mispaired", "wrong unpaired", "wrong unpaired") // Work
	before, beforeLocal := a.remote(), a.local()
	a.verify(0, "--repair")
	mustEqual(t, "remote after the repair", a.remote(), before)
	mustEqual(t, "local after the repair", a.local(), beforeLocal)

	a.sync(0)
	mustEqual(t, "local", a.local().contents(), want)
	mustEqual(t, "remote", a.remote().contents(), want)
	a.converged()
	a.mustFind(0)
	a.syncQuiet("--full")
}

func TestVerifyHoldsNoMessageInMemory(t *testing.T) {
	// Not parallel: it is about memory.
	const size = 16 << 20
	a := single(t)
	a.seedRemote(1, "INBOX", 3)
	a.sync(0)
	r, usual := runMeasured(t, "-c", a.config, "verify")
	if r.code != 0 {
		t.Fatal(r)
	}
	a.phone.Create("Large")
	huge := corpus.Huge(size)
	for _, folder := range []string{"INBOX", "Large"} {
		a.phone.Append(folder, noFlags, someDate, corpus.Wire(huge))
	}
	a.sync(0)
	r, peak := runMeasured(t, "-c", a.config, "verify")
	if r.code != 0 {
		t.Fatal(r)
	}
	t.Logf("peak memory: usual %d MB, with large messages %d MB", usual>>20, peak>>20)
	if most := usual + size/2; peak > most {
		t.Errorf("peak memory %d MB, usual %d MB: a message of %d MB was held whole", peak>>20, usual>>20, size>>20)
	}
}

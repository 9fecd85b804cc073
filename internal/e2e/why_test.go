package e2e

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"imapsync/internal/dovecot"
	"imapsync/mail"
	"imapsync/state"
)

// why asks about a message and insists on an answer whose lines match, in this
// order.
func (a *account) why(word string, lines ...string) {
	a.t.Helper()
	r := a.run("why", word)
	if r.code != 0 {
		a.t.Errorf("why %s: %v", word, r)
		return
	}
	if pattern := "(?s)" + strings.Join(lines, ".*"); !regexp.MustCompile(pattern).MatchString(r.stdout) {
		a.t.Errorf("why %s: no match for %s in\n%s", word, pattern, r.stdout)
	}
}

// messageID is that of a message file.
func (f file) messageID() string {
	f.r.t.Helper()
	m := regexp.MustCompile(`(?im)^message-id:\s*(<[^>]*>)`).FindSubmatch(f.body())
	if m == nil {
		f.r.t.Fatalf("%s has no Message-ID:\n%s", f.path, bytes.SplitN(f.body(), []byte("\n\n"), 2)[0])
	}
	return string(m[1])
}

// A message is followed through flag changes and moves on both sides, with and
// without MOVE on the server, and into its deletion.
func TestWhyFollowsAMessage(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]dovecot.Option{"MOVE": nil, "without MOVE": {dovecot.Without("MOVE")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := single(t, options...)
			a.phone.Create("Work", "Old: 1/Done")
			a.seedRemote(1, "INBOX", 3)
			a.seedRemote(2, "Work", 2)
			a.sync(0) // run 1
			f := a.files("INBOX")[0]
			first, id := f.path, f.messageID()
			uid := a.pairs("INBOX")[0].remote
			for _, m := range a.pairs("INBOX") {
				if m.local.path == first {
					uid = m.remote
				}
			}
			f = f.setFlags(mail.NewFlags(mail.Seen, "todo"))
			a.sync(0) // run 2
			// A reader that gives the file another name where it moves it to.
			a.create("Work")
			f = f.rename(file{a.reader, "Work", filepath.Join(a.path("Work"), "cur", "renamed.by.reader:2,S")})
			a.sync(0) // run 3
			a.phone.Move("Work", a.theirs("Old: 1/Done"), a.uidOf(f))
			a.sync(0) // run 4
			f = a.files("Old: 1/Done")[0]

			story := []string{`run 1: download in INBOX uid \d+`, `run 2: flags in INBOX uid \d+`,
				`run 3: (move|copy) remote from INBOX uid \d+ to Work uid 3`, `run 4: move local from Work uid 3 to Old: 1/Done uid 1`}
			now := `test: Old: 1/Done uid 1\n.*both sides.*file: +` + regexp.QuoteMeta(f.path)
			for _, word := range []string{f.path, first, filepath.Base(first), id, strings.Trim(id, "<>"), "Old: 1/Done:1", "test/Old: 1/Done:1",
				"Work:3", fmt.Sprintf("INBOX:%d", uid)} {
				a.why(word, append([]string{now}, story...)...)
			}

			a.phone.Expunge(a.theirs("Old: 1/Done"), 1)
			a.sync(0) // run 5
			story = append(story, `run 5: delete local in Old: 1/Done uid 1: .*\(rule: `)
			for _, word := range []string{f.path, first, id, "Old: 1/Done:1"} {
				a.why(word, append([]string{`now: +deleted from the Maildir, and kept.* undo 5`}, story...)...)
			}
			a.run("undo")
			a.sync(0) // run 6
			a.why(id, append(append([]string{`test: Old: 1/Done uid 2`}, story...), `run 5: undo in`, `run 6: upload in Old: 1/Done uid 2`)...)
		})
	}
}

// uidOf is the UID of a file's message on the server.
func (a *account) uidOf(f file) mail.UID {
	a.t.Helper()
	for _, m := range a.pairs(f.folder) {
		if m.local.path == f.path {
			return m.remote
		}
	}
	a.t.Fatalf("no message for %s", f.path)
	return 0
}

// What a killed run copied has a history too, though it did not come to write it.
func TestWhyOfWhatAKilledRunCopied(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.phone.Create("Down")
	a.seedRemote(1, "Down", 60)
	a.seedLocal(2, "Up", 60)
	want := a.remote()
	for i, n := range a.local() {
		want[i] += n
	}
	for step := range 4 {
		a.interrupted(interruptions[1], step)
	}
	a.sync(0)
	mustEqual(t, "local", a.local(), want)
	mustEqual(t, "remote", a.remote(), want)
	db, err := state.OpenReadOnly(t.Context(), filepath.Join(a.state, "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for folder, action := range map[string]string{"Down": "download", "Up": "upload"} {
		for _, f := range a.files(folder) {
			steps, err := db.Trace(t.Context(), mail.Key(f.key()))
			if err != nil || len(steps) != 1 || steps[0].Action != action {
				t.Errorf("%s: %+v, %v", f.path, steps, err)
			}
		}
	}
}

func TestWhyOfWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.seedRemote(1, "INBOX", 2)
	a.sync(0)
	f := a.seedLocal(2, "INBOX", 1)
	before := a.stamps()
	for _, word := range []string{"INBOX:99", "Nowhere:1", "<nobody@example.org>", filepath.Join(a.root, "INBOX/cur/no.such.file:2,S")} {
		if r := a.run("why", word); r.code != 1 || !contains(r.stderr, "nothing is known") {
			t.Errorf("why %s: %v", word, r)
		}
	}
	for _, x := range a.files("INBOX") {
		if bytes.Equal(x.body(), f[0].Body) {
			a.why(x.path, `now: +in the Maildir only`, `history: +nothing recorded`)
		}
	}
	for file, stamp := range a.stamps() {
		if before[file] != stamp {
			t.Errorf("why touched %s", file)
		}
	}
}

package realworld

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"imapsync/internal/dovecot"
	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/maildir"
)

// A folder of a hundred messages, with another below it, costs one RENAME when it
// is renamed in the Maildir, and when it is renamed on the server, no command that
// changes anything, for its directory is renamed; either way no body goes over the wire. It has its messages,
// their flags and its keywords under the new name, on either side, and the next
// run is idle.
func TestRenamedFolderMovesNoMessage(t *testing.T) {
	server := dovecot.Start(t, dovecot.WithExtra(reuse))
	for _, layout := range []maildir.Layout{maildir.Verbatim, maildir.MaildirPP, maildir.Flat} {
		for side, renames := range map[simworld.Side]int{simworld.Local: 1, simworld.Remote: 0} {
			t.Run(fmt.Sprintf("%s/%s", layout, side), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, server, fmt.Sprintf("rename.%s.%s", side, string(layout)[:4]), layout, nil)
				for i := range 100 {
					w.edit(simworld.Remote, simworld.Edit{Verb: simworld.Add, Folder: "Work/Old", Name: fmt.Sprintf("M%d", i), Flags: mail.ParseFlags(":S todo")})
				}
				w.edit(simworld.Remote, simworld.Edit{Verb: simworld.Add, Folder: "Work/Old/Sub", Name: "N"})
				if out := w.run(simworld.Options{}); out.err != nil {
					t.Fatal(out)
				}
				before, _ := w.client.look()
				directory, err := os.Stat(w.reader.dir("Work/Old"))
				if err != nil {
					t.Fatal(err)
				}
				w.edit(side, simworld.Edit{Verb: simworld.Rename, Folder: "Work/Old", To: "Büro"})
				want := make([]simworld.Entry, len(before))
				for i, e := range before {
					if e.Folder == "Work/Old" || e.Folder.Within("Work/Old") {
						e.Folder = "Büro" + e.Folder[len("Work/Old"):]
					}
					want[i] = e
				}
				out := w.run(simworld.Options{})
				if out.err != nil {
					t.Error(out)
				}
				for pattern, n := range map[string]int{
					`^RENAME `: renames, `^UID (MOVE|COPY|STORE|EXPUNGE) `: 0, `^(APPEND|CREATE|DELETE) `: 0, `^UID FETCH .*BODY(\.PEEK)?\[\]`: 0,
				} {
					if got := matching(out.commands, pattern); got != n {
						t.Errorf("%d commands like %s, want %d:\n%s", got, pattern, n, out)
					}
				}
				if now, err := os.Stat(w.reader.dir("Büro")); err != nil || !os.SameFile(now, directory) {
					t.Errorf("it is another directory: %v", err)
				}
				local := w.reader.list()
				remote, found := w.client.look()
				for _, err := range []error{compare(simworld.Local, local, want), compare(simworld.Remote, remote, want), w.idle(simworld.Options{}), w.settled(found, true)} {
					if err != nil {
						t.Errorf("%v\n%s", err, out)
					}
				}
			})
		}
	}
}

func matching(commands []string, pattern string) (n int) {
	like := regexp.MustCompile(pattern)
	for _, c := range commands {
		if like.MatchString(c) {
			n++
		}
	}
	return n
}

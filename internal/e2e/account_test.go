package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"imapsync/internal/corpus"
	"imapsync/internal/dovecot"
	"imapsync/internal/imaptest"
	"imapsync/internal/proxy"
	"imapsync/mail"
	"imapsync/state"
)

// account is one account as its user has it: a server with another client on
// it, a Maildir, a configuration file.
type account struct {
	t      *testing.T
	server *dovecot.Server
	proxy  *proxy.Proxy
	phone  *imaptest.Client
	*reader

	user   string
	dir    string // holds everything local
	config string // the configuration file
	state  string // the state directory
}

// newAccount sets up an account of its own on the server; extra are further
// lines of its section in the configuration.
func newAccount(t *testing.T, s *dovecot.Server, user string, extra ...string) *account {
	t.Helper()
	dir := t.TempDir()
	a := &account{t: t, server: s, user: user, dir: dir,
		proxy:  imaptest.Proxy(t, s.Addr()),
		phone:  imaptest.Dial(t, s, user),
		reader: &reader{t: t, root: filepath.Join(dir, "Mail"), folderDir: verbatim},
		config: filepath.Join(dir, "config.toml"), state: filepath.Join(dir, "state")}
	t.Cleanup(a.checkStates)
	a.configure(extra...)
	return a
}

// single starts a server for one account.
func single(t *testing.T, options ...dovecot.Option) *account {
	t.Helper()
	return newAccount(t, dovecot.Start(t, options...), "alice")
}

// configure writes the configuration anew with further lines of the section.
func (a *account) configure(extra ...string) {
	a.t.Helper()
	a.write(a.config, fmt.Sprintf("state_dir = %q\n\n%s", a.state, a.section("test", extra...)))
}

// checkStates checks the invariants of each state that the test leaves behind
// in one piece.
func (a *account) checkStates() {
	files, _ := filepath.Glob(filepath.Join(a.state, "*.db"))
	for _, file := range files {
		db, err := state.OpenReadOnly(context.Background(), file)
		if err != nil {
			a.t.Errorf("%s: %v", file, err)
			continue
		}
		if err := db.Check(context.Background()); err != nil {
			a.t.Errorf("%s: %v", file, err)
		}
		db.Close()
	}
}

// section is the account's section of a configuration file.
func (a *account) section(name string, extra ...string) string {
	return fmt.Sprintf("[accounts.%s]\nhost = \"127.0.0.1\"\nport = %d\ntls = \"none\"\nuser = %q\npassword = %q\nmaildir = %q\n%s\n",
		name, a.proxy.Port(), a.user, a.server.Password, a.root, strings.Join(extra, "\n"))
}

func (a *account) write(file, text string) {
	a.t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// run runs the program with the account's configuration.
func (a *account) run(args ...string) result {
	a.t.Helper()
	return run(a.t, append([]string{"-c", a.config}, args...)...)
}

// sync runs `imapsync sync` and insists on an exit code.
func (a *account) sync(code int, args ...string) result {
	a.t.Helper()
	r := a.run(append([]string{"sync"}, args...)...)
	if r.code != code {
		a.t.Fatalf("sync %s: want exit %d, got %v", strings.Join(args, " "), code, r)
	}
	return r
}

// syncQuiet runs a sync that must find nothing to do: no changing command, no
// message fetched, no file touched.
func (a *account) syncQuiet(args ...string) {
	a.t.Helper()
	a.proxy.Reset()
	before := a.stamps()
	a.sync(0, args...)
	if changing := proxy.Changing(a.proxy.Commands()); len(changing) > 0 {
		a.t.Errorf("a run with nothing to do sent %q", changing)
	}
	if fetched := a.bodiesFetched(); len(fetched) > 0 {
		a.t.Errorf("a run with nothing to do fetched %q", fetched)
	}
	after := a.stamps()
	for file, stamp := range after {
		if before[file] != stamp {
			a.t.Errorf("a run with nothing to do touched %s", file)
		}
		delete(before, file)
	}
	for file := range before {
		a.t.Errorf("a run with nothing to do removed %s", file)
	}
}

// bodiesFetched are the commands since the last Reset that fetched messages.
func (a *account) bodiesFetched() []string {
	return slices.DeleteFunc(a.proxy.Commands(), func(c string) bool {
		c = strings.ToUpper(c)
		return !strings.Contains(c, "FETCH ") || !strings.Contains(c, "BODY.PEEK[]") && !strings.Contains(c, "BODY[]")
	})
}

// item is one message wherever it lies, for comparing both sides.
type item struct {
	folder string
	sum    [32]byte
	flags  string
}

// items counts equal messages.
type items map[item]int

// remote is what the server holds, with the program's folder names.
func (a *account) remote() items {
	a.t.Helper()
	all := items{}
	for _, folder := range a.phone.Folders() {
		for _, m := range a.phone.Messages(folder) {
			all[item{a.ours(folder), corpus.Sum(m.Body), m.Flags.String()}]++
		}
	}
	return all
}

// ours turns the server's mailbox name into the program's.
func (a *account) ours(box string) string {
	name := strings.TrimPrefix(box, a.server.Prefix)
	return strings.ReplaceAll(name, a.server.Separator, "/")
}

// theirs turns the program's folder name into the server's.
func (a *account) theirs(folder string) string {
	if folder == "INBOX" {
		return folder
	}
	return a.server.Prefix + strings.ReplaceAll(folder, "/", a.server.Separator)
}

// local is what the Maildir holds.
func (a *account) local() items {
	a.t.Helper()
	all := items{}
	for _, folder := range a.folders() {
		for _, f := range a.files(folder) {
			all[item{folder, corpus.Sum(f.body()), f.flags().String()}]++
		}
	}
	return all
}

func (c items) total() int {
	n := 0
	for _, count := range c {
		n += count
	}
	return n
}

// mustEqual compares two sides message by message.
func mustEqual(t *testing.T, what string, got, want items) {
	t.Helper()
	const most = 10
	shown := 0
	report := func(i item, got, want int) {
		if shown++; shown <= most {
			t.Errorf("%s: %d, want %d of %q %x %s", what, got, want, i.folder, i.sum[:4], i.flags)
		}
	}
	for i, n := range want {
		if got[i] != n {
			report(i, got[i], n)
		}
	}
	for i, n := range got {
		if want[i] == 0 {
			report(i, n, 0)
		}
	}
	if shown > most {
		t.Errorf("%s: %d differences in all", what, shown)
	}
}

// converged insists that both sides hold the same folders and messages.
func (a *account) converged() {
	a.t.Helper()
	mustEqual(a.t, "local against remote", a.local(), a.remote())
	var boxes []string
	for _, box := range a.phone.Folders() {
		boxes = append(boxes, a.ours(box))
	}
	slices.Sort(boxes)
	if folders := a.folders(); !slices.Equal(folders, boxes) {
		a.t.Errorf("local folders %q, remote %q", folders, boxes)
	}
}

// seedRemote puts n realistic messages of the seed into a mailbox.
func (a *account) seedRemote(seed uint64, folder string, n int) []corpus.Message {
	a.t.Helper()
	messages := small(seed, n)
	for _, m := range messages {
		a.phone.Append(a.theirs(folder), m.Flags, m.Date, corpus.Wire(m.Body))
	}
	return messages
}

// seedLocal puts n realistic messages of the seed into a Maildir folder.
func (a *account) seedLocal(seed uint64, folder string, n int) []corpus.Message {
	a.t.Helper()
	messages := small(seed, n)
	for _, m := range messages {
		a.deliver(folder, m)
	}
	return messages
}

// small are realistic messages of about 2 kB, where size does not matter.
func small(seed uint64, n int) []corpus.Message {
	g := corpus.New(seed)
	messages := make([]corpus.Message, n)
	for i := range messages {
		messages[i] = g.Sized(2000)
	}
	return messages
}

// put adds a message to the expected state.
func (c items) put(folder string, m corpus.Message) {
	c[item{folder, corpus.Sum(m.Body), m.Flags.String()}]++
}

var noFlags mail.Flags

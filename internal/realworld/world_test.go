package realworld

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"imapsync/conflict"
	"imapsync/internal/dovecot"
	"imapsync/internal/phone"
	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/maildir"
	"imapsync/plan"
	"imapsync/remote"
	"imapsync/remote/wire"
	"imapsync/state"
	"imapsync/syncer"
)

// world is one account: a user of the server, a Maildir, a state.
type world struct {
	t       testing.TB
	server  *dovecot.Server
	user    string
	dir     string
	layout  maildir.Layout
	without []string // extensions the synchroniser is to do without

	connections int // that a run may use
	reader      *reader
	client      *client

	names map[mail.Digest]string // of all messages seen so far
	last  outcome
}

// outcome is one run.
type outcome struct {
	report   *syncer.Report
	err      error    // of the run and its failures
	commands []string // sent, without their tags
}

func newWorld(t testing.TB, s *dovecot.Server, user string, layout maildir.Layout, without []string) *world {
	w := &world{t: t, server: s, user: user, dir: t.TempDir(), layout: layout, without: without, connections: 3, names: map[mail.Digest]string{}}
	w.reader = &reader{t: t, root: filepath.Join(w.dir, "mail"), layout: layout}
	w.client = newClient(t, s, user)
	return w
}

// localSide and remoteSide make the ports of a Maildir and a server account.
type localSide struct{ *maildir.Maildir }

// Names implements syncer.Local.
func (l localSide) Names(ctx context.Context, folder mail.FolderName, about int) (syncer.Names, error) {
	n, err := l.Maildir.Names(ctx, folder, about)
	if err != nil {
		return nil, err
	}
	return n, nil
}

func (l localSide) Deliver(ctx context.Context, folder mail.FolderName) (syncer.Delivery, error) {
	d, err := l.Maildir.Deliver(ctx, folder)
	if err != nil {
		return nil, err
	}
	return d, nil
}

type remoteSide struct{ *remote.Account }

func (r remoteSide) Open(ctx context.Context, folder mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	m, err := r.Account.Open(ctx, folder, readOnly)
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (w *world) statePath() string { return filepath.Join(w.dir, "state", "account.db") }

func (w *world) loseState() {
	if err := os.RemoveAll(filepath.Dir(w.statePath())); err != nil {
		w.t.Fatal(err)
	}
}

// run does one run as the program does: everything is opened for it anew.
func (w *world) run(o simworld.Options) outcome {
	w.t.Helper()
	ctx := w.t.Context()
	var out outcome
	lock, err := state.Lock(ctx, w.statePath(), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	defer lock.Unlock()
	db, err := state.Open(ctx, w.statePath())
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	dir, err := maildir.Open(maildir.Config{Root: w.reader.root, Layout: w.layout, KeepDir: filepath.Join(w.dir, "deleted")})
	if err != nil {
		w.t.Fatal(err)
	}
	var sending sync.Mutex
	server := remote.New(remote.Config{Connections: w.connections, Wire: wire.Options{
		Host: w.server.Host, Port: w.server.Port, Security: wire.Plain, User: w.user, Timeout: time.Minute,
		Secret:  func(context.Context) (string, error) { return w.server.Password, nil },
		Disable: w.without,
		Trace: func(fromServer bool, line string) {
			sending.Lock()
			defer sending.Unlock()
			out.note(fromServer, line)
		},
	}})
	account := syncer.Account{
		Name: w.user, Identity: mail.Identity{Server: w.server.Addr(), User: w.user},
		Local: localSide{dir}, Remote: remoteSide{server}, State: db,
		Limits: plan.Limits{Count: o.Count, Percent: o.Percent}, FullCheck: 7 * 24 * time.Hour,
	}
	account.Policy = func(mail.FolderName) conflict.Policy { return o.Policy() }
	account.Select = func(f mail.FolderName) bool { return !o.TrashApart || f != o.Trash }
	account.Trash = o.Trash
	out.report, err = syncer.Run(ctx, account, syncer.Options{Full: o.Full, Lanes: w.connections,
		AcceptDeletions: o.Accept, AcceptFolders: o.AcceptFolders}, nil)
	if out.report != nil {
		err = errors.Join(append([]error{err}, out.report.Failures...)...)
	}
	if err := server.Close(); err != nil {
		w.t.Error(err)
	}
	out.err = err
	for _, text := range append(server.Warnings(), texts(dir.Skipped())...) {
		w.t.Errorf("warning: %s", text)
	}
	w.last = out
	return out
}

func texts(errs []error) (out []string) {
	for _, err := range errs {
		out = append(out, err.Error())
	}
	return out
}

var command = regexp.MustCompile(`^[A-Za-z0-9]+ ([A-Z]+.*)`)

// note keeps the commands of a trace: what the client sends that is neither a
// literal nor the answer to a challenge.
func (o *outcome) note(fromServer bool, line string) {
	if m := command.FindStringSubmatch(line); !fromServer && m != nil {
		o.commands = append(o.commands, m[1])
	}
}

// harmless are the commands that change nothing in a mailbox.
var harmless = regexp.MustCompile(`^(LOGIN|AUTHENTICATE|CAPABILITY|ENABLE|NAMESPACE|ID|LIST|STATUS|SELECT|EXAMINE|UNSELECT|` +
	`FETCH|SEARCH|UID FETCH|UID SEARCH|NOOP|LOGOUT)\b`)

// changing are the commands of the run that may have changed something.
func (o outcome) changing() []string {
	return slices.DeleteFunc(slices.Clone(o.commands), harmless.MatchString)
}

// plans are the operations of the run but those held back.
func (o outcome) plans() []string {
	var list []string
	if o.report != nil && o.report.Plan != nil {
		for _, op := range o.report.Plan.Ops {
			if !op.Held {
				list = append(list, fmt.Sprint(op))
			}
		}
	}
	return list
}

// String tells the run's story.
func (o outcome) String() string {
	return fmt.Sprintf("run: %v\n  plan: %s\n  sent: %s\n", o.err,
		strings.Join(o.plans(), "\n  plan: "), strings.Join(o.commands, "\n  sent: "))
}

// idle does a run that has nothing to do and tells what it did all the same.
func (w *world) idle(o simworld.Options) error {
	w.t.Helper()
	o.Accept = false
	before := w.reader.footprint()
	out := w.run(o)
	var errs []error
	for _, p := range out.plans() {
		errs = append(errs, fmt.Errorf("the next run plans: %s", p))
	}
	for _, c := range out.changing() {
		errs = append(errs, fmt.Errorf("the next run sends: %s", c))
	}
	after := w.reader.footprint()
	for path := range before {
		if after[path] != before[path] {
			errs = append(errs, fmt.Errorf("the next run touches %s: it was %s, is %q", path, before[path], after[path]))
		}
	}
	for path := range after {
		if before[path] == "" {
			errs = append(errs, fmt.Errorf("the next run makes %s", path))
		}
	}
	return errors.Join(errs...)
}

// recorded reads the state: its rows and what is wrong with it.
func (w *world) recorded() ([]*mail.Base, error) {
	ctx := w.t.Context()
	db, err := state.OpenReadOnly(ctx, w.statePath())
	if err != nil {
		return nil, err
	}
	defer db.Close()
	errs := []error{db.Check(ctx)}
	intents, err := db.Intents(ctx)
	for _, i := range intents {
		errs = append(errs, fmt.Errorf("state: intent left: %+v", i))
	}
	errs = append(errs, err)
	folders, err := db.Folders(ctx)
	errs = append(errs, err)
	var all []*mail.Base
	for _, f := range folders {
		rows, err := db.Rows(ctx, f.Folder)
		all, errs = append(all, rows...), append(errs, err)
	}
	return all, errors.Join(errs...)
}

// settled checks the state and compares it with both sides: where a row's file
// or message is there, it is what the row says. Where both sides are equal each
// message has its row.
func (w *world) settled(remote map[mail.FolderName][]phone.Message, equal bool) error {
	rows, err := w.recorded()
	errs := []error{err}
	files, messages := map[string]file{}, map[string]phone.Message{}
	for folder, dir := range w.reader.folders() {
		for _, f := range w.reader.files(dir) {
			files[string(folder)+"/"+f.key] = f
		}
	}
	for folder, list := range remote {
		for _, m := range list {
			messages[fmt.Sprintf("%s/%d", folder, m.UID)] = m
		}
	}
	for _, row := range rows {
		f, isFile := files[string(row.Folder)+"/"+string(row.Key)]
		m, isMessage := messages[fmt.Sprintf("%s/%d", row.Folder, row.UID)]
		if isFile && digest(w.reader.content(f)) != row.Content.Digest {
			errs = append(errs, fmt.Errorf("state: row %d of %s: its file %s has other content", row.ID, row.Folder, row.Key))
		}
		if isMessage && row.Content.Whole == 0 && !row.RemoteOnly && digest(m.Body) != row.Content.Digest {
			errs = append(errs, fmt.Errorf("state: row %d of %s: its message %d has other content", row.ID, row.Folder, row.UID))
		}
		if !equal {
			continue
		}
		switch {
		case !isFile || !isMessage:
			errs = append(errs, fmt.Errorf("state: row %d of %s has no file %q or no message %d", row.ID, row.Folder, row.Key, row.UID))
		case !f.flags.Equal(row.Flags) || !m.Flags.Equal(row.Flags):
			errs = append(errs, fmt.Errorf("state: row %d of %s: base %s, local %s, remote %s", row.ID, row.Folder, row.Flags, f.flags, m.Flags))
		case !w.sameDate(f, m):
			errs = append(errs, fmt.Errorf("row %d of %s: the file's date is not the message's", row.ID, row.Folder))
		}
	}
	if equal && len(rows) != len(messages) {
		errs = append(errs, fmt.Errorf("state: %d rows for %d messages", len(rows), len(messages)))
	}
	return errors.Join(errs...)
}

// sameDate compares mtime and INTERNALDATE. An edited draft has the time of its
// edit, which both sides may tell differently.
func (w *world) sameDate(f file, m phone.Message) bool {
	info, err := os.Stat(f.path())
	if err != nil {
		w.t.Fatal(err)
	}
	edited := strings.HasSuffix(simworld.NameOf(m.Body), "~")
	return edited || info.ModTime().Unix() == m.Date.Unix()
}

func digest(content []byte) mail.Digest {
	h := mail.NewHasher()
	_, _ = h.Write(content)
	return h.Content().Digest
}

// learn tells what scenarios call the messages there are now.
func (w *world) learn() simworld.Names {
	n := simworld.Names{Digest: w.names, Key: map[mail.Key]string{}, UID: map[mail.FolderName]map[mail.UID]string{}}
	for _, dir := range w.reader.folders() {
		for _, f := range w.reader.files(dir) {
			content := w.reader.content(f)
			n.Key[mail.Key(f.key)] = simworld.NameOf(content)
			w.names[digest(content)] = simworld.NameOf(content)
		}
	}
	_, found := w.client.look()
	for folder, list := range found {
		n.UID[folder] = map[mail.UID]string{}
		for _, m := range list {
			n.UID[folder][m.UID] = simworld.NameOf(m.Body)
			w.names[digest(m.Body)] = simworld.NameOf(m.Body)
		}
	}
	n.Digest = maps.Clone(w.names)
	return n
}

// edit does an edit on one side.
func (w *world) edit(side simworld.Side, e simworld.Edit) {
	w.t.Helper()
	switch side {
	case simworld.Local:
		w.reader.edit(e)
	case simworld.Remote:
		w.client.edit(e)
	case simworld.State:
		w.loseState()
	}
}

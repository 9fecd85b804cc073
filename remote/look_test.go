package remote

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"imapsync/internal/dovecot"
	"imapsync/mail"
)

// towns is a server with the mailboxes F0, F1, …; Fi has i+1 messages, all with
// the keyword fi, and the UIDVALIDITY 100+i.
type towns struct {
	*fake
	n    int
	hold int                                // this many commands come before the first is answered
	held func(c *fakeConn) (answer bool)    // called then
	once map[string]func(*fakeConn, string) // the next answer to the SELECT of a mailbox
	mu   sync.Mutex
	at   map[*fakeConn]int // the mailbox selected, -1 for none
	cut  int               // so many SELECTs are answered, then the connection is lost
}

func newTowns(t *testing.T, n int) *towns {
	w := &towns{n: n, at: map[*fakeConn]int{}, once: map[string]func(*fakeConn, string){}, cut: -1}
	on := map[string]answer{}
	for _, name := range []string{"SELECT", "UID FETCH", "UID SEARCH"} {
		on[name] = func(c *fakeConn, tag, args string) { w.command(c, tag, name, args) }
	}
	on["LIST"] = func(c *fakeConn, tag, args string) {
		for i := range n {
			c.send(`* LIST () "/" F%d`, i)
			c.send(`* STATUS F%d (MESSAGES %d UIDNEXT %d UIDVALIDITY %d HIGHESTMODSEQ 50)`, i, i+1, i+2, 100+i)
		}
		c.send("%s OK done", tag)
	}
	w.fake = newFake(t, allCaps, on)
	return w
}

// command answers a command, or a flight of them.
func (w *towns) command(c *fakeConn, tag, name, args string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	flight := [][3]string{{tag, name, args}}
	hold := w.hold
	for w.hold = 0; len(flight) < hold; {
		line, tag, name, ok := c.command()
		if !ok {
			return
		}
		flight = append(flight, [3]string{tag, name, strings.TrimSpace(strings.TrimPrefix(line, name))})
	}
	if hold > 0 && w.held != nil && !w.held(c) {
		return
	}
	for _, command := range flight {
		w.answer(c, command[0], command[1], command[2])
	}
}

func (w *towns) answer(c *fakeConn, tag, name, args string) {
	if name == "SELECT" {
		if w.cut--; w.cut == -1 {
			c.Close()
			return
		}
		folder := strings.Trim(strings.Fields(args)[0], `"`)
		i := 0
		fmt.Sscanf(folder, "F%d", &i)
		w.at[c] = i
		if once := w.once[folder]; once != nil {
			delete(w.once, folder)
			once(c, tag)
			return
		}
		c.send("%s\n%s OK in", w.box(i, i+1, 100+i), tag)
		return
	}
	i, selected := w.at[c]
	switch {
	case !selected || i < 0:
		c.send("%s BAD nothing is selected", tag)
		return
	case name == "UID FETCH":
		for _, uid := range asked(args, i+1) {
			c.send(`* %d FETCH (UID %d FLAGS (f%d) RFC822.SIZE 20 INTERNALDATE "01-Feb-2024 10:00:00 +0000")`, uid, uid, i)
		}
	default:
		c.send(`* ESEARCH (TAG "%s") UID ALL 1:%d`, tag, i+1)
	}
	c.send("%s OK done", tag)
}

func (w *towns) box(i, exists, validity int) string {
	return fmt.Sprintf("* %d EXISTS\n* OK [UIDVALIDITY %d] ok\n* OK [UIDNEXT %d] ok\n* OK [HIGHESTMODSEQ 50] ok", exists, validity, i+2)
}

// looked is what became of a Look.
type looked struct {
	snap mail.RemoteSnapshot
	err  error
}

// lookAtAll looks at all mailboxes at once.
func (w *towns) lookAtAll(a *Account, ctx func(i int) context.Context) []looked {
	got := make([]looked, w.n)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			got[i].snap, got[i].err = a.Look(ctx(i), mail.FolderName(fmt.Sprint("F", i)), false, mail.Known{}, true)
		})
	}
	wg.Wait()
	return got
}

// check fails unless mailbox i was seen as it is.
func (l looked) check(t *testing.T, i int) {
	t.Helper()
	if l.err != nil || l.snap.Doubt != "" || len(l.snap.Messages) != i+1 || l.snap.Mark.UIDValidity != uint32(100+i) || l.snap.Folder != mail.FolderName(fmt.Sprint("F", i)) {
		t.Errorf("F%d: %v, %+v", i, l.err, l.snap)
		return
	}
	for uid, m := range l.snap.Messages {
		if words := m.Flags.Keywords(); len(words) != 1 || words[0] != fmt.Sprint("f", i) || m.Size != 20 {
			t.Errorf("F%d: message %d is %+v", i, uid, m)
		}
	}
}

// listedTowns are towns of which Folders was asked.
func listedTowns(t *testing.T, n int) (*towns, *Account) {
	t.Helper()
	w := newTowns(t, n)
	a := w.account()
	if _, err := a.Folders(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w, a
}

func always(ctx context.Context) func(int) context.Context {
	return func(int) context.Context { return ctx }
}

// lent is how many connections are lent out.
func (a *Account) lent() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.busy
}

// Mailboxes looked at at the same time are asked in one flight of one connection.
func TestLooksShareAFlight(t *testing.T) {
	w, a := listedTowns(t, 8)
	w.hold = 16
	for i, l := range w.lookAtAll(a, always(t.Context())) {
		l.check(t, i)
	}
	if n := len(w.sent("SELECT", "UID FETCH", "UID SEARCH")); n != 16 || a.lent() != 0 {
		t.Errorf("%d commands, %d connections lent out", n, a.lent())
	}
}

// What is wrong with one mailbox costs it alone: a SELECT that is refused, or finds
// other messages than before in the run, or counts that do not add up, for which
// it is looked at once more.
func TestLooksGoWrongAlone(t *testing.T) {
	w, a := listedTowns(t, 8)
	if _, err := a.Look(t.Context(), "F4", false, mail.Known{}, true); err != nil {
		t.Fatal(err)
	}
	w.once["F2"] = func(c *fakeConn, tag string) { w.at[c] = -1; c.send("%s NO [INUSE] not now", tag) }
	w.once["F3"] = func(c *fakeConn, tag string) { c.send("%s\n%s OK in", w.box(3, 9, 103), tag) }
	w.once["F4"] = func(c *fakeConn, tag string) { c.send("%s\n%s OK in", w.box(4, 5, 999), tag) }
	w.once["F5"] = func(c *fakeConn, tag string) { w.at[c] = -1; c.send("%s\n%s OK in", w.box(5, 6, 105), tag) } // its FETCH fails
	w.hold = 16
	for i, l := range w.lookAtAll(a, always(t.Context())) {
		switch i {
		case 2:
			wantScope(t, l.err, mail.ScopeFolder, mail.ClassTemporary, "INUSE", "F2")
		case 4:
			wantScope(t, l.err, mail.ScopeFolder, mail.ClassFailed, "UIDVALIDITY changed from 104 to 999", "F4")
		default:
			l.check(t, i)
		}
	}
	again := map[string]int{}
	for _, line := range w.sent("SELECT") {
		again[strings.Fields(line)[1]]++
	}
	want := map[string]int{`"F0"`: 1, `"F1"`: 1, `"F2"`: 1, `"F3"`: 2, `"F4"`: 2, `"F5"`: 2, `"F6"`: 1, `"F7"`: 1}
	if byName := unquoted(again); !maps.Equal(byName, unquoted(want)) {
		t.Errorf("selected %v", byName)
	}
}

func unquoted(counts map[string]int) map[string]int {
	plain := map[string]int{}
	for name, n := range counts {
		plain[strings.Trim(name, `"`)] += n
	}
	return plain
}

// A connection lost with many questions on it costs none of them: each is asked
// again over another one.
func TestLooksOutliveAConnection(t *testing.T) {
	for _, answered := range []int{0, 3} {
		w, a := listedTowns(t, 8)
		w.hold, w.cut = 16, answered
		for i, l := range w.lookAtAll(a, always(t.Context())) {
			l.check(t, i)
		}
		if a.lent() != 0 {
			t.Errorf("%d connections lent out", a.lent())
		}
	}
}

// Who is interrupted returns, and takes the connection along; the others go on
// over another one.
func TestLookIsInterrupted(t *testing.T) {
	w, a := listedTowns(t, 8)
	ctx, cancel := context.WithCancel(t.Context())
	w.hold, w.held = 16, func(*fakeConn) bool { cancel(); return false }
	got := w.lookAtAll(a, func(i int) context.Context {
		if i == 3 {
			return ctx
		}
		return t.Context()
	})
	for i, l := range got {
		if i != 3 {
			l.check(t, i)
		} else if !errors.Is(l.err, context.Canceled) {
			t.Errorf("F3: %v", l.err)
		}
	}
	if a.lent() != 0 {
		t.Errorf("%d connections lent out", a.lent())
	}
}

// All are interrupted: nothing is left behind, and the account still works.
func TestLooksAreInterrupted(t *testing.T) {
	w, a := listedTowns(t, 8)
	ctx, cancel := context.WithCancel(t.Context())
	w.hold, w.held = 16, func(*fakeConn) bool { cancel(); return false }
	for i, l := range w.lookAtAll(a, always(ctx)) {
		if !errors.Is(l.err, context.Canceled) {
			t.Errorf("F%d: %v", i, l.err)
		}
	}
	if a.lent() != 0 {
		t.Errorf("%d connections lent out", a.lent())
	}
	for i, l := range w.lookAtAll(a, always(t.Context())) {
		l.check(t, i)
	}
}

// The mailbox that a flight leaves selected is left before it is deleted, and
// before it is renamed.
func TestLooksLeaveAMailbox(t *testing.T) {
	w, a := listedTowns(t, 1)
	w.on["STATUS"] = func(c *fakeConn, tag, args string) { c.send("* STATUS F0 (MESSAGES 0)\n%s OK done", tag) }
	for name, do := range map[string]func() error{
		"DELETE": func() error { return a.DeleteFolder(t.Context(), "F0") },
		"RENAME": func() error { return a.RenameFolder(t.Context(), "F0", "G") },
	} {
		if _, err := a.Folders(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.lookAtAll(a, always(t.Context()))[0].check(t, 0)
		if err := do(); err != nil {
			t.Fatal(err)
		}
		log := w.sent("SELECT", "UNSELECT", name)
		if n := len(log); n < 3 || log[n-2] != "UNSELECT" || !strings.HasPrefix(log[n-3], "SELECT") {
			t.Errorf("sent %q", log)
		}
	}
}

// TestDovecotLooks has another session change mailboxes, again and again, and
// compares what looking at all of them at once tells with what looking at each
// alone does.
func TestDovecotLooks(t *testing.T) {
	srv := dovecot.Start(t)
	for i, v := range []struct {
		name    string
		without []string
	}{{"all", nil}, {"no CONDSTORE", []string{"CONDSTORE", "QRESYNC"}}, {"no ESEARCH", []string{"ESEARCH"}}, {"neither", []string{"CONDSTORE", "QRESYNC", "ESEARCH"}}} {
		t.Run(v.name, func(t *testing.T) {
			user := fmt.Sprint("user", i)
			dovecotLooks(t, accountAt(t, srv.Addr(), user, srv.Password, disable(v.without...)),
				accountAt(t, srv.Addr(), user, srv.Password, disable(v.without...)), accountAt(t, srv.Addr(), user, srv.Password))
		})
	}
}

func dovecotLooks(t *testing.T, a, alone, other *Account) {
	ctx := t.Context()
	rng := rand.New(rand.NewPCG(3, 4))
	folders := []mail.FolderName{mail.Inbox, "Entwürfe", "A", "A/B & C", "Empty"}
	for _, f := range folders[1:] {
		if err := other.CreateFolder(ctx, f); err != nil {
			t.Fatal(err)
		}
	}
	base := map[mail.FolderName]mail.RemoteSnapshot{}
	for round := range 8 {
		for _, f := range folders[:4] {
			stir(t, other, f, rng)
		}
		if round%2 == 0 {
			if _, err := a.Folders(ctx); err != nil {
				t.Fatal(err)
			}
		}
		full := round%4 == 3
		got := make([]looked, len(folders))
		var wg sync.WaitGroup
		for i, f := range folders {
			wg.Go(func() { got[i].snap, got[i].err = a.Look(ctx, f, round%3 == 2, knownOf(base[f]), full) })
		}
		wg.Wait()
		for i, f := range folders {
			m, err := alone.Open(ctx, f, round%3 == 2)
			if err != nil {
				t.Fatal(err)
			}
			want := inUTC(snapshot(t, m, knownOf(base[f]), full))
			m.Close()
			want.Complete(rowsOf(base[f]))
			got[i].snap.Complete(rowsOf(base[f]))
			if !a.hasCap("CONDSTORE") { // the server tells it some sessions all the same
				got[i].snap.Mark.HighestModSeq, want.Mark.HighestModSeq = 0, 0
			}
			if got[i].err != nil || !reflect.DeepEqual(inUTC(got[i].snap), want) {
				t.Fatalf("round %d, %s: %v\nlooked at with others %+v\nalone %+v", round, f, got[i].err, got[i].snap, want)
			}
			base[f] = got[i].snap
		}
	}
	if w := a.Warnings(); len(w) > 0 {
		t.Errorf("warnings %q", w)
	}
}

// stir appends, flags and expunges.
func stir(t *testing.T, a *Account, folder mail.FolderName, rng *rand.Rand) {
	t.Helper()
	m, err := a.Open(t.Context(), folder, false)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for i := range rng.IntN(4) {
		mustAppend(t, m, outgoing(message(i), ":"))
	}
	all := uidsOf(snapshot(t, m, mail.Known{}, true))
	if len(all) == 0 {
		return
	}
	pick := func() []mail.UID { return []mail.UID{all[rng.IntN(len(all))]} }
	if err := m.Store(t.Context(), pick(), mail.ParseFlags(":F word"), mail.ParseFlags(":S")); err != nil {
		t.Fatal(err)
	}
	if rng.IntN(2) == 0 {
		if err := m.Expunge(t.Context(), pick()); err != nil {
			t.Fatal(err)
		}
	}
}

// inUTC writes the dates so that they can be compared.
func inUTC(s mail.RemoteSnapshot) mail.RemoteSnapshot {
	s.Messages = maps.Clone(s.Messages)
	for uid, m := range s.Messages {
		if !m.Date.IsZero() {
			m.Date = time.Unix(m.Date.Unix(), 0).UTC()
		}
		s.Messages[uid] = m
	}
	return s
}

// TestDovecotLooksThenRemoves: mailboxes that were looked at can be deleted and
// renamed.
func TestDovecotLooksThenRemoves(t *testing.T) {
	onVariants(t, func(t *testing.T, a *Account) {
		ctx := t.Context()
		names := []mail.FolderName{"Old", "Sub", "Sub/Below"}
		for _, name := range names {
			if err := a.CreateFolder(ctx, name); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := a.Folders(ctx); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for _, name := range names {
			wg.Go(func() {
				if _, err := a.Look(ctx, name, false, mail.Known{}, false); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, name := range names { // whichever was the last one
			if _, err := a.Look(ctx, name, false, mail.Known{}, false); err != nil {
				t.Error(err)
			}
		}
		if err := a.RenameFolder(ctx, "Sub", "New"); err != nil {
			t.Error(err)
		}
		if _, err := a.Look(ctx, "Old", false, mail.Known{}, false); err != nil {
			t.Error(err)
		}
		if err := a.DeleteFolder(ctx, "Old"); err != nil {
			t.Error(err)
		}
		folders, err := a.Folders(ctx)
		var left []mail.FolderName
		for _, f := range folders {
			left = append(left, f.Name)
		}
		if slices.Sort(left); err != nil || !slices.Equal(left, []mail.FolderName{mail.Inbox, "New", "New/Below"}) {
			t.Errorf("%v, left are %v", err, left)
		}
	})
}

// A question about changes that the server refuses is not taken for "none".
func TestLooksAskAgainWhatWasRefused(t *testing.T) {
	w, a := listedTowns(t, 2)
	fetch, refused := w.on["UID FETCH"], false
	w.on["UID FETCH"] = func(c *fakeConn, tag, args string) {
		if strings.Contains(args, "CHANGEDSINCE") && !refused {
			refused = true
			c.send("%s NO not now", tag)
			return
		}
		fetch(c, tag, args)
	}
	known := mail.Known{Mark: mail.Mark{UIDValidity: 101, UIDNext: 3, Messages: 2, HighestModSeq: 40}, UIDs: []mail.UID{1, 2}}
	s, err := a.Look(t.Context(), "F1", false, known, false)
	if err != nil || !refused || len(s.Messages) != 2 || len(s.Messages[1].Flags.Keywords()) != 1 || len(s.Messages[2].Flags.Keywords()) != 1 {
		t.Errorf("%v, %+v", err, s)
	}
}

// A HIGHESTMODSEQ that a server tells without CONDSTORE, or with that disabled, is
// not asked about.
func TestLookWithoutCondstore(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"not offered": func(c *Config) {},
		"disabled":    disable("CONDSTORE"),
	} {
		t.Run(name, func(t *testing.T) {
			caps := allCaps
			if name == "not offered" {
				caps = strings.ReplaceAll(allCaps, "CONDSTORE ", "")
			}
			f := newFake(t, caps, map[string]answer{"SELECT": box(selected)})
			for _, full := range []bool{false, true} {
				s, err := f.account(change).Look(t.Context(), mail.Inbox, false, knownAll, full)
				if err != nil || s.Delta || s.Mark.HighestModSeq != 0 {
					t.Errorf("%+v, %v", s, err)
				}
			}
			for _, line := range f.sent("SELECT", "UID FETCH") {
				if strings.Contains(line, "CHANGEDSINCE") || strings.Contains(line, "CONDSTORE") {
					t.Errorf("sent %q", line)
				}
			}
		})
	}
}

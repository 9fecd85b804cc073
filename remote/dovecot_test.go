package remote

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"imapsync/internal/dovecot"
	"imapsync/internal/proxy"
	"imapsync/mail"
)

// variants are the extensions taken away from a server that has them all.
var variants = []struct {
	name    string
	without []string
}{
	{"all", nil},
	{"no-condstore", []string{"CONDSTORE", "QRESYNC"}},
	{"no-esearch", []string{"ESEARCH"}},
	{"no-uidplus", []string{"UIDPLUS"}},
	{"no-move", []string{"MOVE"}},
	{"no-list-status", []string{"LIST-STATUS", "LIST-EXTENDED"}},
	{"no-literal-plus", []string{"LITERAL+", "LITERAL-"}},
	{"no-unselect", []string{"UNSELECT", "NAMESPACE"}},
	{"none", []string{"CONDSTORE", "QRESYNC", "ESEARCH", "UIDPLUS", "MOVE", "LIST-STATUS", "LIST-EXTENDED",
		"LITERAL+", "LITERAL-", "UNSELECT", "NAMESPACE", "QUOTA", "SPECIAL-USE", "ID", "ENABLE"}},
}

// onVariants runs a test on one Dovecot, with a new user for each variant.
func onVariants(t *testing.T, test func(t *testing.T, a *Account)) {
	srv := dovecot.Start(t)
	for i, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			user := fmt.Sprintf("user%d", i)
			test(t, accountAt(t, srv.Addr(), user, srv.Password, disable(v.without...)))
		})
	}
}

func TestDovecotFolders(t *testing.T) {
	onVariants(t, func(t *testing.T, a *Account) {
		ctx := t.Context()
		want := []mail.FolderName{"INBOX", "Entwürfe", "A", "A/B & C", "A/日本語", `odd "*\ name`}
		for _, f := range want[1:] {
			if err := a.CreateFolder(ctx, f); err != nil {
				t.Fatal(err)
			}
			if err := a.CreateFolder(ctx, f); err != nil {
				t.Errorf("creating %q twice: %v", f, err)
			}
		}
		mustAppend(t, open(t, a, "A"), outgoing(message(1), ":S"))
		folders, err := a.Folders(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got := map[mail.FolderName]mail.RemoteFolder{}
		for _, f := range folders {
			got[f.Name] = f
		}
		for _, f := range want {
			if !got[f].Selectable || got[f].Mark == nil {
				t.Errorf("folder %q: %+v", f, got[f])
			}
			if missing, err := a.Missing(ctx, f); missing || err != nil {
				t.Errorf("Missing(%q) = %v, %v", f, missing, err)
			}
		}
		if len(folders) != len(want) {
			t.Errorf("folders %v, want %v", slices.Collect(maps.Keys(got)), want)
		}
		if m := got["A"].Mark; m == nil || m.Messages != 1 || m.UIDNext != 2 {
			t.Errorf("mark of A: %+v", m)
		}
		if a.hasCap("LIST-EXTENDED") && !got["Entwürfe"].Subscribed {
			t.Error("a created folder is not subscribed")
		}
		if missing, err := a.Missing(ctx, "no such"); !missing || err != nil {
			t.Errorf("Missing of a folder that is not there: %v, %v", missing, err)
		}
		if w := a.Warnings(); len(w) > 0 {
			t.Errorf("warnings %q", w)
		}
	})
}

func (a *Account) hasCap(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for c := range a.all {
		return c.has(name)
	}
	return false
}

func TestDovecotDeleteFolder(t *testing.T) {
	onVariants(t, func(t *testing.T, a *Account) {
		ctx := t.Context()
		if err := a.CreateFolder(ctx, "Old"); err != nil {
			t.Fatal(err)
		}
		m, err := a.Open(ctx, "Old", false)
		if err != nil {
			t.Fatal(err)
		}
		uids := mustAppend(t, m, outgoing(message(1), ":T"))
		m.Close()
		if err := a.DeleteFolder(ctx, "Old"); err != mail.ErrChanged {
			t.Fatalf("deleting a folder with a message: %v", err)
		}
		m, err = a.Open(ctx, "Old", false)
		if err != nil {
			t.Fatal(err)
		}
		if got := uidsOf(snapshot(t, m, mail.Known{}, false)); !slices.Equal(got, uids) {
			t.Fatalf("the attempt left %v of %v", got, uids)
		}
		if err := m.Expunge(ctx, uids); err != nil {
			t.Fatal(err)
		}
		m.Close()
		if err := a.DeleteFolder(ctx, "Old"); err != nil {
			t.Fatal(err)
		}
		if missing, err := a.Missing(ctx, "Old"); !missing || err != nil {
			t.Errorf("after the deletion: missing %v, %v", missing, err)
		}
	})
}

func TestDovecotNamespaces(t *testing.T) {
	for _, ns := range []struct{ prefix, separator string }{{"INBOX.", "."}, {"", "."}, {"INBOX/", "/"}} {
		t.Run(ns.prefix+ns.separator, func(t *testing.T) {
			srv := dovecot.Start(t, dovecot.WithNamespace(ns.prefix, ns.separator))
			a := accountAt(t, srv.Addr(), "alice", srv.Password)
			ctx := t.Context()
			if err := a.CreateFolder(ctx, "Lists/Go"); err != nil {
				t.Fatal(err)
			}
			folders, err := a.Folders(ctx)
			if err != nil {
				t.Fatal(err)
			}
			var got []mail.FolderName
			for _, f := range folders {
				got = append(got, f.Name)
			}
			slices.Sort(got)
			if want := []mail.FolderName{"INBOX", "Lists", "Lists/Go"}; !slices.Equal(got, want) && !slices.Equal(got, []mail.FolderName{"INBOX", "Lists/Go"}) {
				t.Errorf("folders %q, want %q", got, want)
			}
			open(t, a, "Lists/Go")
			p, err := a.Probe(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if p.Prefix != ns.prefix || p.Delimiter != ns.separator {
				t.Errorf("prefix %q delimiter %q", p.Prefix, p.Delimiter)
			}
			if ns.separator != "/" {
				err := a.CreateFolder(ctx, mail.FolderName("v1"+ns.separator+"2"))
				wantScope(t, err, mail.ScopeFolder, mail.ClassFailed, "separates folders by")
			}
		})
	}
}

// odd are messages whose bytes a server must give back as they are.
var odd = []string{
	message(1),
	"Subject: no body\r\n\r\n",
	"Subject: no final newline\r\n\r\nend",
	"no header at all\r\n",
	"Subject: 8-bit\r\n\r\n\xff\xfe\x80 caf\xc3\xa9\r\n",
	"Subject: long line\r\n\r\n" + strings.Repeat("x", 100_000) + "\r\n",
	"Subject: bare CR\r\n\r\na\rb\r\n",
}

func TestDovecotBodies(t *testing.T) {
	onVariants(t, func(t *testing.T, a *Account) {
		m := open(t, a, mail.Inbox)
		var messages []mail.Outgoing
		texts := slices.Clone(odd)
		big := make([]byte, 3<<20)
		rng := rand.New(rand.NewPCG(1, 2))
		for i := range big {
			big[i] = byte(' ' + rng.IntN(90))
		}
		texts = append(texts, "Subject: big\r\n\r\n"+string(big)+"\r\n")
		for i := range 40 {
			texts = append(texts, message(100+i))
		}
		for _, text := range texts {
			messages = append(messages, outgoing(text, ":S"))
		}
		uids := mustAppend(t, m, messages...)
		if len(uids) != len(texts) {
			t.Fatalf("%d messages arrived of %d", len(uids), len(texts))
		}
		got, errs, err := fetchAll(t, m, uids)
		if err != nil || len(errs) > 0 {
			t.Fatal(err, errs)
		}
		headers, err := m.Headers(t.Context(), append(uids, 9999))
		if err != nil {
			t.Fatal(err)
		}
		if len(headers) != len(uids) {
			t.Errorf("%d headers of %d messages", len(headers), len(uids))
		}
		s := snapshot(t, m, mail.Known{}, false)
		for i, uid := range uids {
			if got[uid] != texts[i] {
				t.Errorf("message %d came back as %.80q (%d bytes), was %.80q (%d bytes)", i, got[uid], len(got[uid]), texts[i], len(texts[i]))
			}
			want := contentOf(texts[i])
			if h := headers[uid]; i != 3 && (h.Header != want.Header || h.Fields != want.Fields) {
				t.Errorf("message %d: header %+v, want that of %+v", i, h, want)
			}
			if r := s.Messages[uid]; r.Size != int64(len(texts[i])) || !r.Date.Equal(messages[i].Date) {
				t.Errorf("message %d: size %d date %v", i, r.Size, r.Date)
			}
		}
	})
}

func contentOf(text string) mail.Content {
	h := mail.NewHasher()
	_, _ = io.Copy(h, strings.NewReader(text))
	return h.Content()
}

func TestDovecotGone(t *testing.T) {
	onVariants(t, func(t *testing.T, a *Account) {
		m := open(t, a, mail.Inbox)
		uids := mustAppend(t, m, outgoing(message(1), ":"), outgoing(message(2), ":"), outgoing(message(3), ":"))
		if err := m.Expunge(t.Context(), uids[1:2]); err != nil {
			t.Fatal(err)
		}
		got, errs, err := fetchAll(t, m, uids)
		if err != nil || len(got) != 2 || errs[uids[1]] != mail.ErrChanged {
			t.Errorf("bodies %v, errors %v, %v", got, errs, err)
		}
		flags, err := m.Flags(t.Context(), uids)
		if _, there := flags[uids[1]]; err != nil || len(flags) != 2 || there {
			t.Errorf("flags %v, %v", flags, err)
		}
		if err := m.Store(t.Context(), uids, mail.ParseFlags(":F"), mail.Flags{}); err != nil {
			t.Errorf("storing on a message that is gone: %v", err)
		}
	})
}

func TestDovecotFlags(t *testing.T) {
	onVariants(t, func(t *testing.T, a *Account) {
		ctx := t.Context()
		m := open(t, a, mail.Inbox)
		all := ":DFPRST $Junk todo"
		uids := mustAppend(t, m, outgoing(message(1), all), outgoing(message(2), ":"))
		if s := snapshot(t, m, mail.Known{}, false); !s.Messages[uids[0]].Flags.Equal(mail.ParseFlags(all)) || !s.Messages[uids[1]].Flags.IsEmpty() {
			t.Errorf("after the upload: %v", s.Messages)
		} else if s.Space.System != mail.AllSystem || !s.Space.AnyKeyword || s.Space.ReadOnly {
			t.Errorf("space %+v", s.Space)
		}
		if err := m.Store(ctx, uids, mail.ParseFlags(":F work"), mail.ParseFlags(":PS todo")); err != nil {
			t.Fatal(err)
		}
		got, err := m.Flags(ctx, uids)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{":DFRT $Junk work", ":F work"} {
			if !got[uids[i]].Equal(mail.ParseFlags(want)) {
				t.Errorf("message %d has %v, want %v", i, got[uids[i]], want)
			}
		}
		// Enough changes at once that no channel of the library holds the answers.
		var many []mail.Outgoing
		for i := range 300 {
			many = append(many, outgoing(message(i), ":"))
		}
		uids = mustAppend(t, m, many...)
		odd := slices.DeleteFunc(slices.Clone(uids), func(uid mail.UID) bool { return uid%2 == 0 })
		if err := m.Store(ctx, odd, mail.ParseFlags(":S"), mail.ParseFlags(":F")); err != nil {
			t.Fatal(err)
		}
		s := snapshot(t, m, mail.Known{}, false)
		for _, uid := range uids {
			if want := uid%2 == 1; (s.Messages[uid].Flags.System == mail.Seen) != want {
				t.Fatalf("UID %d has %v", uid, s.Messages[uid].Flags)
			}
		}
	})
}

// TestDovecotStoresOnWhatIsGone: another client takes messages away behind the
// back of a session, which is told that its STORE was done; a new one knows.
func TestDovecotStoresOnWhatIsGone(t *testing.T) {
	onVariants(t, func(t *testing.T, a *Account) {
		m := open(t, a, mail.Inbox)
		uids := mustAppend(t, m, outgoing(message(1), ":"), outgoing(message(2), ":"), outgoing(message(3), ":"))
		snapshot(t, m, mail.Known{}, false)
		other := open(t, a, mail.Inbox)
		if err := other.Expunge(t.Context(), []mail.UID{uids[0], uids[2]}); err != nil {
			t.Fatal(err)
		}
		changes := []mail.FlagChange{{UIDs: uids, Add: mail.ParseFlags(":F")}}
		there, err := m.StoreAndLook(t.Context(), changes, func(_ int, err error) { t.Error(err) })
		if err != nil || !slices.Equal(there, uids[1:2]) {
			t.Errorf("there are %v, want %v (%v)", there, uids[1:2], err)
		}
		sought := []mail.Sought{{Folder: mail.Inbox, UIDValidity: m.Mark().UIDValidity, UIDs: uids}}
		err = a.StillThere(t.Context(), sought, false, func(_ mail.FolderName, there []mail.UID, err error) {
			if err != nil || !slices.Equal(there, uids[1:2]) {
				t.Errorf("there are %v, want %v (%v)", there, uids[1:2], err)
			}
		})
		if err != nil {
			t.Error(err)
		}
		told := 0
		list, err := a.LookAgain(t.Context(), sought, false, func(_ mail.FolderName, there []mail.UID, err error) {
			if told++; err != nil || !slices.Equal(there, uids[1:2]) {
				t.Errorf("there are %v, want %v (%v)", there, uids[1:2], err)
			}
		})
		if i := slices.IndexFunc(list, func(f mail.RemoteFolder) bool { return f.Name == mail.Inbox }); err != nil || told != 1 || i < 0 || list[i].Mark.Messages != 1 {
			t.Errorf("%v, told %d times, listed %v", err, told, list)
		}
		if s := snapshot(t, m, mail.Known{}, true); s.Messages[uids[1]].Flags.System&mail.Flagged == 0 {
			t.Error("the flag was not stored")
		}
	})
}

func TestDovecotExpungeSparesOthers(t *testing.T) {
	onVariants(t, func(t *testing.T, a *Account) {
		m := open(t, a, mail.Inbox)
		var messages []mail.Outgoing
		for i := range 6 {
			messages = append(messages, outgoing(message(i), []string{":", ":T"}[i%2]))
		}
		uids := mustAppend(t, m, messages...)
		if err := m.Expunge(t.Context(), []mail.UID{uids[0], uids[1], 4711}); err != nil {
			t.Fatal(err)
		}
		s := snapshot(t, m, mail.Known{}, true)
		if got := uidsOf(s); !slices.Equal(got, uids[2:]) {
			t.Fatalf("left are %v, want %v", got, uids[2:])
		}
		for i, uid := range uids[2:] {
			if want := messages[i+2].Flags; !s.Messages[uid].Flags.Equal(want) {
				t.Errorf("UID %d has %v, want %v", uid, s.Messages[uid].Flags, want)
			}
		}
	})
}

func TestDovecotCopyAndMove(t *testing.T) {
	onVariants(t, func(t *testing.T, a *Account) {
		ctx := t.Context()
		if err := a.CreateFolder(ctx, "To"); err != nil {
			t.Fatal(err)
		}
		m := open(t, a, mail.Inbox)
		uids := mustAppend(t, m, outgoing(message(1), ":F"), outgoing(message(2), ":"), outgoing(message(3), ":S"))
		copied, err := m.Copy(ctx, []mail.UID{uids[2], uids[0]}, "To", 0)
		if err != nil {
			t.Fatal(err)
		}
		checkCopies(t, a, m, copied, a.hasCap("UIDPLUS"))
		moved, err := m.Move(ctx, uids[1:], "To", 0)
		if !a.hasCap("MOVE") {
			wantScope(t, err, mail.ScopeFolder, mail.ClassFailed, "no MOVE")
			if got := uidsOf(snapshot(t, m, mail.Known{}, true)); !slices.Equal(got, uids) {
				t.Fatalf("without MOVE %v of %v are left", got, uids)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := uidsOf(snapshot(t, m, mail.Known{}, false)); !slices.Equal(got, uids[:1]) {
			t.Errorf("after the move %v are left of %v", got, uids)
		}
		if len(moved) != 2 && a.hasCap("UIDPLUS") {
			t.Errorf("moved %v", moved)
		}
		if _, err := m.Copy(ctx, uids[:1], "Nowhere", 0); err == nil {
			t.Error("copying to a folder that is not there succeeded")
		} else {
			wantScope(t, err, mail.ScopeFolder, mail.ClassFailed, "TRYCREATE", "copy to Nowhere")
		}
	})
}

// checkCopies compares each copy with what it was copied from.
func checkCopies(t *testing.T, a *Account, m *Mailbox, copied map[mail.UID]mail.UID, told bool) {
	t.Helper()
	if !told {
		if len(copied) != 0 {
			t.Errorf("copies %v without UIDPLUS", copied)
		}
		return
	}
	if len(copied) != 2 {
		t.Fatalf("copies %v", copied)
	}
	to := open(t, a, "To")
	sources, _, err := fetchAll(t, m, slices.Collect(maps.Keys(copied)))
	if err != nil {
		t.Fatal(err)
	}
	copies, _, err := fetchAll(t, to, slices.Collect(maps.Values(copied)))
	if err != nil {
		t.Fatal(err)
	}
	for source, twin := range copied {
		if sources[source] == "" || sources[source] != copies[twin] {
			t.Errorf("UID %d is %q, its copy %d %q", source, sources[source], twin, copies[twin])
		}
	}
}

// TestDovecotDelta changes a mailbox behind an account's back, again and again,
// and compares what a delta says with a full listing.
func TestDovecotDelta(t *testing.T) {
	onVariants(t, func(t *testing.T, a *Account) {
		ctx := t.Context()
		rng := rand.New(rand.NewPCG(7, 7))
		other, m := open(t, a, mail.Inbox), open(t, a, mail.Inbox)
		var all []mail.UID
		base := snapshot(t, m, mail.Known{}, false)
		for round := range 12 {
			for range rng.IntN(4) {
				all = append(all, mustAppend(t, other, outgoing(message(round), ":"))...)
			}
			if n := len(all); n > 0 {
				pick := func() mail.UID { return all[rng.IntN(n)] }
				if err := other.Store(ctx, []mail.UID{pick(), pick()}, mail.ParseFlags(":F"), mail.ParseFlags(":S")); err != nil {
					t.Fatal(err)
				}
				if err := other.Store(ctx, []mail.UID{pick()}, mail.ParseFlags(":S word"), mail.ParseFlags(":F")); err != nil {
					t.Fatal(err)
				}
				if gone := pick(); rng.IntN(2) == 0 {
					if err := other.Expunge(ctx, []mail.UID{gone}); err != nil {
						t.Fatal(err)
					}
					all = slices.DeleteFunc(all, func(uid mail.UID) bool { return uid == gone })
				}
			}
			delta := snapshot(t, m, knownOf(base), false)
			full := snapshot(t, m, knownOf(base), true)
			delta.Complete(rowsOf(base))
			if delta.Doubt != "" || full.Doubt != "" {
				t.Fatalf("doubts %q, %q", delta.Doubt, full.Doubt)
			}
			if !reflect.DeepEqual(delta.Messages, full.Messages) || delta.Mark != full.Mark {
				t.Fatalf("round %d: the delta says %v\nthe full listing %v", round, delta.Messages, full.Messages)
			}
			if got := uidsOf(full); !slices.Equal(got, all) {
				t.Fatalf("round %d: %v, want %v", round, got, all)
			}
			base = full
		}
	})
}

// TestDovecotManyMessages has several FETCHes and APPENDs in flight, whose
// answers Dovecot mixes.
func TestDovecotManyMessages(t *testing.T) {
	srv := dovecot.Start(t)
	a := accountAt(t, srv.Addr(), "alice", srv.Password)
	m := open(t, a, mail.Inbox)
	const n = 2500
	var messages []mail.Outgoing
	for i := range n {
		messages = append(messages, outgoing(message(i)+strings.Repeat("line\r\n", i%700), ":S"))
	}
	uids := mustAppend(t, m, messages...)
	before := a.Stats()
	got, errs, err := fetchAll(t, m, uids)
	if err != nil || len(errs) > 0 || len(got) != n {
		t.Fatal(len(got), errs, err)
	}
	if sent := a.Stats().Commands - before.Commands; sent != (n+fetchMessages-1)/fetchMessages {
		t.Errorf("%d commands for %d messages", sent, n)
	}
	headers, err := m.Headers(t.Context(), uids)
	if err != nil || len(headers) != n {
		t.Fatal(len(headers), err)
	}
	for i, uid := range uids {
		if int64(len(got[uid])) != messages[i].Size {
			t.Fatalf("UID %d: %d bytes of %d", uid, len(got[uid]), messages[i].Size)
		}
	}
}

func TestDovecotMarksComeWithTheList(t *testing.T) {
	srv := dovecot.Start(t)
	a := accountAt(t, srv.Addr(), "alice", srv.Password)
	for i := range 30 {
		if err := a.CreateFolder(t.Context(), mail.FolderName(fmt.Sprint("F", i))); err != nil {
			t.Fatal(err)
		}
	}
	link, err := proxy.New(srv.Addr(), 200*time.Millisecond) // or the first command is answered before the last is written
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(link.Close)
	a = accountAt(t, link.Addr(), "alice", srv.Password)
	if _, err := a.Features(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := a.Stats()
	folders, err := a.Folders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if f.Mark == nil || f.Mark.HighestModSeq == 0 {
			t.Errorf("folder %q has no mark", f.Name)
		}
	}
	after := a.Stats()
	sent, trips := after.Commands-before.Commands, after.Turnarounds-before.Turnarounds
	if sent != 4 || trips != 1 || len(folders) != 31 { // CAPABILITY, ID, NAMESPACE and LIST
		t.Errorf("%d folders took %d commands in %d round trips", len(folders), sent, trips)
	}
}

func TestDovecotQuota(t *testing.T) {
	srv := dovecot.Start(t, dovecot.WithQuota(64<<10))
	a := accountAt(t, srv.Addr(), "alice", srv.Password)
	m := open(t, a, mail.Inbox)
	big := "Subject: big\r\n\r\n" + strings.Repeat(strings.Repeat("y", 70)+"\r\n", 1000)
	got, err := appendAll(t, m, outgoing(message(1), ":"), outgoing(big, ":"), outgoing(message(2), ":"))
	if err != nil {
		t.Fatal(err)
	}
	if got[0].err != nil || got[0].uid == 0 {
		t.Errorf("the message that fits: %+v", got[0])
	}
	wantScope(t, got[1].err, mail.ScopeFolder, mail.ClassFailed, "OVERQUOTA", "the account is full")
	if n := len(snapshot(t, m, mail.Known{}, false).Messages); n == 0 || n > 2 {
		t.Errorf("%d messages arrived", n)
	}
	p, err := a.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p.Server == "" || p.TLS != nil || !slices.Contains(p.Caps, "IMAP4REV1") {
		t.Errorf("probe %+v", p)
	}
}

func TestDovecotPool(t *testing.T) {
	srv := dovecot.Start(t, dovecot.WithMaxUserConnections(2))
	a := accountAt(t, srv.Addr(), "alice", srv.Password, func(c *Config) { c.Connections = 4 })
	ctx := t.Context()
	one, two := open(t, a, mail.Inbox), open(t, a, mail.Inbox)
	done := make(chan error)
	go func() {
		three, err := a.Open(ctx, mail.Inbox, false) // the server allows no third one: it waits
		if err == nil {
			three.Close()
		}
		done <- err
	}()
	one.Close()
	if err := <-done; err != nil {
		t.Fatalf("with the server's limit reached: %v", err)
	}
	two.Close()
	wrong := accountAt(t, srv.Addr(), "alice", "wrong")
	wrong.pause = nil // a refused login is not tried again
	_, err := wrong.Features(ctx)
	wantScope(t, err, mail.ScopeAccount, mail.ClassAuth)
	if err == nil || bytes.Contains([]byte(err.Error()), []byte("wrong")) {
		t.Errorf("the error shows the password: %v", err)
	}
}

package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"imapsync/mail"
	"imapsync/remote/wire"
)

// noPause replaces the wait between two dials.
func noPause(context.Context, time.Duration) error { return nil }

// accountAt is an account on a server at a loopback address.
func accountAt(t testing.TB, addr, user, password string, change ...func(*Config)) *Account {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Wire: wire.Options{
		Host: host, Port: n, Security: wire.Plain, User: user, Auth: "auto", Timeout: 30 * time.Second,
		Secret: func(context.Context) (string, error) { return password, nil },
	}}
	for _, f := range change {
		f(&cfg)
	}
	a := New(cfg)
	a.pause = noPause
	t.Cleanup(func() { _ = a.Close() })
	return a
}

func disable(caps ...string) func(*Config) {
	return func(c *Config) { c.Wire.Disable = caps }
}

// open opens a mailbox until the test ends.
func open(t testing.TB, a *Account, folder mail.FolderName) *Mailbox {
	t.Helper()
	m, err := a.Open(t.Context(), folder, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func snapshot(t testing.TB, m *Mailbox, known mail.Known, full bool) mail.RemoteSnapshot {
	t.Helper()
	s, err := m.Snapshot(t.Context(), known, full)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// knownOf is what a run that carried everything out would record.
func knownOf(s mail.RemoteSnapshot) mail.Known {
	return mail.Known{Mark: s.Mark, UIDs: uidsOf(s)}
}

// rowsOf are the rows of that run.
func rowsOf(s mail.RemoteSnapshot) (rows []*mail.Base) {
	for _, uid := range uidsOf(s) {
		rows = append(rows, &mail.Base{UID: uid, Flags: s.Messages[uid].Flags})
	}
	return rows
}

// rowsWith are rows of messages with the same flags.
func rowsWith(flags string, uids []mail.UID) (rows []*mail.Base) {
	for _, uid := range uids {
		rows = append(rows, &mail.Base{UID: uid, Flags: mail.ParseFlags(flags)})
	}
	return rows
}

// outgoing is a message to append.
func outgoing(text string, flags string) mail.Outgoing {
	return mail.Outgoing{
		Flags: mail.ParseFlags(flags),
		Date:  time.Date(2024, 2, 29, 13, 14, 15, 0, time.FixedZone("", 3600)),
		Size:  int64(len(text)),
		Open:  func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil },
	}
}

// appended is what Append told of each message.
type appended struct {
	uid mail.UID
	err error
}

func appendAll(t testing.TB, m *Mailbox, messages ...mail.Outgoing) ([]appended, error) {
	t.Helper()
	var got []appended
	err := m.Append(t.Context(), slices.Values(messages), func(i int, uid mail.UID, err error) {
		if i != len(got) {
			t.Errorf("done was called for message %d after %d messages", i, len(got))
		}
		got = append(got, appended{uid, err})
	})
	return got, err
}

// mustAppend appends and returns the UIDs, found by a snapshot where the server
// does not tell them.
func mustAppend(t testing.TB, m *Mailbox, messages ...mail.Outgoing) []mail.UID {
	t.Helper()
	before := uidsOf(snapshot(t, m, mail.Known{}, true))
	got, err := appendAll(t, m, messages...)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(messages) {
		t.Fatalf("done was called %d times for %d messages", len(got), len(messages))
	}
	for i, g := range got {
		if g.err != nil {
			t.Fatalf("message %d: %v", i, g.err)
		}
	}
	after := uidsOf(snapshot(t, m, mail.Known{}, true))
	uids := slices.DeleteFunc(after, func(uid mail.UID) bool { return slices.Contains(before, uid) })
	for i, g := range got {
		if g.uid != 0 && (i >= len(uids) || g.uid != uids[i]) {
			t.Fatalf("message %d was told to be UID %d, the mailbox has %v more", i, g.uid, uids)
		}
	}
	return uids
}

func uidsOf(s mail.RemoteSnapshot) []mail.UID {
	return slices.Sorted(maps.Keys(s.Messages))
}

// fetchAll fetches messages, each expected once.
func fetchAll(t testing.TB, m *Mailbox, uids []mail.UID) (bodies map[mail.UID]string, errs map[mail.UID]error, err error) {
	t.Helper()
	bodies, errs = map[mail.UID]string{}, map[mail.UID]error{}
	err = m.Fetch(t.Context(), uids, func(uid mail.UID, body io.Reader, err error) error {
		if _, twice := bodies[uid]; twice || errs[uid] != nil {
			t.Errorf("UID %d was handed on twice", uid)
		}
		if err != nil {
			errs[uid] = err
			return nil
		}
		text, err := io.ReadAll(body)
		if err != nil {
			errs[uid] = err
			return nil
		}
		bodies[uid] = string(text)
		return nil
	})
	return bodies, errs, err
}

func wantScope(t testing.TB, err error, scope mail.Scope, class mail.Class, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if mail.ScopeOf(err) != scope || mail.ClassOf(err) != class {
		t.Errorf("scope %d class %d, want %d %d: %v", mail.ScopeOf(err), mail.ClassOf(err), scope, class, err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error lacks %q: %v", w, err)
		}
	}
}

func message(n int) string {
	return fmt.Sprintf("Message-ID: <%d@example.org>\r\nSubject: message %d\r\n\r\nbody %d\r\n", n, n, n)
}

// Store makes one change of flags.
func (m *Mailbox) Store(ctx context.Context, uids []mail.UID, add, remove mail.Flags) error {
	var refusal error
	err := m.StoreAll(ctx, []mail.FlagChange{{UIDs: uids, Add: add, Remove: remove}}, func(_ int, err error) { refusal = err })
	return errors.Join(refusal, err)
}

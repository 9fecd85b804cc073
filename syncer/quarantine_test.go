package syncer_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/syncer"
)

// choosy is a server that neither takes nor gives the messages of a name.
type choosy struct {
	syncer.Remote
	refuses string // "" takes and gives everything
	asked   int    // how often it refused
}

type choosyBox struct {
	syncer.Mailbox
	s      *choosy
	folder mail.FolderName
}

func (s *choosy) Open(ctx context.Context, folder mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	mb, err := s.Remote.Open(ctx, folder, readOnly)
	if err != nil {
		return nil, err
	}
	return &choosyBox{mb, s, folder}, nil
}

func (s *choosy) refused(body []byte) bool {
	if s.refuses == "" || simworld.NameOf(bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))) != s.refuses {
		return false
	}
	s.asked++
	return true
}

func (m *choosyBox) fault(doing string) error {
	return &mail.Fault{Scope: mail.ScopeMessage, Folder: m.folder, Doing: doing, Err: errors.New("NO I would rather not")}
}

func (m *choosyBox) Append(ctx context.Context, messages iter.Seq[mail.Outgoing], done func(i int, uid mail.UID, err error)) error {
	i := -1
	for out := range messages {
		i++
		r, err := out.Open()
		if err != nil {
			done(i, 0, err)
			continue
		}
		body, _ := io.ReadAll(r)
		r.Close()
		if m.s.refused(body) {
			done(i, 0, m.fault("append message"))
			continue
		}
		if err := m.Mailbox.Append(ctx, slices.Values([]mail.Outgoing{out}), func(_ int, uid mail.UID, err error) { done(i, uid, err) }); err != nil {
			return err
		}
	}
	return nil
}

func (m *choosyBox) Fetch(ctx context.Context, uids []mail.UID, got func(uid mail.UID, body io.Reader, err error) error) error {
	return m.Mailbox.Fetch(ctx, uids, func(uid mail.UID, r io.Reader, err error) error {
		if err != nil {
			return got(uid, nil, err)
		}
		body, err := io.ReadAll(r)
		if err == nil && m.s.refused(body) {
			return got(uid, nil, m.fault("fetch message"))
		}
		return got(uid, io.MultiReader(bytes.NewReader(body), &failing{err}), nil)
	})
}

// failing ends a body as it ended.
type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}

// later does a run so much later and tells its failures.
func (b *bench) later(d time.Duration, o syncer.Options) string {
	b.Helper()
	b.Begin(d - time.Hour) // run begins an hour later itself
	var failures []string
	for _, err := range b.run(o).Failures {
		failures = append(failures, err.Error())
	}
	return strings.Join(failures, "\n")
}

// One message that the server does not take, or give, is set aside: it is named,
// tried again after growing pauses, and nothing else waits for it.
func TestOneMessageIsSetAside(t *testing.T) {
	for name, side := range map[string]simworld.Side{"upload": simworld.Local, "download": simworld.Remote} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			s := &choosy{Remote: b.Server, refuses: "B"}
			b.remote = s
			for _, m := range []string{"A", "B", "C"} {
				b.edit(side, simworld.Add, mail.Inbox, m, with(mail.Seen))
			}
			if f := b.later(time.Hour, syncer.Options{}); s.asked != 1 || !strings.Contains(f, "I would rather not") {
				t.Fatalf("first: asked %d times, failures %s", s.asked, f)
			}
			if f := b.later(time.Minute, syncer.Options{}); s.asked != 2 || !strings.Contains(f, "I would rather not") {
				t.Fatalf("the next run: asked %d times, failures %s", s.asked, f)
			}
			b.edit(side, simworld.Add, mail.Inbox, "D", with(mail.Seen))
			b.edit(side, simworld.Change, mail.Inbox, "A", with(mail.Flagged))
			if f := b.later(time.Minute, syncer.Options{}); s.asked != 2 || !strings.Contains(f, "set aside after 2 tries, the last: ") {
				t.Fatalf("set aside: asked %d times, failures %s", s.asked, f)
			}
			other := simworld.Remote
			if side == other {
				other = simworld.Local
			}
			if got := simworld.EntriesText(b.List(other)); got != "A=FS C=S D=S" {
				t.Errorf("%s holds %s", other, got)
			}
			if f := b.later(20*time.Minute, syncer.Options{}); s.asked != 3 || f == "" {
				t.Fatalf("after the pause: asked %d times, failures %s", s.asked, f)
			}
			if b.later(20*time.Minute, syncer.Options{}); s.asked != 3 {
				t.Fatal("the pause does not grow")
			}
			if b.later(time.Minute, syncer.Options{Full: true}); s.asked != 4 {
				t.Fatal("--full does not try again")
			}
			s.refuses = ""
			if f := b.later(30*time.Hour, syncer.Options{}); f != "" {
				t.Fatalf("taken at last: %s", f)
			}
			b.settled()
			b.want("A=FS B=S C=S D=S")
			if list, _ := b.Record.Quarantine(context.Background()); len(list) != 0 {
				t.Errorf("still in quarantine: %v", list)
			}
		})
	}
}

// A message that is set aside and then deleted, edited or moved is not what was
// set aside any more.
func TestQuarantineEndsWithItsMessage(t *testing.T) {
	for name, edit := range map[string]simworld.Edit{
		"deleted": {Verb: simworld.Delete, Folder: mail.Inbox, Name: "B"},
		"edited":  {Verb: simworld.Rewrite, Folder: mail.Inbox, Name: "B"},
		"moved":   {Verb: simworld.Move, Folder: mail.Inbox, Name: "B", To: "Work"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			s := &choosy{Remote: b.Server, refuses: "B"}
			b.remote = s
			b.edit(simworld.Local, simworld.Add, mail.Inbox, "A", with(mail.Seen))
			b.edit(simworld.Local, simworld.Add, mail.Inbox, "B", with(mail.Seen))
			b.later(time.Hour, syncer.Options{})
			b.later(time.Minute, syncer.Options{})
			if err := b.Edit(simworld.Local, edit); err != nil {
				t.Fatal(err)
			}
			b.later(time.Minute, syncer.Options{})
			want := map[string]int{"deleted": 2, "edited": 2, "moved": 3}[name]
			if s.asked != want {
				t.Errorf("asked %d times, want %d", s.asked, want)
			}
			list, _ := b.Record.Quarantine(context.Background())
			if left := len(list); left != want-2 {
				t.Errorf("in quarantine: %v", list)
			}
		})
	}
}

// A message that comes back because its deletion yields has a row: while the
// server withholds it, what was seen of it must not count as agreed.
func TestWithheldMessageOfARowIsNotDeleted(t *testing.T) {
	b := newBench(t)
	s := &choosy{Remote: b.Server}
	b.remote = s
	b.edit(simworld.Remote, simworld.Add, mail.Inbox, "A")
	b.edit(simworld.Remote, simworld.Add, mail.Inbox, "B")
	b.settled()
	b.edit(simworld.Local, simworld.Delete, mail.Inbox, "B")
	b.edit(simworld.Remote, simworld.Change, mail.Inbox, "B", with(mail.Flagged))
	s.refuses = "B"
	for range 4 {
		if b.later(time.Minute, syncer.Options{}) == "" {
			t.Fatal("nothing failed")
		}
	}
	s.refuses = ""
	b.later(time.Hour, syncer.Options{})
	b.settled()
	b.want("A B=F")
}

// A plan says of what it lists that it would be left alone.
func TestPlanTellsOfWhatIsSetAside(t *testing.T) {
	a := newAttempt(t, 0)
	a.remote = &choosy{Remote: a.Server, refuses: "B"}
	a.edit(simworld.Local, simworld.Add, mail.Inbox, "B", with(mail.Seen))
	for range 2 {
		if _, err := a.run(context.Background(), syncer.Options{}); err != nil {
			t.Fatal(err)
		}
		a.Begin(time.Minute)
	}
	a.events = nil
	a.edit(simworld.Local, simworld.Add, mail.Inbox, "C", with(mail.Seen))
	if _, err := a.run(context.Background(), syncer.Options{DryRun: true}); err != nil {
		t.Fatal(err)
	}
	if notes := strings.Join(a.told(syncer.EventNote), "\n"); !strings.Contains(notes, "1 would be left alone") {
		t.Errorf("said %q", notes)
	}
	for _, e := range a.events {
		if e.Kind == syncer.EventObserved && e.Total != 1 {
			t.Errorf("%d operations announced", e.Total)
		}
	}
}

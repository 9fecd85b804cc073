package syncer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/syncer"
)

// attempt is a run as the program does it: tried again while faults pass.
type attempt struct {
	*bench
	waits  []time.Duration
	events []syncer.Event
}

// run begins no run by itself, so that troubles may be set before.
func (a *attempt) run(ctx context.Context, o syncer.Options) (*syncer.Report, error) {
	o.Lanes, o.Attempts = 1, 3
	return syncer.Run(ctx, syncer.Account{Name: "sim", Identity: mail.Identity{Server: a.server, User: "me"},
		Maildir: "/Mail", Local: a.local, Remote: a.remote, State: a.Record, FullCheck: 7 * 24 * time.Hour, Now: a.Now,
		Wait: func(ctx context.Context, d time.Duration) error {
			a.waits = append(a.waits, d)
			return errors.Join(a.Wait(ctx, d), ctx.Err())
		}}, o, func(e syncer.Event) { a.events = append(a.events, e) })
}

func (a *attempt) told(kind syncer.EventKind) (texts []string) {
	for _, e := range a.events {
		if e.Kind == kind {
			texts = append(texts, e.Text+fmt.Sprint(e.Err))
		}
	}
	return texts
}

func newAttempt(t *testing.T, messages int) *attempt {
	b := newBench(t)
	for i := range messages {
		b.edit(simworld.Remote, simworld.Add, mail.Inbox, fmt.Sprintf("R%d", i))
		b.edit(simworld.Local, simworld.Add, "Work", fmt.Sprintf("L%d", i))
	}
	b.Begin(time.Hour)
	return &attempt{bench: b}
}

// Whatever call loses its connection, before its effect, after it or so that the server
// comes to it later, one run with attempts left completes the work, doubles nothing and reports no failure.
func TestPassingFaultsAreTriedAgain(t *testing.T) {
	whole := newAttempt(t, 3)
	if _, err := whole.run(context.Background(), syncer.Options{}); err != nil {
		t.Fatal(err)
	}
	want := whole.List(simworld.Remote)
	calls := 0
	for _, c := range whole.Trace() {
		if c.Side == simworld.Remote {
			calls = c.N
		}
	}
	retried := 0
	for _, trouble := range []simworld.Trouble{simworld.LostBefore, simworld.LostAfter, simworld.LostLate, simworld.Temporary} {
		for n := 2; n <= calls; n++ { // the first is the login: see the next test
			a := newAttempt(t, 3)
			a.TroubleAt(simworld.When{Side: simworld.Remote, N: n}, trouble)
			report, err := a.run(context.Background(), syncer.Options{})
			if err != nil || len(report.Failures) > 0 {
				t.Fatalf("%s at remote call %d: %v, failures %v", trouble, n, err, report.Failures)
			}
			for _, note := range a.told(syncer.EventNote) {
				if strings.Contains(note, "; trying again in ") {
					retried++
				}
			}
			if failed := a.told(syncer.EventFailed); len(failed) > 0 {
				t.Errorf("%s at remote call %d: told of %q, which passed", trouble, n, failed)
			}
			a.Begin(time.Minute) // and what the server had not come to yet has happened
			for _, side := range []simworld.Side{simworld.Local, simworld.Remote} {
				if got := a.List(side); !simworld.SameEntries(got, want) {
					t.Errorf("%s at remote call %d: %s has %s, want %s", trouble, n, side, simworld.EntriesText(got), simworld.EntriesText(want))
				}
			}
		}
	}
	if retried < calls {
		t.Errorf("only %d attempts more in %d runs that met trouble", retried, 4*(calls-1))
	}
}

// A server that was not reached at all is not asked again: dialling has tried
// several times already.
func TestUnreachedServerIsNotTriedAgain(t *testing.T) {
	a := newAttempt(t, 1)
	a.TroubleAt(simworld.When{Side: simworld.Remote, N: 1}, simworld.Temporary)
	_, err := a.run(context.Background(), syncer.Options{})
	if mail.ClassOf(err) != mail.ClassTemporary || len(a.waits) != 0 {
		t.Errorf("error %v after waits of %v", err, a.waits)
	}
}

// unsteady loses the connection with every SELECT.
type unsteady struct{ syncer.Remote }

func (u *unsteady) Look(ctx context.Context, f mail.FolderName, readOnly bool, known mail.Known, full bool) (mail.RemoteSnapshot, error) {
	return look(ctx, u, f, readOnly, known, full)
}

func (u *unsteady) Open(ctx context.Context, folder mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	return nil, &mail.Fault{Scope: mail.ScopeFolder, Class: mail.ClassTemporary, Folder: folder, Doing: "select", Err: errors.New("connection reset")}
}

// Attempts that get nothing done are counted, and what stopped the last is told.
func TestAttemptsEnd(t *testing.T) {
	a := newAttempt(t, 1)
	a.remote = &unsteady{Remote: a.Server}
	report, err := a.run(context.Background(), syncer.Options{})
	if err != nil || len(report.Failures) == 0 || mail.ClassOf(report.Failures[0]) != mail.ClassTemporary {
		t.Errorf("%v, failures %v", err, report.Failures)
	}
	if want := []time.Duration{time.Second, 2 * time.Second}; !slices.Equal(a.waits, want) {
		t.Errorf("waited %v, want %v", a.waits, want)
	}
	if failed := a.told(syncer.EventFailed); len(failed) != len(report.Failures) {
		t.Errorf("told %q of %d failures", failed, len(report.Failures))
	}
	if notes := strings.Join(a.told(syncer.EventNote), "\n"); !strings.Contains(notes, "connection reset; trying again in 1s") {
		t.Errorf("notes %s", notes)
	}
}

func TestAttemptsEndWhenInterrupted(t *testing.T) {
	a := newAttempt(t, 1)
	a.remote = &unsteady{Remote: a.Server}
	ctx, cancel := context.WithCancel(context.Background())
	stop := syncer.Account{Name: "sim", Identity: mail.Identity{Server: a.server, User: "me"}, Local: a.Disk, Remote: a.remote, State: a.Record, Now: a.Now,
		Wait: func(ctx context.Context, _ time.Duration) error { cancel(); return ctx.Err() }}
	report, err := syncer.Run(ctx, stop, syncer.Options{Attempts: 3}, nil)
	if err != nil || !report.Interrupted {
		t.Errorf("%v, %+v", err, report)
	}
}

// throttled answers every LIST with a wish to be left alone.
type throttled struct {
	syncer.Remote
	after time.Duration
	asked int
}

func (s *throttled) Folders(ctx context.Context) ([]mail.RemoteFolder, error) {
	if s.asked++; s.after == 0 {
		return s.Remote.Folders(ctx)
	}
	return nil, &mail.Fault{Scope: mail.ScopeAccount, Class: mail.ClassTemporary, After: s.after, Err: errors.New("NO throttled")}
}

func (s *throttled) LookAgain(ctx context.Context, absent []mail.Sought, readOnly bool, told func(mail.FolderName, []mail.UID, error)) ([]mail.RemoteFolder, error) {
	return simworld.LookAgain(ctx, s, absent, readOnly, told)
}

// A server that asked to be left alone is left alone by later runs, too, unless
// the user insists.
func TestPauseOutlivesTheRun(t *testing.T) {
	a := newAttempt(t, 1)
	s := &throttled{Remote: a.Server, after: 2 * time.Hour}
	a.remote = s
	if _, err := a.run(context.Background(), syncer.Options{}); mail.ClassOf(err) != mail.ClassTemporary || s.asked != 1 {
		t.Fatalf("%v after %d questions", err, s.asked)
	}
	s.after = 0
	a.Begin(time.Hour)
	_, err := a.run(context.Background(), syncer.Options{})
	if mail.ClassOf(err) != mail.ClassTemporary || !strings.Contains(fmt.Sprint(err), "left alone until") || s.asked != 1 {
		t.Fatalf("an hour later: %v after %d questions", err, s.asked)
	}
	a.Begin(30 * time.Minute)
	if _, err := a.run(context.Background(), syncer.Options{Full: true}); err != nil || s.asked == 1 {
		t.Fatalf("insisting: %v", err)
	}
	asked := s.asked
	a.Begin(time.Second)
	if _, err := a.run(context.Background(), syncer.Options{}); err != nil || s.asked == asked {
		t.Fatalf("after it answered: %v", err)
	}
}

// What the server asked for within reason is waited for in the run itself.
func TestShortPauseIsWaitedFor(t *testing.T) {
	a := newAttempt(t, 1)
	a.remote = &moody{Remote: a.Server, folder: mail.Inbox, after: 40 * time.Second}
	report, err := a.run(context.Background(), syncer.Options{})
	if err != nil || len(report.Failures) > 0 || !slices.Equal(a.waits, []time.Duration{40 * time.Second}) {
		t.Errorf("%v, %v, waited %v", err, report.Failures, a.waits)
	}
}

// moody refuses a folder once.
type moody struct {
	syncer.Remote
	folder mail.FolderName
	after  time.Duration
	once   atomic.Bool
}

func (m *moody) Look(ctx context.Context, f mail.FolderName, readOnly bool, known mail.Known, full bool) (mail.RemoteSnapshot, error) {
	return look(ctx, m, f, readOnly, known, full)
}

func (m *moody) Open(ctx context.Context, folder mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	if folder == m.folder && m.once.CompareAndSwap(false, true) {
		return nil, &mail.Fault{Scope: mail.ScopeFolder, Class: mail.ClassTemporary, Folder: folder, After: m.after, Err: errors.New("NO back off")}
	}
	return m.Remote.Open(ctx, folder, readOnly)
}

package syncer_test

import (
	"context"
	"testing"
	"time"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/syncer"
)

// counted is a state that counts what costs most of a run with nothing to do.
type counted struct {
	syncer.State
	folders, commits int
}

func (c *counted) Folders(ctx context.Context) ([]mail.FolderRecord, error) {
	c.folders++
	return c.State.Folders(ctx)
}

func (c *counted) Commit(ctx context.Context, b mail.Batch) error {
	c.commits++
	return c.State.Commit(ctx, b)
}

// TestUnchangedRunAsksTheStateOnce: what a timer does every minute reads the
// folders once and writes once; and what the records say in the end is true
// again after a run that changed them.
func TestUnchangedRunAsksTheStateOnce(t *testing.T) {
	b := newBench(t)
	run := func() (*counted, *syncer.Report) {
		t.Helper()
		state := &counted{State: b.Record}
		b.Begin(time.Hour)
		report, err := syncer.Run(context.Background(), syncer.Account{Name: "sim", Identity: mail.Identity{Server: b.server, User: "me"},
			Maildir: "/Mail", Local: b.Disk, Remote: b.remote, State: state, FullCheck: 7 * 24 * time.Hour, Now: b.Now}, syncer.Options{Lanes: 1}, nil)
		if err != nil || len(report.Failures) > 0 {
			t.Fatal(err, report.Failures)
		}
		return state, report
	}
	b.edit(simworld.Remote, simworld.Add, "A", "M")
	b.settled()
	state, report := run()
	if state.folders != 1 || state.commits != 1 || report.Messages != 1 {
		t.Errorf("%d times read, %d times written, %d messages; want 1, 1, 1", state.folders, state.commits, report.Messages)
	}
	b.edit(simworld.Remote, simworld.Add, "A", "N")
	if _, report = run(); report.Messages != 2 {
		t.Errorf("%d messages after one more came, want 2", report.Messages)
	}
}

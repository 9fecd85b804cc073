package syncer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/syncer"
)

// full is a Maildir whose disk is full when a message is to leave folder A,
// while another is just leaving folder B.
type full struct {
	syncer.Local
	leaving chan struct{}
}

var errFull = &mail.Fault{Scope: mail.ScopeAccount, Err: errors.New("no space left")}

func (f full) Move(ctx context.Context, name mail.FolderName, key mail.Key, to mail.FolderName) (mail.Key, error) {
	if name == "A" {
		<-f.leaving
		return "", errFull
	}
	close(f.leaving)
	<-ctx.Done()
	return "", ctx.Err()
}

// TestCalledOffIsNoFailure: what other lanes were doing when the run ended with
// an error is not told as if somebody had interrupted it.
func TestCalledOffIsNoFailure(t *testing.T) {
	b := newBench(t)
	b.edit(simworld.Remote, simworld.Add, "A", "M")
	b.edit(simworld.Remote, simworld.Add, "B", "N")
	b.settled()
	b.edit(simworld.Remote, simworld.Move, "A", "M", to(mail.Inbox))
	b.edit(simworld.Remote, simworld.Move, "B", "N", to(mail.Inbox))
	b.Begin(time.Hour)
	report, err := syncer.Run(context.Background(), syncer.Account{Name: "sim", Identity: mail.Identity{Server: b.server, User: "me"},
		Maildir: "/Mail", Local: full{b.Disk, make(chan struct{})}, Remote: b.remote, State: b.Record, Now: b.Now}, syncer.Options{Lanes: 2}, nil)
	if !errors.Is(err, errFull) || len(report.Failures) > 0 || report.Interrupted {
		t.Errorf("%v, failures %v, interrupted %v", err, report.Failures, report.Interrupted)
	}
}

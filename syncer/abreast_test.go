package syncer_test

import (
	"context"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/plan"
	"imapsync/syncer"
)

// awaiting is a server to which each message is sent for itself. No batch goes on
// before the gate is opened.
type awaiting struct {
	*simworld.Server
	gate    chan struct{}
	batches *atomic.Int32 // that were begun
	broken  bool          // the third fails
}

func (s awaiting) Features(ctx context.Context) (mail.Features, error) {
	f, err := s.Server.Features(ctx)
	f.Awaited = true
	return f, err
}

func (s awaiting) Open(ctx context.Context, folder mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	m, err := s.Server.Open(ctx, folder, readOnly)
	return awaitingBox{m, s}, err
}

type awaitingBox struct {
	syncer.Mailbox
	server awaiting
}

func (b awaitingBox) Append(ctx context.Context, messages iter.Seq[mail.Outgoing], done func(int, mail.UID, error)) error {
	n := b.server.batches.Add(1)
	<-b.server.gate
	if n == 3 && b.server.broken {
		return &mail.Fault{Scope: mail.ScopeFolder, Folder: mail.Inbox, Doing: "append", Err: fmt.Errorf("NO [OVERQUOTA] full")}
	}
	return b.Mailbox.Append(ctx, messages, done)
}

// TestUploadAbreast: where literals are awaited, a folder's messages go over all
// connections; each arrives once, also when a batch among them fails.
func TestUploadAbreast(t *testing.T) {
	for _, broken := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			server := awaiting{b.Server, make(chan struct{}), new(atomic.Int32), broken}
			b.remote = server
			for i := range 330 {
				b.edit(simworld.Local, simworld.Add, mail.Inbox, fmt.Sprint("M", i))
			}
			var r *syncer.Report
			done := make(chan struct{})
			go func() { defer close(done); r = b.run(syncer.Options{Lanes: 4}) }()
			synctest.Wait()
			if n := server.batches.Load(); n != 4 {
				t.Errorf("%d batches at once", n)
			}
			close(server.gate)
			<-done
			if sent := r.Counts[plan.Upload]; broken == (sent == 330) || sent < 200 {
				t.Errorf("broken %v: %d sent, %d failures", broken, sent, len(r.Failures))
			}
			b.settled()
			b.want("M0..M329")
		})
	}
}

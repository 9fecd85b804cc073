package syncer_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/plan"
	"imapsync/syncer"
)

// awaiting is a server to which each message is sent for itself, and takes time.
type awaiting struct {
	*simworld.Server
	now, most *atomic.Int32 // batches under way
	broken    bool          // the third batch fails
	batches   *atomic.Int32
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

func (b awaitingBox) Append(ctx context.Context, messages []mail.Outgoing, done func(int, mail.UID, error)) error {
	n := b.server.now.Add(1)
	defer b.server.now.Add(-1)
	for most := b.server.most.Load(); n > most && !b.server.most.CompareAndSwap(most, n); most = b.server.most.Load() {
	}
	time.Sleep(time.Second) // of the bubble: all that can begin has begun then
	if b.server.batches.Add(1) == 3 && b.server.broken {
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
			server := awaiting{b.Server, new(atomic.Int32), new(atomic.Int32), broken, new(atomic.Int32)}
			b.remote = server
			for i := range 330 {
				b.edit(simworld.Local, simworld.Add, mail.Inbox, fmt.Sprint("M", i))
			}
			r := b.run(syncer.Options{Lanes: 4})
			if n := server.most.Load(); n != 4 {
				t.Errorf("%d batches at once", n)
			}
			if sent := r.Counts[plan.Upload]; broken == (sent == 330) || sent < 200 {
				t.Errorf("broken %v: %d sent, %d failures", broken, sent, len(r.Failures))
			}
			b.settled()
			b.want("M0..M329")
		})
	}
}

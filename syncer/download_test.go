package syncer_test

import (
	"context"
	"testing"
	"testing/synctest"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/plan"
	"imapsync/syncer"
)

// slowDisk makes a batch durable only once the next one has begun.
type slowDisk struct {
	syncer.Local
	batches int
	next    chan struct{}
}

func (d *slowDisk) Deliver(ctx context.Context, folder mail.FolderName) (syncer.Delivery, error) {
	if d.batches++; d.batches == 2 {
		close(d.next)
	}
	inner, err := d.Local.Deliver(ctx, folder)
	return slowDelivery{inner, d.next}, err
}

type slowDelivery struct {
	syncer.Delivery
	next chan struct{}
}

func (d slowDelivery) Commit(ctx context.Context) (map[mail.Key]error, error) {
	<-d.next
	return d.Delivery.Commit(ctx)
}

// TestDiskBesideLink: a batch is made durable while the next is fetched. The
// bubble ends in a deadlock where the one waits for the other.
func TestDiskBesideLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		for _, m := range []string{"M1", "M2", "M3"} {
			b.edit(simworld.Remote, simworld.Add, "A", m)
		}
		b.local = &slowDisk{Local: b.Disk, next: make(chan struct{})}
		if report := b.run(syncer.Options{Batch: 1}); report.Counts[plan.Download] != 3 {
			t.Errorf("%+v", report)
		}
		b.settled()
	})
}

package syncer

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"imapsync/mail"
	"imapsync/plan"
)

// outcome is what was done in one folder of a step and is to be recorded.
type outcome struct {
	f       *folder
	targets []mail.FolderName // of the Maildir, where files came to; durable before the folder itself
	onDisk  bool              // files of the folder changed
	ops     int               // how many operations it is of
	record  func() (mail.Batch, []*plan.Op)
}

// Outcomes are recorded together, for what is made durable and recorded together
// waits for the disk once: at the end of the step, or when there are so many operations.
// It is how much the next run finds out anew after a crash. A move was made under no
// row that says so, and is found by the content of the message.
const (
	opsRecorded   = 500
	movesRecorded = 100
)

// recordLater records an outcome when so many operations have come together, at the
// latest when the step ends.
func (a *applier) recordLater(o outcome, most int) error {
	a.mu.Lock()
	a.pending = append(a.pending, o)
	ops := 0
	for _, p := range a.pending {
		ops += p.ops
	}
	a.mu.Unlock()
	if ops < most {
		return nil
	}
	return a.recordPending()
}

// recordPending makes durable what was done and records it. It is not interrupted, for
// what was done must be recorded; what cannot be made durable the next run finds out.
// An error that costs a folder is told.
func (a *applier) recordPending() error {
	a.mu.Lock()
	pending := a.pending
	a.pending = nil
	a.mu.Unlock()
	for _, dirs := range []func(outcome) []mail.FolderName{
		func(o outcome) []mail.FolderName { return o.targets },
		func(o outcome) []mail.FolderName { return o.own() },
	} {
		var err error
		if pending, err = a.syncOutcomes(pending, dirs); err != nil {
			return err
		}
	}
	if len(pending) == 0 {
		return nil
	}
	return a.recordOutcomes(pending)
}

func (o outcome) own() []mail.FolderName {
	if o.onDisk {
		return []mail.FolderName{o.f.Name}
	}
	return nil
}

// syncOutcomes syncs folders of the Maildir that outcomes name, each once, and returns
// the outcomes that are durable there.
func (a *applier) syncOutcomes(pending []outcome, dirs func(outcome) []mail.FolderName) (durable []outcome, err error) {
	var names []mail.FolderName
	for _, o := range pending {
		names = append(names, dirs(o)...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	errs := make([]error, len(names))
	var g errgroup.Group
	g.SetLimit(a.foldersOnDisk())
	for i, name := range names {
		g.Go(func() error {
			errs[i] = a.Local.Sync(context.Background(), name)
			return nil
		})
	}
	_ = g.Wait()
	for _, o := range pending {
		var failed error
		for _, name := range dirs(o) {
			i, _ := slices.BinarySearch(names, name)
			failed = firstOf(failed, errs[i])
		}
		if failed == nil {
			durable = append(durable, o)
			continue
		}
		err = firstOf(err, a.laneEnded(context.Background(), o.f, failed))
	}
	return durable, err
}

// recordOutcomes records outcomes in one transaction, or each in its own where that
// fails, so that none has to suffer for another.
func (a *applier) recordOutcomes(pending []outcome) error {
	var all mail.Batch
	var allDone []*plan.Op
	batches, done := make([]mail.Batch, len(pending)), make([][]*plan.Op, len(pending))
	for i, o := range pending {
		b, ops := o.record()
		batches[i], done[i] = b, ops
		all.SettleIntents = append(all.SettleIntents, b.SettleIntents...)
		all.Put, all.Drop = append(all.Put, b.Put...), append(all.Drop, b.Drop...)
		all.Staying, all.Log = append(all.Staying, b.Staying...), append(all.Log, b.Log...)
		allDone = append(allDone, ops...)
	}
	err := a.record(all, allDone...)
	if err == nil || accountScope(err) {
		return err
	}
	for i, o := range pending {
		if err := a.laneEnded(context.Background(), o.f, a.record(batches[i], done[i]...)); err != nil {
			return err
		}
	}
	return nil
}

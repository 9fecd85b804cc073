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
	targets []mail.FolderName               // of the Maildir, where files came to; durable before the folder itself
	onDisk  bool                            // files of the folder changed
	ops     int                             // how many operations it is of
	record  func() (mail.Batch, []*plan.Op) // what, and of which operations; called once, when all is durable
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
func (a *applier) recordPending() error { return a.recordAll(a.takePending()) }

func (a *applier) takePending() []outcome {
	a.mu.Lock()
	defer a.mu.Unlock()
	pending := a.pending
	a.pending = nil
	return pending
}

func (a *applier) recordAll(pending []outcome) error {
	synced := map[mail.FolderName]error{}
	pending, err := a.syncOutcomes(pending, outcome.arrivedIn, synced)
	pending, serr := a.syncOutcomes(pending, outcome.changed, synced)
	if err = firstOf(err, serr); len(pending) == 0 {
		return err
	}
	return firstOf(err, a.recordOutcomes(pending))
}

func (o outcome) arrivedIn() []mail.FolderName { return o.targets }

func (o outcome) changed() []mail.FolderName {
	if o.onDisk {
		return []mail.FolderName{o.f.Name}
	}
	return nil
}

// syncOutcomes syncs folders of the Maildir that outcomes name, each once, and returns
// the outcomes that are durable there.
func (a *applier) syncOutcomes(pending []outcome, folders func(outcome) []mail.FolderName, synced map[mail.FolderName]error) (durable []outcome, err error) {
	var names []mail.FolderName
	for _, o := range pending {
		for _, name := range folders(o) {
			if _, done := synced[name]; !done {
				synced[name] = nil
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
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
	for i, name := range names {
		synced[name] = errs[i]
	}
	for _, o := range pending {
		var failed error
		for _, name := range folders(o) {
			failed = firstOf(failed, synced[name])
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

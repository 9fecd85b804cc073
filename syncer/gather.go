package syncer

import (
	"context"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"imapsync/mail"
	"imapsync/plan"
)

// Where little has come in all folders together, they are journalled together, before
// the first of them is fetched, and settled together: what each of them waited for alone,
// they wait for once. Of more, what has come is to be seen while the rest still comes.
const (
	// fewMessages and fewBytes are the most that little is.
	fewMessages = 500
	fewBytes    = 4 << 20
	// gatheredFolders is how many are settled together; each may hold files open.
	gatheredFolders = 32
)

// gathered is a batch that has come and is not settled yet.
type gathered struct {
	f *folder
	b *inbound
}

// expectFew journals the messages of all folders if they are few.
func (a *applier) expectFew(names []mail.FolderName, lanes map[mail.FolderName][]*plan.Op) {
	a.expected, a.few = map[mail.FolderName]*inbound{}, isLittle(lanes)
	if !a.few || a.interrupted() != nil {
		return
	}
	var all mail.Batch
	for _, name := range names {
		f := a.source(name)
		ops := a.unclaimed(f, lanes[name])
		if n := len(ops); n == 0 || a.batch(ops, downloadMessages, downloadBytes) < n || a.hasFailed(f) {
			continue
		}
		in, intents := a.announceBatch(f, ops)
		a.expected[name], all.AddIntents = in, append(all.AddIntents, intents...)
	}
	if len(all.AddIntents) == 0 {
		return
	}
	journalled := a.journalling(all)
	for _, in := range a.expected {
		in.journalled = journalled
	}
}

func isLittle(lanes map[mail.FolderName][]*plan.Op) bool {
	messages, bytes := 0, int64(0)
	for _, ops := range lanes {
		messages += len(ops)
		for _, o := range ops {
			bytes += opBytes(o)
		}
	}
	return messages <= fewMessages && bytes <= fewBytes
}

// first is the first batch of a folder.
func (a *applier) first(f *folder, ops []*plan.Op) *inbound {
	if a.interrupted() != nil {
		return nil
	}
	a.mu.Lock()
	in := a.expected[f.Name]
	delete(a.expected, f.Name)
	a.mu.Unlock()
	if in != nil {
		return in
	}
	return a.expect(f, ops)
}

// gather keeps a batch until enough have come together.
func (a *applier) gather(ctx context.Context, f *folder, b *inbound) error {
	a.mu.Lock()
	a.gathered = append(a.gathered, gathered{f, b})
	full := len(a.gathered) >= gatheredFolders
	a.mu.Unlock()
	if !full {
		return nil
	}
	return a.settleGathered(ctx)
}

// settleGathered makes what was gathered durable and visible, all at once, and has it
// recorded.
func (a *applier) settleGathered(ctx context.Context) error {
	a.mu.Lock()
	all := a.gathered
	a.gathered = nil
	a.mu.Unlock()
	var g errgroup.Group
	g.SetLimit(a.foldersOnDisk())
	for _, s := range all {
		g.Go(func() error { return a.laneEnded(ctx, s.f, a.settleLater(ctx, s.f, s.b)) })
	}
	return g.Wait()
}

func (a *applier) settleLater(ctx context.Context, f *folder, b *inbound) error {
	failed, err := b.commit(ctx)
	if err != nil {
		return err
	}
	return a.recordLater(outcome{f: f, ops: len(b.ops), record: func() (mail.Batch, []*plan.Op) {
		return a.downloaded(f, b, failed)
	}}, opsRecorded)
}

// endDownloads settles what was gathered last, and what was expected and not fetched
// since the step ended early.
func (a *applier) endDownloads(ctx context.Context) error {
	err := a.settleGathered(ctx)
	var left []*inbound
	for _, name := range slices.Sorted(maps.Keys(a.expected)) {
		left = append(left, a.expected[name])
	}
	a.expected = nil
	return firstOf(err, a.forgo(left...))
}

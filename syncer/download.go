package syncer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"imapsync/conflict"
	"imapsync/mail"
	"imapsync/plan"
)

// A batch shares one transaction for its intents and one for its results, and
// the cost of making its files durable. It is large enough for several FETCHes
// to be in flight, and bounds what has to be fetched again after a crash.
const (
	downloadMessages = 2000
	downloadBytes    = 64 << 20
)

// batch tells how many of ops go into one transaction.
func (a *applier) batch(ops []*plan.Op, messages int, bytes int64) int {
	if a.opt.Batch > 0 {
		messages = a.opt.Batch
	}
	sum := int64(0)
	for i, o := range ops {
		if sum += opBytes(o); i > 0 && (i == messages || sum > bytes) {
			return i
		}
	}
	return len(ops)
}

func (a *applier) download(ctx context.Context, f *folder, ops []*plan.Op) error {
	if ops = a.unclaimed(f, ops); len(ops) == 0 {
		return nil
	}
	mb, err := a.open(ctx, f)
	if err != nil {
		return err
	}
	defer mb.Close()
	settled := func() error { return nil }
	for b := a.first(f, ops); err == nil && b != nil; {
		ops = ops[len(b.ops):]
		next := a.expect(f, ops)
		if next == nil {
			a.goAheadFetching(mb, f)
		}
		b.err = a.fetchBatch(ctx, mb, f, b)
		if err := firstOf(b.journalled(), settled()); err != nil {
			b.discard() // its intents and those of the next one are settled by the next run
			if next != nil {
				_ = next.journalled() // nothing is written any more when the run has ended
			}
			return err
		}
		if last := b; last.err == nil && next == nil && a.few {
			settled = func() error { return a.gather(ctx, f, last) }
		} else {
			settled = a.settling(ctx, f, b)
		}
		if err = firstOf(b.err, a.interrupted()); err != nil {
			err = firstOf(err, a.forgo(next))
		}
		b = next
	}
	mb.Close() // another folder has the connection while the last batch is made durable
	a.places[f.Name].passOn()
	return firstOf(settled(), firstOf(err, a.interrupted()))
}

// unclaimed leaves out messages that have a row by now: where the server told no
// UID of one that went to the folder, an equal one that came there after the
// SELECT was found to be it. The next run looks at what is left.
func (a *applier) unclaimed(f *folder, ops []*plan.Op) []*plan.Op {
	a.mu.Lock()
	defer a.mu.Unlock()
	claimed := map[mail.UID]bool{}
	for _, o := range a.plan.Ops {
		if a.completed[o] && !o.Arrives() && o.Row != nil && o.Row.Folder == f.Name {
			claimed[o.Row.UID] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(ops), func(o *plan.Op) bool { return claimed[o.Remote.UID] })
}

// arrival is one message of a batch on its way to disk.
type arrival struct {
	op      *plan.Op
	intent  *mail.Intent
	content mail.Content
	stamp   mail.FileStamp
	written bool
	err     error
}

// inbound is a batch on its way, and what has come of it: files not yet durable nor
// visible. None is written before the batch is journalled.
type inbound struct {
	ops        []*plan.Op
	arrivals   map[mail.UID]*arrival
	journalled func() error // waits until it is
	files      Delivery     // nil where the fetch has not begun
	err        error        // that ended the fetch early
}

func (b *inbound) discard() {
	if b.files != nil {
		b.files.Discard()
	}
}

// expect takes the first batch of ops, nil where none is left, and journals it
// while the one before is fetched, or while it is asked for, so that the link does
// not wait for the journal.
func (a *applier) expect(f *folder, ops []*plan.Op) *inbound {
	if len(ops) == 0 || a.interrupted() != nil {
		return nil
	}
	ops = ops[:a.batch(ops, downloadMessages, downloadBytes)]
	in, intents := a.announceBatch(f, ops)
	in.journalled = a.journalling(mail.Batch{AddIntents: intents})
	return in
}

// announceBatch makes the intents of a batch.
func (a *applier) announceBatch(f *folder, ops []*plan.Op) (*inbound, []*mail.Intent) {
	in := &inbound{ops: ops, arrivals: make(map[mail.UID]*arrival, len(ops))}
	intents := make([]*mail.Intent, 0, len(ops))
	for _, o := range ops {
		agreed := o.Flags
		if o.Kind == plan.Fetch { // the stub may have flags that are not propagated
			agreed = o.Row.Flags
		}
		intent := &mail.Intent{Kind: mail.IntentDownload, Folder: f.Name, Key: a.Local.NewKey(), UID: o.Remote.UID,
			Flags: agreed, UIDValidity: f.validity, RemoteSize: o.Remote.Size, Date: o.Remote.Date}
		in.arrivals[o.Remote.UID] = &arrival{op: o, intent: intent}
		intents = append(intents, intent)
	}
	return in, intents
}

// journalling writes intents down; the returned function waits for it.
func (a *applier) journalling(b mail.Batch) (wait func() error) {
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = a.commit(b)
	}()
	return func() error {
		<-done
		return err
	}
}

// forgo settles the intents of batches that will not be fetched in this run.
func (a *applier) forgo(batches ...*inbound) error {
	var settle mail.Batch
	for _, b := range batches {
		if b == nil {
			continue
		}
		if err := b.journalled(); err != nil {
			return err
		}
		for _, o := range b.ops {
			settle.SettleIntents = append(settle.SettleIntents, b.arrivals[o.Remote.UID].intent)
		}
	}
	if len(settle.SettleIntents) == 0 {
		return nil
	}
	return a.commit(settle)
}

// fetchBatch fetches a batch. With an error some of it may have come.
func (a *applier) fetchBatch(ctx context.Context, mb Mailbox, f *folder, b *inbound) error {
	d, err := a.Local.Deliver(ctx, f.Name)
	if err != nil {
		return err
	}
	b.files = d
	ops, err := a.duplicateBatch(b)
	if err != nil || len(ops) == 0 {
		return err
	}
	return a.fetchAll(ctx, mb, ops, func(uid mail.UID, body io.Reader, err error) error {
		ar := b.arrivals[uid]
		if ar == nil {
			return nil
		}
		if err := b.journalled(); err != nil {
			return err
		}
		if err = ar.take(d, body, err); err != nil {
			return err
		}
		a.fetched(ar)
		a.emit(Event{Kind: EventMoved, Folder: f.Name, Op: ar.op, Bytes: ar.content.Wire})
		return a.interrupted()
	})
}

// fetched notes what an arrival took on the wire: of a stub less than the message
// has, and nothing of what is copied from another file.
func (a *applier) fetched(ar *arrival) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wire[ar.op] = ar.content.Wire
}

// duplicateBatch makes files of the messages whose content another file has, and tells
// which are to be fetched.
func (a *applier) duplicateBatch(b *inbound) (fetch []*plan.Op, err error) {
	for _, o := range b.ops {
		if o.Kind != plan.CopyLocal || o.Source.ID == 0 || !plan.IsTwin(o.Remote, o.Source) { // not downloaded, or something else was
			fetch = append(fetch, o)
			continue
		}
		if err := b.journalled(); err != nil {
			return nil, err
		}
		ar, from := b.arrivals[o.Remote.UID], o.Source
		stamp, err := b.files.Duplicate(mail.NewFile{Key: ar.intent.Key, Flags: ar.intent.Flags, Date: ar.intent.Date}, from.Folder, from.Key, from.File)
		switch {
		case err == nil:
			ar.content, ar.stamp, ar.written = from.Content, stamp, true
			a.emit(Event{Kind: EventMoved, Folder: o.Folder, Op: o, Bytes: from.Content.Wire})
			if err := a.interrupted(); err != nil {
				return nil, err
			}
		case accountScope(err):
			return nil, err
		default:
			fetch = append(fetch, o)
		}
	}
	return fetch, nil
}

// settling settles a batch while the next one is fetched, so that the link does
// not wait for the disk; the returned function waits for the end.
func (a *applier) settling(ctx context.Context, f *folder, b *inbound) (wait func() error) {
	done := make(chan error, 1)
	go func() { done <- a.settle(ctx, f, b) }()
	return func() error { return <-done }
}

// settle makes a batch durable and visible, and records it.
func (a *applier) settle(ctx context.Context, f *folder, b *inbound) error {
	failed, err := b.commit(ctx)
	if err != nil {
		return err // what of it lies on disk is found by its key in the next run
	}
	settled, done := a.downloaded(f, b, failed)
	return a.record(settled, done...)
}

// commit makes what has come durable and visible.
func (b *inbound) commit(ctx context.Context) (failed map[mail.Key]error, err error) {
	defer b.discard()
	if b.files == nil {
		return nil, nil
	}
	return b.files.Commit(ctx)
}

// take stores a body. Only what ends the whole batch is returned.
func (ar *arrival) take(d Delivery, body io.Reader, err error) error {
	if err == nil {
		ar.content, ar.stamp, err = d.Write(mail.NewFile{Key: ar.intent.Key, Flags: ar.op.Flags, Date: ar.intent.Date}, body)
		var fault *mail.Fault
		if errors.As(err, &fault) && fault.Scope == mail.ScopeFolder { // nor could the next ones be written
			return err
		}
	}
	if err == nil {
		if conflict.ParsePart(string(ar.op.Part)) == conflict.Whole {
			ar.content.Whole = 0 // a stub that somebody has sent by other means is a message
		}
		ar.written = true
		return nil
	}
	if accountScope(err) || errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	ar.err = err
	return nil
}

// downloaded settles the batch: a row for what lies on disk, and no trace of what
// does not.
func (a *applier) downloaded(f *folder, batch *inbound, failed map[mail.Key]error) (b mail.Batch, done []*plan.Op) {
	for _, o := range batch.ops {
		ar := batch.arrivals[o.Remote.UID]
		b.SettleIntents = append(b.SettleIntents, ar.intent)
		if ar.written && failed[ar.intent.Key] == nil {
			ar.fill(o.Row)
			b.Put = append(b.Put, o.Row)
			done = append(done, o)
			continue
		}
		if ar.err == nil {
			ar.err = failed[ar.intent.Key]
		}
		switch {
		case ar.err != nil:
			a.failTransfer(o, ar.err)
		case batch.err == nil:
			a.failTransfer(o, &mail.Fault{Scope: mail.ScopeMessage, Folder: f.Name, Message: fmt.Sprint("uid ", o.Remote.UID),
				Doing: "download", Err: errNoBody, Hint: "it is tried again in the next run"})
		default:
			a.trouble(f.Name)
		}
	}
	return b, done
}

var errNoBody = errors.New("the server gave no content for it")

func (ar *arrival) fill(row *mail.Base) {
	in := ar.intent
	place(row, in.Folder, in.UID, in.Key)
	row.Flags, row.Content, row.File = in.Flags, ar.content, ar.stamp
	row.RemoteSize, row.Date = in.RemoteSize, in.Date
}

package syncer

import (
	"context"
	"errors"
	"io"

	"imapsync/conflict"
	"imapsync/mail"
	"imapsync/plan"
)

func wanted(uids []mail.UID) map[mail.UID]bool {
	if len(uids) == 0 {
		return nil
	}
	m := make(map[mail.UID]bool, len(uids))
	for _, uid := range uids {
		m[uid] = true
	}
	return m
}

// fetchAll fetches what each operation wants of its message: those that are
// fetched whole first, for they may be on their way.
func (a *applier) fetchAll(ctx context.Context, mb Mailbox, ops []*plan.Op, got func(uid mail.UID, body io.Reader, err error) error) error {
	byPart := map[conflict.Part][]mail.UID{}
	sizes := map[mail.UID]int64{}
	for _, o := range ops {
		part := conflict.ParsePart(string(o.Part))
		byPart[part] = append(byPart[part], o.Remote.UID)
		sizes[o.Remote.UID] = o.Remote.Size
	}
	if uids := byPart[conflict.Whole]; len(uids) > 0 {
		if err := mb.Fetch(ctx, uids, got); err != nil {
			return err
		}
	}
	for _, part := range []conflict.Part{conflict.Headers, conflict.Text} {
		if uids := byPart[part]; len(uids) > 0 {
			if err := mb.FetchParts(ctx, uids, sizes, part == conflict.Text, got); err != nil {
				return err
			}
		}
	}
	return nil
}

// fetchWhole puts messages in the place of their stubs. The message is delivered
// as a new file, journalled as any download, and the row goes over to it; then the
// stub is removed. A run that is cut short in between leaves a stub of no row, of
// which the next one sees that the message is there: see tidy.
func (a *applier) fetchWhole(ctx context.Context, f *folder, ops []*plan.Op) error {
	stubs := map[*plan.Op]mail.Key{}
	var ready []*plan.Op
	unsettled := a.unsettledFlags()
	for _, o := range ops {
		if unsettled[o.Row] {
			a.trouble(f.Name)
			continue
		}
		if a.ready(o) {
			stubs[o] = o.Row.Key
			o.Remote = &mail.Remote{UID: o.Row.UID, Flags: o.Row.Flags, Size: o.Row.RemoteSize, Date: o.Row.Date}
			ready = append(ready, o)
		}
	}
	if len(ready) == 0 {
		return nil
	}
	mb, err := a.open(ctx, f)
	if err != nil {
		return err
	}
	defer mb.Close()
	for rest := ready; len(rest) > 0 && err == nil; {
		b := a.expect(f, rest)
		if b == nil {
			return a.interrupted()
		}
		rest = rest[len(b.ops):]
		b.err = a.fetchBatch(ctx, mb, f, b)
		if err := b.journalled(); err != nil {
			b.discard()
			return err
		}
		if err := a.settle(ctx, f, b); err != nil {
			return err
		}
		err = firstOf(b.err, a.interrupted())
	}
	return firstOf(a.removeStubs(ctx, f, stubs), err)
}

// unsettledFlags are the rows whose flags were to be changed and were not: the new
// file would have others than the stub.
func (a *applier) unsettledFlags() map[*mail.Base]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	rows := map[*mail.Base]bool{}
	for _, o := range a.plan.Ops {
		if o.Kind == plan.SetFlags && !a.completed[o] {
			rows[o.Row] = true
		}
	}
	return rows
}

// removeStubs removes those whose message has a file of its own by now. One that
// somebody flagged meanwhile stays for the next run.
func (a *applier) removeStubs(ctx context.Context, f *folder, stubs map[*plan.Op]mail.Key) error {
	removed := false
	for o, key := range stubs {
		if !a.isDone(o) || o.Row.Key == key {
			continue
		}
		err := a.Local.Discard(ctx, f.Name, key, o.Flags, mail.FileStamp{})
		if accountScope(err) || ctx.Err() != nil {
			return err
		}
		if removed = removed || err == nil; err != nil {
			a.fail(f.Name, o, err)
		}
	}
	if !removed {
		return nil
	}
	return a.Local.Sync(ctx, f.Name)
}

// tidy removes stubs of no row whose messages are held: nothing is in them that
// is not in those.
func (a *applier) tidy(ctx context.Context, f *folder, ops []*plan.Op) error {
	var done []*plan.Op
	for _, o := range ops {
		stamp := mail.FileStamp{}
		if o.Local.Stamp != nil {
			stamp = *o.Local.Stamp
		}
		err := a.Local.Discard(ctx, f.Name, o.Local.Key, o.Local.Flags, stamp)
		if accountScope(err) || ctx.Err() != nil {
			return err
		}
		if err != nil && !errors.Is(err, mail.ErrChanged) {
			a.fail(f.Name, o, err)
			continue
		}
		done = append(done, o)
	}
	if err := a.Local.Sync(ctx, f.Name); err != nil {
		return err
	}
	return a.record(mail.Batch{}, done...)
}

package syncer

import (
	"context"
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
	stubs := map[*plan.Op]mail.Base{}
	var ready []*plan.Op
	unsettled := a.unsettledFlags()
	for _, o := range ops {
		if unsettled[o.Row] {
			a.trouble(f.Name)
			continue
		}
		if a.ready(o) {
			stubs[o] = *o.Row
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
// somebody flagged or rewrote meanwhile stays for the next run.
func (a *applier) removeStubs(ctx context.Context, f *folder, stubs map[*plan.Op]mail.Base) error {
	removed := false
	for o, stub := range stubs {
		if !a.isDone(o) || o.Row.Key == stub.Key {
			continue
		}
		err := a.discard(ctx, f, stub.Key, o.Flags, stub.File, stub.Content.Digest)
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

// discard removes a stub that is still what it was, by its stamp or, where none is
// known, by its content.
func (a *applier) discard(ctx context.Context, f *folder, key mail.Key, flags mail.Flags, stamp mail.FileStamp, digest mail.Digest) error {
	if stamp == (mail.FileStamp{}) {
		content, now, _, err := a.Local.Read(ctx, f.Name, key)
		if err != nil {
			return err
		}
		if content.Digest != digest {
			return mail.ErrChanged
		}
		stamp = now
	}
	return a.Local.Discard(ctx, f.Name, key, flags, stamp)
}

func fileStamp(l *mail.Local) mail.FileStamp {
	if l.Stamp == nil {
		return mail.FileStamp{}
	}
	return *l.Stamp
}

// tidy removes stubs of no row whose messages are held: nothing is in them that
// is not in those.
func (a *applier) tidy(ctx context.Context, f *folder, ops []*plan.Op) error {
	var done []*plan.Op
	for _, o := range ops {
		err := a.discard(ctx, f, o.Local.Key, o.Local.Flags, fileStamp(o.Local), o.Local.Content.Digest)
		if accountScope(err) || ctx.Err() != nil {
			return err
		}
		if err != nil {
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

package syncer

import (
	"context"
	"slices"

	"imapsync/mail"
	"imapsync/plan"
)

// pair records where messages lie that both sides have; nothing is done to
// either side.
func (a *applier) pair(_ context.Context, f *folder, ops []*plan.Op) error {
	b := mail.Batch{}
	for _, o := range ops {
		place(o.Row, o.To, o.Remote.UID, o.Local.Key)
		keepMark(o)
		if o.Remote.Size > 0 {
			o.Row.RemoteSize = o.Remote.Size
		}
		b.Put = append(b.Put, o.Row)
	}
	return a.record(b, ops...)
}

func place(row *mail.Base, folder mail.FolderName, uid mail.UID, key mail.Key) {
	row.Folder, row.UID, row.Key, row.RemoteOnly = folder, uid, key, false
}

// keepMark has the row say of a mark that is to be taken off that it was there.
func keepMark(o *plan.Op) {
	if o.Marked != nil {
		o.Row.Flags = *o.Marked
	}
}

// vacate gives rows a key that no file has where a file is about to be moved in
// under their key: their own has left the folder, and what is to become of their
// message is carried out only later. A file is as missing under the one key as
// under the other.
func (a *applier) vacate(p *plan.Plan) (rows []*mail.Base) {
	coming := map[spot][]*plan.Op{}
	for _, o := range p.Ops {
		if o.Kind == plan.MoveLocal && !o.Held {
			to := spot{o.To, o.Local.Key}
			for _, other := range coming[to] {
				a.crowd(o, other.Row)
				a.crowd(other, o.Row)
			}
			coming[to] = append(coming[to], o)
		}
	}
	for _, f := range a.sorted() {
		for _, row := range f.Base {
			moves := coming[spot{f.Name, row.Key}]
			if len(moves) == 0 || f.failed {
				continue
			}
			if _, there := f.Local.Messages[row.Key]; !there {
				row.Key = a.Local.NewKey()
				rows = append(rows, row)
				continue
			}
			for _, o := range moves {
				a.crowd(o, row)
			}
		}
	}
	return rows
}

// spot is a place in the Maildir.
type spot struct {
	folder mail.FolderName
	key    mail.Key
}

// crowd notes a move that meets another row's file under its key. Of equal files
// the move makes one, for it takes them for what is left of a move cut short.
func (a *applier) crowd(o *plan.Op, by *mail.Base) {
	if o.Row != by && o.Row.Content.Digest == by.Content.Digest {
		a.crowded[o] = true
	}
}

// moveLocal follows on disk moves made on the server.
func (a *applier) moveLocal(ctx context.Context, f *folder, ops []*plan.Op) error {
	for batch := range slices.Chunk(ops, movesRecorded) {
		moved, err := a.moveFiles(ctx, f, batch)
		if len(moved) > 0 {
			err = firstOf(err, a.recordMoves(f, moved))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// movedFile is a file that was moved and the key it has now.
type movedFile struct {
	op  *plan.Op
	key mail.Key
}

// moveFiles makes moves until one costs more than its message.
func (a *applier) moveFiles(ctx context.Context, f *folder, ops []*plan.Op) (moved []movedFile, err error) {
	for _, o := range ops {
		if err := firstOf(a.interrupted(), ctx.Err()); err != nil {
			return moved, err
		}
		if a.target(o.To) == nil {
			a.trouble(f.Name)
			continue
		}
		key, err := a.Local.Move(ctx, o.Folder, o.Local.Key, o.To)
		if accountScope(err) {
			return moved, err
		}
		if err != nil {
			a.failMove(o, err)
			continue
		}
		moved = append(moved, movedFile{o, key})
	}
	return moved, nil
}

// recordMoves has moves made durable, in the new places before the old one, and
// recorded. What cannot be made durable is found by its content in the next run.
func (a *applier) recordMoves(f *folder, moved []movedFile) error {
	out := outcome{f: f, onDisk: true, ops: len(moved)}
	for _, m := range moved {
		if !slices.Contains(out.targets, m.op.To) {
			out.targets = append(out.targets, m.op.To)
		}
	}
	out.record = func() (b mail.Batch, done []*plan.Op) {
		for _, m := range moved {
			o := m.op
			if a.crowded[o] && m.key == o.Local.Key {
				// The file may be the other's as well; the next run pairs or downloads.
				a.trouble(o.To)
				b.Drop = append(b.Drop, o.Row)
				continue
			}
			place(o.Row, o.To, o.Remote.UID, m.key)
			keepMark(o)
			b.Put = append(b.Put, o.Row)
			done = append(done, o)
		}
		return b, done
	}
	return a.recordLater(out, movesRecorded)
}

// target returns the folder a message goes to, nil if nothing can be done in
// it in this run.
func (a *applier) target(name mail.FolderName) *folder {
	a.mu.Lock()
	defer a.mu.Unlock()
	if f := a.folders[name]; f != nil && !f.failed {
		return f
	}
	return nil
}

func (a *applier) failMove(o *plan.Op, err error) {
	a.trouble(o.To)
	a.fail(o.Folder, o, err)
}

// byTarget groups operations by their target folder, in order.
func byTarget(ops []*plan.Op) (targets []mail.FolderName, groups map[mail.FolderName][]*plan.Op) {
	groups = map[mail.FolderName][]*plan.Op{}
	for _, o := range ops {
		if groups[o.To] == nil {
			targets = append(targets, o.To)
		}
		groups[o.To] = append(groups[o.To], o)
	}
	return targets, groups
}

// moveRemote follows on the server a move made in the Maildir. UID MOVE is
// atomic, so nothing is journalled: a lost reply is found by identity.
func (a *applier) moveRemote(ctx context.Context, f *folder, ops []*plan.Op) error {
	targets, groups := byTarget(ops)
	for i, to := range targets {
		if err := a.moveGroup(ctx, f, to, groups[to], i == len(targets)-1); err != nil {
			return err
		}
	}
	return nil
}

func (a *applier) moveGroup(ctx context.Context, f *folder, name mail.FolderName, ops []*plan.Op, last bool) error {
	to := a.target(name)
	if to == nil {
		a.trouble(f.Name)
		return nil
	}
	moved, moveErr := a.transfer(ctx, f, ops, func(mb Mailbox, uids []mail.UID) (map[mail.UID]mail.UID, error) {
		if last {
			a.goAhead(mb, f)
		}
		return mb.Move(ctx, uids, name, to.validity)
	})
	deps := make([]*departure, 0, len(ops))
	for _, o := range ops {
		uid := moved[o.Remote.UID]
		in := &mail.Intent{Folder: name, Key: o.Local.Key, Content: o.Row.Content, UIDNext: to.Remote.Mark.UIDNext}
		deps = append(deps, &departure{op: o, to: to, intent: in, uid: uid, over: moveErr == nil || uid != 0})
	}
	return firstOf(moveErr, a.recordArrivals(ctx, to, deps)) // the rest of a broken MOVE is found by identity in the next run
}

// transfer lets send act on the messages of operations in their mailbox, and
// gives the connection back before anything else is asked for: lanes that each
// held one while waiting for another would wait for ever.
func (a *applier) transfer(ctx context.Context, f *folder, ops []*plan.Op, send func(Mailbox, []mail.UID) (map[mail.UID]mail.UID, error)) (map[mail.UID]mail.UID, error) {
	mb, err := a.open(ctx, f)
	if err != nil {
		return nil, err
	}
	defer mb.Close()
	uids := make([]mail.UID, 0, len(ops))
	for _, o := range ops {
		uids = append(uids, o.Remote.UID)
	}
	return send(mb, uids)
}

// recordArrivals settles messages that came from another mailbox of the server;
// those of which it told no UID are looked for in the target.
func (a *applier) recordArrivals(ctx context.Context, to *folder, deps []*departure) error {
	deps, err := a.recordKnown(to, deps)
	if err != nil || len(deps) == 0 {
		return err
	}
	if err := a.recordPending(); err != nil { // what is looked for is none of these
		return err
	}
	silent, err := a.recordUploads(deps)
	if err != nil || len(silent) == 0 {
		return err
	}
	mb, err := a.open(ctx, to)
	if err != nil {
		return err
	}
	defer mb.Close()
	return a.findSilent(ctx, mb, to, silent)
}

// recordKnown has those recorded of which the server told the UID, and returns the
// others.
func (a *applier) recordKnown(to *folder, deps []*departure) (others []*departure, err error) {
	var known []*departure
	for _, d := range deps {
		if d.over && d.err == nil && d.uid != 0 {
			known = append(known, d)
		} else {
			others = append(others, d)
		}
	}
	if len(known) == 0 {
		return others, nil
	}
	return others, a.recordLater(outcome{f: to, ops: len(known), record: func() (b mail.Batch, done []*plan.Op) {
		for _, d := range known {
			d.settle(&b)
			done = append(done, d.op)
		}
		return b, done
	}}, movesRecorded)
}

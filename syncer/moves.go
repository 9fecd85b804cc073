package syncer

import (
	"context"

	"imapsync/mail"
	"imapsync/plan"
)

// pair records where messages lie that both sides have; nothing is done to
// either side.
func (a *applier) pair(_ context.Context, f *folder, ops []*plan.Op) error {
	b := mail.Batch{}
	for _, o := range ops {
		place(o.Row, o.To, o.Remote.UID, o.Local.Key)
		if o.Remote.Size > 0 {
			o.Row.RemoteSize = o.Remote.Size
		}
		b.Put = append(b.Put, o.Row)
	}
	return a.record(b, ops...)
}

func place(row *mail.Base, folder mail.FolderName, uid mail.UID, key mail.Key) {
	row.Folder, row.UID, row.Key = folder, uid, key
}

// moveLocal follows on disk a move made on the server.
func (a *applier) moveLocal(ctx context.Context, f *folder, ops []*plan.Op) error {
	for _, o := range ops {
		to := a.target(o.To)
		if to == nil {
			a.trouble(f.Name)
			continue
		}
		key, err := a.Local.Move(ctx, o.Folder, o.Local.Key, o.To)
		if err != nil {
			if accountScope(err) {
				return err
			}
			a.failMove(o, err)
			continue
		}
		place(o.Row, o.To, o.Remote.UID, key)
		if err := a.record(mail.Batch{Put: []*mail.Base{o.Row}}, o); err != nil {
			return err
		}
	}
	return nil
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
	mb, err := a.open(ctx, f)
	if err != nil {
		return err
	}
	defer mb.Close()
	targets, groups := byTarget(ops)
	for _, to := range targets {
		if err := a.moveGroup(ctx, mb, f, to, groups[to]); err != nil {
			return err
		}
	}
	return nil
}

func (a *applier) moveGroup(ctx context.Context, mb Mailbox, f *folder, name mail.FolderName, ops []*plan.Op) error {
	to := a.target(name)
	if to == nil {
		a.trouble(f.Name)
		return nil
	}
	uids := make([]mail.UID, 0, len(ops))
	for _, o := range ops {
		uids = append(uids, o.Remote.UID)
	}
	moved, moveErr := mb.Move(ctx, uids, name)
	deps := make([]*departure, 0, len(ops))
	for _, o := range ops {
		uid := moved[o.Remote.UID]
		in := &mail.Intent{Folder: name, Key: o.Local.Key, Content: o.Row.Content, UIDNext: to.Remote.Mark.UIDNext}
		deps = append(deps, &departure{op: o, intent: in, uid: uid, over: moveErr == nil || uid != 0})
	}
	if moveErr != nil { // what became of the rest is found by identity in the next run
		return firstOf(moveErr, a.recordUploads(ctx, nil, to, deps))
	}
	target, err := a.open(ctx, to)
	if err != nil {
		return err
	}
	defer target.Close()
	return a.recordUploads(ctx, target, to, deps)
}

package syncer

import (
	"context"
	"errors"

	"imapsync/mail"
	"imapsync/plan"
)

// pair records where messages lie that both sides have; nothing is done to
// either side.
func (a *applier) pair(_ context.Context, f *folder, ops []*plan.Op) error {
	if err := a.known(f); err != nil {
		return err
	}
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
		if err := a.known(to); err != nil {
			return err
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
	if err := a.known(to); err != nil {
		return err
	}
	uids := make([]mail.UID, 0, len(ops))
	for _, o := range ops {
		uids = append(uids, o.Remote.UID)
	}
	moved, err := mb.Move(ctx, uids, name)
	var b mail.Batch
	var done []*plan.Op
	for _, o := range ops {
		if uid := moved[o.Remote.UID]; uid != 0 {
			place(o.Row, name, uid, o.Local.Key)
			b.Put = append(b.Put, o.Row)
			done = append(done, o)
		} else { // gone meanwhile, or the server does not tell: the next run finds it by identity
			a.trouble(f.Name)
			a.trouble(name)
		}
	}
	if len(done) > 0 {
		if rerr := a.record(b, done...); rerr != nil {
			return rerr
		}
	}
	if err != nil && !errors.Is(err, mail.ErrChanged) {
		a.trouble(name)
		return err
	}
	return nil
}

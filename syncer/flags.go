package syncer

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"imapsync/mail"
	"imapsync/plan"
)

// setFlags brings files and messages to the merged flags. Both sides are told
// what to add and what to take away, so that a flag somebody else sets in this
// moment stays.
func (a *applier) setFlags(ctx context.Context, f *folder, ops []*plan.Op) error {
	var settled, remote []*plan.Op
	local := false
	for _, o := range ops {
		if !a.ready(o) {
			continue
		}
		if o.OnLocal {
			local = true
			err := a.Local.SetFlags(ctx, f.Name, o.Row.Key, o.Flags.Minus(o.Local.Flags), o.Local.Flags.Minus(o.Flags))
			if accountScope(err) {
				return err
			}
			if err != nil {
				a.fail(f.Name, o, err)
				continue
			}
		}
		settled = append(settled, o)
		if o.OnRemote {
			remote = append(remote, o)
		}
	}
	if len(remote) > 0 {
		if local {
			if err := a.Local.Sync(ctx, f.Name); err != nil {
				return err
			}
			local = false
		}
		refused, err := a.storeFlags(ctx, f, remote)
		if err != nil {
			return err
		}
		settled = slices.DeleteFunc(settled, func(o *plan.Op) bool { return o.OnRemote })
		a.mu.Lock()
		a.stored[f] = slices.DeleteFunc(remote, func(o *plan.Op) bool { return refused[o] })
		a.mu.Unlock()
	}
	if len(settled) == 0 {
		return nil
	}
	return a.recordLater(outcome{f: f, onDisk: local, ops: len(settled), record: func() (mail.Batch, []*plan.Op) {
		return agreed(settled), settled
	}}, opsRecorded)
}

// agreed has rows say what both sides have by now.
func agreed(ops []*plan.Op) (b mail.Batch) {
	for _, o := range ops {
		o.Row.Flags = o.Agreed
		b.Put = append(b.Put, o.Row)
	}
	return b
}

// confirming confirms beside the deletions, which concern other messages; the
// returned function waits for it.
func (a *applier) confirming(ctx context.Context) (wait func() error) {
	done := make(chan error, 1)
	go func() { done <- a.confirmStored(ctx) }()
	return sync.OnceValue(func() error { return <-done })
}

// confirmStored records the flags that were stored on the server. A STORE on a
// message that another client has taken away is OK and does nothing; it may have
// been taken to another mailbox, without the change. So the messages of all
// mailboxes are asked for once more, and those that are gone left to the next run.
func (a *applier) confirmStored(ctx context.Context) error {
	var sought []mail.Sought
	for _, f := range a.sorted() {
		if ops := a.stored[f]; len(ops) > 0 {
			s := mail.Sought{Folder: f.Name, UIDValidity: f.validity}
			for _, o := range ops {
				s.UIDs = append(s.UIDs, o.Row.UID)
			}
			sought = append(sought, s)
		}
	}
	if len(sought) == 0 {
		return nil
	}
	var fatal error
	there := map[mail.FolderName][]mail.UID{}
	err := a.Remote.StillThere(ctx, sought, false, func(name mail.FolderName, uids []mail.UID, err error) {
		switch {
		case accountScope(err) || ctx.Err() != nil:
			fatal = firstOf(fatal, err)
		case err != nil:
			a.failFolder(a.folders[name])
			a.fail(name, nil, err)
		default:
			there[name] = uids
		}
	})
	if err = firstOf(fatal, err); err != nil {
		return err
	}
	g, _ := errgroup.WithContext(ctx) // all at once: what is recorded together waits for the disk once
	for _, f := range a.sorted() {
		if uids, told := there[f.Name]; told {
			g.Go(func() error { return a.recordStored(f, uids) })
		}
	}
	return g.Wait()
}

func (a *applier) recordStored(f *folder, uids []mail.UID) error {
	there := make(map[mail.UID]bool, len(uids))
	for _, uid := range uids {
		there[uid] = true
	}
	var settled []*plan.Op
	for _, o := range a.stored[f] {
		if there[o.Row.UID] {
			settled = append(settled, o)
		} else {
			a.fail(f.Name, o, mail.ErrChanged)
		}
	}
	if len(settled) == 0 {
		return nil
	}
	err := a.record(agreed(settled), settled...)
	if err == nil || accountScope(err) {
		return err
	}
	a.failFolder(f)
	a.fail(f.Name, nil, err)
	return nil
}

// storeFlags sends as few STOREs as there are different changes, and tells
// which operations the server refused.
func (a *applier) storeFlags(ctx context.Context, f *folder, ops []*plan.Op) (refused map[*plan.Op]bool, err error) {
	mb, err := a.open(ctx, f)
	if err != nil {
		return nil, err
	}
	defer mb.Close()
	type change struct{ add, remove mail.Flags }
	var changes []mail.FlagChange
	var groups [][]*plan.Op
	index := map[change]int{}
	for _, o := range ops {
		c := change{o.Flags.Minus(o.Remote.Flags), o.Remote.Flags.Minus(o.Flags)}
		if a.carried[o.Row] {
			c.remove = c.remove.Union(theMark.Minus(o.Flags))
		}
		i, ok := index[c]
		if !ok {
			i = len(changes)
			index[c] = i
			changes, groups = append(changes, mail.FlagChange{Add: c.add, Remove: c.remove}), append(groups, nil)
		}
		changes[i].UIDs = append(changes[i].UIDs, o.Row.UID)
		groups[i] = append(groups[i], o)
	}
	a.goAhead(mb, f)
	refused = map[*plan.Op]bool{}
	return refused, mb.StoreAll(ctx, changes, func(i int, err error) {
		for _, o := range groups[i] {
			refused[o] = true
			a.fail(f.Name, o, naming(err, o))
		}
	})
}

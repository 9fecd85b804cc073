package syncer

import (
	"context"
	"slices"
	"sync"

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
		stored, err := a.storeFlags(ctx, f, remote)
		if err != nil {
			return err
		}
		settled = slices.DeleteFunc(settled, func(o *plan.Op) bool { return o.OnRemote && !stored[o] })
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

// recordingFlags records them beside the deletions, which concern other messages; the
// returned function waits for it.
func (a *applier) recordingFlags() (wait func() error) {
	pending := a.takePending()
	if a.opt.Lanes <= 2 {
		err := a.recordAll(pending)
		return func() error { return err }
	}
	done := make(chan error, 1)
	go func() { done <- a.recordAll(pending) }()
	return sync.OnceValue(func() error { return <-done })
}

// storeFlags sends as few STOREs as there are different changes, and tells which
// operations were carried out. A STORE on a message that another client has taken
// away is OK and does nothing; it may have been taken to another mailbox, without
// the change. So the messages are looked for once more, and those that are gone left
// to the next run.
func (a *applier) storeFlags(ctx context.Context, f *folder, ops []*plan.Op) (stored map[*plan.Op]bool, err error) {
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
	refused := map[int]bool{}
	there, err := mb.StoreAndLook(ctx, changes, func(i int, err error) {
		refused[i] = true
		for _, o := range groups[i] {
			a.fail(f.Name, o, naming(err, o))
		}
	})
	if err != nil {
		return nil, err
	}
	stored = map[*plan.Op]bool{}
	for i, ops := range groups {
		for _, o := range ops {
			switch _, found := slices.BinarySearch(there, o.Row.UID); {
			case refused[i]:
			case found:
				stored[o] = true
			default:
				a.fail(f.Name, o, mail.ErrChanged)
			}
		}
	}
	return stored, nil
}

package syncer

import (
	"context"
	"slices"

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
	if local {
		if err := a.Local.Sync(ctx, f.Name); err != nil {
			return err
		}
	}
	if len(remote) > 0 {
		failed, err := a.storeFlags(ctx, f, remote)
		if err != nil {
			return err
		}
		settled = slices.DeleteFunc(settled, func(o *plan.Op) bool { return failed[o] })
	}
	var b mail.Batch
	for _, o := range settled {
		o.Row.Flags = o.Flags
		b.Put = append(b.Put, o.Row)
	}
	if len(settled) == 0 {
		return nil
	}
	return a.record(b, settled...)
}

// storeFlags sends as few STOREs as there are different changes, and tells
// which operations the server refused, or did not get to before the message was
// taken away: that may have been to another mailbox, without the change.
func (a *applier) storeFlags(ctx context.Context, f *folder, ops []*plan.Op) (failed map[*plan.Op]bool, err error) {
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
		i, ok := index[c]
		if !ok {
			i = len(changes)
			index[c] = i
			changes, groups = append(changes, mail.FlagChange{Add: c.add, Remove: c.remove}), append(groups, nil)
		}
		changes[i].UIDs = append(changes[i].UIDs, o.Row.UID)
		groups[i] = append(groups[i], o)
	}
	failed = map[*plan.Op]bool{}
	gone, err := mb.StoreAll(ctx, changes, func(i int, err error) {
		for _, o := range groups[i] {
			failed[o] = true
			a.fail(f.Name, o, naming(err, o))
		}
	})
	away := make(map[mail.UID]bool, len(gone))
	for _, uid := range gone {
		away[uid] = true
	}
	for _, o := range ops {
		if away[o.Row.UID] && !failed[o] {
			failed[o] = true
			a.fail(f.Name, o, mail.ErrChanged)
		}
	}
	return failed, err
}

package syncer

import (
	"context"
	"math"
	"slices"

	"imapsync/mail"
	"imapsync/plan"
)

// holdable is where deletions are held: on a side, in a folder.
type holdable struct {
	side   string
	folder mail.FolderName
}

// deletedAt is where an operation deletes a message that is then on neither side.
func deletedAt(o *plan.Op) (at holdable, ok bool) {
	switch {
	case o.Moved:
	case o.Kind == plan.DeleteLocal:
		return holdable{"local", o.Folder}, true
	case o.Kind == plan.DeleteRemote:
		return holdable{"remote", o.Folder}, true
	}
	return at, false
}

// loadHolds reads, once, what the runs before this one have held.
func (r *run) loadHolds(ctx context.Context) (err error) {
	if r.deleted != nil {
		return nil
	}
	if r.heldBefore, err = r.State.Holds(ctx); err == nil {
		r.deleted = map[holdable]int{}
	}
	return err
}

// confirmed tells how many deletions the user has confirmed: as many as were held,
// less those that this run has done. What went since, nobody was told of. Where
// nothing is held the user speaks of what this run finds.
func (r *run) confirmed(side string, folder mail.FolderName) (n int, wanted bool) {
	if !r.accepted(folder) {
		return 0, false
	}
	if len(r.heldBefore) == 0 {
		return math.MaxInt, true
	}
	for _, h := range r.heldBefore {
		if h.Side == side && h.Folder == folder {
			return max(0, h.Count-r.deleted[holdable{side, folder}]), true
		}
	}
	return 0, true
}

func (r *run) accepted(folder mail.FolderName) bool {
	return r.opt.AcceptDeletions && (len(r.opt.AcceptFolders) == 0 || slices.Contains(r.opt.AcceptFolders, folder))
}

// holdsAfter is what is held after this run: by its plan, what was confirmed and
// could not be done yet, and what was held before in folders it did not look into.
func (r *run) holdsAfter(p *plan.Plan) *[]mail.Hold {
	left := map[holdable]int{}
	for _, o := range p.Ops {
		if at, ok := deletedAt(o); ok && !o.Held && !r.completed[o] {
			left[at]++
		}
	}
	holds := slices.Clone(p.Holds)
	for _, h := range r.heldBefore {
		again := func(x mail.Hold) bool { return x.Side == h.Side && x.Folder == h.Folder }
		f, n := r.folders[h.Folder], left[holdable{h.Side, h.Folder}]
		switch {
		case slices.ContainsFunc(p.Holds, again):
		case f == nil && r.opt.Folders != nil, f != nil && f.failed:
			holds = append(holds, h)
		case r.accepted(h.Folder) && n > 0:
			h.Count = n
			holds = append(holds, h)
		}
	}
	return &holds
}

package syncer

import (
	"context"
	"errors"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"imapsync/mail"
	"imapsync/plan"
)

// errand is what is to be uploaded into a folder.
type errand struct {
	to  *folder
	ops []*plan.Op
}

// errands are the folders that wait for their uploads. An APPEND does not need its
// mailbox selected (RFC 3501 section 6.3.11), so that small ones go along with each
// other: in one flight, and in one transaction of the journal.
type errands struct {
	mu      sync.Mutex
	waiting []errand
}

// uploadAll uploads into all folders, over as many connections as there are lanes.
func (a *applier) uploadAll(ctx context.Context, names []mail.FolderName, lanes map[mail.FolderName][]*plan.Op) error {
	q := &errands{}
	for _, name := range names {
		f := a.source(name)
		if ops := a.sendable(f, lanes[name]); len(ops) > 0 && !a.hasFailed(f) {
			q.waiting = append(q.waiting, errand{f, ops})
		}
	}
	g, gctx := errgroup.WithContext(ctx)
	for range a.opt.Lanes {
		g.Go(func() error {
			for e := q.take(); len(e.ops) > 0 && a.interrupted() == nil; e = q.take() {
				err := a.carry(gctx, e, q)
				if errors.Is(err, errInterrupted) {
					return nil // the other lanes finish what they have in hand
				}
				if err := a.laneEnded(gctx, a.atFault(err, e.to), err); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// atFault is the folder that an error is about, for several may share an upload.
func (a *applier) atFault(err error, begun *folder) *folder {
	var fault *mail.Fault
	if errors.As(err, &fault) && fault.Folder != "" && fault.Folder != begun.Name {
		return a.source(fault.Folder)
	}
	return begun
}

// take takes the next errand, one without operations if none waits.
func (q *errands) take() (e errand) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) > 0 {
		e, q.waiting = q.waiting[0], q.waiting[1:]
	}
	return e
}

// goesAlong takes an errand into a mailbox of which enough is known that it need
// not be selected, and reports whether there is one.
func (q *errands) goesAlong(a *applier, e *errand) bool {
	if q == nil {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.IndexFunc(q.waiting, func(e errand) bool { return a.observedMark(e.to) })
	if i < 0 {
		return false
	}
	*e = q.waiting[i]
	q.waiting = slices.Delete(q.waiting, i, i+1)
	return true
}

// observedMark reports whether the folder's UIDs mean what they did when it was
// observed, as far as is known.
func (a *applier) observedMark(f *folder) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	mark := f.Remote.Mark
	return f.Remote.Exists && mark.UIDNext != 0 && mark.UIDValidity != 0 && mark.UIDValidity == f.validity
}

package syncer

import (
	"context"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"imapsync/mail"
	"imapsync/plan"
)

// loadTwins gets the rows, of those that were not looked at, that have the size of
// a new message on the server.
func (r *run) loadTwins(ctx context.Context) error {
	r.twins, r.objects = nil, nil
	if r.moved || r.foreign || len(r.skipped) == 0 && !r.narrowly() {
		return nil
	}
	var sizes []int64
	for _, f := range r.folders {
		if f.failed || f.Remote.Mark.UIDNext == f.record.Mark.UIDNext {
			continue
		}
		for uid, m := range f.Remote.Messages {
			if uid >= f.record.Mark.UIDNext || f.Remote.Mark.UIDValidity != f.record.Mark.UIDValidity {
				sizes = append(sizes, m.Size)
			}
		}
	}
	if len(sizes) == 0 {
		return nil
	}
	rows, err := r.State.RowsOfSize(ctx, sizes)
	if err != nil {
		return err
	}
	r.promote(rows)
	for _, row := range rows {
		if r.skipped[row.Folder] != nil && r.folders[row.Folder] == nil && row.Key != "" && row.UID != 0 && row.Content.Whole == 0 {
			r.twins = append(r.twins, row)
		}
	}
	return nil
}

// learnObjects asks what identifies the contents of messages that may be twins. A
// folder that does not tell costs nothing but that its messages are fetched.
func (r *run) learnObjects(ctx context.Context) error {
	need := plan.NeedObjects(r.observed())
	if len(need) == 0 {
		return nil
	}
	features, err := r.Remote.Features(ctx)
	if err != nil || !features.ObjectIDs {
		return err
	}
	byFolder := map[mail.FolderName][]mail.UID{}
	for _, m := range need {
		byFolder[m.Folder] = append(byFolder[m.Folder], m.UID)
	}
	r.objects = make(map[plan.Message]string, len(need))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.opt.Lanes)
	for _, name := range slices.Sorted(maps.Keys(byFolder)) {
		g.Go(func() error {
			if err := r.objectsIn(gctx, name, byFolder[name]); accountScope(err) || gctx.Err() != nil {
				return err
			}
			return nil
		})
	}
	return g.Wait()
}

// objectsIn asks in one folder, which may be one that was not looked into.
func (r *run) objectsIn(ctx context.Context, name mail.FolderName, uids []mail.UID) error {
	mb, err := r.Remote.Open(ctx, name, r.opt.DryRun)
	if err != nil {
		return err
	}
	defer mb.Close()
	if mb.Mark().UIDValidity != r.validityOf(name) {
		return nil
	}
	ids, err := mb.ObjectIDs(ctx, uids)
	r.mu.Lock()
	defer r.mu.Unlock()
	for uid, id := range ids {
		r.objects[plan.Message{Folder: name, UID: uid}] = id
	}
	return err
}

// validityOf is the UIDVALIDITY under which the UIDs of a folder are taken, be it
// looked into or not.
func (r *run) validityOf(name mail.FolderName) uint32 {
	if f := r.folders[name]; f != nil {
		return f.validity
	}
	rec, _ := r.recordOf(name)
	return rec.Mark.UIDValidity
}

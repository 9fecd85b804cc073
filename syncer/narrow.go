package syncer

import (
	"cmp"
	"context"
	"slices"

	"imapsync/mail"
	"imapsync/plan"
)

// A folder of which the record can be trusted is looked at narrowly: into the run
// come only the messages that are not on both sides as their rows have them, those
// that are new, and those that something must be known of because of these. A
// folder may have a million messages, and a run seldom has to do with more than a
// few of them. Where anything is out of the ordinary the folder is looked at once
// more, as a whole.

// narrowing is what a narrow look finds out before both sides are brought together.
type narrowing struct {
	known []mail.UID // of the rows; nil where the server was not asked
	whole bool       // the folder is to be looked at as a whole
}

// mayNarrow reports whether a folder can be looked at narrowly.
func (r *run) mayNarrow(f *folder) bool {
	rec := f.record
	return f.Known && r.trusted(f) && !r.moved && !f.remapped && !f.rewritten && !f.Trim && f.Fetch == nil &&
		f.extent.Unlimited() && rec.Rows > 0 && rec.Mark.UIDValidity != 0 && rec.Mark.HighestModSeq != 0
}

// begun decides how a folder is looked at.
func (r *run) begun(f *folder) {
	f.full, f.Trim = r.opt.Full || r.checkDue(f), r.trimDue(f)
	f.Dropped = f.Trim && f.record.Settled
	if f.narrow = nil; r.mayNarrow(f) {
		f.narrow = &narrowing{}
	}
}

// scanNarrowly lists the Maildir folder and reads the rows that are not as it is.
func (r *run) scanNarrowly(ctx context.Context, f *folder) error {
	f.restamped, f.Unread = nil, nil
	names, err := r.Local.Names(ctx, f.Name, f.record.Rows)
	if err != nil {
		return err
	}
	if f.Base, err = r.State.RowsUnlike(ctx, f.Name, names.Like); err != nil {
		return err
	}
	s := names.Snapshot()
	if !s.Still {
		if err := lookForFiles(ctx, r.Local, s, missingKeys(f.Base, s)); err != nil {
			return err
		}
	}
	f.Local, f.stamp = s, s.Stamp
	return r.readNew(ctx, f)
}

// lookNarrowly asks the server what changed.
func (r *run) lookNarrowly(ctx context.Context, f *folder) (err error) {
	n := f.narrow
	if n.whole = !r.mayNarrow(f) || f.remote == nil || !f.remote.Selectable || f.remote.Mark == nil; n.whole {
		return nil
	}
	if r.sameRemote(f) && !f.restricted() {
		f.Remote = mail.RemoteSnapshot{Folder: f.Name, Exists: true, Space: mail.FullSpace(), Mark: f.record.Mark,
			Messages: map[mail.UID]mail.Remote{}}
		return nil
	}
	if n.known, err = r.State.UIDs(ctx, f.Name); err != nil {
		return err
	}
	s, err := r.askServer(ctx, f, mail.Known{Mark: f.record.Mark, UIDs: n.known}, false)
	if err != nil {
		return err
	}
	n.whole = !s.Delta || s.Doubt != "" || s.Mark.UIDValidity != f.record.Mark.UIDValidity ||
		f.lower(s.Mark) || f.record.LastUID >= s.Mark.UIDNext
	f.Remote, f.validity = s, s.Mark.UIDValidity
	return nil
}

// meet brings together what both sides of the folders have that were looked at
// narrowly.
func (r *run) meet(ctx context.Context) error {
	for _, f := range r.sorted() {
		if f.narrow == nil || f.failed {
			continue
		}
		how := r.fill
		if f.narrow.whole || f.rewritten || !f.Local.Exists || f.hasNewStub() {
			how = r.widen
		}
		if err := r.leftOut(ctx, f, how(ctx, f)); err != nil {
			return err
		}
	}
	return nil
}

// hasNewStub reports whether there is a stub of no row: the message that it stands
// for is known by its header alone.
func (f *folder) hasNewStub() bool {
	for _, l := range f.Local.Messages {
		if l.Content != nil && l.Content.Whole > 0 {
			return true
		}
	}
	return false
}

// widen looks at a folder as a whole.
func (r *run) widen(ctx context.Context, f *folder) error {
	f.narrow, f.Base = nil, nil
	if err := r.load(ctx, f); err != nil {
		return err
	}
	if err := r.scan(ctx, f); err != nil {
		return err
	}
	return r.ask(ctx, f)
}

// fill completes a folder: with the rows of what changed on the server alone, and
// with the other side of all that it has rows of.
func (r *run) fill(ctx context.Context, f *folder) error {
	have := uidsOf(f.Base)
	slices.Sort(have)
	if f.narrow.known == nil {
		f.Remote.Same = have
	}
	var wanted []mail.UID
	for _, uid := range f.changedUIDs() {
		if _, there := slices.BinarySearch(have, uid); !there {
			wanted = append(wanted, uid)
		}
	}
	rows, err := r.State.RowsByUID(ctx, f.Name, wanted)
	if err != nil {
		return err
	}
	f.addLocal(rows)
	f.Remote.Complete(f.Base)
	f.Quiet = f.record.Rows - len(f.Base)
	return nil
}

// changedUIDs are the known messages that the server has told something of, and
// those that it lacks.
func (f *folder) changedUIDs() (uids []mail.UID) {
	same := f.Remote.Same
	for _, uid := range f.narrow.known {
		for len(same) > 0 && same[0] < uid {
			same = same[1:]
		}
		if len(same) == 0 || same[0] != uid {
			uids = append(uids, uid)
		}
	}
	return uids
}

// addLocal takes rows into the run whose files are as the rows have them.
func (f *folder) addLocal(rows []*mail.Base) {
	for _, row := range rows {
		f.Local.Messages[row.Key] = mail.Local{Key: row.Key, Flags: row.Flags}
	}
	f.Base = append(f.Base, rows...)
	slices.SortStableFunc(f.Base, func(a, b *mail.Base) int { return cmp.Compare(a.UID, b.UID) })
}

// promote takes those of these rows into the run that are in folders which were
// looked at narrowly, and were left out there.
func (r *run) promote(rows []*mail.Base) {
	byFolder := map[*folder][]*mail.Base{}
	for _, row := range rows {
		if f := r.folders[row.Folder]; f != nil && !f.failed && f.narrow != nil {
			byFolder[f] = append(byFolder[f], row)
		}
	}
	for f, rows := range byFolder {
		there := make(map[int64]bool, len(f.Base))
		for _, row := range f.Base {
			there[row.ID] = true
		}
		quiet := slices.DeleteFunc(rows, func(row *mail.Base) bool { return there[row.ID] })
		f.addLocal(quiet)
		for _, row := range quiet {
			f.Remote.Messages[row.UID] = mail.Remote{UID: row.UID, Flags: row.Flags}
		}
		f.Quiet -= len(quiet)
	}
}

// narrowly reports whether any folder was looked at narrowly.
func (r *run) narrowly() bool {
	for _, f := range r.folders {
		if f.narrow != nil && !f.failed {
			return true
		}
	}
	return false
}

// promoteAlike takes rows into the run with the contents of new files, and of
// messages that are to be deleted because their file was given to a copy.
func (r *run) promoteAlike(ctx context.Context) error {
	if !r.narrowly() {
		return nil
	}
	var digests []mail.Digest
	for _, f := range r.folders {
		digests = append(digests, newDigests(f)...)
		for _, row := range f.Base {
			if row.Key == "" && !row.RemoteOnly {
				digests = append(digests, row.Content.Digest)
			}
		}
	}
	if len(digests) == 0 {
		return nil
	}
	rows, err := r.State.RowsOf(ctx, digests)
	if err != nil {
		return err
	}
	r.promote(rows)
	return nil
}

// promoteNamed takes rows into the run whose files have the name of one that is to
// be moved to their folder.
func (r *run) promoteNamed(ctx context.Context, p *plan.Plan) error {
	coming := map[*folder][]mail.Key{}
	for _, o := range p.Ops {
		if f := r.folders[o.To]; o.Kind == plan.MoveLocal && f != nil && f.narrow != nil && !f.failed {
			coming[f] = append(coming[f], o.Local.Key)
		}
	}
	for f, keys := range coming {
		rows, err := r.State.RowsByKey(ctx, f.Name, keys)
		if err != nil {
			return err
		}
		r.promote(rows)
	}
	return nil
}

package syncer

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"imapsync/mail"
	"imapsync/plan"
)

// confirm looks once more before absence is believed: a message that is missing
// may lie in a folder that could not be looked into, be the one that could not be
// read there, or have been moved to a folder after that was looked at. Such a run decides no deletion on that
// side; the next one sees both ends of the move.
func (r *run) confirm(ctx context.Context) error {
	in := r.observed()
	local, remote := plan.Missing(in)
	if local {
		if err := r.confirmLocal(ctx); err != nil {
			return err
		}
	}
	if copies := plan.Copies(in); remote || len(copies) > 0 {
		return r.confirmRemote(ctx, remote, copies)
	}
	return nil
}

func (r *run) confirmLocal(ctx context.Context) error {
	now, err := r.Local.Folders(ctx)
	if err != nil {
		return err
	}
	for _, f := range r.folders {
		for _, row := range f.Base {
			if _, there := f.Local.Messages[row.Key]; !there && row.Key != "" && f.Local.Doubt == "" {
				f.Local.Doubt = mayBeUnread(r.unreadFiles, row.File.Size, row.Content.Size)
			}
		}
	}
	to := r.hidden
	for _, f := range r.sorted() {
		if !f.Known || f.Local.Exists || f.failed {
			continue
		}
		if err := r.Local.LeftOut(f.record); err != nil { // since the listing
			to = append(to, f.Name)
			r.fail(f.Name, nil, err)
		}
	}
	if i := slices.IndexFunc(now, r.movedOnLocally); i >= 0 {
		to = append(to, now[i].Name)
	}
	if len(to) == 0 {
		return nil
	}
	for _, f := range r.folders {
		if len(missingKeys(f.Base, f.Local)) > 0 {
			f.Local.Doubt = mayLieIn(to[0])
		}
	}
	return nil
}

// unknownSize stands for a size that nothing tells.
const unknownSize = -1

// unread remembers what could not be read; anything of its size that is missing
// elsewhere may be it.
func (r *run) unread(sizes map[int64]mail.FolderName, size int64, folder mail.FolderName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sizes[size] = folder
}

// sizeOf tells the size of a file that could not be read.
func (r *run) sizeOf(ctx context.Context, folder mail.FolderName, l mail.Local) int64 {
	if l.Stamp == nil {
		s, err := r.Local.Scan(ctx, folder, true)
		if l = s.Messages[l.Key]; err != nil || l.Stamp == nil {
			return unknownSize
		}
	}
	return l.Stamp.Size
}

func mayBeUnread(unread map[int64]mail.FolderName, sizes ...int64) string {
	for _, size := range append(sizes, unknownSize) {
		if folder, ok := unread[size]; ok {
			return mayLieIn(folder)
		}
	}
	return ""
}

func mayLieIn(name mail.FolderName) string {
	return "they may have been moved to " + string(name) + ", which has changed meanwhile or could not be looked into in full"
}

// movedOnLocally reports whether a folder may have got a file that this run has
// not seen.
func (r *run) movedOnLocally(now mail.LocalFolder) bool {
	if f := r.folders[now.Name]; f != nil && !f.failed {
		return now.Stamp.Cur != f.stamp.Cur || now.Stamp.New != f.stamp.New
	}
	rec, ours := r.recordOf(now.Name)
	return ours && (!rec.Settled || now.Stamp.Cur != rec.Stamp.Cur || now.Stamp.New != rec.Stamp.New)
}

// confirmRemote asks in one flight where mailboxes have moved on, for the very
// messages that the listings lacked: the same suspicion, by another question; and
// for those of which there seem to be copies.
func (r *run) confirmRemote(ctx context.Context, missing bool, copies []plan.Copy) error {
	gone := map[mail.FolderName][]mail.UID{}
	for _, f := range r.sorted() {
		if missing && f.Remote.Exists && f.Remote.Doubt == "" && !f.failed { // what does not exist was asked for by name: see lookForMissing
			if uids := f.goneRemotely(); len(uids) > 0 {
				gone[f.Name] = uids
			}
		}
	}
	now, sightings, err := r.lookAgain(ctx, r.sought(gone, copies))
	if err != nil {
		return err
	}
	r.deferMoved(copies, sightings)
	if !missing {
		return nil
	}
	to, err := r.mayHaveGot(ctx, now)
	if err != nil {
		return err
	}
	for _, f := range r.folders {
		for _, row := range f.Base {
			if _, there := f.Remote.Messages[row.UID]; !there && row.UID != 0 && f.Remote.Doubt == "" {
				f.Remote.Doubt = mayBeUnread(r.unreadMail, row.RemoteSize, row.Content.Wire)
			}
		}
	}
	for _, f := range r.sorted() {
		seen, asked := sightings[f.Name]
		asked = asked && gone[f.Name] != nil
		switch {
		case f.Remote.Doubt != "" || f.failed || !asked && len(f.goneRemotely()) == 0 && !f.rematched():
		case to != "":
			f.Remote.Doubt = mayLieIn(to)
		case asked:
			if f.Remote.Doubt = f.contradicted(now); f.Remote.Doubt == "" {
				r.judge(f, gone[f.Name], seen)
			}
		}
	}
	return nil
}

// sighting is the answer for messages of a mailbox that were asked for.
type sighting struct {
	there map[mail.UID]bool
	err   error
}

// sought are the messages to ask for: those that seem gone, and those that there seem
// to be copies of.
func (r *run) sought(gone map[mail.FolderName][]mail.UID, copies []plan.Copy) (all []mail.Sought) {
	uids := maps.Clone(gone)
	for _, c := range copies {
		uids[c.Of.Folder] = append(slices.Clip(uids[c.Of.Folder]), c.Of.UID)
	}
	for _, name := range slices.Sorted(maps.Keys(uids)) {
		slices.Sort(uids[name])
		all = append(all, mail.Sought{Folder: name, UIDValidity: r.validityOf(name), UIDs: slices.Compact(uids[name])})
	}
	return all
}

// deferMoved takes messages out of this attempt that were seen where they were moved
// to and where they came from, too: as copies they would be two for good as soon as
// somebody touched the file. The run goes on with them, and sees both ends; where it
// does not, the server is wrong about one of them, and nothing waits for that.
func (r *run) deferMoved(copies []plan.Copy, sightings map[mail.FolderName]sighting) {
	if r.goneOn {
		return
	}
	for _, c := range copies {
		seen, asked := sightings[c.Of.Folder]
		if f := r.folders[c.New.Folder]; asked && seen.err == nil && !seen.there[c.Of.UID] {
			r.gone(f, c.New.UID)
			r.trouble(c.Of.Folder)
			r.moving = append(r.moving, f.Name)
		}
	}
}

// lookAgain lists the mailboxes once more, and asks for messages.
func (r *run) lookAgain(ctx context.Context, absent []mail.Sought) ([]mail.RemoteFolder, map[mail.FolderName]sighting, error) {
	var fatal error
	seen := map[mail.FolderName]sighting{}
	now, err := r.Remote.LookAgain(ctx, absent, r.opt.DryRun, func(name mail.FolderName, there []mail.UID, err error) {
		s := sighting{map[mail.UID]bool{}, err}
		for _, uid := range there {
			s.there[uid] = true
		}
		seen[name] = s
		if accountScope(err) || ctx.Err() != nil {
			fatal = firstOf(fatal, err)
		}
	})
	return now, seen, firstOf(fatal, err)
}

// judge doubts a listing that the answer does not bear out.
func (r *run) judge(f *folder, gone []mail.UID, seen sighting) {
	there := 0
	for _, uid := range gone {
		if seen.there[uid] {
			there++
		}
	}
	switch {
	case seen.err != nil:
		f.Remote.Doubt = "the server does not answer when asked for them by number"
		r.fail(f.Name, nil, seen.err)
	case there > 0:
		f.Remote.Doubt = fmt.Sprintf("the server showed them as gone, and %d of %d when asked for by number", there, len(gone))
	}
}

// goneRemotely lists the messages that the base knows and the server no longer
// shows.
func (f *folder) goneRemotely() (uids []mail.UID) {
	for _, row := range f.Base {
		if _, there := f.Remote.Messages[row.UID]; row.UID != 0 && !there {
			uids = append(uids, row.UID)
		}
	}
	return uids
}

// rematched reports whether messages of a renumbered folder are looked for by
// identity, and would be sent again where they are not found. With another server
// all are: what that lacks must not wait for the last of its mailboxes to open.
func (f *folder) rematched() bool {
	return f.record.Mark.UIDValidity != 0 && slices.ContainsFunc(f.Base, func(row *mail.Base) bool { return row.UID == 0 && row.Key != "" })
}

// contradicted compares the listing of a mailbox with what the server says of it
// by STATUS: a server that shows a part of a mailbox seldom hides it from every
// question.
func (f *folder) contradicted(now []mail.RemoteFolder) (doubt string) {
	i := slices.IndexFunc(now, func(n mail.RemoteFolder) bool { return n.Name == f.Name })
	if i < 0 {
		return "the server listed the folder and then did not"
	}
	if mark := now[i].Mark; mark != nil && mark.Messages > f.Remote.Mark.Messages && mark.UIDNext == f.Remote.Mark.UIDNext {
		return fmt.Sprintf("the server showed %d messages and says that there are %d", f.Remote.Mark.Messages, mark.Messages)
	}
	return ""
}

// mayHaveGot names a folder that may have got a message which this run has not
// seen, "" if there is none.
func (r *run) mayHaveGot(ctx context.Context, now []mail.RemoteFolder) (mail.FolderName, error) {
	if i := slices.IndexFunc(now, r.movedOnRemotely); i >= 0 {
		return now[i].Name, nil
	}
	for _, f := range r.sorted() {
		listed := slices.ContainsFunc(now, func(n mail.RemoteFolder) bool { return n.Name == f.Name })
		if listed || f.Remote.Exists || !f.Known || f.Remote.Doubt == "" && !f.failed {
			continue
		}
		if grown, err := r.grownUnlisted(ctx, f); grown || err != nil {
			return f.Name, err
		}
	}
	return "", nil
}

// grownUnlisted reports whether a mailbox that the server does not list, though
// it does not say that it is gone, may have got messages since it was settled.
func (r *run) grownUnlisted(ctx context.Context, f *folder) (bool, error) {
	mb, err := r.Remote.Open(ctx, f.Name, r.opt.DryRun)
	if err != nil {
		if accountScope(err) || ctx.Err() != nil {
			return false, err
		}
		return true, nil
	}
	defer mb.Close()
	now, then := mb.Mark(), f.record.Mark
	return !f.record.Settled || now.UIDValidity != then.UIDValidity || now.UIDNext != then.UIDNext, nil
}

// movedOnRemotely reports whether a mailbox may have got a message that this
// run has not seen: it was made since, its UIDNEXT has grown since, or the
// listing of it lacks numbers given out since it was settled last.
func (r *run) movedOnRemotely(now mail.RemoteFolder) bool {
	if !now.Selectable {
		return false
	}
	if f := r.folders[now.Name]; f != nil && f.phantom {
		return now.Mark != nil // it was made since
	}
	if f := r.folders[now.Name]; f != nil && !f.failed {
		return !f.Remote.Exists || now.Mark != nil && f.Remote.Mark.UIDNext != now.Mark.UIDNext || f.Remote.Doubt != "" && f.lacksNew()
	}
	rec, ours := r.recordOf(now.Name)
	return ours && (!rec.Settled || now.Mark == nil || now.Mark.UIDNext != rec.Mark.UIDNext)
}

// lacksNew reports whether numbers given out since the folder was settled last
// are not in its listing.
func (f *folder) lacksNew() bool {
	from := max(f.record.Mark.UIDNext, 1)
	if f.validity != f.record.Mark.UIDValidity || f.restored { // all were
		from = 1
	}
	listed := 0
	for uid := range f.Remote.Messages {
		if uid >= from && uid < f.Remote.Mark.UIDNext {
			listed++
		}
	}
	return f.Remote.Mark.UIDNext > from && uint64(listed) < uint64(f.Remote.Mark.UIDNext-from)
}

// recordOf returns what the state has of a folder that this run did not look
// into. Folders that are not the account's to synchronise are not ours.
func (r *run) recordOf(name mail.FolderName) (rec mail.FolderRecord, ours bool) {
	if f := r.folders[name]; f != nil {
		return f.record, true
	}
	if rec := r.skipped[name]; rec != nil {
		return *rec, true
	}
	return rec, !r.apart[name] && r.opt.Folders == nil && r.outside[name] == nil && (r.Select == nil || r.Select(name))
}

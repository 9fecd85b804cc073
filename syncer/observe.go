package syncer

import (
	"context"
	"errors"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"imapsync/mail"
	"imapsync/plan"
)

// observe learns what each side holds of every folder that may have changed.
func (r *run) observe(ctx context.Context) error {
	names, err := r.list(ctx)
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.opt.Lanes)
	for _, name := range names {
		f := r.folders[name]
		if r.unsettled[name] {
			f.failed = true
			continue
		}
		g.Go(func() error {
			err := r.observeFolder(gctx, f)
			if accountScope(err) || gctx.Err() != nil {
				return err
			}
			if err != nil {
				f.failed = true
				r.fail(f.Name, nil, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	r.dropUnchanged()
	return r.followMoves(ctx)
}

// list asks both sides for their folders at once and fills r.folders.
func (r *run) list(ctx context.Context) ([]mail.FolderName, error) {
	var locals []mail.LocalFolder
	var remotes []mail.RemoteFolder
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { locals, err = r.Local.Folders(gctx); return err })
	g.Go(func() (err error) { remotes, err = r.Remote.Folders(gctx); return err })
	if err := g.Wait(); err != nil {
		return nil, err
	}
	records, err := r.State.Folders(ctx)
	if err != nil {
		return nil, err
	}
	for _, l := range locals {
		if otherInbox(l.Name) {
			r.refuseInbox(l.Name)
			continue
		}
		if f := r.folder(l.Name); f != nil {
			f.stamp, f.Local.Exists = l.Stamp, true
		}
	}
	for i := range remotes {
		if f := r.folder(remotes[i].Name); f != nil {
			f.remote = &remotes[i]
		}
	}
	for _, rec := range records {
		if f := r.folder(rec.Folder); f != nil {
			f.record, f.Known, f.validity = rec, true, rec.Mark.UIDValidity
		}
	}
	for _, name := range r.opt.AcceptFolders {
		if r.folders[name] == nil {
			r.note(name, "there is no such folder in this run, so no deletion of it to accept")
		}
	}
	for _, name := range r.opt.Folders {
		if r.folders[name] == nil {
			return nil, &mail.Fault{Scope: mail.ScopeAccount, Class: mail.ClassUsage, Folder: name, Doing: "synchronise",
				Err: errNoFolder, Hint: "imapsync folders lists what there is"}
		}
	}
	return slices.Sorted(maps.Keys(r.folders)), nil
}

// otherInbox reports whether a folder on disk is called INBOX in another case,
// as some tools do: to the server it is INBOX itself (RFC 3501 section 5.1).
func otherInbox(name mail.FolderName) bool {
	first := name.Components()[0]
	return first != string(mail.Inbox) && strings.EqualFold(first, string(mail.Inbox))
}

// refuseInbox leaves such a folder and INBOX alone, for all of its mail would
// seem to be missing from the one and new in the other.
func (r *run) refuseInbox(name mail.FolderName) {
	r.unsettled[mail.Inbox] = true
	r.fail(name, nil, &mail.Fault{Scope: mail.ScopeFolder, Folder: name, Doing: "list the Maildir",
		Err: errInboxCase, Hint: "rename it to INBOX; until then neither is synchronised"})
}

var errInboxCase = errors.New("servers know INBOX in any case, so this name cannot stand for another folder")

var errNoFolder = errors.New("neither side has this folder, or it is not among the account's folders")

// folder returns the run's view of a folder, nil if it is not synchronised.
func (r *run) folder(name mail.FolderName) *folder {
	if f := r.folders[name]; f != nil {
		return f
	}
	if r.Select != nil && !r.Select(name) || !r.wanted(name) {
		return nil
	}
	f := &folder{}
	f.Name = name
	f.Local.Folder, f.Remote.Folder = name, name
	r.folders[name] = f
	return f
}

func (r *run) wanted(name mail.FolderName) bool {
	if r.opt.Folders == nil {
		return true
	}
	for _, w := range r.opt.Folders {
		if w == name {
			return true
		}
	}
	return false
}

// observeFolder fills in both snapshots, each from the base rows where that
// side is surely as it was.
func (r *run) observeFolder(ctx context.Context, f *folder) error {
	f.full = r.opt.Full || r.checkDue(f)
	sameLocal := f.record.Settled && f.Local.Exists && f.stamp.Unchanged(f.record.Stamp) && !f.full
	sameRemote := f.record.Settled && f.remote != nil && f.remote.Selectable && f.remote.Mark != nil &&
		*f.remote.Mark == f.record.Mark && f.record.Mark.HighestModSeq != 0 && !f.full && !r.moved
	if sameLocal && sameRemote {
		f.unchanged = true
		return nil
	}
	if f.Known {
		rows, err := r.State.Rows(ctx, f.Name)
		if err != nil {
			return err
		}
		f.Base = rows
	}
	if r.moved || f.record.Mark.UIDValidity == 0 {
		f.unnumber()
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if sameLocal {
			f.Local = localFromBase(f)
			return nil
		}
		return r.scan(gctx, f)
	})
	g.Go(func() error {
		if sameRemote {
			f.Remote = remoteFromBase(f)
			return nil
		}
		return r.look(gctx, f)
	})
	return g.Wait()
}

// unnumber takes the rows' UIDs for meaningless; they are recorded so before
// anything is done: see known.
func (f *folder) unnumber() {
	for _, row := range f.Base {
		row.UID = 0
	}
}

// checkDue spreads the full checks of folders over half of their interval.
func (r *run) checkDue(f *folder) bool {
	if !f.record.Settled {
		return true
	}
	if r.FullCheck <= 0 {
		return false
	}
	h := fnv.New32a()
	h.Write([]byte(f.Name))
	spread := time.Duration(h.Sum32()%1000) * (r.FullCheck / 2) / 1000
	return r.Now().Sub(f.record.FullCheck) > r.FullCheck/2+spread
}

// dropUnchanged takes the folders nobody touched out of the run; only their
// counts matter still.
func (r *run) dropUnchanged() {
	for name, f := range r.folders {
		if f.unchanged {
			rec := f.record
			r.skipped[name] = &rec
			delete(r.folders, name)
		}
	}
}

func localFromBase(f *folder) mail.LocalSnapshot {
	s := mail.LocalSnapshot{Folder: f.Name, Exists: true, Space: mail.FullSpace(), Stamp: f.record.Stamp,
		Messages: make(map[mail.Key]mail.Local, len(f.Base))}
	for _, row := range f.Base {
		if row.Key != "" {
			s.Messages[row.Key] = mail.Local{Key: row.Key, Flags: row.Flags}
		}
	}
	return s
}

func remoteFromBase(f *folder) mail.RemoteSnapshot {
	s := mail.RemoteSnapshot{Folder: f.Name, Exists: true, Space: mail.FullSpace(), Mark: f.record.Mark,
		Messages: make(map[mail.UID]mail.Remote, len(f.Base))}
	for _, row := range f.Base {
		if row.UID != 0 {
			s.Messages[row.UID] = mail.Remote{UID: row.UID, Flags: row.Flags}
		}
	}
	return s
}

// scan lists the Maildir folder and reads the files that are new in it.
func (r *run) scan(ctx context.Context, f *folder) error {
	s, err := r.Local.Scan(ctx, f.Name, f.full)
	if err != nil {
		return err
	}
	if s.Exists && len(missingKeys(f.Base, s)) > 0 {
		// readdir may miss a file that is being renamed: look again.
		again, err := r.Local.Scan(ctx, f.Name, f.full)
		if err != nil {
			return err
		}
		for _, k := range missingKeys(f.Base, s) {
			if l, ok := again.Messages[k]; ok {
				s.Messages[k] = l
			}
		}
	}
	f.Local, f.stamp = s, s.Stamp
	rows := make(map[mail.Key]*mail.Base, len(f.Base))
	for _, row := range f.Base {
		rows[row.Key] = row
	}
	for _, key := range slices.Sorted(maps.Keys(s.Messages)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		row, l := rows[key], s.Messages[key]
		if row != nil && (l.Stamp == nil || *l.Stamp == row.File) {
			continue
		}
		if err := r.read(ctx, f, row, l); err != nil {
			return err
		}
	}
	return nil
}

func missingKeys(rows []*mail.Base, s mail.LocalSnapshot) []mail.Key {
	var missing []mail.Key
	for _, row := range rows {
		if _, ok := s.Messages[row.Key]; !ok && row.Key != "" {
			missing = append(missing, row.Key)
		}
	}
	return missing
}

// read takes the content of a file that is new or was written since. A file
// that cannot be read stays out of this run.
func (r *run) read(ctx context.Context, f *folder, row *mail.Base, l mail.Local) error {
	content, stamp, date, err := r.Local.Read(ctx, f.Name, l.Key)
	if err != nil {
		if accountScope(err) || ctx.Err() != nil {
			return err
		}
		if row == nil {
			delete(f.Local.Messages, l.Key)
		}
		r.fail(f.Name, nil, err)
		return nil
	}
	l.Content, l.Stamp, l.Date = &content, &stamp, date
	if row != nil {
		if l.Edited = content.Digest != row.Content.Digest; !l.Edited {
			row.File = stamp
			f.restamped = append(f.restamped, row)
		}
	}
	f.Local.Messages[l.Key] = l
	return nil
}

// look asks the server what it holds of the folder.
func (r *run) look(ctx context.Context, f *folder) error {
	if f.remote == nil || !f.remote.Selectable {
		return r.lookForMissing(ctx, f)
	}
	mb, err := r.Remote.Open(ctx, f.Name, r.opt.DryRun)
	if err != nil {
		return err
	}
	defer mb.Close()
	known := mail.Known{Messages: make(map[mail.UID]mail.Flags, len(f.Base))}
	before := f.record.Mark.UIDValidity
	renumbered := len(f.Base) > 0 && !r.moved && before != 0 && mb.Mark().UIDValidity != before
	if renumbered {
		f.unnumber()
	}
	for _, row := range f.Base {
		if row.UID != 0 {
			known.Messages[row.UID] = row.Flags
		}
	}
	if f.record.Settled && !renumbered && !r.moved {
		known.Mark = f.record.Mark
	}
	s, err := mb.Snapshot(ctx, known, f.full)
	if err != nil {
		return err
	}
	if renumbered {
		r.note(f.Name, "the server has renumbered the folder (UIDVALIDITY): messages are matched again by their content, nothing is deleted")
	}
	f.Remote, f.validity = s, s.Mark.UIDValidity
	return nil
}

// lookForMissing settles whether a folder that LIST did not tell of is gone.
func (r *run) lookForMissing(ctx context.Context, f *folder) error {
	f.Remote.Messages = map[mail.UID]mail.Remote{}
	if !f.Known {
		return nil
	}
	gone, err := r.Remote.Missing(ctx, f.Name)
	if err != nil {
		return err
	}
	if !gone {
		f.Remote.Doubt = "the server lists the folder no more or not as a mailbox, yet does not say that it is gone"
	}
	return nil
}

// followMoves keeps a run on chosen folders from taking a file for deleted that
// was moved to another folder: such a message is left to a run on both.
func (r *run) followMoves(ctx context.Context) error {
	if r.opt.Folders == nil {
		return nil
	}
	missing := map[mail.Key]*folder{}
	for _, f := range r.folders {
		for _, k := range missingKeys(f.Base, f.Local) {
			missing[k] = f
		}
	}
	if len(missing) == 0 {
		return nil
	}
	locals, err := r.Local.Folders(ctx)
	if err != nil {
		return err
	}
	for _, l := range locals {
		if r.folders[l.Name] != nil || r.skipped[l.Name] != nil {
			continue
		}
		s, err := r.Local.Scan(ctx, l.Name, false)
		if err != nil {
			return err
		}
		for k := range s.Messages {
			switch f := missing[k]; {
			case f == nil:
			case f.validity != f.record.Mark.UIDValidity: // renumbered: all its rows must be found again at once
				f.failed = true
				r.fail(f.Name, nil, &mail.Fault{Scope: mail.ScopeFolder, Folder: f.Name, Doing: "synchronise the folder alone", Err: errMovedOut,
					Hint: "synchronise the whole account once"})
			default:
				r.leaveMoved(f, k, l.Name)
			}
		}
	}
	return nil
}

var errMovedOut = errors.New("the server has renumbered it, and messages of it were moved to folders that are not part of this run")

func (r *run) leaveMoved(f *folder, key mail.Key, to mail.FolderName) {
	kept := f.Base[:0]
	for _, row := range f.Base {
		if row.Key == key {
			delete(f.Remote.Messages, row.UID)
			continue
		}
		kept = append(kept, row)
	}
	f.Base = kept
	r.trouble(f.Name)
	r.note(f.Name, "message "+string(key)+" was moved to "+string(to)+", which is not part of this run: left for a run on both")
}

// input is everything the plan rests on.
func (r *run) input(ctx context.Context) (plan.Input, error) {
	in := plan.Input{Policy: r.Policy, Guard: plan.Guard{Limits: r.Limits,
		Local: map[mail.FolderName]int{}, Remote: map[mail.FolderName]int{}, Accepted: r.accepted}}
	var digests []mail.Digest
	observed := map[mail.FolderName]bool{}
	for _, f := range r.sorted() {
		name := f.Name
		if f.failed {
			in.Guard.Local[name], in.Guard.Remote[name] = f.record.Rows, f.record.Rows
			continue
		}
		observed[name] = true
		in.Folders = append(in.Folders, &f.Folder)
		in.Guard.Local[name] = max(len(f.Local.Messages), len(f.Base))
		in.Guard.Remote[name] = max(len(f.Remote.Messages), len(f.Base))
		digests = append(digests, newDigests(f)...)
	}
	for name, rec := range r.skipped {
		in.Guard.Local[name], in.Guard.Remote[name] = rec.Rows, rec.Rows
	}
	features, err := r.Remote.Features(ctx)
	if err != nil {
		return in, err
	}
	in.Features = features
	if len(digests) == 0 || r.moved {
		return in, nil
	}
	rows, err := r.State.RowsOf(ctx, digests)
	if err != nil {
		return in, err
	}
	for _, row := range rows {
		if r.skipped[row.Folder] != nil && !observed[row.Folder] {
			in.Sources = append(in.Sources, row)
		}
	}
	return in, nil
}

// sorted are the folders of the run by name.
func (r *run) sorted() []*folder {
	list := make([]*folder, 0, len(r.folders))
	for _, name := range slices.Sorted(maps.Keys(r.folders)) {
		list = append(list, r.folders[name])
	}
	return list
}

// newDigests are the contents of the files that no row of the folder has.
func newDigests(f *folder) []mail.Digest {
	var digests []mail.Digest
	for _, l := range f.Local.Messages {
		if l.Content != nil && !l.Edited {
			digests = append(digests, l.Content.Digest)
		}
	}
	return digests
}

func (r *run) accepted(name mail.FolderName) bool {
	if !r.opt.AcceptDeletions {
		return false
	}
	if len(r.opt.AcceptFolders) == 0 {
		return true
	}
	for _, f := range r.opt.AcceptFolders {
		if f == name {
			return true
		}
	}
	return false
}

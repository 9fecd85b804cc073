package syncer

import (
	"context"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"imapsync/mail"
)

// observe learns what each side holds of every folder that may have changed. The
// Maildir is read in as many folders at once as there are lanes, those that changed
// there while the server is still dialled; what is asked of the server waits for no
// scan, for many questions share a flight.
func (r *run) observe(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	looks, lctx := errgroup.WithContext(ctx)
	names, err := r.list(ctx, func(ctx context.Context) error { return r.beginEarly(ctx, lctx, looks) })
	if err == nil && slices.ContainsFunc(r.sorted(), (*folder).marksDrafts) {
		err = r.watchDrafts(ctx, (*folder).marksDrafts)
	}
	if err != nil {
		cancel()
		_ = looks.Wait()
		return err
	}
	r.expectFor(r.changed())
	scans, sctx := errgroup.WithContext(lctx)
	scans.SetLimit(r.opt.Lanes)
	for _, name := range names {
		f := r.folders[name]
		if r.unsettled[name] {
			f.failed = true
			continue
		}
		ask := func() { looks.Go(func() error { return r.leftOut(lctx, f, r.ask(lctx, f)) }) }
		if f.loaded != nil {
			ask()
		} else {
			scans.Go(func() error { return r.leftOut(sctx, f, r.observeFolder(sctx, f, ask)) })
		}
	}
	err = scans.Wait()
	if err := firstOf(looks.Wait(), err); err != nil {
		return err
	}
	if err := r.meet(ctx); err != nil {
		return err
	}
	if err := r.rescan(ctx); err != nil {
		return err
	}
	r.dropUnchanged()
	return r.followMoves(ctx)
}

// beginEarly begins to scan the folders that have changed on disk, before what the
// server has is known.
func (r *run) beginEarly(ctx, lctx context.Context, looks *errgroup.Group) error {
	if err := r.watchDrafts(ctx, (*folder).namesDrafts); err != nil {
		return err
	}
	var early []*folder
	for _, f := range r.sorted() {
		r.begun(f)
		if f.Local.Exists && !r.sameLocal(f) && !r.unsettled[f.Name] && !r.staysLocal(f) {
			f.loaded = make(chan struct{})
			early = append(early, f)
		}
	}
	r.expectFor(len(early))
	looks.Go(func() error {
		scans, sctx := errgroup.WithContext(lctx)
		scans.SetLimit(r.opt.Lanes)
		for _, f := range early {
			scans.Go(func() error { return r.leftOut(sctx, f, r.loadAndScan(sctx, f)) })
		}
		return scans.Wait()
	})
	return nil
}

func (r *run) loadAndScan(ctx context.Context, f *folder) error {
	f.notLoaded = r.load(ctx, f)
	close(f.loaded)
	if f.notLoaded != nil {
		return f.notLoaded
	}
	return r.scan(ctx, f)
}

// rescan looks at the files of folders that turned out to be for drafts, and to
// hold one that was written in place, when they had been scanned by name.
func (r *run) rescan(ctx context.Context) error {
	for _, f := range r.sorted() {
		if f.loaded == nil || f.failed || !f.rewritten || f.statted {
			continue
		}
		if err := r.leftOut(ctx, f, r.scan(ctx, f)); err != nil {
			return err
		}
	}
	return nil
}

// leftOut leaves a folder out of which a side could not be looked into.
func (r *run) leftOut(ctx context.Context, f *folder, err error) error {
	if err == nil || accountScope(err) || ctx.Err() != nil {
		return err
	}
	r.fail(f.Name, nil, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	f.failed = true
	return nil
}

// foldersPerConnection is how many folders must have changed for another
// connection to be worth its log-in, which takes as long as several questions.
const foldersPerConnection = 4

// expectFor has connections dialled for what is to be done in so many folders.
func (r *run) expectFor(changed int) {
	r.Remote.Expect(min(r.opt.Lanes, (changed+foldersPerConnection-1)/foldersPerConnection))
}

// changed counts the folders that are to be looked into.
func (r *run) changed() (n int) {
	for _, f := range r.folders {
		if f.loaded != nil || !r.sameLocal(f) || !r.sameRemote(f) {
			n++
		}
	}
	return n
}

// trusted reports whether what the record says of a folder may be relied on.
func (r *run) trusted(f *folder) bool { return f.record.Settled && !f.full && !r.dueIn(f.Name) }

// sameLocal reports whether the Maildir's side is surely as it was.
func (r *run) sameLocal(f *folder) bool {
	return r.trusted(f) && f.Local.Exists && f.stamp.Unchanged(f.record.Stamp) && !f.rewritten
}

// sameRemote reports it of the server's.
func (r *run) sameRemote(f *folder) bool {
	return r.trusted(f) && f.remote != nil && f.remote.Selectable && f.remote.Mark != nil &&
		*f.remote.Mark == f.record.Mark && f.record.Mark.HighestModSeq != 0 && atMark(f.record) && !r.moved
}

// observeFolder fills in both snapshots of a folder that is not scanned already,
// each from the base rows where that side is surely as it was. ask begins to look
// at the server's.
func (r *run) observeFolder(ctx context.Context, f *folder, ask func()) error {
	r.begun(f)
	sameLocal := r.sameLocal(f)
	if sameLocal && r.sameRemote(f) && !f.Trim && f.Fetch == nil {
		f.unchanged = true
		return nil
	}
	if err := r.load(ctx, f); err != nil {
		return err
	}
	if sameLocal {
		if f.narrow != nil {
			var err error
			if f.Base, err = r.State.LooseRows(ctx, f.Name); err != nil {
				return err
			}
		}
		f.Local = localFromBase(f)
	}
	ask()
	if sameLocal {
		return nil
	}
	return r.scan(ctx, f)
}

func (r *run) load(ctx context.Context, f *folder) (err error) {
	if f.Known && f.narrow == nil {
		f.Base, err = r.State.Rows(ctx, f.Name)
	}
	return err
}

// ask fills in the snapshot of the server's side.
func (r *run) ask(ctx context.Context, f *folder) error {
	if f.loaded != nil {
		if <-f.loaded; f.notLoaded != nil {
			return nil // told by who loads
		}
	}
	if f.narrow != nil {
		return r.lookNarrowly(ctx, f)
	}
	if r.moved || f.record.Mark.UIDValidity == 0 {
		f.unnumber()
		f.unflag()
	}
	if r.sameRemote(f) && !f.restricted() {
		f.Remote = remoteFromBase(f)
		return nil
	}
	return r.look(ctx, f)
}

// restricted reports whether the server may deny something in the mailbox, so that
// only a SELECT tells what can be changed there.
func (f *folder) restricted() bool {
	return f.record.ReadOnly || f.remote.Denied != mail.Denied{}
}

// atMark reports whether the rows can be those of the mark, which was taken before
// our own changes: a server that still shows it after those went back to it.
func atMark(rec mail.FolderRecord) bool {
	return rec.Rows == int(rec.Mark.Messages) && rec.LastUID < rec.Mark.UIDNext
}

// unnumber takes the rows' UIDs for meaningless; they are recorded so before
// anything is done: see introduce.
func (f *folder) unnumber() {
	for _, row := range f.Base {
		row.UID = 0
	}
}

// unflag forgets the flags both sides agreed on, so that those of both are
// united: what the server has of them now is no change that anybody made.
func (f *folder) unflag() {
	for _, row := range f.Base {
		row.Flags = mail.Flags{}
	}
}

// wentBack reports whether the server's counters are lower than they were, which
// they never are (RFC 3501 section 2.3.1.1, RFC 7162 section 3.1) unless the
// mailbox was brought back from an earlier moment: UIDs given since may by now
// be other messages'.
func (f *folder) wentBack(now mail.Mark) bool {
	return f.lower(now) || now.UIDNext != 0 && slices.ContainsFunc(f.Base, func(row *mail.Base) bool { return row.UID >= now.UIDNext })
}

// lower reports whether the counters are lower than those recorded.
func (f *folder) lower(now mail.Mark) bool {
	then := f.record.Mark
	return f.record.Settled && now.UIDNext != 0 &&
		(now.UIDNext < then.UIDNext || now.HighestModSeq != 0 && now.HighestModSeq < then.HighestModSeq)
}

// checkDue spreads the full checks of folders over half of their interval. A check in
// the future was recorded by a clock that was wrong.
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
	since := r.Now().Sub(f.record.FullCheck)
	return since < 0 || since > r.FullCheck/2+spread
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
	if f.narrow != nil {
		return r.scanNarrowly(ctx, f)
	}
	f.statted, f.restamped, f.Unread = f.full || f.rewritten, nil, nil
	s, err := r.Local.Scan(ctx, f.Name, f.statted)
	if err != nil && r.mend(ctx, f, err) {
		s, err = r.Local.Scan(ctx, f.Name, f.statted)
	}
	if err != nil {
		return err
	}
	if !s.Still {
		if err := lookForFiles(ctx, r.Local, s, missingKeys(f.Base, s)); err != nil {
			return err
		}
	}
	f.Local, f.stamp = s, s.Stamp
	return r.readNew(ctx, f)
}

// readNew reads the files that no row has, or that were written since.
func (r *run) readNew(ctx context.Context, f *folder) error {
	rows := make(map[mail.Key]*mail.Base, len(f.Base))
	for _, row := range f.Base {
		rows[row.Key] = row
	}
	var unread []mail.Key
	for key, l := range f.Local.Messages {
		if row := rows[key]; row == nil || f.statted && l.Stamp == nil || l.Stamp != nil && *l.Stamp != row.File {
			unread = append(unread, key)
		}
	}
	slices.Sort(unread)
	for _, key := range unread {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.read(ctx, f, rows[key], f.Local.Messages[key]); err != nil {
			return err
		}
	}
	return nil
}

// mend completes a folder that a run left half made or half removed when it was
// killed. What is missing of a folder may have held mail, but none that a row
// speaks of, so that nothing looks deleted then.
func (r *run) mend(ctx context.Context, f *folder, err error) bool {
	if len(f.Base) > 0 || r.opt.DryRun || accountScope(err) || ctx.Err() != nil {
		return false
	}
	return r.Local.CreateFolder(ctx, f.Name) == nil
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
			size := r.sizeOf(ctx, f.Name, l)
			f.Unread = append(f.Unread, size)
			r.unread(r.unreadFiles, size, f.Name)
		}
		r.fail(f.Name, nil, err)
		return nil
	}
	if row == nil && r.awaited[date.Unix()] {
		delete(f.Local.Messages, l.Key)
		r.trouble(f.Name)
		return nil
	}
	l.Content, l.Stamp, l.Date = &content, &stamp, date
	if row != nil {
		if row.Content.Whole > 0 && content.Whole > 0 && content.Header == row.Content.Header {
			row.Content = content // a stub stands for the same message, whatever somebody wrote into it
		}
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
	s, err := r.askServer(ctx, f, f.known(!r.moved), f.full)
	if err != nil && r.onlyListed(ctx, f, err) {
		f.phantom = true
		return r.lookForMissing(ctx, f)
	}
	if err != nil {
		return err
	}
	before := f.record.Mark.UIDValidity
	renumbered := len(f.Base) > 0 && !r.moved && before != 0 && s.Mark.UIDValidity != before
	switch {
	case renumbered:
		f.unnumber()
	case !r.moved && f.wentBack(s.Mark):
		f.restored = true
		f.unnumber()
		f.unflag()
		if s, err = r.Remote.Look(ctx, f.Name, r.opt.DryRun, mail.Known{}, true); err != nil {
			return err
		}
	}
	switch {
	case renumbered:
		r.note(f.Name, "the server has renumbered the folder (UIDVALIDITY): messages are matched again by their content, nothing is deleted")
	case f.restored:
		r.note(f.Name, "the server has gone back in time, as after a restore from a backup: messages are matched again by their content, nothing is deleted")
	}
	s.Complete(f.Base)
	f.Remote, f.validity = s, s.Mark.UIDValidity
	f.Settled = f.Settled && f.validity == before && !f.restored // else it may have what a run sent and could not find
	return nil
}

// onlyListed reports whether a mailbox that could not be selected does not exist,
// though LIST tells of it: Dovecot does so of a Maildir that was deleted while it had
// others below it.
func (r *run) onlyListed(ctx context.Context, f *folder, err error) bool {
	if f.remote.Mark != nil || accountScope(err) || ctx.Err() != nil || mail.ClassOf(err) == mail.ClassTemporary {
		return false
	}
	gone, err := r.Remote.Missing(ctx, f.Name)
	return gone && err == nil
}

// askServer looks at the mailbox.
func (r *run) askServer(ctx context.Context, f *folder, known mail.Known, full bool) (mail.RemoteSnapshot, error) {
	s, err := r.Remote.Look(ctx, f.Name, r.opt.DryRun, known, full)
	if r.opt.DryRun && f.record.ReadOnly && s.Denied == (mail.Denied{}) { // which an EXAMINE does not tell
		s.Denied, s.Space.ReadOnly = mail.ReadOnly, true
	}
	return s, err
}

// known is what the base says of the mailbox; a delta can start from its mark
// while that is valid.
func (f *folder) known(valid bool) mail.Known {
	known := mail.Known{UIDs: uidsOf(f.Base)}
	if valid && f.record.Settled {
		known.Mark = f.record.Mark
	}
	return known
}

// lookForMissing settles whether a folder that LIST did not tell of is gone.
func (r *run) lookForMissing(ctx context.Context, f *folder) error {
	f.Remote.Messages = map[mail.UID]mail.Remote{}
	if !f.Known || f.remote == nil && r.called[f.record.ServerName()] != "" { // it has another name here by now
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

// sorted are the folders of the run by name.
func (r *run) sorted() []*folder {
	list := make([]*folder, 0, len(r.folders))
	for _, name := range slices.Sorted(maps.Keys(r.folders)) {
		list = append(list, r.folders[name])
	}
	return list
}

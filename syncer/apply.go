package syncer

import (
	"context"
	"errors"
	"slices"
	"sort"

	"golang.org/x/sync/errgroup"

	"imapsync/mail"
	"imapsync/plan"
)

// step is one kind of work of the plan, done for one folder.
type step struct {
	kinds []plan.Kind
	do    func(a *applier, ctx context.Context, f *folder, ops []*plan.Op) error
}

// steps are carried out one after the other, each for all folders at once. The
// order is the order law of package plan.
var steps = []step{
	{[]plan.Kind{plan.CreateLocal, plan.CreateRemote}, (*applier).createRemote},
	{[]plan.Kind{plan.Pair}, (*applier).pair},
	{[]plan.Kind{plan.MoveLocal}, (*applier).moveLocal},
	{[]plan.Kind{plan.CopyRemote}, (*applier).copyRemote},
	{[]plan.Kind{plan.MoveRemote}, (*applier).moveRemote},
	{[]plan.Kind{plan.Upload}, (*applier).upload},
	{[]plan.Kind{plan.Download}, (*applier).download},
	{[]plan.Kind{plan.CopyLocal}, (*applier).download},
	{[]plan.Kind{plan.SetFlags}, (*applier).setFlags},
	{[]plan.Kind{plan.Leave}, (*applier).leave},
	{[]plan.Kind{plan.Drop}, (*applier).drop},
	{[]plan.Kind{plan.Tidy}, (*applier).tidy},
	{[]plan.Kind{plan.DeleteRemote}, (*applier).deleteRemote},
	{[]plan.Kind{plan.DeleteLocal}, (*applier).deleteLocal},
	{[]plan.Kind{plan.Forget}, (*applier).forget},
	{[]plan.Kind{plan.Fetch}, (*applier).fetchWhole},
	{[]plan.Kind{plan.RemoveLocal, plan.RemoveRemote, plan.ForgetFolder}, (*applier).removeFolders},
}

// applier carries out a plan. ctx of its methods is the work context; stop is
// the caller's, looked at between messages.
type applier struct {
	*run
	stop    context.Context
	plan    *plan.Plan
	origins map[*plan.Op]mail.Entry      // where the messages lay that operations take elsewhere
	crowded map[*plan.Op]bool            // moves of a file to where another row's has its key
	carried map[*mail.Base]bool          // rows of copies that came with a mark: see foundMark
	places  map[mail.FolderName]*queued  // of the folders that are downloaded
	ahead   map[mail.FolderName]upcoming // after which mailbox comes which in this step
	making  chan struct{}                // held while the trash folder is created
	pending []outcome                    // done in this step and not recorded yet

	few      bool                         // little is downloaded in this step: see expectFew
	expected map[mail.FolderName]*inbound // journalled and not begun to be fetched
	gathered []gathered                   // fetched and not settled
}

func (r *run) apply(ctx, work context.Context, p *plan.Plan) error {
	a := &applier{run: r, stop: ctx, plan: p, origins: map[*plan.Op]mail.Entry{}, crowded: map[*plan.Op]bool{}, carried: map[*mail.Base]bool{},
		ahead: map[mail.FolderName]upcoming{}, places: map[mail.FolderName]*queued{},
		making: make(chan struct{}, 1)}
	if err := a.prepare(p); err != nil {
		return err
	}
	recorded, flagged := func() error { return nil }, rowsOfFlags(p)
	for _, s := range steps {
		if s.kinds[0] == plan.Forget || s.awaitsFlags(p, flagged) { // what follows is for mailboxes where nothing is left to do
			if err := recorded(); err != nil {
				return err
			}
		}
		err := a.step(work, s, p)
		if s.kinds[0] == plan.SetFlags {
			recorded = a.recordingFlags()
		}
		if err != nil {
			return firstOf(err, recorded())
		}
	}
	return nil
}

// rowsOfFlags are the rows that flags are recorded in.
func rowsOfFlags(p *plan.Plan) map[*mail.Base]bool {
	rows := map[*mail.Base]bool{}
	for _, o := range p.Ops {
		if o.Kind == plan.SetFlags {
			rows[o.Row] = true
		}
	}
	return rows
}

// awaitsFlags reports whether a step is to do something that flags must have been
// recorded for, or that is about a row in which they are.
func (s step) awaitsFlags(p *plan.Plan, flagged map[*mail.Base]bool) bool {
	return slices.ContainsFunc(p.Ops, func(o *plan.Op) bool {
		return s.has(o) && (flagged[o.Row] || flagged[o.Old] || o.After != nil && o.After.Kind == plan.SetFlags)
	})
}

func (a *applier) step(work context.Context, s step, p *plan.Plan) error {
	if s.kinds[0] == plan.CreateLocal || s.kinds[0] == plan.RemoveLocal {
		return a.folderStep(work, s, p)
	}
	lanes := a.lanes(s, p)
	names := make([]mail.FolderName, 0, len(lanes))
	for name := range lanes {
		names = append(names, name)
	}
	sort.Slice(names, func(x, y int) bool { // the largest starts first
		if n, m := len(lanes[names[x]]), len(lanes[names[y]]); n != m {
			return n > m
		}
		return names[x] < names[y]
	})
	err := a.abreast(work, s, names, lanes)
	if s.kinds[0] != plan.SetFlags {
		err = firstOf(err, a.recordPending())
	}
	return firstOf(err, a.interrupted())
}

// onDisk are the kinds of work that wait for the disk alone where they are not
// done on the server. They are done in more folders at once than there are lanes: what
// waits for the disk together waits once. Who asks for one or two lanes wants little done
// at once, and gets that.
var onDisk = []plan.Kind{plan.Pair, plan.MoveLocal, plan.SetFlags, plan.Leave, plan.DeleteLocal, plan.Forget}

const foldersPerLane = 8

func (a *applier) foldersOnDisk() int {
	if a.opt.Lanes > 2 {
		return a.opt.Lanes * foldersPerLane
	}
	return a.opt.Lanes
}

// abreast does a step in as many folders at once as there are lanes. Those that are
// downloaded have given their place on when their last batch is made durable.
func (a *applier) abreast(work context.Context, s step, names []mail.FolderName, lanes map[mail.FolderName][]*plan.Op) error {
	g, ctx := errgroup.WithContext(work)
	inFolder := func(name mail.FolderName) error {
		err := a.lane(ctx, s, a.source(name), lanes[name])
		if errors.Is(err, errInterrupted) {
			return nil // the other lanes finish what they have in hand
		}
		return err
	}
	if k := s.kinds[0]; k == plan.Download || k == plan.CopyLocal {
		a.expectFew(names, lanes)
		a.line(names, lanes, func(d *queued) {
			g.Go(func() error {
				defer d.passOn()
				return inFolder(d.f.Name)
			})
		})
		return firstOf(g.Wait(), a.endDownloads(work))
	}
	if s.kinds[0] == plan.Upload && !a.features.Awaited {
		return a.uploadAll(work, names, lanes)
	}
	g.SetLimit(a.opt.Lanes)
	if slices.Contains(onDisk, s.kinds[0]) {
		g.SetLimit(a.foldersOnDisk())
	}
	turns := a.turns(names, lanes)
	if s.kinds[0] == plan.SetFlags {
		a.stayFor(turns)
	}
	for _, turn := range turns {
		g.Go(func() error {
			for _, name := range turn {
				if err := inFolder(name); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

func (a *applier) interrupted() error {
	if a.stop.Err() != nil {
		return errInterrupted
	}
	return nil
}

// source returns the folder operations happen in; a message may be copied out
// of one that this run did not look into because nothing had changed in it.
func (a *applier) source(name mail.FolderName) *folder {
	if f := a.folders[name]; f != nil {
		return f
	}
	f := &folder{}
	f.Name, f.Remote.Exists = name, true
	if rec := a.skipped[name]; rec != nil {
		f.record, f.Known, f.validity = *rec, true, rec.Mark.UIDValidity
	}
	return f
}

// folderStep creates folders of the Maildir, all together, then creates and
// removes the others one by one in the plan's order: parents before children, or
// after.
func (a *applier) folderStep(work context.Context, s step, p *plan.Plan) error {
	if s.kinds[0] == plan.CreateLocal {
		if err := a.createLocal(work, p); err != nil {
			return err
		}
	}
	for _, o := range p.Ops {
		if !s.has(o) || o.Kind == plan.CreateLocal {
			continue
		}
		if err := a.lane(work, s, a.folders[o.Folder], []*plan.Op{o}); err != nil {
			return err
		}
	}
	return nil
}

func (s step) has(o *plan.Op) bool {
	for _, k := range s.kinds {
		if o.Kind == k {
			return !o.Held
		}
	}
	return false
}

func (a *applier) lanes(s step, p *plan.Plan) map[mail.FolderName][]*plan.Op {
	lanes := map[mail.FolderName][]*plan.Op{}
	for _, o := range p.Ops {
		if s.has(o) && !a.isDone(o) && !a.opAside(o) && (o.After == nil || a.isDone(o.After)) {
			lanes[o.Folder] = append(lanes[o.Folder], o)
		}
	}
	return lanes
}

func (a *applier) isDone(o *plan.Op) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.completed[o]
}

// lane does one step for one folder; an error of folder scope ends what is
// done in this folder, not the run.
func (a *applier) lane(ctx context.Context, s step, f *folder, ops []*plan.Op) error {
	if err := a.interrupted(); err != nil || a.hasFailed(f) {
		return err
	}
	return a.laneEnded(ctx, f, s.do(a, ctx, f, ops))
}

func (a *applier) laneEnded(ctx context.Context, f *folder, err error) error {
	if err == nil {
		return nil
	}
	a.failFolder(f)
	if accountScope(err) || ctx.Err() != nil {
		return err
	}
	a.fail(f.Name, nil, err)
	return nil
}

func (a *applier) hasFailed(f *folder) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return f.failed
}

func (a *applier) failFolder(f *folder) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f.failed, f.trouble = true, true
}

// ready reports whether the row an operation builds on was recorded where the
// plan has it; it was not when an earlier step failed for this message.
func (a *applier) ready(o *plan.Op) bool {
	if o.Row.ID != 0 && o.Row.UID != 0 && o.Row.Key != "" && o.Row.Folder == o.Folder {
		return true
	}
	a.trouble(o.Folder)
	return false
}

// record commits what was done and counts it.
func (a *applier) record(b mail.Batch, ops ...*plan.Op) error {
	for _, o := range ops {
		e := entry(o)
		if left, ok := a.origins[o]; ok && (left.Folder != e.Folder || left.Key != e.Key || left.UID != e.UID) {
			b.Log = append(b.Log, left)
		}
		b.Log = append(b.Log, e)
	}
	if err := a.commit(b); err != nil {
		return err
	}
	for _, o := range ops {
		a.done(o)
	}
	return nil
}

// prepare makes sure that the state knows each folder of the plan, and the
// UIDVALIDITY its rows' UIDs belong to, before the first row or intent is put.
func (a *applier) prepare(p *plan.Plan) error {
	var b mail.Batch
	touched := map[mail.FolderName]bool{}
	for _, o := range p.Ops {
		if left := origin(o); left.Action != "" {
			a.origins[o] = left
		}
		touched[o.Folder], touched[o.To] = true, true
	}
	for _, f := range a.sorted() {
		b.Put = append(b.Put, f.restamped...)
	}
	b.Put = append(b.Put, a.vacate(p)...)
	if len(p.Ops) > 0 {
		b.Folders = a.unsettleReplaced()
		for _, f := range a.sorted() {
			if p.Again[f.Name].Old && !f.failed && !f.remapped {
				b.Folders = append(b.Folders, a.forgetFlags(f)...)
			}
		}
	}
	if len(b.Put)+len(b.Folders) > 0 {
		if err := a.commit(b); err != nil {
			return err
		}
	}
	b = mail.Batch{}
	for _, f := range a.sorted() {
		if touched[f.Name] && f.Remote.Exists && (f.Local.Exists || f.Known) && !f.failed { // others are known once created
			f.introduce(&b)
		}
	}
	if len(b.Folders) == 0 {
		return nil
	}
	return a.commit(b)
}

// forgetFlags takes the modification sequence from a folder in which rows are about to
// have other flags than messages that have not changed since: what is left of that for
// a later run no delta shows, should this one be cut short.
func (a *applier) forgetFlags(f *folder) []mail.FolderRecord {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !f.Known || !f.record.Settled || f.record.Mark.HighestModSeq == 0 {
		return nil
	}
	f.record.Mark.HighestModSeq = 0
	return []mail.FolderRecord{f.record}
}

// unsettleReplaced takes the watermarks from folders of which a side no longer
// has the one they are of. Both sides can come back, renamed once more, and show
// them still, when rows of a run that was cut short say something else. What could
// not be looked into keeps them: it is not known to be gone.
func (a *applier) unsettleReplaced() (records []mail.FolderRecord) {
	for _, f := range a.sorted() {
		if f.remapped && !f.failed {
			records = append(records, mail.FolderRecord{Folder: f.Name, Server: f.serverName()})
			continue
		}
		if f.Known && f.record.Settled && !f.failed && f.replaced() {
			f.record.Settled, f.record.Stamp, f.record.Mark = false, mail.DirStamp{}, mail.Mark{UIDValidity: f.record.Mark.UIDValidity}
			records = append(records, f.record)
		}
	}
	return records
}

// replaced reports whether a side has another folder of the name than the record
// is of, or none.
func (f *folder) replaced() bool {
	was := f.record.Stamp
	return f.Remote.Doubt == "" && (!f.Remote.Exists || f.validity != f.record.Mark.UIDValidity) || !f.Local.Exists ||
		was != (mail.DirStamp{}) && (f.stamp.Cur.Ino != was.Cur.Ino || f.stamp.New.Ino != was.New.Ino)
}

// introduce adds the folder's record to a batch where it is missing or the server
// has renumbered or restored the folder. Rows of such a folder lose their UIDs in
// the same transaction: another message may have them by now.
func (f *folder) introduce(b *mail.Batch) {
	if f.Known && f.record.Mark.UIDValidity == f.validity && !f.restored {
		return
	}
	if f.Known {
		for _, row := range f.Base {
			if row.UID = 0; row.Key == "" {
				b.Drop = append(b.Drop, row)
			} else {
				b.Put = append(b.Put, row)
			}
		}
	}
	f.record, f.restored = mail.FolderRecord{Folder: f.Name, Mark: mail.Mark{UIDValidity: f.validity}, Server: f.serverName(),
		Extent: f.record.Extent, Trimmed: f.record.Trimmed}, false
	b.Folders = append(b.Folders, f.record)
	f.Known = true
}

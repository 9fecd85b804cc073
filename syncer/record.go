package syncer

import (
	"context"
	"errors"
	"slices"
	"time"

	"imapsync/mail"
	"imapsync/plan"
)

// commit makes one transaction. It is never interrupted: what was done must be
// recorded, whoever is waiting.
func (r *run) commit(b mail.Batch) error {
	for i := range b.Log {
		b.Log[i].Run = r.record.ID
		b.Log[i].Time = r.Now()
	}
	err := r.State.Commit(context.Background(), b)
	if len(b.Put)+len(b.Drop)+len(b.Renames)+len(b.Folders)+len(b.DropFolders) > 0 {
		r.mu.Lock()
		r.records = nil
		r.mu.Unlock()
	}
	return err
}

// folderRecords are the folders as the state has them. Several steps of a run
// ask, and they are read once unless a commit may have changed them: there may
// be thousands, and nobody else writes to the state meanwhile.
func (r *run) folderRecords(ctx context.Context) ([]mail.FolderRecord, error) {
	r.mu.Lock()
	records := r.records
	r.mu.Unlock()
	if records != nil {
		return records, nil
	}
	records, err := r.State.Folders(ctx)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.records = records
	r.mu.Unlock()
	return records, nil
}

// entry is the history line of an operation.
func entry(o *plan.Op) mail.Entry {
	e := mail.Entry{Folder: o.Folder, Action: string(o.Kind), Rule: string(o.Rule), Reason: o.Reason, Conflict: o.Conflict}
	if o.To != "" && !o.Deletion() {
		e.Folder = o.To
	}
	if o.Row != nil {
		e.Key, e.UID = o.Row.Key, o.Row.UID
	}
	return e
}

// origin is the history line of where an operation's message lies before it is
// taken elsewhere; it has no action where it is not.
func origin(o *plan.Op) mail.Entry {
	row := o.Row
	if o.Old != nil && !o.DropOld {
		row = o.Old
	}
	if o.To == "" || o.Deletion() || row == nil || row.ID == 0 {
		return mail.Entry{}
	}
	return mail.Entry{Folder: row.Folder, Key: row.Key, UID: row.UID, Action: mail.ActionLeft, Rule: string(o.Rule), Reason: o.Reason}
}

// begin marks the Maildir as this account's before anything is recorded of it.
// Where state and Maildir are known to belong together there is nothing to do
// yet, so that a run that finds nothing to do writes once, at its end.
func (r *run) begin() error {
	if r.hadMarker && r.sameIdentity() && !r.foreign && !r.moved {
		return nil
	}
	return r.openLog()
}

// openLog opens the run in the log, before anything is done in it, and has the
// state forget what it must not say of this account; once in an attempt.
func (r *run) openLog() error {
	if r.opt.DryRun || r.opened || r.record.ID != 0 && !r.foreign && !r.moved && (r.turned || r.sameTurn) {
		return nil
	}
	numbers, err := r.forgetAll()
	if err == nil && r.behind { // before the mark says that it is not
		err = r.commit(mail.Batch{Folders: numbers})
	}
	if err == nil {
		err = r.setMarker()
	}
	if err != nil {
		return err
	}
	r.record.Started = r.report.Started
	defer func() { r.report.Run = r.record.ID }()
	b := mail.Batch{Run: &r.record, Identity: &r.identity, Folders: numbers}
	if r.foreign {
		if err := r.discard(&b); err != nil {
			return err
		}
	}
	if err := r.commit(b); err != nil {
		return err
	}
	r.opened = true
	return nil
}

// forgetAll takes the numbers from all folders where none means anything from now on:
// see unnumber.
func (r *run) forgetAll() (forgotten []mail.FolderRecord, err error) {
	if !r.moved {
		return nil, nil
	}
	records, err := r.folderRecords(context.Background())
	for _, rec := range records {
		forgotten = append(forgotten, unsettledRecord(rec.Folder, 0))
	}
	return forgotten, err
}

// discard has a batch drop all that the state says of folders and messages.
func (r *run) discard(b *mail.Batch) (err error) {
	records, err := r.folderRecords(context.Background())
	if err != nil {
		return err
	}
	for _, rec := range records {
		b.DropFolders = append(b.DropFolders, rec.Folder)
	}
	b.Holds, b.Quarantine = &[]mail.Hold{}, &[]mail.Quarantined{}
	b.SettleIntents, err = r.State.Intents(context.Background())
	return err
}

// recordFolders advances the watermarks of the folders in which everything was
// carried out. The holds are recorded with the end of the run.
func (r *run) recordFolders(p *plan.Plan) error {
	var b mail.Batch
	r.holds = r.holdsAfter(p)
	for _, o := range p.Ops {
		if !r.completed[o] && !r.harmless(o) {
			for _, name := range r.concerns[o] {
				r.trouble(name)
			}
		}
	}
	for _, f := range r.sorted() {
		if f.trouble || f.failed || f.Remote.Doubt != "" || f.Local.Doubt != "" {
			if f.distrust && f.Known && f.record.Settled {
				b.Folders = append(b.Folders, unsettledRecord(f.Name, f.record.Mark.UIDValidity))
			}
			continue
		}
		if f.removed || !f.Local.Exists && !f.Remote.Exists { // such as a \NoSelect name
			continue
		}
		again := p.Again[f.Name]
		if again.All {
			continue
		}
		rec := f.settled(r.Now())
		if f.again(&rec, again); rec != f.record {
			b.Folders = append(b.Folders, rec)
		}
	}
	left, err := r.forgotten()
	if err != nil {
		return err
	}
	b.Folders = append(b.Folders, left...)
	r.release()
	r.tellAside()
	if remaining := r.remaining(); !slices.Equal(remaining, r.quarantine.recorded) {
		b.Quarantine = &remaining
	}
	if b.Folders == nil && b.Quarantine == nil {
		return nil
	}
	return r.commit(b)
}

// unsettledRecord has the next run compare the folder in full.
func unsettledRecord(name mail.FolderName, validity uint32) mail.FolderRecord {
	return mail.FolderRecord{Folder: name, Mark: mail.Mark{UIDValidity: validity}}
}

// settled is the folder's record with the watermarks of this run. A folder made
// in the Maildir by this run has no stamp yet, which matches nothing; one made
// on the server has the mark it was empty at.
func (f *folder) settled(now time.Time) mail.FolderRecord {
	if f.Remote.Mark.UIDValidity == 0 || f.Remote.Mark.UIDNext == 0 { // the server does not tell
		return unsettledRecord(f.Name, f.validity)
	}
	rec := f.record
	rec.Folder = f.Name
	rec.Mark, rec.Stamp, rec.Settled = f.Remote.Mark, f.stamp, true
	rec.Server, rec.ReadOnly = f.serverName(), f.Remote.Denied != mail.Denied{}
	if f.full {
		rec.FullCheck = now
	}
	if f.Trim {
		rec.Extent, rec.Trimmed = f.extent.String(), now
	}
	return rec
}

// finish closes the run in the log and reports.
func (r *run) finish(err error) error {
	r.report.Finished = r.Now()
	r.report.Folders = len(r.skipped)
	for _, f := range r.folders {
		if (f.Local.Exists || f.Remote.Exists) && !f.removed {
			r.report.Folders++
		}
	}
	if !r.opt.DryRun {
		if cerr := r.closeRun(err); cerr != nil && err == nil {
			err = cerr
		}
	}
	r.emit(Event{Kind: EventFinished, Report: r.report, Err: err})
	return err
}

func (r *run) closeRun(err error) error {
	r.record.Started, r.record.Finished = r.report.Started, r.report.Finished
	r.record.Counts = map[string]int{}
	for kind, n := range r.report.Counts {
		r.record.Counts[string(kind)] = n
	}
	r.record.Outcome = r.outcome(err)
	switch {
	case err != nil:
		r.record.Error = err.Error()
	case len(r.report.Failures) > 0:
		r.record.Error = r.report.Failures[0].Error()
	}
	if cerr := r.commit(mail.Batch{Run: &r.record, Holds: r.holds, Pause: &r.pause}); cerr != nil {
		return cerr
	}
	r.report.Run = r.record.ID
	records, rerr := r.folderRecords(context.Background())
	for _, rec := range records {
		if r.folders[rec.Folder] != nil || r.skipped[rec.Folder] != nil {
			r.report.Messages += rec.Rows - rec.RemoteOnly
		}
	}
	return rerr
}

func (r *run) outcome(err error) string {
	switch {
	case r.report.Interrupted:
		return "interrupted"
	case err != nil && mail.ClassOf(err) == mail.ClassHeld:
		return "held"
	case err != nil || len(r.report.Failures) > 0:
		return "failed"
	case len(r.report.Held) > 0:
		return "held"
	}
	return "done"
}

// accountScope tells the errors that end the run from those that cost a folder.
func accountScope(err error) bool {
	return err != nil && (mail.ScopeOf(err) == mail.ScopeAccount || errors.Is(err, errInterrupted))
}

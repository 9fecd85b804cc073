package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"imapsync/mail"
)

// Commit carries out a batch in one transaction, durable when it returns; an
// error means that nothing of it was recorded. Once begun it is finished,
// whatever becomes of ctx.
//
// Within the batch folders are renamed first, everything is dropped before
// anything is put, and rows may exchange UIDs, keys and folders. At its end no two rows of a folder may have
// the same UID or key: then the Fault names the row and costs its folder. A
// row's folder is made known, unsettled, if it is not. Dropping a row or a
// folder that is not there is no error; changing one is.
//
// Batches that several goroutines bring while another is written share the next
// transaction, and with it the wait for the disk.
//
// A batch of nothing but the end of a run that found nothing to do is told of
// beside the state, not durably.
func (d *DB) Commit(ctx context.Context, batch mail.Batch) error {
	const doing = "write state"
	if d.readOnly {
		return refuse(mail.ClassFailed, doing, d.path, errors.New("read only"), hintReadOnly)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if isEmpty(batch) || isQuiet(batch) && d.keepQuiet(ctx, batch.Run) {
		return nil
	}
	w := &waiting{batch: batch}
	d.queueMu.Lock()
	d.queue = append(d.queue, w)
	d.queueMu.Unlock()
	d.turn.Lock()
	defer d.turn.Unlock()
	if !w.over {
		d.queueMu.Lock()
		group := d.queue
		d.queue = nil
		d.queueMu.Unlock()
		d.commitGroup(context.WithoutCancel(ctx), group)
	}
	return fault(doing, d.path, w.err)
}

// waiting is a batch to be committed, and what became of it.
type waiting struct {
	batch mail.Batch
	over  bool
	err   error
}

// commitGroup commits batches in one transaction, or each in its own where that
// fails, so that none has to suffer for another.
func (d *DB) commitGroup(ctx context.Context, group []*waiting) {
	err := d.transact(ctx, group...)
	for _, w := range group {
		if w.over, w.err = true, err; err != nil && len(group) > 1 {
			w.err = d.transact(ctx, w)
		}
	}
}

// transact commits batches in their order, or nothing of them.
func (d *DB) transact(ctx context.Context, group ...*waiting) error {
	if d.conn == nil {
		return errClosed
	}
	if err := d.widen(ctx, group); err != nil {
		return err
	}
	var assigned []*int64
	err := d.conn.within(ctx, func() error {
		for _, w := range group {
			t := &tx{ctx: ctx, path: d.path, conn: d.conn, folders: map[mail.FolderName]int64{}, counts: map[int64]int64{}}
			err := t.apply(w.batch)
			assigned = append(assigned, t.assigned...)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		for _, id := range assigned {
			*id = 0
		}
	}
	return err
}

// manyRows is when a run has written so many rows that pages of the indexes are
// wanted again and again.
const manyRows = 2000

// widen gives SQLite a larger cache once many rows are written. A run with few
// changes reads each page once or twice, and memory that is fresh for each of
// them costs it more than reading again from the system's cache.
func (d *DB) widen(ctx context.Context, group []*waiting) error {
	before := d.written
	for _, w := range group {
		d.written += len(w.batch.Put)
	}
	if before > manyRows || d.written <= manyRows {
		return nil
	}
	_, err := d.conn.exec(ctx, "PRAGMA cache_size = -16384")
	return err
}

func isEmpty(b mail.Batch) bool {
	return b.Identity == nil && b.Holds == nil && b.Run == nil && b.Quarantine == nil && b.Pause == nil &&
		len(b.AddIntents)+len(b.SettleIntents)+len(b.Put)+len(b.Drop)+len(b.Removing)+len(b.Staying)+
			len(b.Renames)+len(b.Folders)+len(b.DropFolders)+len(b.Log) == 0
}

// tx is one batch of a transaction.
type tx struct {
	ctx      context.Context
	path     string // of the state
	conn     *conn
	folders  map[mail.FolderName]int64 // ids looked up
	counts   map[int64]int64           // rows more or, below zero, fewer, by ID of the folders whose rows are others
	assigned []*int64                  // IDs given to the caller's rows; taken back on failure
}

func (t *tx) apply(b mail.Batch) error {
	if b.Identity != nil {
		if err := t.exec(`INSERT OR REPLACE INTO account (one, marker, server, user, layout) VALUES (1, ?, ?, ?, ?)`,
			b.Identity.Marker, b.Identity.Server, b.Identity.User, b.Identity.Layout); err != nil {
			return err
		}
	}
	for _, n := range b.Renames {
		if err := t.renameFolder(n); err != nil {
			return inFolder(n.From, err)
		}
	}
	if err := t.base(b); err != nil {
		return err
	}
	if err := t.removals(b); err != nil {
		return err
	}
	for _, f := range b.Folders {
		if err := t.putFolder(f); err != nil {
			return err
		}
	}
	if err := t.intents(b); err != nil {
		return err
	}
	if b.Holds != nil {
		if err := t.holds(*b.Holds); err != nil {
			return err
		}
	}
	if err := t.setAside(b); err != nil {
		return err
	}
	for _, e := range b.Log {
		if err := t.exec(insertEntry, entryValues(e)...); err != nil {
			return err
		}
	}
	if b.Run != nil {
		return t.run(b.Run)
	}
	return nil
}

// renameFolder gives a folder another name, under which its rows are found then,
// and what is held or set aside in it.
func (t *tx) renameFolder(n mail.FolderRename) error {
	clear(t.folders)
	if err := t.updateOne(`UPDATE folders SET name = ?, server = ? WHERE name = ?`, string(n.To), string(n.Server), string(n.From)); err != nil {
		return err
	}
	for _, table := range []string{"holds", "quarantine"} {
		if err := t.exec(`UPDATE `+table+` SET folder = ? WHERE folder = ?`, string(n.To), string(n.From)); err != nil {
			return err
		}
	}
	return nil
}

// putFolder keeps the name on the server where the record does not say it.
func (t *tx) putFolder(f mail.FolderRecord) error {
	err := t.exec(insert("folders", folderColumns)+` ON CONFLICT (name) DO UPDATE SET `+assignExcluded(watermarkColumns)+
		`, server = iif(excluded.server = '', server, excluded.server)`, folderValues(f)...)
	return inFolder(f.Folder, err)
}

func (t *tx) removals(b mail.Batch) error {
	for _, row := range b.Removing {
		if err := t.exec(`INSERT OR IGNORE INTO removals (row) VALUES (?)`, row.ID); err != nil {
			return inRow(row, err)
		}
	}
	for _, row := range b.Staying {
		if err := t.exec(`DELETE FROM removals WHERE row = ?`, row.ID); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) intents(b mail.Batch) error {
	if err := t.settle(b.SettleIntents); err != nil {
		return err
	}
	for _, i := range b.AddIntents {
		if i.ID != 0 {
			return inFolder(i.Folder, fmt.Errorf("intent %d is there already", i.ID))
		}
		if err := t.insertNew(&i.ID, insertIntent, intentValues(i)...); err != nil {
			return inFolder(i.Folder, err)
		}
	}
	return nil
}

var (
	insertIntent = insert("intents", intentColumns)
	insertEntry  = insert("history", entryColumns)
)

// settle drops intents. Those of a batch were given their IDs one after the
// other, so that few statements do.
func (t *tx) settle(intents []*mail.Intent) error {
	for len(intents) > 0 {
		n := 1
		for n < len(intents) && intents[n].ID == intents[n-1].ID+1 {
			n++
		}
		err := t.exec(`DELETE FROM intents WHERE id BETWEEN ? AND ?`, intents[0].ID, intents[n-1].ID)
		if err != nil {
			return err
		}
		intents = intents[n:]
	}
	return nil
}

// holds replaces the holds. A DELETE without WHERE would write the page of an
// empty table, too (https://www.sqlite.org/lang_delete.html#the_truncate_optimization),
// and most often they are none.
func (t *tx) holds(holds []mail.Hold) error {
	if err := t.exec(`DELETE FROM holds WHERE true`); err != nil {
		return err
	}
	for _, h := range holds {
		if err := t.exec(insert("holds", "side, folder, count, reason, since"),
			h.Side, string(h.Folder), int64(h.Count), h.Reason, h.Since.UnixMilli()); err != nil {
			return err
		}
	}
	return nil
}

// run records the beginning or the end of a run; the end prunes the past.
func (t *tx) run(r *mail.RunRecord) error {
	counts := r.Counts
	if counts == nil {
		counts = map[string]int{}
	}
	text, err := json.Marshal(counts)
	if err != nil {
		return err
	}
	const columns = "started, finished, outcome, error, counts"
	values := []any{r.Started.UnixMilli(), millisValue(r.Finished), r.Outcome, r.Error, string(text)}
	if r.ID == 0 {
		var next int64
		if _, next, err = nextRun(t.ctx, t.conn, t.path); err == nil {
			err = t.insertNew(&r.ID, insert("runs", columns+", id"), append(values, next)...)
		}
	} else {
		err = t.updateOne(update("runs", columns), append(values, r.ID)...)
	}
	if err != nil || r.Finished.IsZero() {
		return err
	}
	return t.prune(r.Finished)
}

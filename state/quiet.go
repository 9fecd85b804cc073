package state

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"imapsync/mail"
)

// quiet is a run that found nothing to do, as it is told beside the state: in one
// file, path.quiet, the last of them, written without a wait for the disk. A row
// would have the disk synced five times, by a timer perhaps each minute, to tell of
// nothing. Where the file is lost in a power cut, or cut short, a run is not told
// of; nothing else depends on it.
type quiet struct {
	After    int64 `json:"after"`    // the last run that has a row then
	Started  int64 `json:"started"`  // in milliseconds since 1970,
	Finished int64 `json:"finished"` // this as well
}

func quietName(path string) string { return path + ".quiet" }

// isQuiet reports whether a batch tells of nothing but the end of a run that did
// nothing, went well and leaves nothing behind.
func isQuiet(b mail.Batch) bool {
	run := b.Run
	if run == nil || run.ID != 0 || run.Finished.IsZero() || run.Outcome != "done" || run.Error != "" || len(run.Counts) > 0 ||
		b.Holds != nil && len(*b.Holds) > 0 || b.Pause != nil && *b.Pause != (mail.Pause{}) {
		return false
	}
	b.Run, b.Holds, b.Pause = nil, nil, nil
	return isEmpty(b)
}

// keepQuiet keeps the end of such a run beside the state, and reports whether
// that is all there was to record: the first run has a row, and so has one that
// ends a hold or a pause.
func (d *DB) keepQuiet(ctx context.Context, run *mail.RunRecord) bool {
	var last, left int64
	d.turn.Lock()
	defer d.turn.Unlock()
	if d.conn == nil {
		return false
	}
	err := d.conn.query(ctx, `SELECT (SELECT max(id) FROM runs), (SELECT count(*) FROM holds) + (SELECT count(*) FROM pause)`, nil,
		func(c *columns) { last, left = c.int(), c.int() })
	if err != nil || last == 0 || left != 0 {
		return false
	}
	text, err := json.Marshal(quiet{last, run.Started.UnixMilli(), run.Finished.UnixMilli()})
	return err == nil && os.WriteFile(quietName(d.path), append(text, '\n'), 0o600) == nil
}

// QuietRun returns the last run that found nothing to do, if it was after all that
// Runs tells of, of which last is the newest; nil otherwise. It has no number.
func (d *DB) QuietRun(last mail.RunRecord) *mail.RunRecord {
	text, err := os.ReadFile(quietName(d.path))
	if err != nil {
		return nil
	}
	var q quiet
	if err := json.Unmarshal(text, &q); err != nil || q.After != last.ID || q.Started < last.Started.UnixMilli() {
		return nil
	}
	return &mail.RunRecord{Started: time.UnixMilli(q.Started), Finished: time.UnixMilli(q.Finished), Outcome: "done", Counts: map[string]int{}}
}

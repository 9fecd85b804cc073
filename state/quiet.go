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
// of, and its number given again; nothing else depends on it.
type quiet struct {
	After    int64 `json:"after"` // the last run that had a row
	ID       int64 `json:"run"`
	Started  int64 `json:"started"`  // in milliseconds since 1970,
	Finished int64 `json:"finished"` // this as well
}

func quietName(path string) string { return path + ".quiet" }

// readQuiet returns the quiet run if it came after that of the last row, which
// began at started; otherwise what lies there is of no use any more, or of another
// state.
func readQuiet(path string, last, started int64) (q quiet, ok bool) {
	text, err := os.ReadFile(quietName(path))
	if err != nil || json.Unmarshal(text, &q) != nil {
		return quiet{}, false
	}
	return q, q.After == last && q.ID > last && q.Started >= started
}

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
	d.turn.Lock()
	defer d.turn.Unlock()
	if d.conn == nil {
		return false
	}
	last, next, err := nextRun(ctx, d.conn, d.path)
	if err != nil || last == 0 {
		return false
	}
	var left int64
	err = d.conn.query(ctx, `SELECT (SELECT count(*) FROM holds) + (SELECT count(*) FROM pause)`, nil,
		func(c *columns) { left = c.int() })
	if err != nil || left != 0 {
		return false
	}
	text, err := json.Marshal(quiet{last, next, run.Started.UnixMilli(), run.Finished.UnixMilli()})
	if err != nil || os.WriteFile(quietName(d.path), append(text, '\n'), 0o600) != nil {
		return false
	}
	run.ID = next
	return true
}

// nextRun is the number of the next run, and that of the last one with a row.
func nextRun(ctx context.Context, c *conn, path string) (last, next int64, err error) {
	var started int64
	err = c.query(ctx, `SELECT id, started FROM runs ORDER BY id DESC LIMIT 1`, nil,
		func(c *columns) { last, started = c.int(), c.int() })
	if q, ok := readQuiet(path, last, started); ok {
		return last, q.ID + 1, err
	}
	return last, last + 1, err
}

// withQuiet puts the quiet run before those that have a row.
func (d *DB) withQuiet(runs []mail.RunRecord) []mail.RunRecord {
	if len(runs) == 0 {
		return nil
	}
	q, ok := readQuiet(d.path, runs[0].ID, runs[0].Started.UnixMilli())
	if !ok {
		return runs
	}
	run := mail.RunRecord{ID: q.ID, Started: time.UnixMilli(q.Started).UTC(), Finished: time.UnixMilli(q.Finished).UTC(),
		Outcome: "done", Counts: map[string]int{}}
	return append([]mail.RunRecord{run}, runs...)
}

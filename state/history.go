package state

import (
	"context"
	"strings"
	"time"

	"imapsync/mail"
)

// Trail selects lines of the history. The conditions set must all hold.
type Trail struct {
	Key       mail.Key        // of this file
	Folder    mail.FolderName // in this folder
	UID       mail.UID        // of this message of Folder
	Conflicts bool            // only where both sides had changed
	Limit     int             // at most so many; 0 is all
}

// History returns what earlier runs did, newest first.
func (d *DB) History(ctx context.Context, t Trail) ([]mail.Entry, error) {
	where, args := []string{"true"}, []any{}
	and := func(condition string, arg any) {
		where, args = append(where, condition), append(args, arg)
	}
	if t.Key != "" {
		and("key = ?", string(t.Key))
	}
	if t.Folder != "" {
		and("folder = ?", string(t.Folder))
	}
	if t.UID != 0 {
		and("uid = ?", int64(t.UID))
	}
	if t.Conflicts {
		where = append(where, "conflict = 1")
	}
	limit := int64(-1) // SQLite's word for none
	if t.Limit > 0 {
		limit = int64(t.Limit)
	}
	return list(ctx, d, "read history from state",
		`SELECT `+entryColumns+` FROM history WHERE `+strings.Join(where, " AND ")+` ORDER BY id DESC LIMIT ?`,
		append(args, limit), decodeEntry)
}

// entryColumns are the columns of an entry in the order decodeEntry takes and
// entryValues gives them.
const entryColumns = `run, time, folder, uid, key, action, rule, reason, conflict`

func decodeEntry(c *columns) mail.Entry {
	return mail.Entry{
		Run: c.int(), Time: c.millis(), Folder: mail.FolderName(c.text()),
		UID: mail.UID(c.int()), Key: mail.Key(c.text()),
		Action: c.text(), Rule: c.text(), Reason: c.text(), Conflict: c.int() != 0,
	}
}

func entryValues(e mail.Entry) []any {
	return []any{
		e.Run, e.Time.UnixMilli(), string(e.Folder), orNull(int64(e.UID)), orNull(string(e.Key)),
		e.Action, e.Rule, e.Reason, e.Conflict,
	}
}

// How much of the past is kept. Each run that ends and has a row cuts off what is
// more.
const (
	historyAge  = 180 * 24 * time.Hour
	historyRows = 200_000 // about 40 MB
	runRows     = 10_000  // in numbers of runs, with or without a row: a week of one each minute
)

// prune cuts off the past as seen from the end of a run. Rows lie in the order
// of time, so only the beginning is looked at.
func (t *tx) prune(now time.Time) error {
	if err := t.exec(`DELETE FROM history WHERE id <= (SELECT max(id) FROM history) - ?`, int64(historyRows)); err != nil {
		return err
	}
	if err := t.exec(`DELETE FROM history WHERE id < coalesce(
		(SELECT id FROM history WHERE time >= ? ORDER BY id LIMIT 1), 9223372036854775807)`,
		now.Add(-historyAge).UnixMilli()); err != nil {
		return err
	}
	return t.exec(`DELETE FROM runs WHERE id <= (SELECT max(id) FROM runs) - ?`, int64(runRows))
}

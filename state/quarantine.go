package state

import (
	"context"

	"imapsync/mail"
)

const quarantineColumns = `folder, uid, uidvalidity, key, digest, tries, since, retry, error`

// Quarantine returns the messages that the server would not give or take,
// oldest first.
func (d *DB) Quarantine(ctx context.Context) ([]mail.Quarantined, error) {
	return list(ctx, d, "read quarantine from state", `SELECT `+quarantineColumns+` FROM quarantine ORDER BY since, id`, nil,
		func(c *columns) mail.Quarantined {
			return mail.Quarantined{
				Folder: mail.FolderName(c.text()), UID: mail.UID(c.int()), UIDValidity: uint32(c.int()),
				Key: mail.Key(c.text()), Digest: c.digest(), Tries: int(c.int()),
				Since: c.millis(), Retry: c.millis(), Error: c.text(),
			}
		})
}

// Pause returns until when the server asked to be left alone; zero when it did
// not.
func (d *DB) Pause(ctx context.Context) (mail.Pause, error) {
	rows, err := list(ctx, d, "read pause from state", `SELECT until, said FROM pause`, nil,
		func(c *columns) mail.Pause { return mail.Pause{Until: c.millis(), Said: c.text()} })
	if err != nil || len(rows) == 0 {
		return mail.Pause{}, err
	}
	return rows[0], nil
}

// setAside records what is left alone for a time.
func (t *tx) setAside(b mail.Batch) error {
	if b.Quarantine != nil {
		if err := t.exec(`DELETE FROM quarantine WHERE true`); err != nil {
			return err
		}
		for _, q := range *b.Quarantine {
			if err := t.exec(insert("quarantine", quarantineColumns), string(q.Folder), orNull(int64(q.UID)), int64(q.UIDValidity),
				orNull(string(q.Key)), digestValue(q.Digest), int64(q.Tries), q.Since.UnixMilli(), q.Retry.UnixMilli(), q.Error); err != nil {
				return err
			}
		}
	}
	switch {
	case b.Pause == nil:
		return nil
	case b.Pause.Until.IsZero():
		return t.exec(`DELETE FROM pause WHERE true`)
	}
	return t.exec(`INSERT OR REPLACE INTO pause (one, until, said) VALUES (1, ?, ?)`, b.Pause.Until.UnixMilli(), b.Pause.Said)
}

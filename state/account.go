package state

import (
	"context"
	"encoding/json"

	"imapsync/mail"
)

// Account returns the identity the state was made for; zero when it is new.
func (d *DB) Account(ctx context.Context) (mail.Identity, error) {
	rows, err := list(ctx, d, "read account from state", `SELECT marker, server, user, layout FROM account`, nil,
		func(c *columns) mail.Identity {
			return mail.Identity{Marker: c.text(), Server: c.text(), User: c.text(), Layout: c.text()}
		})
	if err != nil || len(rows) == 0 {
		return mail.Identity{}, err
	}
	return rows[0], nil
}

// folderColumns are the columns of a folder in the order Folders takes and
// folderValues gives them; watermarkColumns are those that each record replaces.
const (
	watermarkColumns = `name, settled, uidvalidity, uidnext, messages, modseq,
	cur_dev, cur_ino, cur_ctime, new_dev, new_ino, new_ctime, taken, full_check, read_only, extent, trimmed`
	folderColumns = watermarkColumns + `, server`
)

// Folders returns the folders in the order of their names.
func (d *DB) Folders(ctx context.Context) ([]mail.FolderRecord, error) {
	return list(ctx, d, "read folders from state", `SELECT `+folderColumns+`, base_rows, last_uid,
		(SELECT count(*) FROM base WHERE folder = folders.id AND remote_only = 1),
		(SELECT count(*) FROM base WHERE folder = folders.id AND whole > 0 AND remote_only = 0) FROM folders ORDER BY name`, nil,
		func(c *columns) mail.FolderRecord {
			return mail.FolderRecord{
				Folder:  mail.FolderName(c.text()),
				Settled: c.int() != 0,
				Mark: mail.Mark{
					UIDValidity: uint32(c.int()), UIDNext: mail.UID(c.int()),
					Messages: uint32(c.int()), HighestModSeq: uint64(c.int()),
				},
				Stamp: mail.DirStamp{
					Cur:   mail.DirTime{Dev: uint64(c.int()), Ino: uint64(c.int()), CTime: c.int()},
					New:   mail.DirTime{Dev: uint64(c.int()), Ino: uint64(c.int()), CTime: c.int()},
					Taken: c.int(),
				},
				FullCheck:  c.millis(),
				ReadOnly:   c.int() != 0,
				Extent:     c.text(),
				Trimmed:    c.millis(),
				Server:     mail.FolderName(c.text()),
				Rows:       int(c.int()),
				LastUID:    mail.UID(c.int()),
				RemoteOnly: int(c.int()),
				Stubs:      int(c.int()),
			}
		})
}

func folderValues(f mail.FolderRecord) []any {
	return []any{
		string(f.Folder), f.Settled,
		int64(f.Mark.UIDValidity), int64(f.Mark.UIDNext), int64(f.Mark.Messages), int64(f.Mark.HighestModSeq),
		int64(f.Stamp.Cur.Dev), int64(f.Stamp.Cur.Ino), f.Stamp.Cur.CTime,
		int64(f.Stamp.New.Dev), int64(f.Stamp.New.Ino), f.Stamp.New.CTime,
		f.Stamp.Taken, millisValue(f.FullCheck),
		f.ReadOnly, f.Extent, millisValue(f.Trimmed), string(f.Server),
	}
}

// intentColumns are the columns of an intent in the order Intents takes and
// intentValues gives them.
const intentColumns = `kind, folder, uid, key, flags, digest, header, body, size, wire, net, fields, whole,
	remote_size, date, uidvalidity, uidnext, replaces, replaces_in, replaces_uid, drop_replaced`

// Intents returns the copies that may or may not have happened, oldest first.
func (d *DB) Intents(ctx context.Context) ([]*mail.Intent, error) {
	return list(ctx, d, "read intents from state", `SELECT id, `+intentColumns+` FROM intents ORDER BY id`, nil,
		func(c *columns) *mail.Intent {
			return &mail.Intent{
				ID: c.int(), Kind: mail.IntentKind(c.text()), Folder: mail.FolderName(c.text()),
				UID: mail.UID(c.int()), Key: mail.Key(c.text()), Flags: mail.ParseFlags(c.text()),
				Content: c.content(), RemoteSize: c.int(), Date: c.seconds(),
				UIDValidity: uint32(c.int()), UIDNext: mail.UID(c.int()),
				Replaces: c.int(), ReplacesIn: mail.FolderName(c.text()), ReplacesUID: mail.UID(c.int()), DropReplaced: c.int() != 0,
			}
		})
}

func intentValues(i *mail.Intent) []any {
	values := []any{string(i.Kind), string(i.Folder), orNull(int64(i.UID)), orNull(string(i.Key)), i.Flags.String()}
	values = append(values, contentValues(i.Content)...)
	return append(values, i.RemoteSize, secondsValue(i.Date), int64(i.UIDValidity), int64(i.UIDNext),
		orNull(i.Replaces), orNull(string(i.ReplacesIn)), orNull(int64(i.ReplacesUID)), i.DropReplaced)
}

// Holds returns the deletions that wait for the user's word.
func (d *DB) Holds(ctx context.Context) ([]mail.Hold, error) {
	return list(ctx, d, "read holds from state", `SELECT side, folder, count, reason, since FROM holds ORDER BY id`, nil,
		func(c *columns) mail.Hold {
			return mail.Hold{
				Side: c.text(), Folder: mail.FolderName(c.text()), Count: int(c.int()),
				Reason: c.text(), Since: c.millis(),
			}
		})
}

// Runs returns the last runs, newest first, at most limit and, of those that found
// nothing to do, the last one where none of the others came after it.
func (d *DB) Runs(ctx context.Context, limit int) ([]mail.RunRecord, error) {
	runs, err := list(ctx, d, "read runs from state",
		`SELECT id, started, finished, outcome, error, counts FROM runs ORDER BY id DESC LIMIT ?`, []any{int64(limit)},
		func(c *columns) mail.RunRecord {
			r := mail.RunRecord{
				ID: c.int(), Started: c.millis(), Finished: c.millis(),
				Outcome: c.text(), Error: c.text(),
			}
			if err := json.Unmarshal([]byte(c.text()), &r.Counts); err != nil && c.err == nil {
				c.wrong(nil)
			}
			return r
		})
	return d.withQuiet(runs), err
}

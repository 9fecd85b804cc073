package state

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"imapsync/mail"
)

// A folder may have a million rows, and a run seldom has to do with more than a
// few of them.

const (
	ofFolder = `folder = (SELECT id FROM folders WHERE name = ?1)`
	marked   = `instr(substr(flags, 1, instr(flags || ' ', ' ')), 'T') > 0` // as base_deleted has it
)

// UIDs returns the UIDs of a folder's rows, sorted.
func (d *DB) UIDs(ctx context.Context, folder mail.FolderName) ([]mail.UID, error) {
	texts, err := list(ctx, d, "read UIDs of "+string(folder)+" from state",
		`SELECT group_concat(uid, ' ') FROM (SELECT uid FROM base WHERE `+ofFolder+` AND uid IS NOT NULL ORDER BY uid)`,
		[]any{string(folder)}, (*columns).text)
	if err != nil || texts == nil {
		return nil, err
	}
	uids := make([]mail.UID, 0, strings.Count(texts[0], " ")+1)
	for word := range strings.FieldsSeq(texts[0]) {
		uid, err := strconv.ParseUint(word, 10, 32)
		if err != nil {
			return nil, fault("read UIDs of "+string(folder)+" from state", d.path, fmt.Errorf("%w: %v", errDamaged, err))
		}
		uids = append(uids, mail.UID(uid))
	}
	slices.Sort(uids)
	return uids, nil
}

// LooseRows returns the rows of a folder that lack a UID or a file, or are marked
// as deleted: those that something is to be done about whatever else happened.
func (d *DB) LooseRows(ctx context.Context, folder mail.FolderName) ([]*mail.Base, error) {
	decode := baseDecoder()
	const each = `SELECT ` + basePacked + ` FROM base WHERE ` + ofFolder + ` AND `
	return list(ctx, d, "read rows of "+string(folder)+" from state",
		each+`uid IS NULL UNION ALL `+each+`key IS NULL AND +uid IS NOT NULL UNION ALL `+each+`+key IS NOT NULL AND +uid IS NOT NULL AND `+marked,
		[]any{string(folder)},
		func(c *columns) *mail.Base { return decode(c, folder) })
}

// RowsUnlike returns the loose rows of a folder and those of which like is false,
// in no order. It is asked about any row, more than once if need be, without a turn
// for another query meanwhile.
func (d *DB) RowsUnlike(ctx context.Context, folder mail.FolderName, like func(mail.Key, mail.Flags) bool) ([]*mail.Base, error) {
	flagsOf := flagsParser()
	ids, err := list(ctx, d, "compare rows of "+string(folder)+" from state",
		`SELECT base.id, uid IS NULL OR key IS NULL, key, flags FROM base WHERE `+ofFolder, []any{string(folder)},
		func(c *columns) int64 {
			id, loose, key, flags := c.int(), c.int() != 0, mail.Key(c.text()), flagsOf(c.text())
			if !loose && flags.System&mail.Deleted == 0 && like(key, flags) {
				return 0
			}
			return id
		})
	if err != nil {
		return nil, err
	}
	ids = slices.DeleteFunc(ids, func(id int64) bool { return id == 0 })
	return rowsBy(ctx, d, folder, `base.id`, ids)
}

// RowsByUID returns the rows of a folder that have one of these UIDs.
func (d *DB) RowsByUID(ctx context.Context, folder mail.FolderName, uids []mail.UID) ([]*mail.Base, error) {
	return rowsBy(ctx, d, folder, ofFolder+` AND uid`, uids)
}

// rowsBy returns the rows of a folder that have one of these numbers where the
// condition says, which names the folder by ?1. They come as one text, so that
// there is one statement however many they are.
func rowsBy[T ~int64 | ~uint32](ctx context.Context, d *DB, folder mail.FolderName, where string, wanted []T) ([]*mail.Base, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	numbers := []byte{'['}
	for i, n := range wanted {
		if i > 0 {
			numbers = append(numbers, ',')
		}
		numbers = strconv.AppendInt(numbers, int64(n), 10)
	}
	decode := baseDecoder()
	return list(ctx, d, "find rows of "+string(folder)+" in state",
		`SELECT `+basePacked+` FROM base WHERE `+where+` IN (SELECT value FROM json_each(?2))`,
		[]any{string(folder), string(append(numbers, ']'))},
		func(c *columns) *mail.Base { return decode(c, folder) })
}

// RowsByKey returns the rows of a folder that have one of these keys.
func (d *DB) RowsByKey(ctx context.Context, folder mail.FolderName, keys []mail.Key) (found []*mail.Base, err error) {
	decode := baseDecoder()
	for chunk := range slices.Chunk(keys, perQuery) {
		args := []any{string(folder)}
		for _, key := range chunk {
			args = append(args, string(key))
		}
		rows, err := list(ctx, d, "find rows of "+string(folder)+" in state",
			`SELECT `+basePacked+` FROM base WHERE `+ofFolder+` AND key IN (`+marks(len(chunk))+`)`, args,
			func(c *columns) *mail.Base { return decode(c, folder) })
		if err != nil {
			return nil, err
		}
		found = append(found, rows...)
	}
	return found, nil
}

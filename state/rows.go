package state

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"imapsync/mail"
)

// baseColumns are the columns of a base row in the order baseDecoder takes
// and baseValues gives them: first the namedBy columns it is found by, then
// what is known of it.
const (
	baseColumns = `uid, key, digest, ` + baseInfo
	baseInfo    = `header, body, size, wire, net, fields, flags,
	remote_size, date, file_size, file_mtime`
	namedBy = 3
)

// Rows returns the base rows of a folder in the order of their UIDs, those
// without one first. An unknown folder has none.
func (d *DB) Rows(ctx context.Context, folder mail.FolderName) ([]*mail.Base, error) {
	decode := baseDecoder()
	return list(ctx, d, "read rows of "+string(folder)+" from state",
		`SELECT id, `+baseColumns+` FROM base
		WHERE folder = (SELECT id FROM folders WHERE name = ?) ORDER BY uid`,
		[]any{string(folder)},
		func(c *columns) *mail.Base { return decode(c, folder) })
}

// Drafts returns the rows with the flag \Draft and all rows of the folders
// given: what mail programs may rewrite in place.
func (d *DB) Drafts(ctx context.Context, folders []mail.FolderName) ([]*mail.Base, error) {
	decode := baseDecoder()
	named := func(c *columns) *mail.Base { return decode(c, mail.FolderName(c.text())) }
	const from = `SELECT folders.name, base.id, ` + baseColumns + ` FROM base JOIN folders ON folders.id = base.folder WHERE `
	drafts, err := list(ctx, d, "find drafts in state", from+`instr(substr(flags, 1, instr(flags || ' ', ' ')), 'D') > 0`, nil, named)
	if err != nil {
		return nil, err
	}
	for _, name := range folders {
		rows, err := d.Rows(ctx, name)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if row.Flags.System&mail.Draft == 0 {
				drafts = append(drafts, row)
			}
		}
	}
	return drafts, nil
}

// Removing returns the rows whose files a run was about to remove.
func (d *DB) Removing(ctx context.Context) ([]*mail.Base, error) {
	decode := baseDecoder()
	return list(ctx, d, "read removals from state",
		`SELECT folders.name, base.id, `+baseColumns+` FROM removals JOIN base ON base.id = removals.row JOIN folders ON folders.id = base.folder`, nil,
		func(c *columns) *mail.Base { return decode(c, mail.FolderName(c.text())) })
}

// digestsPerQuery bounds the list of one query.
const digestsPerQuery = 500

// RowsOf returns the rows of any folder whose whole content has one of these
// digests. A digest that is not known finds nothing.
func (d *DB) RowsOf(ctx context.Context, digests []mail.Digest) ([]*mail.Base, error) {
	wanted := slices.Clone(digests)
	slices.SortFunc(wanted, compare)
	wanted = slices.Compact(wanted)
	decode := baseDecoder()
	var found []*mail.Base
	for chunk := range slices.Chunk(wanted, digestsPerQuery) {
		args := make([]any, len(chunk))
		for i := range chunk {
			args[i] = chunk[i][:8]
		}
		rows, err := list(ctx, d, "find rows by content in state",
			`SELECT folders.name, base.id, `+baseColumns+` FROM base JOIN folders ON folders.id = base.folder
			WHERE digest IS NOT NULL AND substr(digest, 1, 8) IN (?`+strings.Repeat(", ?", len(chunk)-1)+`)`,
			args,
			func(c *columns) *mail.Base { return decode(c, mail.FolderName(c.text())) })
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if _, ours := slices.BinarySearchFunc(chunk, row.Content.Digest, compare); ours {
				found = append(found, row)
			}
		}
	}
	return found, nil
}

func compare(a, b mail.Digest) int { return bytes.Compare(a[:], b[:]) }

// baseDecoder returns a function that decodes id and baseColumns. It parses
// each distinct set of flags once and allocates rows by the slab: a folder has
// many rows and few sets of flags.
func baseDecoder() func(c *columns, folder mail.FolderName) *mail.Base {
	const slabSize = 256
	parsed := make(map[string]mail.Flags)
	var slab []mail.Base
	return func(c *columns, folder mail.FolderName) *mail.Base {
		if len(slab) == 0 {
			slab = make([]mail.Base, slabSize)
		}
		b := &slab[0]
		slab = slab[1:]
		b.ID, b.Folder = c.int(), folder
		b.UID, b.Key = mail.UID(c.int()), mail.Key(c.text())
		b.Content = c.content()
		text := c.text()
		flags, known := parsed[text]
		if !known {
			flags = mail.ParseFlags(text)
			parsed[text] = flags
		}
		b.Flags = flags
		b.RemoteSize, b.Date = c.int(), c.seconds()
		b.File = mail.FileStamp{Size: c.int(), MTime: c.int()}
		return b
	}
}

// baseValues are the values of baseColumns.
func baseValues(b *mail.Base) []any {
	values := append(make([]any, 0, 20), orNull(int64(b.UID)), orNull(string(b.Key)))
	values = append(values, contentValues(b.Content)...)
	return append(values, b.Flags.String(), b.RemoteSize, secondsValue(b.Date), b.File.Size, b.File.MTime)
}

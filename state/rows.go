package state

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"imapsync/mail"
)

// baseColumns are the columns of a base row in the order baseValues gives them:
// first those with an index, of place and content, then the others, among them the
// flags, of which indexes have few.
const (
	baseColumns = basePlace + `, digest, whole, remote_size, remote_only, ` + baseInfo
	basePlace   = `uid, key`
	baseInfo    = `header, body, size, wire, net, fields, flags, date, file_size, file_mtime`
	place       = 2
	indexed     = 6
)

// basePacked is what baseDecoder takes: the key, and all else in one text, with
// spaces between. A folder has many rows, and to ask SQLite for a column costs
// more than to write it into that text.
const basePacked = `key, concat_ws(' ', coalesce(digest, zeroblob(32)), coalesce(header, zeroblob(32)), coalesce(body, zeroblob(32)),
	base.id, coalesce(uid, 0), size, wire, net, fields, whole, remote_size, coalesce(date, ''), file_size, file_mtime, remote_only, flags)`

// Rows returns the base rows of a folder in the order of their UIDs, those
// without one first. An unknown folder has none.
func (d *DB) Rows(ctx context.Context, folder mail.FolderName) ([]*mail.Base, error) {
	decode := baseDecoder()
	return list(ctx, d, "read rows of "+string(folder)+" from state",
		`SELECT `+basePacked+` FROM base
		WHERE folder = (SELECT id FROM folders WHERE name = ?) ORDER BY uid`,
		[]any{string(folder)},
		func(c *columns) *mail.Base { return decode(c, folder) })
}

// Drafts returns the rows with the flag \Draft and all rows of the folders
// given: what mail programs may rewrite in place.
func (d *DB) Drafts(ctx context.Context, folders []mail.FolderName) ([]*mail.Base, error) {
	decode := baseDecoder()
	named := func(c *columns) *mail.Base { return decode(c, mail.FolderName(c.text())) }
	const from = `SELECT folders.name, ` + basePacked + ` FROM base JOIN folders ON folders.id = base.folder WHERE `
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
		`SELECT folders.name, `+basePacked+` FROM removals JOIN base ON base.id = removals.row JOIN folders ON folders.id = base.folder`, nil,
		func(c *columns) *mail.Base { return decode(c, mail.FolderName(c.text())) })
}

// perQuery bounds the list of one query.
const perQuery = 500

// RowsOf returns the rows of any folder whose whole content has one of these
// digests. A digest that is not known finds nothing.
func (d *DB) RowsOf(ctx context.Context, digests []mail.Digest) ([]*mail.Base, error) {
	wanted := slices.Clone(digests)
	slices.SortFunc(wanted, compare)
	wanted = slices.Compact(wanted)
	decode := baseDecoder()
	var found []*mail.Base
	for chunk := range slices.Chunk(wanted, perQuery) {
		args := make([]any, len(chunk))
		for i := range chunk {
			args[i] = chunk[i][:8]
		}
		rows, err := list(ctx, d, "find rows by content in state",
			`SELECT folders.name, `+basePacked+` FROM base JOIN folders ON folders.id = base.folder
			WHERE digest IS NOT NULL AND substr(digest, 1, 8) IN (`+marks(len(chunk))+`)`,
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

// RowsOfSize returns the rows of any folder of which the server announced one of
// these sizes. A size of 0 is none.
func (d *DB) RowsOfSize(ctx context.Context, sizes []int64) ([]*mail.Base, error) {
	wanted := slices.Clone(sizes)
	slices.Sort(wanted)
	wanted = slices.DeleteFunc(slices.Compact(wanted), func(s int64) bool { return s <= 0 })
	decode := baseDecoder()
	var found []*mail.Base
	for chunk := range slices.Chunk(wanted, perQuery) {
		args := make([]any, len(chunk))
		for i := range chunk {
			args[i] = chunk[i]
		}
		rows, err := list(ctx, d, "find rows by size in state",
			`SELECT folders.name, `+basePacked+` FROM base JOIN folders ON folders.id = base.folder
			WHERE remote_size > 0 AND remote_size IN (`+marks(len(chunk))+`)`,
			args,
			func(c *columns) *mail.Base { return decode(c, mail.FolderName(c.text())) })
		if err != nil {
			return nil, err
		}
		found = append(found, rows...)
	}
	return found, nil
}

func compare(a, b mail.Digest) int { return bytes.Compare(a[:], b[:]) }

// baseDecoder returns a function that decodes basePacked. It parses each
// distinct set of flags once and allocates rows by the slab, which fills 8 kB: a
// folder may have many rows and has few sets of flags.
func baseDecoder() func(c *columns, folder mail.FolderName) *mail.Base {
	const slabSize = 32
	flagsOf := flagsParser()
	var slab []mail.Base
	return func(c *columns, folder mail.FolderName) *mail.Base {
		if len(slab) == 0 {
			slab = make([]mail.Base, slabSize)
		}
		b := &slab[0]
		slab = slab[1:]
		b.Folder, b.Key = folder, mail.Key(c.text())
		p := packed{c: c, text: c.text()}
		p.digest(&b.Content.Digest)
		p.digest(&b.Content.Header)
		p.digest(&b.Content.Body)
		b.ID, b.UID = p.int(), mail.UID(p.int())
		b.Content.Size, b.Content.Wire, b.Content.Net, b.Content.Fields, b.Content.Whole = p.int(), p.int(), p.int(), int(p.int()), p.int()
		b.RemoteSize, b.Date = p.int(), p.seconds()
		b.File = mail.FileStamp{Size: p.int(), MTime: p.int()}
		b.RemoteOnly = p.int() != 0
		b.Flags = flagsOf(p.text)
		return b
	}
}

// flagsParser returns a function that parses each distinct text once.
func flagsParser() func(text string) mail.Flags {
	parsed := make(map[string]mail.Flags)
	return func(text string) mail.Flags {
		flags, known := parsed[text]
		if !known {
			text = strings.Clone(text)
			flags = mail.ParseFlags(text)
			parsed[text] = flags
		}
		return flags
	}
}

// packed hands out the parts of a text in basePacked's form from left to right;
// text is what is left.
type packed struct {
	c    *columns // remembers what is wrong
	text string
}

func (p *packed) wrong() {
	p.c.err = fmt.Errorf("%w: a row of base holds what its schema forbids", errDamaged)
	p.text = ""
}

// upTo takes n bytes and the space that follows.
func (p *packed) upTo(n int) (part string) {
	if n < 0 || n >= len(p.text) || p.text[n] != ' ' {
		p.wrong()
		return ""
	}
	part, p.text = p.text[:n], p.text[n+1:]
	return part
}

func (p *packed) digest(d *mail.Digest) { copy(d[:], p.upTo(len(d))) }

func (p *packed) int() int64 {
	part := p.upTo(strings.IndexByte(p.text, ' '))
	n, err := strconv.ParseInt(part, 10, 64)
	if err != nil {
		p.wrong()
	}
	return n
}

// seconds is the zero time for what is not known.
func (p *packed) seconds() time.Time {
	if strings.HasPrefix(p.text, " ") {
		p.text = p.text[1:]
		return time.Time{}
	}
	return time.Unix(p.int(), 0).UTC()
}

// baseValues are the values of baseColumns.
func baseValues(b *mail.Base) []any {
	c := b.Content
	return append(make([]any, 0, 20), orNull(int64(b.UID)), orNull(string(b.Key)), digestValue(c.Digest), c.Whole, b.RemoteSize, b.RemoteOnly,
		digestValue(c.Header), digestValue(c.Body), c.Size, c.Wire, c.Net, int64(c.Fields), b.Flags.String(), secondsValue(b.Date), b.File.Size, b.File.MTime)
}

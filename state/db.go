package state

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"imapsync/mail"
)

// DB is the state of one account. It implements syncer.State. All methods may
// be called from several goroutines.
type DB struct {
	path     string
	readOnly bool
	absent   bool // opened for reading where no state is

	turn    sync.Mutex // held while reading or writing
	conn    *conn      // nil when closed
	written int        // rows put so far; see widen
	still   *stillness // not nil: the connection is valid while nobody writes; see OpenReadOnly

	queueMu sync.Mutex // guards queue
	queue   []*waiting // what the next to write takes along
}

// Open opens a state for reading and writing, and makes it if it is not there:
// directories with mode 0700, the file with 0600. A state of an earlier version
// is brought up to date. The caller must hold the account's Lock.
func Open(ctx context.Context, path string) (*DB, error) {
	path, err := resolve(path)
	if err != nil {
		return nil, fault("open state", path, err)
	}
	version := latest
	switch exists, err := present(path); {
	case err != nil:
		return nil, err
	case !exists:
		if err := create(ctx, path); err != nil {
			return nil, fault("create state", path, err)
		}
	default:
		if !ofToday(path) {
			if version, err = probe(ctx, path); err != nil {
				return nil, err
			}
		}
		dropSecondName(path)
	}
	c, err := connect(ctx, path, writing)
	if err != nil {
		return nil, fault("open state", path, err)
	}
	if err := upgrade(ctx, c, version, migrations); err != nil {
		c.Close()
		return nil, fault("open state", path, err)
	}
	return &DB{path: path, conn: c}, nil
}

// OpenReadOnly opens a state for looking, with or without the Lock, while a run
// may be writing. Where there is none it behaves as an empty one. Nothing is
// created or changed, and Commit is refused.
//
// SQLite makes files beside the database even for reading, unless it is told
// that nobody writes. It is told so when no write-ahead log lies there, and
// every answer is then given only after making sure that it was true.
func OpenReadOnly(ctx context.Context, path string) (*DB, error) {
	path, err := resolve(path)
	if err != nil {
		return nil, fault("open state", path, err)
	}
	d := &DB{path: path, readOnly: true}
	if exists, err := present(path); err != nil || !exists {
		d.absent = true
		return d, err
	}
	version, err := probe(ctx, path)
	if err != nil {
		return nil, err
	}
	if version < latest {
		return nil, refuse(mail.ClassFailed, "open state", path,
			fmt.Errorf("it has version %d, this program works with version %d", version, latest),
			"the next sync brings it up to date")
	}
	if err := d.reopen(ctx); err != nil {
		return nil, fault("open state", path, err)
	}
	return d, nil
}

// reopen connects in the way that fits what lies beside the file now.
func (d *DB) reopen(ctx context.Context) (err error) {
	if d.conn != nil {
		d.conn.Close()
	}
	d.still = lookStill(d.path)
	how := reading
	if d.still != nil {
		how = readingStill
	}
	d.conn, err = connect(ctx, d.path, how)
	return err
}

// Close ends the use of the state. The write-ahead log is folded into the file.
func (d *DB) Close() error {
	d.turn.Lock()
	defer d.turn.Unlock()
	if d.conn == nil {
		return nil
	}
	err := d.conn.Close()
	d.conn = nil
	return fault("close state", d.path, err)
}

// resolve follows symbolic links, as SQLite does before it looks for a
// write-ahead log.
func resolve(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return path, err
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target, nil
	}
	return path, nil
}

// present reports whether there is a file at path that could be a state.
func present(path string) (bool, error) {
	const doing = "open state"
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fault(doing, path, err)
	case !info.Mode().IsRegular():
		return false, refuse(mail.ClassFailed, doing, path, fmt.Errorf("it is a %s, not a file", kindOf(info)), hintForeign)
	case info.Size() == 0:
		return false, refuse(mail.ClassFailed, doing, path, errors.New("the file is empty"), hintDamaged)
	}
	return true, nil
}

func kindOf(info fs.FileInfo) string {
	if info.IsDir() {
		return "directory"
	}
	return "device or pipe"
}

// probe tells the version of the state at path without touching it; an error
// says why it cannot be used.
func probe(ctx context.Context, path string) (int, error) {
	const doing = "open state"
	how := reading
	if lookStill(path) != nil {
		how = readingStill
	}
	db, err := connect(ctx, path, how)
	if err != nil {
		return 0, fault(doing, path, err)
	}
	defer db.Close()
	var app, version, tables int64
	err = db.query(ctx, `SELECT
		(SELECT application_id FROM pragma_application_id),
		(SELECT user_version FROM pragma_user_version),
		(SELECT count(*) FROM sqlite_schema)`, nil,
		func(c *columns) { app, version, tables = c.int(), c.int(), c.int() })
	switch {
	case err != nil:
		return 0, fault(doing, path, err)
	case app != applicationID:
		return 0, refuse(mail.ClassFailed, doing, path, errors.New("it is a database of another program"), hintForeign)
	case version > int64(latest):
		return 0, refuse(mail.ClassFailed, doing, path,
			fmt.Errorf("it has version %d, this program knows versions up to %d", version, latest),
			hintNewer)
	case version < 1 || tables == 0:
		return 0, refuse(mail.ClassFailed, doing, path, fmt.Errorf("version %d with %d tables", version, tables), hintDamaged)
	}
	return int(version), nil
}

// ofToday reports whether the header of the file says that it is a state of the
// version written today (https://www.sqlite.org/fileformat2.html#the_database_header).
// Where no write-ahead log lies beside it the header is the truth, and a run is
// spared a connection that is made for these numbers only. Whether the rest is
// sound is seen when the state is connected for writing, which reads the schema
// before it writes.
func ofToday(path string) bool {
	if lookStill(path) == nil {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	header := make([]byte, 100)
	if _, err := io.ReadFull(f, header); err != nil {
		return false
	}
	number := func(at int) int { return int(binary.BigEndian.Uint32(header[at:])) }
	const pages, version, application = 28, 60, 68
	return string(header[:16]) == "SQLite format 3\x00" && number(application) == applicationID &&
		number(version) == latest && number(pages) > 1 // without a table it has one page
}

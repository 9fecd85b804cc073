package state

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"imapsync/mail"
)

// DB is the state of one account. It implements syncer.State. All methods may
// be called from several goroutines.
type DB struct {
	path     string
	sql      *sql.DB // nil: opened for reading where no state is
	readOnly bool

	reads   sync.Mutex // held while reading
	writes  sync.Mutex // held while writing
	queueMu sync.Mutex // guards queue
	queue   []*waiting // what the next to write takes along
	still   *stillness // not nil: the connection is valid while nobody writes; see OpenReadOnly
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
	d := &DB{path: path, sql: connect(path, writing)}
	if err := upgrade(ctx, d.sql, version, migrations); err != nil {
		d.sql.Close()
		return nil, fault("open state", path, err)
	}
	return d, nil
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
	d.reopen()
	return d, nil
}

// reopen connects in the way that fits what lies beside the file now.
func (d *DB) reopen() {
	if d.sql != nil {
		d.sql.Close()
	}
	d.still = lookStill(d.path)
	how := reading
	if d.still != nil {
		how = readingStill
	}
	d.sql = connect(d.path, how)
}

// Close ends the use of the state. The write-ahead log is folded into the file.
func (d *DB) Close() error {
	if d.sql == nil {
		return nil
	}
	return fault("close state", d.path, d.sql.Close())
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
	db := connect(path, how)
	defer db.Close()
	var app, version, tables int
	err := db.QueryRowContext(ctx, `SELECT
		(SELECT application_id FROM pragma_application_id),
		(SELECT user_version FROM pragma_user_version),
		(SELECT count(*) FROM sqlite_schema)`).Scan(&app, &version, &tables)
	switch {
	case err != nil:
		return 0, fault(doing, path, err)
	case app != applicationID:
		return 0, refuse(mail.ClassFailed, doing, path, errors.New("it is a database of another program"), hintForeign)
	case version > latest:
		return 0, refuse(mail.ClassFailed, doing, path,
			fmt.Errorf("it has version %d, this program knows versions up to %d", version, latest),
			hintNewer)
	case version < 1 || tables == 0:
		return 0, refuse(mail.ClassFailed, doing, path, fmt.Errorf("version %d with %d tables", version, tables), hintDamaged)
	}
	return version, nil
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

// The ways to connect, as parameters of an SQLite URI
// (https://www.sqlite.org/uri.html).
var (
	common  = []string{"busy_timeout(5000)", "foreign_keys(1)"}
	writing = url.Values{
		"mode":    {"rw"}, // never creates
		"_txlock": {"immediate"},
		"_pragma": append([]string{"journal_mode(WAL)", "synchronous(FULL)", "cache_size(-16384)"}, common...),
	}
	reading      = url.Values{"mode": {"ro"}, "_pragma": common}
	readingStill = url.Values{"mode": {"ro"}, "immutable": {"1"}, "_pragma": common}
	// scratch is for a file that is thrown away unless all goes well.
	scratch = url.Values{"mode": {"rw"}, "_pragma": {"journal_mode(OFF)", "synchronous(OFF)"}}
)

// connect prepares a pool of one connection; it dials on first use.
func connect(path string, how url.Values) *sql.DB {
	params := url.Values{"_error_rc": {"1"}, "_dqs": {"0"}}
	for k, v := range how {
		params[k] = v
	}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: params.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		panic(err) // only for an unknown driver
	}
	db.SetMaxOpenConns(1)
	return db
}

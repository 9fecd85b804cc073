package state

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"imapsync/mail"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What the user can do, by kind of trouble.
const (
	hintDamaged  = "the next sync sets it aside, matches both sides again by content and deletes nothing"
	hintNewer    = "use the newer imapsync that wrote it; or move the file and its -wal and -shm away: then both sides are matched again by content and nothing is deleted"
	hintForeign  = "set state_dir to a directory of its own, or move the file away"
	hintFull     = "make room on the disk and run again; what was recorded before is safe"
	hintDisk     = "the disk may be full or failing: see the system's log"
	hintDenied   = "check owner and permissions of the file and its directory"
	hintBusy     = "another program holds the state open for writing"
	hintReadOnly = "it was opened for reading"
)

// damage marks an error that says that the file holds no state any more.
type damage struct{ error }

func (d damage) Unwrap() error { return d.error }

// IsDamaged reports whether an error, of Open or of what was opened, says that
// the file is damaged, so that SetAside and a new state are the way out.
func IsDamaged(err error) bool {
	var d damage
	return errors.As(err, &d)
}

// errDamaged says that the file does not hold what its schema promises.
var errDamaged = errors.New("the file is damaged")

// fault grades an error of SQLite or of the file system. Errors of a context
// and those already graded pass unchanged.
func fault(doing, path string, err error) error {
	var graded *mail.Fault
	if err == nil || errors.As(err, &graded) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	class, hint := mail.ClassFailed, ""
	var sq *sqlite.Error
	switch {
	case errors.As(err, &sq):
		class, hint = gradeSQLite(sq.Code())
	case errors.Is(err, errDamaged):
		hint = hintDamaged
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		hint = hintFull
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		hint = hintDenied
	}
	return refuse(class, doing, path, err, hint)
}

// shortRead is a page that should be in the file and is not.
const shortRead = sqlite3.SQLITE_IOERR | 2<<8

// gradeSQLite reads a result code (https://www.sqlite.org/rescode.html).
func gradeSQLite(code int) (mail.Class, string) {
	if code == shortRead {
		return mail.ClassFailed, hintDamaged
	}
	switch code & 0xff {
	case sqlite3.SQLITE_FULL:
		return mail.ClassFailed, hintFull
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH:
		return mail.ClassFailed, hintDamaged // our SQL is right, so an ERROR is a table that is gone or garbled
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_AUTH:
		return mail.ClassFailed, hintDenied
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return mail.ClassBusy, hintBusy
	case sqlite3.SQLITE_IOERR:
		return mail.ClassFailed, hintDisk
	}
	return mail.ClassFailed, ""
}

// refuse makes the Fault of trouble with the state as a whole.
func refuse(class mail.Class, doing, path string, err error, hint string) error {
	if hint == hintDamaged {
		err = damage{err}
	}
	return &mail.Fault{Scope: mail.ScopeAccount, Class: class, Doing: doing + " " + path, Err: err, Hint: hint}
}

// isCollision reports whether a row could not be written because another row
// has its UID or key.
func isCollision(err error) bool {
	var sq *sqlite.Error
	return errors.As(err, &sq) && sq.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE
}

// isConstraint reports whether what was to be written breaks a promise of the
// schema.
func isConstraint(err error) bool {
	var sq *sqlite.Error
	return errors.As(err, &sq) && sq.Code()&0xff == sqlite3.SQLITE_CONSTRAINT
}

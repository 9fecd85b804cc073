package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"imapsync/mail"

	"github.com/gofrs/flock"
)

// lockPoll is how often a taken lock is tried again.
const lockPoll = 100 * time.Millisecond

// Held is a lock that this process has.
type Held struct {
	file *flock.Flock
}

// Lock takes the lock of the account whose state is at path: a kernel lock on
// the file path.lock, which ends with the process, whatever ends it. A lock
// taken by another process is waited for, up to wait; then the error is a
// mail.Fault of ClassBusy. The process that has it writes its number into the
// file, for people to read; an old number means nothing.
func Lock(ctx context.Context, path string, wait time.Duration) (*Held, error) {
	const doing = "lock account"
	path, err := resolve(path)
	if err != nil {
		return nil, fault(doing, path, err)
	}
	path += ".lock"
	if err := makeDirs(filepath.Dir(path)); err != nil {
		return nil, fault(doing, path, err)
	}
	file := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	locked, err := take(ctx, file, wait)
	if locked {
		// That it cannot be written down, on a full disk say, is no reason to stop.
		_ = os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600)
		return &Held{file: file}, nil
	}
	if err == nil {
		err = refuse(mail.ClassBusy, doing, path, errors.New("another run has it"+holder(path)),
			"let it finish, or wait longer for it with --wait")
	}
	file.Close()
	return nil, fault(doing, path, err)
}

// LockMaildir takes a Maildir, by a kernel lock on its root directory, against a run
// with another state: each would take what the other delivers for new. One that is not
// there is not locked, and neither is one on a file system that cannot.
func LockMaildir(ctx context.Context, root string, wait time.Duration) (unlock func() error, err error) {
	dir := flock.New(root, flock.SetFlag(os.O_RDONLY))
	locked, err := take(ctx, dir, wait)
	switch {
	case locked:
		return dir.Unlock, nil
	case ctx.Err() != nil:
		return nil, fault("lock Maildir", root, err)
	case err != nil:
		return func() error { return nil }, nil
	}
	dir.Close()
	return nil, refuse(mail.ClassBusy, "lock Maildir", root, errors.New("a run with another state has it"),
		"let it finish; then use one configuration and one state_dir for this Maildir, also where a timer runs imapsync")
}

// take takes a lock, waiting up to wait; where another process has it still, neither
// is it taken nor is that an error.
func take(ctx context.Context, file *flock.Flock, wait time.Duration) (locked bool, err error) {
	locked, err = file.TryLock()
	if err == nil && !locked && wait > 0 {
		waiting, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		locked, err = file.TryLockContext(waiting, lockPoll)
	}
	switch {
	case locked:
		return true, nil
	case ctx.Err() != nil:
		return false, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return false, nil
	}
	return false, err
}

// holder says in words which process has the lock, "" when it did not say.
func holder(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 0 {
		return ""
	}
	return fmt.Sprintf(", process %d", pid)
}

// Unlock gives the lock back. The file stays: were it removed, a process
// waiting for it and one that makes it anew could both have their lock.
func (h *Held) Unlock() error {
	cleared := os.Truncate(h.file.Path(), 0) // so that no old number is shown
	return fault("unlock account", h.file.Path(), errors.Join(h.file.Unlock(), cleared))
}

package maildir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"imapsync/mail"
)

// Scan lists a folder by names alone; with stat it looks at each file too
// (Local.Stamp). A folder that is not there gives Exists false. A folder without
// one of cur and new is damaged: an error. A file that is renamed meanwhile may be
// missing, unless Still; a second Scan is a new look at the disk, and a key missing
// from both is gone.
func (m *Maildir) Scan(ctx context.Context, name mail.FolderName, stat bool) (mail.LocalSnapshot, error) {
	n, err := m.Names(ctx, name, 0)
	if err != nil {
		return mail.LocalSnapshot{Folder: name}, err
	}
	snap := n.Snapshot()
	if stat && snap.Exists {
		err = n.f.statAll(ctx, snap.Messages)
	}
	return snap, err
}

// statAll fills in the stamps; a file that is gone meanwhile is left out. One that
// cannot be looked at has none.
func (f *folder) statAll(ctx context.Context, messages map[mail.Key]mail.Local) error {
	for key, msg := range messages {
		err := f.onFile(ctx, key, func(p place) error {
			info, err := os.Stat(f.at(p))
			if err == nil {
				stamp := stampOfFile(info)
				msg.Stamp = &stamp
			}
			return err
		})
		if errors.Is(err, mail.ErrChanged) {
			delete(messages, key)
			continue
		}
		if err = f.message(key, "look at message file", err); err != nil && mail.ScopeOf(err) != mail.ScopeMessage {
			return err
		}
		messages[key] = msg
	}
	return nil
}

// clock says when a stamp was taken.
var clock = time.Now

// stampOf takes the stamp of a folder's directories; exists when there is
// either of them. What is missing has the zero time, which matches nothing
// recorded of a whole folder.
func stampOf(path string) (stamp mail.DirStamp, exists bool, err error) {
	stamp.Taken = clock().UnixNano()
	var inNew, inCur bool
	if stamp.New, inNew, err = dirTime(filepath.Join(path, "new")); err != nil {
		return stamp, false, err
	}
	if stamp.Cur, inCur, err = dirTime(filepath.Join(path, "cur")); err != nil {
		return stamp, false, err
	}
	return stamp, inNew || inCur, nil
}

func dirTime(path string) (mail.DirTime, bool, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Stat(path, &st) })
	switch {
	case errors.Is(err, unix.ENOTDIR):
		return mail.DirTime{}, false, nil
	case errors.Is(err, fs.ErrNotExist):
		if err = unresolved(path, err); errors.Is(err, fs.ErrNotExist) {
			return mail.DirTime{}, false, nil
		}
		return mail.DirTime{}, false, err
	case err != nil:
		return mail.DirTime{}, false, &fs.PathError{Op: "stat", Path: path, Err: err}
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return mail.DirTime{}, false, nil
	}
	return mail.DirTime{Dev: uint64(st.Dev), Ino: uint64(st.Ino), CTime: st.Ctim.Nano()}, true, nil
}

// retry repeats a system call that a signal interrupted.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

package state

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// create makes a new state under another name and lets it appear whole, so that
// whatever lies at path was complete once.
func create(ctx context.Context, path string) error {
	dir := filepath.Dir(path)
	if err := makeDirs(dir); err != nil {
		return err
	}
	tmp := newName(path)
	for _, left := range []string{tmp + "-wal", tmp + "-shm", tmp} { // by a run that was killed here
		if err := os.Remove(left); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	defer f.Close()
	if err := layDown(ctx, tmp); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := appear(tmp, path); err != nil {
		return err
	}
	return syncDir(dir)
}

// newName is the name of a state that is not whole yet.
func newName(path string) string { return path + ".new" }

// layDown writes the empty state of today's schema into an empty file. It is
// put into WAL mode here: at its final name that would be one more moment to
// be killed in.
func layDown(ctx context.Context, tmp string) error {
	db, err := connect(ctx, tmp, scratch)
	if err != nil {
		return err
	}
	if _, err := db.exec(ctx, schema+stamp(latest)+"PRAGMA journal_mode = WAL"); err != nil {
		db.Close()
		return err
	}
	return db.Close()
}

// appear gives the file its name without overwriting another. File systems
// without hard links leave only the Lock to prevent that.
func appear(tmp, path string) error {
	err := os.Link(tmp, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Rename(tmp, path)
}

// dropSecondName removes the name under which the state was made, which it still
// has where a run was killed just then. Nothing depends on it.
func dropSecondName(path string) {
	made, err := os.Lstat(newName(path))
	if err != nil {
		return
	}
	if state, err := os.Lstat(path); err == nil && os.SameFile(made, state) {
		_ = os.Remove(newName(path))
	}
}

// makeDirs makes a directory and those above it that are missing, durably: what
// was recorded in it is worth nothing where its name is lost.
func makeDirs(dir string) error {
	var above []string
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Lstat(d); !errors.Is(err, fs.ErrNotExist) || d == filepath.Dir(d) {
			break
		}
		above = append(above, filepath.Dir(d))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, d := range above {
		// Who may make a name in a directory need not be allowed to read it.
		if err := syncDir(d); err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EINVAL) {
			return err
		}
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

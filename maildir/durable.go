package maildir

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// syncDir makes the names in a directory durable. File systems that cannot
// sync a directory say EINVAL or "not supported"; there is no more to be had.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// syncDirs is syncDir for several at once, when changes are to be durable at all.
func (m *Maildir) syncDirs(dirs ...string) error { return cmp.Or(m.syncEach(dirs)...) }

func (m *Maildir) syncEach(dirs []string) []error {
	if !m.fsync {
		return nil
	}
	errs := make([]error, len(dirs))
	var all sync.WaitGroup
	for i, dir := range dirs {
		all.Go(func() { errs[i] = m.dirs.wait(dir, syncDirectories) })
	}
	all.Wait()
	return errs
}

// makeDirs makes a directory and those above it that are missing. Their names
// are durable when it returns, if names are to be durable at all.
func (m *Maildir) makeDirs(dir string) error {
	var above []string
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Lstat(d); !errors.Is(err, fs.ErrNotExist) || d == filepath.Dir(d) {
			break
		}
		above = append(above, filepath.Dir(d))
	}
	return m.makeBelow(dir, above)
}

// makeBelow makes a directory with those above it, and syncs the ones named. Who
// may make a name in a directory need not be allowed to read it.
func (m *Maildir) makeBelow(dir string, above []string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	refused := func(err error) bool { return errors.Is(err, fs.ErrPermission) }
	return cmp.Or(slices.DeleteFunc(m.syncEach(above), refused)...)
}

// writeFile replaces a file durably, by way of tmp beside it. mtime is set
// when not nil.
func writeFile(path, tmp string, text []byte, mtime *time.Time) error {
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil && mtime != nil {
		err = os.Chtimes(tmp, *mtime, *mtime)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		os.Remove(tmp)
		return err
	}
	return syncDir(filepath.Dir(path))
}

// copyFile makes a copy of a message file with its mtime, by way of tmp, without
// writing over anything. It stands in for a link or a rename where there is
// none: across file systems.
func copyFile(from, tmp, to string, durable bool) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	dst, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if err == nil {
		err = os.Chtimes(tmp, time.Time{}, info.ModTime())
	}
	if err == nil && durable {
		err = dst.Sync()
	}
	if cerr := dst.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = renameNew(tmp, to)
	}
	if err != nil {
		os.Remove(tmp)
	}
	return err
}

// linkNew renames by a link and an unlink, which cannot write over a file
// either. On a crash between the two the file has both names, and a scan counts
// it once.
func linkNew(from, to string) error {
	err := os.Link(from, to)
	switch {
	case errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.EXDEV):
		return err
	case err != nil:
		// No links here (FAT, some FUSE file systems). Keys are unique, so that
		// nobody else makes this name between the look and the rename.
		if _, serr := os.Lstat(to); !errors.Is(serr, fs.ErrNotExist) {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: syscall.EEXIST}
		}
		return os.Rename(from, to)
	}
	return os.Remove(from)
}

func sameFile(a, b string) bool {
	x, err := os.Lstat(a)
	if err != nil {
		return false
	}
	y, err := os.Lstat(b)
	return err == nil && os.SameFile(x, y)
}

package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	gomaildir "github.com/emersion/go-maildir"
	"golang.org/x/sys/unix"

	"imapsync/mail"
)

// folderFile marks a subfolder of the maildir++ layout for delivery agents
// (Maildir++, https://www.courier-mta.org/imap/README.maildirquota.html).
const folderFile = "maildirfolder"

// CreateFolder makes a folder with its cur, new and tmp, durably. One that is
// there stays.
func (m *Maildir) CreateFolder(ctx context.Context, name mail.FolderName) error {
	return m.CreateFolders(ctx, []mail.FolderName{name})[name]
}

// CreateFolders is CreateFolder for several, and returns why some were not made.
// The directories are synced when all are there, so that file systems with a
// journal have it written once.
func (m *Maildir) CreateFolders(ctx context.Context, names []mail.FolderName) (failed map[mail.FolderName]error) {
	failed = map[mail.FolderName]error{}
	var made []*folder
	for _, name := range names {
		err := ctx.Err()
		var f *folder
		if err == nil {
			f, err = m.folder(name)
		}
		if err == nil {
			err = f.writing("", "create folder", f.create())
		}
		if err != nil {
			failed[name] = err
			continue
		}
		made = append(made, f)
	}
	synced := map[string]error{}
	for _, f := range made {
		if err := f.writing("", "create folder", f.durable(synced)); err != nil {
			failed[f.name] = err
		}
	}
	return failed
}

func (f *folder) create() error {
	if other := f.m.holder(f.path); other != "" {
		return fmt.Errorf("%s is the directory of another folder too, %s", f.path, other)
	}
	if err := os.MkdirAll(f.path, 0o700); err != nil {
		return err
	}
	f.m.noteDir(f.path)
	if err := gomaildir.Dir(f.path).Init(); err != nil {
		return err
	}
	if !f.marked() {
		return nil
	}
	mark, err := os.OpenFile(filepath.Join(f.path, folderFile), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return mark.Close()
}

// noteDir remembers which directory a path leads to.
func (m *Maildir) noteDir(path string) {
	id, exists, err := dirTime(path)
	if err == nil && exists {
		m.mu.Lock()
		defer m.mu.Unlock()
		id.CTime = 0
		m.paths[id] = path
	}
}

// holder returns the path of another folder that leads to the same directory, as
// where upper and lower case are one to the file system; "" where there is none.
// Two folders in one directory would have each other's mail.
func (m *Maildir) holder(path string) string {
	id, exists, err := dirTime(path)
	if err != nil || !exists {
		return ""
	}
	id.CTime = 0
	m.mu.Lock()
	other := m.paths[id]
	m.mu.Unlock()
	if other == "" || other == path {
		return ""
	}
	now, _, _ := dirTime(other)
	if now.CTime = 0; now != id { // the number was given away since
		return ""
	}
	return other
}

// durable makes the folder's directory durable and those above it up to the root,
// but for those that were synced.
func (f *folder) durable(synced map[string]error) error {
	for dir := f.path; len(dir) >= len(f.m.root); dir = filepath.Dir(dir) {
		err, done := synced[dir]
		if !done {
			err = f.m.syncDirs(dir)
			synced[dir] = err
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *folder) marked() bool { return f.m.naming.layout == MaildirPP && f.path != f.m.root }

// complete makes a missing tmp, and sees to it that files can be made. A missing cur
// or new is not made: an empty one would pass for a folder whose messages were deleted.
func (f *folder) complete() error {
	for _, d := range []string{"cur", "new", "tmp"} {
		path := filepath.Join(f.path, d)
		err := writable(path)
		if errors.Is(err, fs.ErrNotExist) && d != "tmp" {
			return f.damaged()
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = os.Mkdir(path, 0o700)
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// writable tells why files cannot be made in a directory.
func writable(dir string) error {
	err := retry(func() error { return unix.Access(dir+"/.", unix.W_OK|unix.X_OK) })
	if err != nil {
		return &fs.PathError{Op: "write to", Path: dir, Err: err}
	}
	return nil
}

// RemoveFolder removes an empty folder. Files that are not the Maildir's own
// stay, and with them the directory. A folder with messages, with a delivery
// under way or with other programs' files among the messages is an error, and
// whole afterwards. The inbox cannot be removed (RFC 3501 section 5.1).
func (m *Maildir) RemoveFolder(ctx context.Context, name mail.FolderName) error {
	const doing = "remove folder"
	if err := ctx.Err(); err != nil {
		return err
	}
	f, err := m.folder(name)
	if err != nil {
		return err
	}
	if name == mail.Inbox {
		return f.inFolder(doing, fmt.Errorf("%s always exists", mail.Inbox))
	}
	if err := f.cleanTmp(time.Now()); err != nil {
		return f.inFolder(doing, err)
	}
	// Each rmdir fails by itself when something has come meanwhile.
	for _, d := range []string{"tmp", "new", "cur"} {
		err := os.Remove(filepath.Join(f.path, d))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, fs.ErrExist) {
				err = fmt.Errorf("%s is not empty", filepath.Join(f.path, d))
			}
			if ierr := gomaildir.Dir(f.path).Init(); ierr != nil {
				err = errors.Join(err, ierr)
			}
			return f.inFolder(doing, err)
		}
	}
	f.mu.Lock()
	f.index = nil
	f.mu.Unlock()
	return f.inFolder(doing, f.removeDir())
}

// removeDir removes what is left of a folder: our own files, the directory, and
// directories above that were there for its sake only.
func (f *folder) removeDir() error {
	own := []string{folderFile}
	if _, err := os.Lstat(filepath.Join(f.path, uidList)); errors.Is(err, fs.ErrNotExist) {
		own = append(own, keywordsFile) // nobody else's then
	}
	for _, file := range own {
		if err := os.Remove(filepath.Join(f.path, file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	dir := f.path
	for ; dir != f.m.root; dir = filepath.Dir(dir) {
		if os.Remove(dir) != nil {
			break
		}
	}
	return f.m.syncDirs(dir)
}

// cleanTmp removes files from tmp that the Maildir specification calls
// abandoned: not touched for 36 hours. The status-change time tells, for the
// mtime of a message under delivery is its date.
func (f *folder) cleanTmp(now time.Time) error {
	const abandoned = 36 * time.Hour
	tmp := filepath.Join(f.path, "tmp")
	entries, err := os.ReadDir(tmp)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		var st unix.Stat_t
		file := filepath.Join(tmp, e.Name())
		if e.Type().IsRegular() && unix.Lstat(file, &st) == nil && now.UnixNano()-st.Ctim.Nano() > int64(abandoned) {
			os.Remove(file)
		}
	}
	return err
}

package maildir

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"imapsync/mail"
)

// keepStamp names the directory of the mail removed in one second, in UTC.
const keepStamp = "20060102T150405Z"

// keepPart begins the names of files in the KeepDir that are not whole yet: as
// dot files they are no messages.
const keepPart = ".part-"

// Remove takes a file out of the Maildir if it still has exactly the flags
// expected, as far as the folder can store them, and the stamp expected unless
// that is zero; else mail.ErrChanged. It goes to Config.KeepDir (see the package
// comment) or, without one, for good. Durable after Sync.
func (m *Maildir) Remove(ctx context.Context, name mail.FolderName, key mail.Key, expected mail.Flags, stamp mail.FileStamp) error {
	return m.remove(ctx, name, key, expected, stamp, m.keep != "")
}

// Discard is Remove for a message that is to be had elsewhere: it keeps nothing.
func (m *Maildir) Discard(ctx context.Context, name mail.FolderName, key mail.Key, expected mail.Flags, stamp mail.FileStamp) error {
	return m.remove(ctx, name, key, expected, stamp, false)
}

func (m *Maildir) remove(ctx context.Context, name mail.FolderName, key mail.Key, expected mail.Flags, stamp mail.FileStamp, keep bool) error {
	const doing = "remove message"
	f, err := m.folder(name)
	if err != nil {
		return err
	}
	err = f.onFile(ctx, key, func(p place) error {
		letters := parseName(p.file).letters
		t, err := f.tableFor(letters, expected)
		if err != nil {
			return err
		}
		info, err := os.Lstat(f.at(p))
		link := err == nil && info.Mode()&fs.ModeSymlink != 0
		if link {
			info, err = os.Stat(f.at(p))
		}
		if err != nil {
			return err
		}
		if !t.flags(letters).Equal(expected.Intersect(mail.NewFlags(mail.AllSystem, t[:]...))) || stamp != (mail.FileStamp{}) && stampOfFile(info) != stamp {
			return mail.ErrChanged
		}
		if err := f.removeCopies(ctx, key, p); err != nil {
			return err
		}
		if keep {
			err = f.keep(p, t, link)
		} else {
			err = os.Remove(f.at(p))
		}
		if err == nil {
			f.gone(key)
		}
		return err
	})
	return f.message(key, doing, err)
}

// removeCopies takes away the other files of a key, as a backup leaves them that is
// copied over the Maildir: they would be new mail once the first is gone. What is in
// them is in that one; a file with anything else is an error.
func (f *folder) removeCopies(ctx context.Context, key mail.Key, p place) error {
	equal, others, err := f.copies(ctx, key, p)
	if err == nil && len(others) > 0 {
		return &mail.Fault{Scope: mail.ScopeMessage, Folder: f.name, Message: string(key), Doing: "remove message",
			Err: fmt.Errorf("%s has the name of this message, too, and another content", f.at(others[0])), Hint: "give it another name, or remove it"}
	}
	return cmp.Or(err, f.unlink(equal))
}

// copies are the other files of a key as of the last listing: with the content of
// the one, and with others.
func (f *folder) copies(ctx context.Context, key mail.Key, p place) (equal, others []place, err error) {
	f.mu.Lock()
	var all []place
	if f.index != nil {
		all = slices.Clone(f.index.copies[key])
	}
	f.mu.Unlock()
	for _, q := range all {
		if q == p {
			continue
		}
		same, err := sameContent(ctx, f.at(p), f.at(q))
		if err = unresolved(f.at(q), err); errors.Is(err, fs.ErrNotExist) && f.still(p) == nil {
			continue
		}
		switch {
		case err != nil:
			return nil, nil, err
		case same:
			equal = append(equal, q)
		default:
			others = append(others, q)
		}
	}
	return equal, others, nil
}

func (f *folder) unlink(files []place) error {
	for _, p := range files {
		if err := os.Remove(f.at(p)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// keep moves a file into the KeepDir: in one step on the same file system, else
// as a durable copy before the file goes. Of a symbolic link what it leads to is
// kept, for it may lead elsewhere from there.
func (f *folder) keep(p place, t table, link bool) error {
	dir, err := f.keepDir(time.Now())
	if err != nil {
		return err
	}
	if hasKeywordLetter(parseName(p.file).letters) {
		if err := f.keepTable(dir, t); err != nil {
			return err
		}
	}
	from, to := f.at(p), filepath.Join(dir, p.file)
	if !link {
		err = renameNew(from, to)
		if !errors.Is(err, syscall.EXDEV) {
			return err
		}
	}
	err = copyFile(from, filepath.Join(dir, keepPart+string(f.m.NewKey())), to, true)
	if err == nil {
		err = syncDir(dir)
	}
	if err == nil {
		if err = os.Remove(from); err != nil {
			os.Remove(to)
		}
	}
	return err
}

// keepTable writes the table that kept letters are read by, durably, unless it
// is there already.
func (f *folder) keepTable(dir string, t table) error {
	path := filepath.Join(dir, keywordsFile)
	if text, err := os.ReadFile(path); err == nil && bytes.Equal(text, t.text()) {
		return nil
	}
	return writeFile(path, filepath.Join(dir, keepPart+string(f.m.NewKey())), t.text(), nil)
}

// keepDir makes the directory for what the folder loses in this second.
func (f *folder) keepDir(now time.Time) (string, error) {
	verbatim := naming{layout: Verbatim}
	rel, err := verbatim.rel(f.name)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(f.m.keep, now.UTC().Format(keepStamp), rel)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unsync = true
	if f.kept == dir {
		return dir, nil
	}
	if f.kept != "" {
		if err := f.syncKept(); err != nil {
			return "", err
		}
	}
	if err := f.m.makeKept(dir); err != nil {
		return "", err
	}
	f.kept = dir
	return dir, nil
}

// makeKept makes a directory below keep. It is durable before anything is moved
// there, or the power could take both names; those above it, too, whoever made them:
// another folder may need the same second's directory, and not have synced it yet.
func (m *Maildir) makeKept(dir string) error {
	if err := m.makeDirs(m.keep); err != nil {
		return err
	}
	var above []string
	for d := dir; len(d) >= len(m.keep); d = filepath.Dir(d) {
		above = append(above, filepath.Dir(d))
	}
	return m.makeBelow(dir, above)
}

// syncKept makes the names in the kept directory durable. The caller holds f.mu.
func (f *folder) syncKept() error { return f.m.syncDirs(f.kept) }

// Sync makes the folder's renames, arrivals and removals durable: what was kept first,
// then what is gone.
func (m *Maildir) Sync(ctx context.Context, name mail.FolderName) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f, err := m.folder(name)
	if err != nil {
		return err
	}
	f.mu.Lock()
	if f.unsync {
		err = f.syncKept()
		f.unsync = err != nil
	}
	f.mu.Unlock()
	if err == nil {
		err = m.syncDirs(f.subdirs()...)
	}
	return f.inFolder("make changes durable", err)
}

// Prune deletes for good what Remove has kept since before the given time.
func (m *Maildir) Prune(ctx context.Context, before time.Time) error {
	if m.keep == "" {
		return nil
	}
	const doing = "delete kept mail"
	entries, err := os.ReadDir(m.keep)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return account(doing, err)
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		at, err := time.Parse(keepStamp, e.Name())
		if err != nil || !at.Add(time.Second).Before(before) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(m.keep, e.Name())); err != nil {
			return account(doing, err)
		}
	}
	return nil
}

package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"imapsync/mail"
)

// RenameFolder gives a folder and all below it another name, with everything in
// its directory. Nothing is written over: there must be nothing under the new
// name. Durable when it returns. In the layouts that have a directory for each
// folder a crash, or an error, may leave some of them with the old name.
func (m *Maildir) RenameFolder(ctx context.Context, name, to mail.FolderName) error {
	const doing = "rename folder"
	f, err := m.folder(name)
	if err != nil {
		return err
	}
	if name == mail.Inbox || to == mail.Inbox {
		return f.inFolder(doing, fmt.Errorf("%s keeps its name", mail.Inbox))
	}
	if to.Within(name) || name.Within(to) {
		return f.inFolder(doing, fmt.Errorf("%q cannot become %q, for one is a part of the other", string(name), string(to)))
	}
	pairs, err := m.renames(ctx, name, to)
	if err != nil {
		return err
	}
	if err := m.checkRenames(pairs); err != nil {
		return f.inFolder(doing, err)
	}
	for _, p := range pairs {
		if err := m.renameDir(p.from, p.to); err != nil {
			return f.inFolder(doing, err)
		}
	}
	m.forget(name)
	m.forget(to)
	return nil
}

// dirRename is a directory that gets another path.
type dirRename struct{ from, to string }

// renames are the directories to be renamed for a folder: one has all below it
// inside, or each folder has its own.
func (m *Maildir) renames(ctx context.Context, name, to mail.FolderName) ([]dirRename, error) {
	names := []mail.FolderName{name}
	if m.naming.layout != Verbatim {
		all, err := m.Folders(ctx)
		if err != nil {
			return nil, err
		}
		for _, f := range all {
			if f.Name.Within(name) {
				names = append(names, f.Name)
			}
		}
	}
	pairs := make([]dirRename, len(names))
	for i, n := range names {
		from, err := m.dirOf(n)
		if err != nil {
			return nil, err
		}
		target, err := m.dirOf(to + n[len(name):])
		if err != nil {
			return nil, err
		}
		pairs[i] = dirRename{from, target}
	}
	return pairs, nil
}

// dirOf is where a folder is, or would be. Unlike folder it remembers nothing.
func (m *Maildir) dirOf(name mail.FolderName) (string, error) {
	rel, err := m.naming.rel(name)
	if err != nil {
		return "", &mail.Fault{Scope: mail.ScopeFolder, Folder: name, Err: err, Hint: "choose a shorter name"}
	}
	return filepath.Join(m.root, rel), nil
}

// checkRenames looks at all before anything is done. A symbolic link is left
// where it is: what it says may mean something else elsewhere.
func (m *Maildir) checkRenames(pairs []dirRename) error {
	for _, p := range pairs {
		info, err := os.Lstat(p.from)
		switch {
		case err != nil:
			return err
		case !info.IsDir():
			return fmt.Errorf("%s is not a directory itself", p.from)
		}
		if _, err := os.Lstat(p.to); err == nil {
			return fmt.Errorf("%s is there already", p.to)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// renameDir renames one directory. Its new name is durable before the old one is
// surely gone; directories above that were there for its sake only go with it.
func (m *Maildir) renameDir(from, to string) error {
	if err := m.makeDirs(filepath.Dir(to)); err != nil {
		return err
	}
	if err := renameNew(from, to); err != nil {
		return err
	}
	if err := m.syncDirs(filepath.Dir(to)); err != nil {
		return err
	}
	dir := filepath.Dir(from)
	for ; dir != m.root; dir = filepath.Dir(dir) {
		if os.Remove(dir) != nil {
			break
		}
	}
	return m.syncDirs(dir)
}

// forget drops what is remembered of a folder and those below it.
func (m *Maildir) forget(name mail.FolderName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for n := range m.folders {
		if n == name || n.Within(name) {
			delete(m.folders, n)
		}
	}
}

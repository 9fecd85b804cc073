package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"imapsync/mail"
)

// Folders lists the folders on disk with their stamps, in no order. A folder is
// a directory with cur or new in it. A root that is not there has none. What
// cannot be looked at below the root is left out, and LeftOut tells which folders
// that may concern: they must not look deleted.
func (m *Maildir) Folders(ctx context.Context) ([]mail.LocalFolder, error) {
	w := newWalk(ctx, m)
	if err := w.all(); err != nil {
		return nil, account("list folders", err)
	}
	w.names = make(map[mail.FolderName]bool, len(w.found))
	for _, f := range w.found {
		w.names[f.Name] = true
	}
	m.mu.Lock()
	m.walked = w
	for id, rel := range w.dirs {
		m.paths[id] = filepath.Join(m.root, rel)
	}
	m.mu.Unlock()
	return w.found, nil
}

type walk struct {
	m     *Maildir
	ctx   context.Context
	any   bool // the first folder is enough
	found []mail.LocalFolder
	links []string                // symbolic links to directories, to be visited last
	dirs  map[mail.DirTime]string // paths under the root, by device and inode
	left  []left
	names map[mail.FolderName]bool // of found
}

func newWalk(ctx context.Context, m *Maildir) *walk {
	return &walk{m: m, ctx: ctx, dirs: map[mail.DirTime]string{}}
}

var errTwin = errors.New("it is the directory of another folder too")

// errFound ends a walk that has found what it is for.
var errFound = errors.New("found")

// holdsFolders reports whether there is any folder; the walk ends at the first.
func (m *Maildir) holdsFolders(ctx context.Context) (bool, error) {
	w := newWalk(ctx, m)
	w.any = true
	err := w.all()
	if errors.Is(err, errFound) {
		return true, nil
	}
	return false, account("list folders", err)
}

func (w *walk) all() error {
	err := w.visit(".")
	for err == nil && len(w.links) > 0 {
		// After the real directories, so that of two ways to one the real one counts.
		rel := w.links[0]
		w.links = w.links[1:]
		err = w.visit(rel)
	}
	return err
}

// visit looks at a directory under the root and at those in it.
func (w *walk) visit(rel string) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	dir := filepath.Join(w.m.root, rel)
	id, exists, err := dirTime(dir)
	if err != nil || !exists {
		return w.hidden(rel, err)
	}
	id.CTime = 0
	_, seen := w.dirs[id]
	if !seen {
		w.dirs[id] = rel
	}
	if rel != "." && !seen {
		switch whose, others, err := w.m.isOthers(dir); {
		case err != nil:
			return w.hidden(rel, err)
		case others:
			w.leave(rel, mail.DirTime{}, fmt.Errorf("it is the Maildir of another account, %s", whose), "let no account's Maildir be in that of another")
			return nil
		}
	}
	if err := w.enter(rel, dir, seen); err != nil || seen {
		return err
	}
	if rel != "." && w.m.naming.layout != Verbatim {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		if err := w.hidden(rel, err); err != nil {
			return err
		}
	}
	for _, e := range entries {
		if w.foreign(rel, e.Name()) {
			continue
		}
		if err := w.child(path.Join(rel, e.Name()), e); err != nil {
			return err
		}
	}
	return nil
}

// child looks at an entry of a directory.
func (w *walk) child(rel string, e fs.DirEntry) error {
	if e.IsDir() {
		return w.visit(rel)
	}
	if e.Type()&fs.ModeSymlink == 0 {
		return nil
	}
	switch info, err := os.Stat(filepath.Join(w.m.root, rel)); {
	case err != nil:
		return w.hidden(rel, unresolved(filepath.Join(w.m.root, rel), err))
	case info.IsDir():
		w.links = append(w.links, rel)
	}
	return nil
}

// foreign reports whether an entry is no folder's directory: the Maildir's own,
// that of another program, or one the layout has no use for.
func (w *walk) foreign(rel, name string) bool {
	switch {
	case name == "cur" || name == "new" || name == "tmp":
		return true
	case rel == "." && name == "lost+found":
		return true
	case w.m.naming.layout == MaildirPP:
		return !strings.HasPrefix(name, ".") || name == "."
	}
	return strings.HasPrefix(name, ".")
}

// enter adds the directory to the folders if it is one.
func (w *walk) enter(rel, dir string, seen bool) error {
	if rel == "." && w.m.naming.layout != MaildirPP && w.m.naming.inbox != "." {
		return nil
	}
	stamp, exists, err := stampOf(dir)
	if err != nil || !exists {
		return w.hidden(rel, err)
	}
	name, err := w.m.naming.folder(rel)
	switch {
	case err != nil:
		w.leave(rel, stamp.Cur, err, "rename or remove the directory")
		return nil
	case seen:
		w.leave(rel, mail.DirTime{}, errTwin, hintTwin)
		return nil
	}
	w.found = append(w.found, mail.LocalFolder{Name: name, Stamp: stamp})
	if w.any {
		return errFound
	}
	return nil
}

// hidden leaves out what cannot be looked at, unless nothing at all can be.
func (w *walk) hidden(rel string, err error) error {
	switch {
	case err == nil, rel == "." && errors.Is(err, errUnresolved):
		return nil
	case rel == ".", errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return err
	}
	w.leave(rel, mail.DirTime{}, err, hintHidden(err))
	return nil
}

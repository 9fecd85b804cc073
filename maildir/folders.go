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

	"imapsync/mail"
)

// Folders lists the folders on disk with their stamps, in no order. A folder is
// a directory with cur or new in it. A root that is not there has none. A
// directory that cannot be read is an error of the account: what lies below it
// must not look deleted.
func (m *Maildir) Folders(ctx context.Context) ([]mail.LocalFolder, error) {
	w := &walk{m: m, ctx: ctx, dirs: map[mail.DirTime]bool{}}
	if err := w.all(); err != nil {
		return nil, account("list folders", err)
	}
	m.mu.Lock()
	m.skipped = w.skipped
	m.mu.Unlock()
	return w.found, nil
}

// Skipped tells which directories that hold mail the last Folders left out, and
// why: each a folder's fault.
func (m *Maildir) Skipped() []error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.skipped
}

type walk struct {
	m       *Maildir
	ctx     context.Context
	any     bool // the first folder is enough
	found   []mail.LocalFolder
	links   []string              // symbolic links to directories, to be visited last
	dirs    map[mail.DirTime]bool // by device and inode
	skipped []error
}

// errFound ends a walk that has found what it is for.
var errFound = errors.New("found")

// holdsFolders reports whether there is any folder; the walk ends at the first.
func (m *Maildir) holdsFolders(ctx context.Context) (bool, error) {
	w := &walk{m: m, ctx: ctx, dirs: map[mail.DirTime]bool{}, any: true}
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
		return err
	}
	id.CTime = 0
	seen := w.dirs[id]
	w.dirs[id] = true
	if err := w.enter(rel, dir, seen); err != nil || seen {
		return err
	}
	if rel != "." && w.m.naming.layout != Verbatim {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		child := path.Join(rel, e.Name())
		switch {
		case w.foreign(rel, e.Name()):
		case e.IsDir():
			err = w.visit(child)
		case e.Type()&fs.ModeSymlink != 0:
			if info, serr := os.Stat(filepath.Join(dir, e.Name())); serr == nil && info.IsDir() {
				w.links = append(w.links, child)
			}
		}
		if err != nil {
			return err
		}
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
		return err
	}
	name, err := w.m.naming.folder(rel)
	if err == nil && seen {
		err = fmt.Errorf("it is the directory of another folder too")
	}
	if err != nil {
		w.skipped = append(w.skipped, &mail.Fault{Scope: mail.ScopeFolder, Doing: "list folders",
			Err: fmt.Errorf("%s is left out: %w", dir, err), Hint: "rename or remove the directory"})
		return nil
	}
	w.found = append(w.found, mail.LocalFolder{Name: name, Stamp: stamp})
	if w.any {
		return errFound
	}
	return nil
}

package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"imapsync/mail"
)

// left is a directory that a walk left out, with all below it that it did not find.
type left struct {
	rel   string
	fault *mail.Fault
}

// leave leaves a directory out, and tells why.
func (w *walk) leave(rel string, why error, hint string) {
	name, _ := w.m.naming.folder(rel)
	w.left = append(w.left, left{rel: rel, fault: &mail.Fault{Scope: mail.ScopeFolder, Folder: name, Doing: "list folders",
		Err: fmt.Errorf("%s is left out: %w", filepath.Join(w.m.root, rel), why), Hint: hint}})
}

// Skipped tells which directories the last Folders left out, and why: each a
// folder's fault. What LeftOut has told is not told again.
func (m *Maildir) Skipped() []error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.walked == nil {
		return nil
	}
	var skipped []error
	for _, l := range m.walked.left {
		if !m.told[l.rel] {
			skipped = append(skipped, l.fault)
		}
	}
	return skipped
}

// LeftOut tells why it is not known whether a folder that the last Folders did not
// list is there; nil where it surely is not. was is what is recorded of it, or its
// name alone.
func (m *Maildir) LeftOut(was mail.FolderRecord) error {
	m.mu.Lock()
	w := m.walked
	m.mu.Unlock()
	rel, err := m.naming.rel(was.Folder)
	if err != nil || w == nil || w.names[was.Folder] { // a name that cannot be: whoever uses the folder is told
		return nil
	}
	for _, l := range w.left {
		if rel == l.rel || strings.HasPrefix(rel, l.rel+"/") {
			m.mu.Lock()
			m.told[l.rel] = true
			m.mu.Unlock()
			return l.fault
		}
	}
	return nil
}

// errUnresolved is not fs.ErrNotExist, which says that a name is gone.
var errUnresolved = errors.New("the symbolic link leads to something that is not there")

// unresolved makes the error of a name that is not found the one of a link, where
// the name itself is there.
func unresolved(path string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if info, lerr := os.Lstat(path); lerr == nil && info.Mode()&fs.ModeSymlink != 0 {
		return &fs.PathError{Op: "follow", Path: path, Err: errUnresolved}
	}
	return err
}

func hintHidden(err error) string {
	switch {
	case errors.Is(err, errUnresolved):
		return "mount what it leads to, or set it right; if the folder is to be deleted, remove the link"
	case errors.Is(err, fs.ErrPermission):
		return "check the owner and mode of the directory"
	}
	return "until it can be looked at, nothing in it is synchronised"
}

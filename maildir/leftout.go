package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"imapsync/mail"
)

// left is a directory that a walk left out, with all below it that it did not find.
type left struct {
	rel   string
	cur   mail.DirTime // of the mail in it that no folder shows; zero where there is none, or it cannot be told
	fault *mail.Fault  // Folder is what the directory may be meant for
}

// leave leaves a directory out, and tells why.
func (w *walk) leave(rel string, cur mail.DirTime, why error, hint string) {
	name, _ := w.m.naming.folder(rel)
	w.left = append(w.left, left{rel: rel, cur: cur, fault: &mail.Fault{Scope: mail.ScopeFolder, Folder: name, Doing: "list folders",
		Err: fmt.Errorf("%s is left out: %w", filepath.Join(w.m.root, rel), why), Hint: hint}})
}

// Skipped tells which directories the last Folders left out, and which files are
// left alone, and why: each a folder's or a message's fault. What LeftOut has told
// is not told again.
func (m *Maildir) Skipped() []error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var skipped []error
	if m.walked != nil {
		for _, l := range m.walked.left {
			if !m.told[l.rel] {
				skipped = append(skipped, l.fault)
			}
		}
	}
	for _, fault := range m.odd {
		skipped = append(skipped, fault)
	}
	return skipped
}

// tellOdd has Skipped tell of a file, once however often it is come upon.
func (m *Maildir) tellOdd(fault *mail.Fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.ContainsFunc(m.odd, func(f *mail.Fault) bool { return f.Error() == fault.Error() }) {
		m.odd = append(m.odd, fault)
	}
}

// LeftOut tells why it is not known what a folder has, as far as the last Folders
// has not shown it: its directory, or one above it, was left out, or has no mail in
// it where there was some. nil where there is no reason. was is what is recorded of
// the folder, or its name alone.
func (m *Maildir) LeftOut(was mail.FolderRecord) error {
	m.mu.Lock()
	w := m.walked
	m.mu.Unlock()
	rel, err := m.naming.rel(was.Folder)
	if err != nil || w == nil { // a name that cannot be: whoever uses the folder is told
		return nil
	}
	found := w.names[was.Folder]
	for _, l := range w.left {
		at := rel == l.rel || strings.HasPrefix(rel, l.rel+"/") || was.Folder == l.fault.Folder
		if !found && at || l.holds(was.Stamp.Cur) {
			m.mu.Lock()
			m.told[l.rel] = true
			m.mu.Unlock()
			return l.fault
		}
	}
	if found {
		return nil
	}
	return m.notGone(w, rel, was)
}

// notGone tells why a folder that a walk did not come upon need not be gone.
func (m *Maildir) notGone(w *walk, rel string, was mail.FolderRecord) error {
	path := filepath.Join(m.root, rel)
	fault := &mail.Fault{Scope: mail.ScopeFolder, Folder: was.Folder, Doing: "look for the folder"}
	_, there, err := dirTime(path)
	if err != nil {
		fault.Err, fault.Hint = err, hintHidden(err)
		return fault
	}
	if !there {
		return nil
	}
	if other := m.holder(path); other != "" {
		fault.Err, fault.Hint = fmt.Errorf("%s is left out: %w, %s", path, errTwin, other), hintTwin
		return fault
	}
	if _, made, _ := stampOf(path); made || was.Rows == was.RemoteOnly || w.holdsBelow(was.Folder) {
		return nil
	}
	fault.Err = fmt.Errorf("%s has neither cur nor new, and %d messages of it are known", path, was.Rows-was.RemoteOnly)
	fault.Hint = "if it is on a disk that is not mounted, mount it; if the folder is to be deleted, remove the directory"
	return fault
}

// holdsBelow reports whether a directory is needed for the folders in it, so that
// whoever deletes its own folder leaves it. The inbox is never deleted.
func (w *walk) holdsBelow(name mail.FolderName) bool {
	return w.m.naming.layout == Verbatim && name != mail.Inbox &&
		slices.ContainsFunc(w.found, func(f mail.LocalFolder) bool { return f.Name.Within(name) })
}

// holds reports whether the directory has the cur that a folder had when it was
// settled: somebody has renamed it, or the configuration its folder.
func (l left) holds(cur mail.DirTime) bool {
	return l.cur.Ino != 0 && l.cur.Ino == cur.Ino && l.cur.Dev == cur.Dev
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

const hintTwin = "rename or remove one of the two, or leave its folder out of folders"

func hintHidden(err error) string {
	switch {
	case errors.Is(err, errUnresolved):
		return "mount what it leads to, or set it right; if the folder is to be deleted, remove the link"
	case errors.Is(err, fs.ErrPermission):
		return "check the owner and mode of the directory"
	}
	return "until it can be looked at, nothing in it is synchronised"
}

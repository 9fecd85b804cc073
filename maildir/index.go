package maildir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"imapsync/mail"
)

// place is where a message file lies in its folder.
type place struct {
	file  string // its name in cur or new
	inNew bool
}

func (p place) dir() string {
	if p.inNew {
		return "new"
	}
	return "cur"
}

func (f *folder) at(p place) string { return filepath.Join(f.path, p.dir(), p.file) }

// looks is how often a file is looked for that is always gone again by the time
// its name was found.
const looks = 20

// list reads the folder's names and remembers them. new is read before cur, so
// that a message on its way from one to the other is seen twice rather than not
// at all. A directory that changes while it is read may leave out a renamed file
// or show it twice; then another pass is made, and where the changes do not stop
// what any pass showed counts as there: presence does no harm.
func (f *folder) list(ctx context.Context) (*listing, error) {
	const passes = 3
	var before *listing
	for i := range passes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		from, _, err := stampOf(f.path)
		if err != nil {
			return nil, f.inFolder("list messages", err)
		}
		l, err := f.readNames()
		if err != nil {
			return nil, err
		}
		to, _, err := stampOf(f.path)
		if err != nil {
			return nil, f.inFolder("list messages", err)
		}
		quiet := from.Cur == to.Cur && from.New == to.New
		l.still = to.Unchanged(from) && hasOurClock(f.path)
		if before != nil && !quiet {
			l.keep(before)
		}
		before = l
		if quiet && (!l.doubled || i > 0) {
			break
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.index = before
	return before, nil
}

// listOnce lists a folder that was not listed yet.
func (f *folder) listOnce(ctx context.Context) error {
	f.mu.Lock()
	listed := f.index != nil
	f.mu.Unlock()
	if listed {
		return nil
	}
	_, err := f.list(ctx)
	return err
}

func (f *folder) readNames() (*listing, error) {
	f.mu.Lock()
	about := f.about
	if f.index != nil {
		about = len(f.index.spots)
	}
	f.mu.Unlock()
	l := newListing(about)
	for _, inNew := range []bool{true, false} {
		p := place{inNew: inNew}
		err := eachFile(filepath.Join(f.path, p.dir()), func(file string) {
			p.file = file
			if parseName(file).key == "" {
				f.m.tellOdd(&mail.Fault{Scope: mail.ScopeMessage, Folder: f.name, Doing: "list messages",
					Err: fmt.Errorf("%s is no message, for nothing stands before %q", f.at(p), infoMark), Hint: "give it a name"})
				return
			}
			l.add(p)
		})
		if errors.Is(err, fs.ErrNotExist) {
			return nil, f.damaged()
		}
		if err != nil {
			return nil, f.inFolder("list messages", err)
		}
	}
	return l, nil
}

// damaged tells what a folder without one of its directories is. Files that
// cannot be seen must not look deleted.
func (f *folder) damaged() error {
	var missing []string
	for _, d := range []string{"cur", "new"} {
		if _, err := os.Stat(filepath.Join(f.path, d)); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, d)
		}
	}
	if len(missing) == 1 {
		return &mail.Fault{Scope: mail.ScopeFolder, Folder: f.name, Doing: "list messages",
			Err:  fmt.Errorf("%s is damaged: it has no directory %q", f.path, missing[0]),
			Hint: "bring the directory back, or make it if nothing was in it"}
	}
	return f.inFolder("list messages", &fs.PathError{Op: "open", Path: f.path, Err: fs.ErrNotExist})
}

// eachFile calls found for every message file of a directory: neither dot files
// nor anything but regular files and links to such.
func eachFile(dir string, found func(name string)) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	const atOnce = 1024
	for {
		entries, err := d.ReadDir(atOnce) // asks lstat only where the directory does not tell the type
		for _, e := range entries {
			if name := e.Name(); !strings.HasPrefix(name, ".") && isMessage(dir, e) {
				found(name)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// isMessage reports whether an entry is a message file. A link that cannot be
// followed now is one: it must not look deleted.
func isMessage(dir string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.Type().IsRegular()
	}
	path := filepath.Join(dir, e.Name())
	info, err := os.Stat(path)
	if err != nil {
		return !errors.Is(unresolved(path, err), fs.ErrNotExist)
	}
	return info.Mode().IsRegular()
}

// known returns where the file was when last seen.
func (f *folder) known(key mail.Key) (place, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.index == nil {
		return place{}, false
	}
	return f.index.at(key)
}

// moved remembers a file's new place, gone that there is none.
func (f *folder) moved(key mail.Key, p place) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.index != nil {
		f.index.put(key, p)
		f.index.use(parseName(p.file).letters)
	}
}

func (f *folder) gone(key mail.Key) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.index != nil {
		delete(f.index.spots, key)
		delete(f.index.copies, key)
	}
}

// onFile calls do with the place of a key's file, and again with its next one
// while do finds that it is no longer there. mail.ErrChanged when two listings
// in a row do not show it.
func (f *folder) onFile(ctx context.Context, key mail.Key, do func(place) error) error {
	absent := 0
	p, ok := f.known(key)
	for range looks {
		if ok {
			absent = 0
			err := do(p)
			if err = unresolved(f.at(p), err); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		_, err := f.list(ctx)
		if errors.Is(err, fs.ErrNotExist) { // the folder itself is gone
			return mail.ErrChanged
		}
		if err != nil {
			return err
		}
		if p, ok = f.known(key); !ok {
			if absent++; absent == 2 {
				return mail.ErrChanged
			}
		}
	}
	return mail.ErrChanged
}

// still fails like any other use of a place whose file is no longer there.
func (f *folder) still(p place) error {
	_, err := os.Lstat(f.at(p))
	return err
}

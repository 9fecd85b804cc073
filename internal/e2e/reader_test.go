package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"imapsync/internal/corpus"
	"imapsync/mail"
)

// reader is a Maildir as any mail reader sees and changes it.
type reader struct {
	t         *testing.T
	root      string
	folderDir func(folder string) string // directory of a folder below root
}

func verbatim(folder string) string { return folder }

// file is one message file.
type file struct {
	r      *reader
	folder string
	path   string
}

// path of a folder's directory.
func (r *reader) path(folder string) string { return filepath.Join(r.root, r.folderDir(folder)) }

// folders lists the folders of a verbatim layout, sorted.
func (r *reader) folders() []string {
	r.t.Helper()
	var found []string
	err := filepath.WalkDir(r.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() || entry.Name() != "cur" {
			return err
		}
		folder, err := filepath.Rel(r.root, filepath.Dir(path))
		if err == nil {
			found = append(found, folder)
		}
		return filepath.SkipDir
	})
	if err != nil && !os.IsNotExist(err) {
		r.t.Fatal(err)
	}
	slices.Sort(found)
	return found
}

// files lists a folder's messages, those of cur before those of new, by name.
func (r *reader) files(folder string) []file {
	r.t.Helper()
	var found []file
	for _, sub := range []string{"cur", "new"} {
		entries, err := os.ReadDir(filepath.Join(r.path(folder), sub))
		if err != nil {
			r.t.Fatal(err)
		}
		for _, e := range entries {
			if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
				found = append(found, file{r, folder, filepath.Join(r.path(folder), sub, e.Name())})
			}
		}
	}
	return found
}

// create makes a folder.
func (r *reader) create(folder string) {
	r.t.Helper()
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(r.path(folder), sub), 0o700); err != nil {
			r.t.Fatal(err)
		}
	}
}

// removeFolder removes a folder with all that is in it.
func (r *reader) removeFolder(folder string) {
	r.t.Helper()
	if err := os.RemoveAll(r.path(folder)); err != nil {
		r.t.Fatal(err)
	}
}

var delivered atomic.Int64

// deliver adds a message as a mail reader that saves one does, making the
// folder if need be.
func (r *reader) deliver(folder string, m corpus.Message) file {
	r.t.Helper()
	r.create(folder)
	name := fmt.Sprintf("%d.M%dP1.reader", m.Date.Unix(), delivered.Add(1))
	path := filepath.Join(r.path(folder), "new", name)
	if !m.Flags.IsEmpty() {
		path = filepath.Join(r.path(folder), "cur", name+":2,"+r.letters(folder, m.Flags))
	}
	if err := os.WriteFile(path, m.Body, 0o600); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Chtimes(path, m.Date, m.Date); err != nil {
		r.t.Fatal(err)
	}
	return file{r, folder, path}
}

// keywords is the folder's table of keyword letters, as Dovecot writes it.
func (r *reader) keywords(folder string) map[string]byte {
	r.t.Helper()
	table := map[string]byte{}
	text, err := os.ReadFile(filepath.Join(r.path(folder), "dovecot-keywords"))
	if os.IsNotExist(err) {
		return table
	}
	if err != nil {
		r.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var number int
		var keyword string
		if _, err := fmt.Sscanf(line, "%d %s", &number, &keyword); err != nil {
			r.t.Fatalf("dovecot-keywords of %q: line %q: %v", folder, line, err)
		}
		table[keyword] = 'a' + byte(number)
	}
	return table
}

// letters is the info of a file name, giving new keywords a letter.
func (r *reader) letters(folder string, flags mail.Flags) string {
	r.t.Helper()
	letters := []byte(flags.System.Letters())
	table := r.keywords(folder)
	for _, keyword := range flags.Keywords() {
		letter, known := table[keyword]
		if !known {
			letter = 'a' + byte(len(table))
			table[keyword] = letter
			f, err := os.OpenFile(filepath.Join(r.path(folder), "dovecot-keywords"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			if err != nil {
				r.t.Fatal(err)
			}
			if _, err := fmt.Fprintf(f, "%d %s\n", letter-'a', keyword); err != nil {
				r.t.Fatal(err)
			}
			f.Close()
		}
		letters = append(letters, letter)
	}
	slices.Sort(letters)
	return string(letters)
}

// stamps tells, for every file below the root, all that a change would change.
func (r *reader) stamps() map[string]string {
	r.t.Helper()
	stamps := map[string]string{}
	err := filepath.WalkDir(r.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		stat := info.Sys().(*syscall.Stat_t)
		stamps[path] = fmt.Sprintf("inode %d, %d bytes, ctime %d.%09d", stat.Ino, stat.Size, stat.Ctim.Sec, stat.Ctim.Nsec)
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return stamps
}

func (f file) body() []byte {
	f.r.t.Helper()
	body, err := os.ReadFile(f.path)
	if err != nil {
		f.r.t.Fatal(err)
	}
	return body
}

// key is the unique part of the file name.
func (f file) key() string {
	key, _, _ := strings.Cut(filepath.Base(f.path), ":2,")
	return key
}

func (f file) flags() mail.Flags {
	f.r.t.Helper()
	_, letters, _ := strings.Cut(filepath.Base(f.path), ":2,")
	var system mail.System
	var keywords []string
	table := f.r.keywords(f.folder)
	for _, letter := range []byte(letters) {
		system |= mail.SystemOfLetter(letter)
		for keyword, l := range table {
			if l == letter {
				keywords = append(keywords, keyword)
			}
		}
	}
	return mail.NewFlags(system, keywords...)
}

// setFlags renames the file as a mail reader does.
func (f file) setFlags(flags mail.Flags) file {
	f.r.t.Helper()
	to := filepath.Join(f.r.path(f.folder), "cur", f.key()+":2,"+f.r.letters(f.folder, flags))
	return f.rename(file{f.r, f.folder, to})
}

// move moves the file to another folder, making that if need be.
func (f file) move(folder string) file {
	f.r.t.Helper()
	f.r.create(folder)
	to := filepath.Join(f.r.path(folder), "cur", f.key()+":2,"+f.r.letters(folder, f.flags()))
	return f.rename(file{f.r, folder, to})
}

func (f file) rename(to file) file {
	f.r.t.Helper()
	if err := os.Rename(f.path, to.path); err != nil {
		f.r.t.Fatal(err)
	}
	return to
}

func (f file) remove() {
	f.r.t.Helper()
	if err := os.Remove(f.path); err != nil {
		f.r.t.Fatal(err)
	}
}

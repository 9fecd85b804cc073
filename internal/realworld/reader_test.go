package realworld

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/maildir"
)

// epoch is the date of every message a scenario makes.
var epoch = time.Date(2024, 3, 2, 10, 0, 0, 0, time.UTC)

// reader is a mail reader at work on a Maildir tree: it knows directories,
// file names and dovecot-keywords.
type reader struct {
	t      testing.TB
	root   string
	layout maildir.Layout
	made   int // files so far
}

// file is a message file.
type file struct {
	dir   string // of the folder
	sub   string // cur or new
	name  string
	key   string
	flags mail.Flags
}

func (f file) path() string { return filepath.Join(f.dir, f.sub, f.name) }

func (r *reader) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// away is where the Maildir is while it is not mounted.
func (r *reader) away() string { return r.root + ".away" }

// at is where the Maildir is now.
func (r *reader) at() string {
	if _, err := os.Stat(r.away()); err == nil {
		return r.away()
	}
	return r.root
}

func (r *reader) dir(folder mail.FolderName) string {
	switch r.layout {
	case maildir.MaildirPP:
		if folder == mail.Inbox {
			return r.at()
		}
		return filepath.Join(r.at(), "."+strings.ReplaceAll(string(folder), "/", "."))
	case maildir.Flat:
		return filepath.Join(r.at(), strings.ReplaceAll(string(folder), "/", "."))
	}
	return filepath.Join(r.at(), string(folder))
}

// folders finds every directory with cur or new in it.
func (r *reader) folders() map[mail.FolderName]string {
	found := map[mail.FolderName]string{}
	err := filepath.WalkDir(r.at(), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.IsDir() {
			return err
		}
		if name := d.Name(); name == "cur" || name == "new" || name == "tmp" {
			if name != "tmp" {
				dir := filepath.Dir(path)
				found[r.folder(dir)] = dir
			}
			return fs.SkipDir
		}
		return nil
	})
	r.check(err)
	return found
}

func (r *reader) folder(dir string) mail.FolderName {
	rel, err := filepath.Rel(r.at(), dir)
	r.check(err)
	switch {
	case r.layout == maildir.MaildirPP && rel == ".":
		return mail.Inbox
	case r.layout == maildir.MaildirPP:
		rel = strings.ReplaceAll(strings.TrimPrefix(rel, "."), ".", "/")
	case r.layout == maildir.Flat:
		rel = strings.ReplaceAll(rel, ".", "/")
	}
	return mail.FolderName(rel)
}

// files lists a folder: in the order of keys, which is that of arrival.
func (r *reader) files(dir string) []file {
	table := r.table(dir)
	var found []file
	for _, sub := range []string{"cur", "new"} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		r.check(err)
		for _, e := range entries {
			key, letters, _ := strings.Cut(e.Name(), ":2,")
			found = append(found, file{dir, sub, e.Name(), key, table.flags(letters)})
		}
	}
	return found
}

func (r *reader) content(f file) []byte {
	content, err := os.ReadFile(f.path())
	r.check(err)
	return content
}

// list tells what the Maildir holds.
func (r *reader) list() []simworld.Entry {
	var list []simworld.Entry
	for folder, dir := range r.folders() {
		list = append(list, simworld.Entry{Folder: folder})
		for _, f := range r.files(dir) {
			list = append(list, simworld.Entry{Folder: folder, Name: simworld.NameOf(r.content(f)), Flags: f.flags, New: f.sub == "new"})
		}
	}
	return simworld.Tidy(list)
}

// find returns the first file of the folder that holds the message.
func (r *reader) find(folder mail.FolderName, name string) (file, bool) {
	for _, f := range r.files(r.dir(folder)) {
		if simworld.NameOf(r.content(f)) == name {
			return f, true
		}
	}
	return file{}, false
}

// edit does what a scenario says happens to the Maildir.
func (r *reader) edit(e simworld.Edit) {
	r.t.Helper()
	switch e.Verb {
	case simworld.Unmount:
		r.check(os.Rename(r.root, r.away()))
	case simworld.Mount:
		r.check(os.Rename(r.away(), r.root))
	case simworld.Lose:
		r.lose(e.Name)
	case simworld.Create:
		r.create(e.Folder)
	case simworld.Add:
		r.create(e.Folder)
		r.deliver(r.dir(e.Folder), simworld.Content(e.Name), e.Flags, e.New)
	case simworld.Remove:
		r.remove(r.dir(e.Folder))
	case simworld.Rename:
		r.renameFolder(e.Folder, e.To)
	case simworld.Fill:
		t := r.table(r.dir(e.Folder))
		for i := range t {
			if t[i] == "" {
				t[i] = fmt.Sprintf("other%02d", i)
			}
		}
		r.writeTable(r.dir(e.Folder), t)
	default:
		f, ok := r.find(e.Folder, e.Name)
		if !ok {
			r.t.Fatalf("local %s: no such message", e)
		}
		r.editFile(f, e)
	}
}

func (r *reader) lose(what string) {
	if what == "maildir" {
		r.check(os.RemoveAll(r.root))
		return
	}
	r.check(os.Remove(filepath.Join(r.root, ".imapsync-id")))
}

func (r *reader) create(folder mail.FolderName) {
	for _, sub := range []string{"tmp", "new", "cur"} {
		r.check(os.MkdirAll(filepath.Join(r.dir(folder), sub), 0o700))
	}
}

// renameFolder renames a folder and those below it, which may lie beside it.
func (r *reader) renameFolder(folder, to mail.FolderName) {
	folders := r.folders()
	r.check(os.MkdirAll(filepath.Dir(r.dir(to)), 0o700))
	r.check(os.Rename(r.dir(folder), r.dir(to)))
	for name, dir := range folders {
		if name.Within(folder) && r.layout != maildir.Verbatim && r.layout != "" {
			r.check(os.Rename(dir, r.dir(to+name[len(folder):])))
		}
	}
}

// remove deletes a folder and leaves those below it alone.
func (r *reader) remove(dir string) {
	for _, own := range []string{"cur", "new", "tmp", keywordsFile, "maildirfolder"} {
		r.check(os.RemoveAll(filepath.Join(dir, own)))
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, syscall.ENOTEMPTY) {
		r.t.Fatal(err)
	}
}

func (r *reader) editFile(f file, e simworld.Edit) {
	switch e.Verb {
	case simworld.Change:
		r.setFlags(f, f.flags.Minus(e.Minus).Union(e.Flags))
	case simworld.Show:
		r.rename(f, f.dir, f.key)
	case simworld.Delete:
		r.check(os.Remove(f.path()))
	case simworld.Move:
		r.create(e.To)
		r.made++
		key := f.key
		if _, taken := r.find(e.To, e.Name); taken || r.made%2 == 0 { // some readers keep the name, some do not
			key = r.newKey()
		}
		r.rename(f, r.dir(e.To), key)
	case simworld.Copy:
		r.create(e.To)
		r.deliver(r.dir(e.To), r.content(f), f.flags, f.sub == "new")
	case simworld.Rewrite:
		r.check(os.WriteFile(f.path(), simworld.Content(e.Name+"~"), 0o600))
	default:
		r.t.Fatalf("local %s: no such edit", e)
	}
}

// newKey makes keys that sort as they were made.
func (r *reader) newKey() string {
	r.made++
	return fmt.Sprintf("1709373600.%06d.reader", r.made)
}

func (r *reader) deliver(dir string, content []byte, flags mail.Flags, toNew bool) {
	key := r.newKey()
	tmp := filepath.Join(dir, "tmp", key)
	r.check(os.WriteFile(tmp, content, 0o600))
	r.check(os.Chtimes(tmp, epoch, epoch))
	if toNew && flags.IsEmpty() {
		r.check(os.Rename(tmp, filepath.Join(dir, "new", key)))
		return
	}
	r.check(os.Rename(tmp, filepath.Join(dir, "cur", key+":2,"+r.letters(dir, flags))))
}

func (r *reader) setFlags(f file, flags mail.Flags) {
	f.flags = flags
	r.rename(f, f.dir, f.key)
}

// rename gives the file its place in cur of a folder, with its flags.
func (r *reader) rename(f file, dir, key string) {
	r.check(os.Rename(f.path(), filepath.Join(dir, "cur", key+":2,"+r.letters(dir, f.flags))))
}

const keywordsFile = "dovecot-keywords"

// table is what the letters a to z stand for in a folder.
type table [26]string

func (r *reader) table(dir string) (t table) {
	text, err := os.ReadFile(filepath.Join(dir, keywordsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return t
	}
	r.check(err)
	for line := range strings.Lines(string(text)) {
		number, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		i, err := strconv.Atoi(number)
		r.check(err)
		t[i] = name
	}
	return t
}

func (r *reader) writeTable(dir string, t table) {
	var text bytes.Buffer
	for i, name := range t {
		if name != "" {
			fmt.Fprintf(&text, "%d %s\n", i, name)
		}
	}
	path := filepath.Join(dir, keywordsFile)
	r.check(os.WriteFile(path+".lock", text.Bytes(), 0o600))
	r.check(os.Rename(path+".lock", path))
}

func (t table) flags(letters string) mail.Flags {
	var system mail.System
	var keywords []string
	for _, c := range []byte(letters) {
		system |= mail.SystemOfLetter(c)
		if c >= 'a' && c <= 'z' && t[c-'a'] != "" {
			keywords = append(keywords, t[c-'a'])
		}
	}
	return mail.NewFlags(system, keywords...)
}

// letters writes flags for a file name in the folder and gives keywords letters
// that have none yet.
func (r *reader) letters(dir string, flags mail.Flags) string {
	t := r.table(dir)
	before := t
	letters := []byte(flags.System.Letters())
	var low []byte
	for _, k := range flags.Keywords() {
		i := 0
		for i < len(t) && t[i] != "" && !strings.EqualFold(t[i], k) {
			i++
		}
		if i == len(t) {
			r.t.Fatalf("no letter is left for keyword %s", k)
		}
		if t[i] == "" {
			t[i] = k
		}
		low = append(low, 'a'+byte(i))
	}
	if t != before {
		r.writeTable(dir, t)
	}
	for i := byte('a'); i <= 'z'; i++ {
		if bytes.IndexByte(low, i) >= 0 {
			letters = append(letters, i)
		}
	}
	return string(letters)
}

// footprint tells of every file and directory its inode, size and times; what
// touches any of them shows.
func (r *reader) footprint() map[string]string {
	prints := map[string]string{}
	err := filepath.WalkDir(r.root, func(path string, _ fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		var st syscall.Stat_t
		r.check(syscall.Lstat(path, &st))
		prints[path] = fmt.Sprintf("inode %d, %d bytes, changed %d.%09d", st.Ino, st.Size, st.Ctim.Sec, st.Ctim.Nsec)
		return nil
	})
	r.check(err)
	return prints
}

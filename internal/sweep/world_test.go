//go:build linux && (amd64 || arm64)

package sweep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"imapsync/internal/corpus"
	"imapsync/internal/phone"
	"imapsync/internal/proxy"
	"imapsync/mail"
	"imapsync/state"
)

// item is one message wherever it lies; one without a sum is a folder.
type item struct {
	folder string
	sum    [32]byte
	flags  string
}

func (i item) String() string {
	if i.sum == [32]byte{} {
		return fmt.Sprintf("folder %q", i.folder)
	}
	return fmt.Sprintf("%s:%x %s", i.folder, i.sum[:3], i.flags)
}

// items counts equal messages.
type items map[item]int

// differences tells what is not as it should be.
func (got items) differences(what string, want items) error {
	var errs []error
	for i, n := range want {
		if got[i] != n {
			errs = append(errs, fmt.Errorf("%s: %d, want %d of %v", what, got[i], n, i))
		}
	}
	for i, n := range got {
		if want[i] == 0 {
			errs = append(errs, fmt.Errorf("%s: %d, want 0 of %v", what, n, i))
		}
	}
	return errors.Join(errs...)
}

// abandoned are locks of Dovecot's for keywords, which only the next program
// that gives a keyword its letter takes away.
var abandoned = map[string]bool{"dovecot-uidlist.lock": true, "dovecot-keywords.lock": true}

// world is all that an account holds.
type world struct {
	local, remote items
	kept          map[[32]byte]bool // what the program has taken out of the Maildir
	left          []string          // temporary files and locks
}

func (s *site) look() *world {
	s.t.Helper()
	w := &world{local: items{}, remote: items{}, kept: map[[32]byte]bool{}}
	s.phone(func(c *phone.Client) error {
		folders, err := c.Folders()
		for _, folder := range folders {
			w.remote[item{folder: folder}]++
			messages, err := c.Messages(folder)
			if err != nil {
				return err
			}
			for _, m := range messages {
				w.remote[item{folder, corpus.Sum(m.Body), m.Flags.String()}]++
			}
		}
		return err
	})
	s.walk(s.mail(), func(path string, text []byte) {
		dir, name := filepath.Split(path)
		sub := filepath.Base(dir)
		folder := filepath.Dir(filepath.Clean(dir))
		rel, err := filepath.Rel(s.mail(), folder)
		s.check(err)
		switch {
		case sub == "cur" || sub == "new":
			_, letters, _ := strings.Cut(name, ":2,")
			w.local[item{rel, corpus.Sum(text), s.flags(folder, letters)}]++
		case name != "dovecot-keywords" && name != ".imapsync-id" && !abandoned[name]:
			w.left = append(w.left, path)
		}
	}, func(dir string) {
		if filepath.Base(dir) == "cur" {
			rel, err := filepath.Rel(s.mail(), filepath.Dir(dir))
			s.check(err)
			w.local[item{folder: rel}]++
		}
	})
	s.walk(s.state(), func(path string, text []byte) {
		name := filepath.Base(path)
		switch kept := strings.Contains(path, "test.deleted/"); {
		case kept && !strings.HasSuffix(name, ".part"):
			w.kept[corpus.Sum(text)] = true
		case name != "test.db" && name != "test.db.quiet" && name != "test.db.lock" && name != "test.lock":
			w.left = append(w.left, path)
		}
	}, nil)
	return w
}

// walk visits every file below a directory, and every directory.
func (s *site) walk(root string, file func(path string, text []byte), dir func(path string)) {
	s.t.Helper()
	s.check(filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case path == root && errors.Is(err, fs.ErrNotExist): // before the first run
			return nil
		case err != nil:
			return err
		case e.IsDir() && dir != nil:
			dir(path)
			return nil
		case e.IsDir():
			return nil
		}
		text, err := os.ReadFile(path)
		if err == nil {
			file(path, text)
		}
		return err
	}))
}

// keywords reads the table of a folder's keyword letters.
func (s *site) keywords(dir string) map[byte]string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "dovecot-keywords"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Fatal(err)
	}
	table := map[byte]string{}
	for line := range strings.Lines(string(text)) {
		var number byte
		var keyword string
		if _, err := fmt.Sscanf(line, "%d %s", &number, &keyword); err != nil {
			s.t.Errorf("dovecot-keywords of %s: line %q: %v", dir, line, err)
		}
		table['a'+number] = keyword
	}
	return table
}

func (s *site) flags(dir, letters string) string {
	table := s.keywords(dir)
	var system mail.System
	var keywords []string
	for _, letter := range []byte(letters) {
		system |= mail.SystemOfLetter(letter)
		if letter >= 'a' {
			keyword := table[letter]
			if keyword == "" {
				keyword = fmt.Sprintf("(%c?)", letter)
			}
			keywords = append(keywords, keyword)
		}
	}
	return mail.NewFlags(system, keywords...).String()
}

// verify compares the world with one that nothing happened to.
func (s *site) verify() error {
	s.t.Helper()
	w := s.look()
	errs := []error{w.local.differences("local", s.want.local), w.remote.differences("remote", s.want.remote)}
	for sum := range s.want.kept {
		if !w.kept[sum] {
			errs = append(errs, fmt.Errorf("the deleted message %x is not kept", sum[:3]))
		}
	}
	for _, path := range w.left {
		if !slices.Contains(s.want.left, path) {
			errs = append(errs, fmt.Errorf("left behind: %s", path))
		}
	}
	return errors.Join(append(errs, s.checkState())...)
}

// checkState looks for contradictions in the state and for leftover intents.
func (s *site) checkState() error {
	ctx := context.Background()
	db, err := state.OpenReadOnly(ctx, filepath.Join(s.state(), "test.db"))
	if err != nil {
		return err
	}
	defer db.Close()
	errs := []error{db.Check(ctx)}
	intents, err := db.Intents(ctx)
	for _, i := range intents {
		errs = append(errs, fmt.Errorf("state: intent left: %+v", i))
	}
	return errors.Join(append(errs, err)...)
}

// idle makes a run that has nothing to do and tells what it does all the same.
func (s *site) idle() error {
	s.t.Helper()
	s.proxy.Reset()
	before := s.stamps()
	code, output := s.sync()
	var errs []error
	if code != 0 {
		errs = append(errs, fmt.Errorf("a run with nothing to do: exit %d\n%s", code, output))
	}
	for _, c := range s.proxy.Commands() {
		if len(proxy.Changing([]string{c})) > 0 || strings.Contains(strings.ToUpper(c), "BODY.PEEK[]") {
			errs = append(errs, fmt.Errorf("a run with nothing to do sent %q", c))
		}
	}
	after := s.stamps()
	for path, stamp := range after {
		if before[path] != stamp {
			errs = append(errs, fmt.Errorf("a run with nothing to do touched %s", path))
		}
		delete(before, path)
	}
	for path := range before {
		errs = append(errs, fmt.Errorf("a run with nothing to do removed %s", path))
	}
	return errors.Join(errs...)
}

// stamps tells, for everything in the Maildir, all that a change would change.
func (s *site) stamps() map[string]string {
	s.t.Helper()
	stamps := map[string]string{}
	stamp := func(path string) {
		var st syscall.Stat_t
		s.check(syscall.Lstat(path, &st))
		stamps[path] = fmt.Sprintf("inode %d, %d bytes, ctime %d.%09d", st.Ino, st.Size, st.Ctim.Sec, st.Ctim.Nsec)
	}
	s.walk(s.mail(), func(path string, _ []byte) { stamp(path) }, stamp)
	return stamps
}

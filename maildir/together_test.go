package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"imapsync/mail"
)

// Batches that are committed at once are all delivered, whether their files are few
// or many together, and leave no file open.
func TestDeliveriesAtOnce(t *testing.T) {
	const folders = 8
	for _, files := range []int{1, 3, fewFiles + 5} {
		m := open(t, Config{Fsync: true})
		var all sync.WaitGroup
		for n := range folders {
			name := mail.FolderName(fmt.Sprint("F", n))
			if err := m.CreateFolder(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			d, err := m.Deliver(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			for range files {
				if _, _, err := d.Write(mail.NewFile{Key: m.NewKey()}, strings.NewReader("Subject: a\r\n\r\nb\r\n")); err != nil {
					t.Fatal(err)
				}
			}
			all.Go(func() {
				if failed, err := d.Commit(t.Context()); err != nil || len(failed) > 0 {
					t.Error(failed, err)
				}
			})
		}
		all.Wait()
		if left := openFiles(t, m); left > 0 {
			t.Errorf("%d files are still open", left)
		}
		for n := range folders {
			if got := len(scan(t, m, mail.FolderName(fmt.Sprint("F", n))).Messages); got != files {
				t.Errorf("%d messages of %d", got, files)
			}
		}
	}
}

// Of a group that is served at once each learns what became of its own.
func TestTogetherTellsEachItsOwn(t *testing.T) {
	dir := t.TempDir()
	group := []*waiting[string]{{what: dir}, {what: filepath.Join(dir, "none")}, {what: dir}}
	syncDirectories(group)
	if group[0].err != nil || group[2].err != nil || !errors.Is(group[1].err, fs.ErrNotExist) {
		t.Error(group[0].err, group[1].err, group[2].err)
	}

	var turns together[string]
	held, entered := make(chan struct{}), make(chan struct{})
	var served []int
	serve := func(group []*waiting[string]) {
		served = append(served, len(group))
		if len(served) == 1 {
			close(entered)
			<-held
		}
		syncDirectories(group)
	}
	errs := make([]error, 4)
	var all sync.WaitGroup
	all.Go(func() { errs[0] = turns.wait(dir, serve) })
	<-entered
	for i := 1; i < len(errs); i++ {
		all.Go(func() { errs[i] = turns.wait(filepath.Join(dir, strings.Repeat("x", i-1)), serve) })
	}
	for { // until all wait for the first
		turns.mu.Lock()
		n := len(turns.queue)
		turns.mu.Unlock()
		if n == len(errs)-1 {
			break
		}
		runtime.Gosched()
	}
	close(held)
	all.Wait()
	if fmt.Sprint(served) != "[1 3]" {
		t.Errorf("served in groups of %v", served)
	}
	if errs[0] != nil || errs[1] != nil || !os.IsNotExist(errs[2]) || !os.IsNotExist(errs[3]) {
		t.Error(errs)
	}
}

// The first directory that was opened stands for the batches of its file system,
// whatever the order in which they come.
func TestSyncFilesByFileSystem(t *testing.T) {
	batch := func(serial uint32, device uint64, usable bool) *Delivery {
		dir, err := os.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if !usable {
			dir.Close()
		}
		t.Cleanup(func() { dir.Close() })
		return &Delivery{disk: dir, device: device, serial: serial, unsync: true}
	}
	first, late, other := batch(1, 7, true), batch(2, 7, false), batch(3, 8, false)
	group := []*waiting[*Delivery]{{what: other}, {what: late}, {what: first}}
	syncFiles(group)
	for _, w := range group {
		if failed := w.err != nil; failed != (w.what == other) {
			t.Errorf("batch %d: %v", w.what.serial, w.err)
		}
	}
}

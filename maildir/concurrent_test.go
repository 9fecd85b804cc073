package maildir

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"imapsync/mail"
)

// renamer plays a mail reader that sets and clears \Seen on every message of a
// folder, on and on, until stop. It never takes a message away.
func renamer(t *testing.T, dir string, n int) (stop func()) {
	t.Helper()
	var done atomic.Bool
	var wg sync.WaitGroup
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("cur/m%d:2,", i)
		if err := os.WriteFile(filepath.Join(dir, names[i]), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wg.Go(func() {
		for !done.Load() {
			i := rand.IntN(n)
			next := fmt.Sprintf("cur/m%d:2,S", i)
			if strings.HasSuffix(names[i], "S") {
				next = fmt.Sprintf("cur/m%d:2,", i)
			}
			if os.Rename(filepath.Join(dir, names[i]), filepath.Join(dir, next)) == nil {
				names[i] = next
			}
		}
	})
	return func() { done.Store(true); wg.Wait() }
}

// TestScanBesideARenamer: no message is seen twice, and none is missing from
// two scans in a row.
func TestScanBesideARenamer(t *testing.T) {
	const n = 300
	m := open(t, Config{}, "A")
	stop := renamer(t, filepath.Join(m.root, "A"), n)
	defer stop()
	missing := map[mail.Key]bool{}
	for range 100 {
		s := scan(t, m, "A")
		if len(s.Messages) > n {
			t.Fatalf("%d messages of %d", len(s.Messages), n)
		}
		now := map[mail.Key]bool{}
		for i := range n {
			key := mail.Key(fmt.Sprint("m", i))
			if _, ok := s.Messages[key]; !ok {
				if missing[key] || s.Still {
					t.Fatalf("%s is missing from two scans in a row, or from one where nothing moved", key)
				}
				now[key] = true
			}
		}
		missing = now
	}
}

// TestScanOfAStillFolder: what a listing lacks is proven to be gone when its
// directories had not changed for a while, by a clock that is ours.
func TestScanOfAStillFolder(t *testing.T) {
	m := open(t, Config{}, "A")
	deliver(t, m, "A", ":S", "x")
	if scan(t, m, "A").Still {
		t.Error("a folder that has just changed may change again unseen")
	}
	clock = func() time.Time { return time.Now().Add(time.Minute) }
	defer func() { clock = time.Now }()
	if s := scan(t, m, "A"); s.Still != hasOurClock(m.root) || len(s.Messages) != 1 {
		t.Errorf("still %v, %d messages", s.Still, len(s.Messages))
	}
}

// TestChangesBesideARenamer: a file that only changes its name is found, and
// both programs' flags stay.
func TestChangesBesideARenamer(t *testing.T) {
	const n = 40
	m := open(t, Config{}, "A", "B")
	dir := filepath.Join(m.root, "A")
	stop := renamer(t, dir, n)
	read := 0
	for i := range n {
		key := mail.Key(fmt.Sprint("m", i))
		if c, _, _, err := m.Read(t.Context(), "A", key); err == nil && c.Size == 1 {
			read++
		} else if !errors.Is(err, mail.ErrChanged) {
			t.Errorf("read %s: %v", key, err)
		}
	}
	if read == 0 {
		t.Error("not one message could be read")
	}
	stop()
	for i := range n {
		if err := m.SetFlags(t.Context(), "A", mail.Key(fmt.Sprint("m", i)), flags(":F"), mail.Flags{}); err != nil {
			t.Error(err)
		}
	}
	for key, l := range scan(t, m, "A").Messages {
		if !l.Flags.Intersect(flags(":F")).Equal(flags(":F")) {
			t.Errorf("%s has %v", key, l.Flags)
		}
	}
}

// TestEverybodyAtOnce lets deliveries, moves, flags, removals and scans of
// several folders run beside each other; no message may get lost or double.
func TestEverybodyAtOnce(t *testing.T) {
	m := open(t, Config{}, "A", "B", "C")
	folders := []mail.FolderName{"A", "B", "C"}
	var wg sync.WaitGroup
	var kept atomic.Int64
	for i, from := range folders {
		to := folders[(i+1)%len(folders)]
		wg.Go(func() {
			for j := range 40 {
				key := deliver(t, m, from, ":S", fmt.Sprintf("%s %d", from, j))
				if err := m.SetFlags(t.Context(), from, key, flags(":F todo"), flags(":S")); err != nil {
					t.Error(err)
				}
				switch j % 2 {
				case 0:
					if _, err := m.Move(t.Context(), from, key, to); err != nil {
						t.Error(err)
					}
					kept.Add(1)
				case 1:
					if err := m.Remove(t.Context(), from, key, flags(":F todo"), mail.FileStamp{}); err != nil {
						t.Error(err)
					}
				}
				if _, err := m.Scan(t.Context(), from, j%5 == 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var found int64
	for _, f := range folders {
		for key, l := range scan(t, m, f).Messages {
			found++
			if l.Flags.String() != ":F todo" {
				t.Errorf("%s in %s has %v", key, f, l.Flags)
			}
		}
	}
	if found != kept.Load() {
		t.Errorf("%d messages, want %d", found, kept.Load())
	}
}

// otherDisk returns a directory on another file system than the temporary one,
// or the temporary one where the machine has no second.
func otherDisk(t *testing.T) string {
	t.Helper()
	here := t.TempDir()
	dir, err := os.MkdirTemp("/dev/shm", "maildir-test-")
	if err != nil {
		return here
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var a, b syscall.Stat_t
	if syscall.Stat(here, &a) == nil && syscall.Stat(dir, &b) == nil && a.Dev == b.Dev {
		t.Log("no second file system here: only renames are tested")
	}
	return dir
}

// TestAcrossFileSystems has a folder, and the place for removed mail, on
// another disk by way of a symbolic link.
func TestAcrossFileSystems(t *testing.T) {
	other := otherDisk(t)
	m := open(t, Config{Fsync: true, KeepDir: filepath.Join(other, "kept")}, "A")
	if err := os.Symlink(filepath.Join(other, "B"), filepath.Join(m.root, "B")); err != nil {
		t.Fatal(err)
	}
	os.Mkdir(filepath.Join(other, "B"), 0o700)
	if err := m.CreateFolder(t.Context(), "B"); err != nil {
		t.Fatal(err)
	}
	var keys []mail.Key
	for i := range 3 {
		keys = append(keys, deliver(t, m, "A", ":S", fmt.Sprint("text ", i)))
	}
	_, _, before, err := m.Read(t.Context(), "A", keys[0])
	if err != nil {
		t.Fatal(err)
	}
	if as, err := m.Move(t.Context(), "A", keys[0], "B"); err != nil || as != keys[0] {
		t.Fatal(as, err)
	}
	if err := m.Remove(t.Context(), "A", keys[2], flags(":S"), mail.FileStamp{}); err != nil {
		t.Fatal(err)
	}
	want(t, m, "A", "cur/"+string(keys[1])+":2,S")
	if got := files(t, filepath.Join(other, "B")); len(got) != 1 {
		t.Errorf("B holds %q", got)
	}
	if _, _, after, err := m.Read(t.Context(), "B", keys[0]); err != nil || !after.Equal(before) {
		t.Errorf("date %v, was %v, %v", after, before, err)
	}
	if got := files(t, filepath.Join(other, "kept")); len(got) != 1 || !strings.HasSuffix(got[0], "/A/"+string(keys[2])+":2,S") {
		t.Errorf("kept %q", got)
	}
	if err := m.Sync(t.Context(), "A"); err != nil {
		t.Error(err)
	}
}

// TestRenameWithoutRenameat covers the way for file systems that cannot rename
// without replacing.
func TestRenameWithoutRenameat(t *testing.T) {
	for name, rename := range map[string]func(a, b string) error{"renameNew": renameNew, "linkNew": linkNew} {
		dir := t.TempDir()
		a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
		os.WriteFile(a, []byte("a"), 0o600)
		if err := rename(a, b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := files(t, dir); len(got) != 1 || got[0] != "b" {
			t.Errorf("%s: %q", name, got)
		}
		os.WriteFile(a, []byte("second"), 0o600)
		if err := rename(a, b); !errors.Is(err, os.ErrExist) {
			t.Errorf("%s onto a file: %v", name, err)
		}
		if text, _ := os.ReadFile(b); string(text) != "a" {
			t.Errorf("%s wrote over a file", name)
		}
		if err := rename(filepath.Join(dir, "none"), filepath.Join(dir, "c")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s of nothing: %v", name, err)
		}
	}
}

// TestInterruptedLink covers a crash between linkNew's link and unlink: one
// message, and the next flag change settles it.
func TestInterruptedLink(t *testing.T) {
	m := open(t, Config{}, "A")
	put(t, m, "A/cur/k:2,", "x")
	if err := os.Link(filepath.Join(m.root, "A/cur/k:2,"), filepath.Join(m.root, "A/cur/k:2,S")); err != nil {
		t.Fatal(err)
	}
	if got := scan(t, m, "A").Messages; len(got) != 1 {
		t.Errorf("%v", got)
	}
	if err := m.SetFlags(t.Context(), "A", "k", mail.Flags{}, flags(":S")); err != nil {
		t.Fatal(err)
	}
	want(t, m, "A", "cur/k:2,")
}

func TestBothWaysToDisk(t *testing.T) {
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := errors.Join(syncAll(dir), syncDir(dir.Name())); err != nil {
		t.Error(err)
	}
	// Without syncfs every file is fsynced by itself.
	m := open(t, Config{Fsync: true}, "A")
	d, err := m.Deliver(t.Context(), "A")
	if err != nil {
		t.Fatal(err)
	}
	if d.disk != nil {
		d.disk.Close()
		d.disk = nil
	}
	for i := range 3 * syncWorkers {
		if _, _, err := d.Write(mail.NewFile{Key: mail.Key(fmt.Sprint("k", i))}, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	if failed, err := d.Commit(t.Context()); err != nil || len(failed) > 0 {
		t.Fatal(err, failed)
	}
	if n := len(scan(t, m, "A").Messages); n != 3*syncWorkers {
		t.Errorf("%d messages", n)
	}
}

func BenchmarkScan(b *testing.B) {
	m := open(b, Config{}, "A")
	const n = 20_000
	for i := range n {
		name := fmt.Sprintf("%s/A/cur/1700%06d.M%06dP4242Q%d.host.example.org:2,%s", m.root, i, i, i, []string{"", "S", "RS", "FS"}[i%4])
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	for _, stat := range []bool{false, true} {
		b.Run(fmt.Sprint("stat=", stat), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Scan(b.Context(), "A", stat); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// TestFindBesideARenamer: messages are looked for in the listing that was made for
// it, whatever another of the folder has meanwhile.
func TestFindBesideARenamer(t *testing.T) {
	const n = 40
	m := open(t, Config{}, "A")
	name := func(i int, letters string) string { return fmt.Sprintf("A/cur/m%d:2,%s", i, letters) }
	many := func(i int) string { return "S" + string(rune('a'+i%26)) }
	for i := range n {
		put(t, m, name(i, many(i)), "Message-ID: <other@x>\n\n")
	}
	put(t, m, "A/cur/wanted:2,T", "Message-ID: <wanted@x>\n\n")
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for odd := false; ; odd = !odd {
			select {
			case <-done:
				return
			default:
			}
			for i := range n {
				from, to := name(i, many(i)), name(i, "S")
				if odd {
					from, to = to, from
				}
				_ = os.Rename(filepath.Join(m.root, from), filepath.Join(m.root, to))
			}
		}
	})
	defer wg.Wait()
	defer close(done)
	for range 200 {
		found, err := m.FindMessageID(t.Context(), "A", "wanted@x")
		if err != nil || !slices.Equal(found, []mail.Key{"wanted"}) {
			t.Fatalf("found %v, %v", found, err)
		}
	}
}

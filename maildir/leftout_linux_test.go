package maildir

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"imapsync/mail"
)

// asNobody calls do as a user whom file modes bind.
func asNobody(t testing.TB, m *Maildir, do func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		do()
		return
	}
	const nobody = 65534
	for dir := m.root; len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	err := filepath.WalkDir(m.root, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, nobody, -1))
	})
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread() // it is this thread alone that becomes somebody else
	defer runtime.UnlockOSThread()
	become := func(uid uintptr) {
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uid, uid, 0); errno != 0 {
			t.Fatal(errno)
		}
	}
	become(nobody)
	defer become(0)
	do()
}

// A directory that cannot be read costs the folders in it, not the run.
func TestUnreadableDirectory(t *testing.T) {
	m := open(t, Config{}, "INBOX", "A", "A/B", "C", "C/D")
	for dir, mode := range map[string]os.FileMode{"A": 0, "C": 0o300} {
		if err := os.Chmod(filepath.Join(m.root, dir), mode); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(filepath.Join(m.root, dir), 0o700)
	}
	asNobody(t, m, func() {
		if got := listed(t, m); !slices.Equal(got, []mail.FolderName{"C", "INBOX"}) {
			t.Errorf("found %q", got)
		}
		for _, name := range []mail.FolderName{"A", "A/B", "C/D"} {
			wantScope(t, m.LeftOut(mail.FolderRecord{Folder: name}), mail.ScopeFolder, "permission denied", "owner and mode")
		}
		for _, name := range []mail.FolderName{"C", "INBOX"} {
			if err := m.LeftOut(mail.FolderRecord{Folder: name}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// A folder in which no file can be made is a folder's fault, and so is a root in
// which no folder can.
func TestUnwritableDirectory(t *testing.T) {
	for _, dir := range []string{"A/tmp", "A/new", "A/cur", "."} {
		m := open(t, Config{}, "A")
		if err := os.Chmod(filepath.Join(m.root, dir), 0o500); err != nil {
			t.Fatal(err)
		}
		var err error
		asNobody(t, m, func() {
			if dir == "." {
				_ = os.Chmod(m.root, 0o500)
				err = m.CreateFolder(t.Context(), "B")
				return
			}
			_, err = m.Deliver(t.Context(), "A")
		})
		wantScope(t, err, mail.ScopeFolder, "permission denied", filepath.Join(m.root, dir), "owner and mode")
	}
	m := open(t, Config{}, "A")
	if err := os.Remove(filepath.Join(m.root, "A/tmp")); err != nil {
		t.Fatal(err)
	}
	put(t, m, "A/tmp", "")
	_, err := m.Deliver(t.Context(), "A")
	wantScope(t, err, mail.ScopeFolder, "not a directory", "A/tmp", "move it away")
}

package state

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"syscall"
	"testing"

	"imapsync/mail"
)

// asNobody runs f on a thread that has no more rights to files than user
// nobody, even where the tests run as root (setfsuid(2) is the thread's own).
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	const nobody = 65534
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0)
		f()
	}()
	<-done
}

func TestDirectoryThatCannotBeWritten(t *testing.T) {
	ctx := context.Background()
	path := closedState(t)
	dir := filepath.Dir(path)
	for _, d := range []string{filepath.Dir(dir), dir} { // the way to it must be open to nobody
		if err := os.Chmod(d, 0o555); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Chmod(d, 0o755) })
	}
	if err := os.Chmod(path, 0o444); err != nil {
		t.Fatal(err)
	}
	before := image(t, dir)
	wantDenied := func(what string, err error) {
		t.Helper()
		var f *mail.Fault
		if !errors.As(err, &f) || f.Scope != mail.ScopeAccount || f.Class != mail.ClassFailed || f.Hint != hintDenied {
			t.Errorf("%s: %v", what, err)
		}
	}
	asNobody(t, func() {
		_, err := Open(ctx, path)
		wantDenied("open", err)
		_, err = Open(ctx, filepath.Join(dir, "other.db"))
		wantDenied("create", err)
		_, err = Open(ctx, filepath.Join(dir, "sub", "other.db"))
		wantDenied("create in a new directory", err)
		_, err = Lock(ctx, path, 0)
		wantDenied("lock", err)

		d, err := OpenReadOnly(ctx, path)
		if err != nil {
			t.Errorf("open for reading: %v", err)
			return
		}
		defer d.Close()
		if rows, err := d.Rows(ctx, "INBOX"); err != nil || len(rows) != 50 {
			t.Errorf("%d rows, %v", len(rows), err)
		}
	})
	if after := image(t, dir); !reflect.DeepEqual(before, after) {
		t.Error("files changed")
	}
}

package state

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imapsync/mail"
)

func TestLockIsExclusive(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "sub", "work.db")
	held, err := Lock(ctx, path, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Lock(ctx, path, time.Nanosecond)
	var f *mail.Fault
	if !errors.As(err, &f) || f.Class != mail.ClassBusy || f.Scope != mail.ScopeAccount {
		t.Fatalf("second lock: %v", err)
	}
	if want := fmt.Sprintf("process %d", os.Getpid()); !strings.Contains(err.Error(), want) {
		t.Errorf("it does not say who has it (%s): %v", want, err)
	}
	if other, err := Lock(ctx, filepath.Join(filepath.Dir(path), "home.db"), 0); err != nil {
		t.Errorf("another account is locked too: %v", err)
	} else if err := other.Unlock(); err != nil {
		t.Error(err)
	}
	if err := held.Unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := Lock(ctx, path, 0)
	if err != nil {
		t.Fatalf("after unlock: %v", err)
	}
	if err := again.Unlock(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path + ".lock"); err != nil || len(text) != 0 {
		t.Errorf("the lock file still says %q, %v", text, err)
	}
}

func TestLockWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "work.db")
	held, err := Lock(context.Background(), path, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	go func() {
		second, err := Lock(context.Background(), path, time.Hour)
		if err == nil {
			err = second.Unlock()
		}
		got <- err
	}()
	if err := held.Unlock(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
}

func TestLockWaitIsCancelled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "work.db")
	held, err := Lock(context.Background(), path, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Lock(ctx, path, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("lock: %v", err)
	}
}

// The lock ends with the process, whatever ends it, and what the dead process
// wrote into the file means nothing.
func TestLockEndsWithItsProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "work.db")
	child, out := startChild(t, "lock", path)
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "locked\n" {
		t.Fatalf("child said %q, %v", line, err)
	}
	_, err := Lock(context.Background(), path, 0)
	if want := fmt.Sprintf("process %d", child.Process.Pid); mail.ClassOf(err) != mail.ClassBusy || !strings.Contains(err.Error(), want) {
		t.Errorf("while the child has it (%s): %v", want, err)
	}
	kill(t, child)
	held, err := Lock(context.Background(), path, 0)
	if err != nil {
		t.Fatalf("after its death: %v", err)
	}
	if err := held.Unlock(); err != nil {
		t.Error(err)
	}
}

func TestLockWhereNoneCanBe(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(context.Background(), filepath.Join(file, "work.db"), 0); mail.ScopeOf(err) != mail.ScopeAccount {
		t.Errorf("lock: %v", err)
	}
}

func TestLockMaildir(t *testing.T) {
	ctx := context.Background()
	root := t.TempDir()
	unlock, err := LockMaildir(ctx, root, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LockMaildir(ctx, root, 0); mail.ClassOf(err) != mail.ClassBusy {
		t.Errorf("taken twice: %v", err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := LockMaildir(cancelled, root, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
	if unlock, err = LockMaildir(ctx, root, 0); err != nil || unlock() != nil {
		t.Errorf("given back, and not to be had: %v", err)
	}
	if unlock, err = LockMaildir(ctx, filepath.Join(root, "none"), 0); err != nil || unlock() != nil {
		t.Errorf("one that is not there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(root, "none")); err == nil {
		t.Error("a directory was made to lock it")
	}
}

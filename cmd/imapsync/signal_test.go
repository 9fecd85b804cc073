package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"imapsync/state"
)

// TestSignals: the first signal cancels, the second exits at once.
func TestSignals(t *testing.T) {
	code := make(chan int, 1)
	ctx, stop := interruptible(func(c int) { code <- c })
	defer stop()
	signal := func() {
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	signal()
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, errInterrupted) {
		t.Errorf("cause %v", cause)
	}
	signal()
	if c := <-code; c != exitInterrupted {
		t.Errorf("code %d", c)
	}
}

// TestInterrupted: a run that waits for a server that says nothing ends with
// 130 when it is cancelled.
func TestInterrupted(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "c.toml")
	text := fmt.Sprintf("state_dir = 'state'\n[accounts.a]\nhost = '127.0.0.1'\nport = %d\ntls = 'none'\nuser = 'u'\npassword = 'p'\nmaildir = 'Mail'\n",
		listener.Addr().(*net.TCPAddr).Port)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"sync", "plan", "folders", "check", "search x"} {
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			cancel(errInterrupted)
			t.Cleanup(func() { conn.Close() })
		}()
		var stdout, stderr bytes.Buffer
		code := run(ctx, append([]string{"-c", file}, strings.Fields(command)...), &stdout, &stderr)
		if code != exitInterrupted {
			t.Errorf("%s: code %d\n%s%s", command, code, &stdout, &stderr)
		}
		said := stdout.String() + stderr.String()
		if strings.Count(said, "interrupted") != 1 || strings.Contains(said, "canceled") || strings.Contains(said, "what to do") {
			t.Errorf("%s says %q, %q", command, &stdout, &stderr)
		}
	}
}

// TestInterruptedWait: so does whoever waits for another run.
func TestInterruptedWait(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "c.toml")
	text := "state_dir = 'state'\n[accounts.a]\nhost = '127.0.0.1'\ntls = 'none'\nuser = 'u'\npassword = 'p'\nmaildir = 'Mail'\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	lock, err := state.Lock(t.Context(), filepath.Join(dir, "state", "a.db"), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errInterrupted)
	for _, words := range [][]string{{"undo", "--wait", "1h"}, {"sync", "--wait", "1h"}, {"verify", "--wait", "1h"}, {"why", "x"}, {"search", "x"}, {"status"}} {
		var stdout, stderr bytes.Buffer
		code := run(ctx, append([]string{"-c", file}, words...), &stdout, &stderr)
		said := stdout.String() + stderr.String()
		if code != exitInterrupted || strings.Count(said, "interrupted") != 1 || strings.Contains(said, "canceled") {
			t.Errorf("%q: code %d, says %q, %q", words, code, &stdout, &stderr)
		}
	}
}

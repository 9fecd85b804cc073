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
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		cancel(errInterrupted)
		t.Cleanup(func() { conn.Close() })
	}()
	for _, command := range []string{"sync", "plan", "folders", "check"} {
		var stdout, stderr bytes.Buffer
		code := run(ctx, []string{"-c", file, command}, &stdout, &stderr)
		if code != exitInterrupted {
			t.Errorf("%s: code %d\n%s%s", command, code, &stdout, &stderr)
		}
		if command == "sync" && !strings.Contains(stdout.String(), "a: interrupted") {
			t.Errorf("%s says %q, %q", command, &stdout, &stderr)
		}
	}
}

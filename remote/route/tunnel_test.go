package route_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"imapsync/remote/route"
	"imapsync/remote/wire"
)

// enter opens a tunnel by a command that writes the number of its process to
// the file $PIDS.
func enter(t *testing.T, command string) (tunnel *route.Tunnel, conn net.Conn, pids string) {
	t.Helper()
	pids = filepath.Join(t.TempDir(), "pids")
	t.Setenv("PIDS", pids)
	tunnel = route.NewTunnel("echo $$ >>$PIDS; " + command)
	t.Cleanup(func() { tunnel.Close() })
	conn, err := tunnel.DialContext(t.Context(), "tcp", "")
	if err != nil {
		t.Fatal(err)
	}
	return tunnel, conn, pids
}

// gone insists that none of the processes is left, not even as a zombie.
func gone(t *testing.T, pids string) {
	t.Helper()
	text, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d is left over (%v)", pid, err)
		}
	}
}

func expect(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	b := make([]byte, len(want))
	if _, err := io.ReadFull(conn, b); err != nil || string(b) != want {
		t.Fatalf("read %q, %v; want %q", b, err, want)
	}
}

func TestTunnel(t *testing.T) {
	tunnel, conn, pids := enter(t, "cat")
	fmt.Fprint(conn, "hello")
	expect(t, conn, "hello")
	text, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	if group, err := unix.Getpgid(pid); err != nil || group != pid { // else Ctrl-C would end it
		t.Errorf("the process group of %d is %d, %v", pid, group, err)
	}
	second, err := tunnel.DialContext(t.Context(), "tcp", "")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(second, "another")
	expect(t, second, "another")
	conn.Close()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
	fmt.Fprint(second, "still")
	expect(t, second, "still")
	if err := tunnel.Close(); err != nil {
		t.Error(err)
	}
	gone(t, pids)
	if _, err := tunnel.DialContext(t.Context(), "tcp", ""); !errors.Is(err, net.ErrClosed) {
		t.Errorf("dialled through a closed tunnel: %v", err)
	}
}

// TestTunnelOutlivesDial: the context of Dial ends only the dialling.
func TestTunnelOutlivesDial(t *testing.T) {
	tunnel := route.NewTunnel("cat")
	defer tunnel.Close()
	ctx, cancel := context.WithCancel(t.Context())
	conn, err := tunnel.DialContext(ctx, "tcp", "")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	fmt.Fprint(conn, "hello")
	expect(t, conn, "hello")
}

// TestTunnelDeadlines: those set before a Read and during it, for which
// crypto/tls needs a net.Error; and what the command says meanwhile.
func TestTunnelDeadlines(t *testing.T) {
	_, conn, _ := enter(t, "echo no route >&2; echo ready; cat")
	expect(t, conn, "ready\n")
	for said := false; !said; { // which is heard in its own time
		conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		_, err := conn.Read(make([]byte, 1))
		if e, is := err.(net.Error); !is || !e.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%T: %v", err, err)
		}
		said = strings.Contains(err.Error(), "says: no route")
	}
	conn.SetReadDeadline(time.Time{})
	reading := make(chan error)
	go func() {
		_, err := conn.Read(make([]byte, 1))
		reading <- err
	}()
	conn.SetReadDeadline(time.Unix(1, 0))
	if err := <-reading; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
	conn.SetDeadline(time.Time{})
	fmt.Fprint(conn, "on")
	expect(t, conn, "on")
}

// TestTunnelEnds: why, in the words of the command.
func TestTunnelEnds(t *testing.T) {
	for _, c := range []struct {
		command string
		kind    wire.Kind
		text    string
	}{
		{"true", wire.KindNetwork, "its command has ended"},
		{"echo >&2 'ssh: connect to host mail: No route'; echo >&2 'lost'; exit 255", wire.KindNetwork,
			"its command has ended (exit status 255): ssh: connect to host mail: No route lost"},
		{"no-such-command-at-all", wire.KindConfig, "no-such-command-at-all: not found"},
		{"kill -9 $$", wire.KindNetwork, "signal: killed"},
		{`printf '\033[31m%02000d' 7 >&2; exit 1`, wire.KindNetwork, "(exit status 1): 000"},
	} {
		_, conn, pids := enter(t, c.command)
		_, err := conn.Read(make([]byte, 1))
		var e *wire.Error
		if !errors.As(err, &e) || e.Kind != c.kind || !errors.Is(err, io.EOF) || !strings.Contains(err.Error(), c.text) || len(err.Error()) > 1300 {
			t.Errorf("%s: %v", c.command, err)
		}
		if _, err := conn.Write(make([]byte, 1<<20)); !errors.As(err, &e) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: write: %v", c.command, err)
		}
		conn.Close()
		gone(t, pids)
	}
}

// TestTunnelStubborn: a command that does not care for the end of its input nor
// for SIGTERM is ended all the same, with what it has started.
func TestTunnelStubborn(t *testing.T) {
	for _, trap := range []string{"", "trap '' TERM; "} {
		held := filepath.Join(t.TempDir(), "held") // by all of them
		if err := syscall.Mkfifo(held, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("HELD", held)
		tunnel, conn, pids := enter(t, trap+"exec 3>$HELD; sh -c 'echo ready; while :; do sleep 1000; done'; :")
		alive, err := os.Open(held)
		if err != nil {
			t.Fatal(err)
		}
		defer alive.Close()
		expect(t, conn, "ready\n")
		if err := tunnel.Close(); err != nil {
			t.Error(err)
		}
		gone(t, pids)
		if _, err := io.ReadAll(alive); err != nil { // ends with the last of them
			t.Error(err)
		}
	}
}

// TestTunnelLeavesSomething: a process that goes on with the standard error of
// the command, as the master of ssh's connections does, does not hold it up.
func TestTunnelLeavesSomething(t *testing.T) {
	tunnel, conn, _ := enter(t, "sh -c 'trap \"\" TERM; exec sleep 5' </dev/null >/dev/null & echo ready; cat")
	expect(t, conn, "ready\n")
	conn.Close()
	tunnel.Close()
}

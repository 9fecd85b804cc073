package config

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// askOnTerminal makes this test binary, started once more, run a command that
// asks for a passphrase on the terminal.
const askOnTerminal = "CONFIG_TEST_ASK_ON_TERMINAL"

func TestMain(m *testing.M) {
	if os.Getenv(askOnTerminal) == "" {
		os.Exit(m.Run())
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // rather than being stopped for ever
	defer cancel()
	text, err := runCommand(ctx, `read -r line </dev/tty; echo "got $line"`, !inForeground())
	fmt.Printf("%s%v", text, err)
}

// TestCommandOnTerminal: a command may ask on the terminal of a program in its
// foreground; without a terminal nothing is in a foreground.
func TestCommandOnTerminal(t *testing.T) {
	master, slave := terminal(t)
	if _, err := master.WriteString("open sesame\n"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		attr *syscall.SysProcAttr
		want string
	}{
		{&syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}, "got open sesame\n<nil>"},
		{&syscall.SysProcAttr{Setsid: true}, "got \n"}, // and the shell's words about /dev/tty
	} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), askOnTerminal+"=1")
		cmd.SysProcAttr = c.attr
		if c.attr.Setctty {
			cmd.Stdin = slave
		}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%+v: %q, %v; want %q", c.attr, out, err, c.want)
		}
	}
}

// terminal opens a pseudoterminal (pty(7)).
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

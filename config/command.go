package config

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
	"unicode"

	"golang.org/x/sys/unix"
)

// runCommand returns what the command printed. What it printed as errors is
// shown only when it failed.
//
// When ctx ends the command is killed; with ownGroup so is whatever it started,
// as a process group (setpgid(2)). A group of its own may not read the terminal
// (it would be stopped by SIGTTIN), so that a command which asks for a
// passphrase there must stay in ours, see inForeground.
func runCommand(ctx context.Context, command string, ownGroup bool) ([]byte, error) {
	stdout, stderr := capped{max: maxSecret + 2}, capped{max: 2000}
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second // for a grandchild that keeps the pipe open
	if ownGroup {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error {
			if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); !errors.Is(err, syscall.ESRCH) {
				return err
			}
			return os.ErrProcessDone
		}
	}
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("the command was stopped: %w", context.Cause(ctx))
	case errors.Is(err, exec.ErrWaitDelay):
		return stdout.data, nil // the command itself ended well
	case err == nil:
		return stdout.data, nil
	}
	said := printable(string(stderr.data))
	if said == "" {
		return nil, fmt.Errorf("the command failed (%w) and said nothing", err)
	}
	return nil, fmt.Errorf("the command failed (%w): %s", err, said)
}

// inForeground reports whether this process may read its terminal. If so,
// Ctrl-C there reaches a command in the same process group and all it started
// without our help; if not, such a command could not read the terminal anyway.
func inForeground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false // there is none
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// capped keeps the beginning of what is written to it.
type capped struct {
	max  int
	data []byte
}

func (c *capped) Write(p []byte) (int, error) {
	c.data = append(c.data, p[:min(len(p), c.max-len(c.data))]...)
	return len(p), nil
}

// printable makes one line of a program's words, without control characters.
func printable(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "?"), func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r)
	}), " ")
}

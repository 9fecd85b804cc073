package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// user is the account's name on the server.
const user = "bench"

// tool is a program that keeps an account and a Maildir the same.
type tool struct {
	name   string
	binary string
	config string   // a template for fmt: port, password, directory
	args   []string // DIR stands for the run's directory
}

func imapsync(binary string) tool {
	return tool{"imapsync", binary, `state_dir = "%[3]s/state"

[accounts.bench]
host = "127.0.0.1"
port = %[1]d
tls = "none"
user = "bench"
password = "%[2]s"
maildir = "%[3]s/Mail"
fsync = true
`, []string{"-c", "DIR/config", "-q", "sync"}}
}

// mbsync is told nothing but what it needs: FSync yes is its default.
func mbsync(binary string) tool {
	return tool{"mbsync", binary, `IMAPAccount bench
Host 127.0.0.1
Port %[1]d
SSLType None
AuthMechs LOGIN
User bench
Pass %[2]s
Timeout 300

IMAPStore server
Account bench

MaildirStore disk
Path %[3]s/Mail/
Inbox %[3]s/Mail/INBOX
SubFolders Verbatim

Channel bench
Far :server:
Near :disk:
Patterns *
Create Near
SyncState *
`, []string{"-q", "-c", "DIR/config", "-a"}}
}

func (t tool) configure(dir string, port int, password string) error {
	if err := os.Mkdir(filepath.Join(dir, "Mail"), 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config"), fmt.Appendf(nil, t.config, port, password, dir), 0o600)
}

// times is what a run took.
type times struct{ wall, cpu time.Duration }

// time runs the tool once.
func (t tool) time(dir string) (times, error) {
	args := make([]string, len(t.args))
	for i, a := range t.args {
		args[i] = strings.ReplaceAll(a, "DIR", dir)
	}
	cmd := exec.Command(t.binary, args...)
	cmd.Env = append(os.Environ(), "HOME="+dir)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	wall := time.Since(start)
	if err != nil {
		return times{}, fmt.Errorf("%s: %w\n%s", t.name, err, out)
	}
	return times{wall.Round(time.Millisecond), (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Round(time.Millisecond)}, nil
}

// check counts the messages in a run's Maildir.
func check(dir string, want int) error {
	got := 0
	err := filepath.WalkDir(filepath.Join(dir, "Mail"), func(path string, entry fs.DirEntry, err error) error {
		if sub := filepath.Base(filepath.Dir(path)); err == nil && entry.Type().IsRegular() &&
			(sub == "cur" || sub == "new") && !strings.HasPrefix(entry.Name(), ".") {
			got++
		}
		return err
	})
	if err == nil && got != want {
		err = fmt.Errorf("%d messages in the Maildir, want %d", got, want)
	}
	return err
}

// versions are what the tools say of themselves.
func versions(o options) string {
	var all []string
	for _, command := range [][]string{{o.imapsync, "version"}, {o.mbsync, "--version"}} {
		out, err := exec.Command(command[0], command[1:]...).Output()
		if err != nil {
			out = []byte(err.Error())
		}
		all = append(all, strings.TrimSpace(string(out)))
	}
	return strings.Join(all, ", ")
}

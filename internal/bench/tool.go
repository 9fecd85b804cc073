package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"imapsync/internal/bench/bare"
)

// tool is a program that makes an account and a Maildir the same.
type tool struct {
	name   string
	binary string
	config string    // a template for fmt: port, password, directory, user, on or off
	fsync  [2]string // off and on
	args   []string  // DIR stands for the run's directory, ADDR, USER and PASSWORD for the account
}

func imapsync(binary string) tool {
	return tool{"imapsync", binary, `state_dir = "%[3]s/state"

[accounts.bench]
host = "127.0.0.1"
port = %[1]d
tls = "none"
auth = "login"
user = "%[4]s"
password = "%[2]s"
maildir = "%[3]s/Mail"
fsync = %[5]s
`, [2]string{"false", "true"}, []string{"-c", "DIR/config", "-q", "sync"}}
}

// mbsync is told nothing but what it needs; FSync yes, for what is timed, is its
// default.
func mbsync(binary string) tool {
	return tool{"mbsync", binary, `FSync %[5]s

IMAPAccount bench
Host 127.0.0.1
Port %[1]d
SSLType None
AuthMechs LOGIN
User %[4]s
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
Expunge Both
SyncState *
`, [2]string{"no", "yes"}, []string{"-q", "-c", "DIR/config", "-a"}}
}

// bareClient is this program, started as a bare client for one kind of work.
func bareClient(work string) (tool, error) {
	self, err := os.Executable()
	return tool{"bare", self, "", [2]string{}, []string{"bare", work, "ADDR", "USER", "PASSWORD", "DIR/Mail"}}, err
}

// bareMain is what bareClient starts.
func bareMain(args []string) error {
	account := bare.Account{Addr: args[1], User: args[2], Password: args[3], Maildir: args[4]}
	switch args[0] {
	case "download":
		return account.Download()
	case "unchanged":
		return account.Unchanged()
	case "upload":
		return account.Upload(uploadFolder)
	}
	return fmt.Errorf("unknown work %q", args[0])
}

// client is a tool with an account and a directory of its own.
type client struct {
	tool
	user  string
	dir   string
	edits int      // how often the user has worked on one side
	want  contents // what both sides must hold after the next run
}

func (c *client) mail(folder ...string) string {
	return filepath.Join(append([]string{c.dir, "Mail"}, folder...)...)
}

// client makes a tool's account, a copy of the master account, and directory.
func (w *world) client(t tool, master string) (*client, error) {
	dir, err := os.MkdirTemp(w.base, t.name)
	if err != nil {
		return nil, err
	}
	c := &client{tool: t, dir: dir}
	if c.user, err = w.copyAccount(master); err != nil {
		return nil, err
	}
	if err := os.Mkdir(c.mail(), 0o700); err != nil {
		return nil, err
	}
	return c, w.configure(c, true)
}

// configure writes the client's configuration. What is timed has messages
// written to the disk for good; what only prepares it need not wait for that.
func (w *world) configure(c *client, fsync bool) error {
	if c.config == "" {
		return nil
	}
	choice := c.fsync[0]
	if fsync {
		choice = c.fsync[1]
	}
	text := fmt.Appendf(nil, c.config, w.link.Port(), w.server.Password, c.dir, c.user, choice)
	return os.WriteFile(filepath.Join(c.dir, "config"), text, 0o600)
}

// command is the tool's command line.
func (w *world) command(c *client, args []string) []string {
	words := strings.NewReplacer("DIR", c.dir, "ADDR", w.link.Addr(), "USER", c.user, "PASSWORD", w.server.Password)
	command := []string{c.binary}
	for _, a := range args {
		command = append(command, words.Replace(a))
	}
	return command
}

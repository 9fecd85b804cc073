package main

import (
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"imapsync/config"
	"imapsync/internal/demo"
	"imapsync/mail"
	"imapsync/maildir"
	"imapsync/syncer"
)

func (p *program) demoCommand() *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "show the whole thing against an embedded server, no account needed",
		Description: "Starts a server in memory with sample mail, synchronises it, changes both sides, shows the plan, " +
			"synchronises again and leaves the Maildir for you to look at. Nothing leaves this machine.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Usage: "put Maildir and state into `DIR`, which must be new or empty", DefaultText: "a new one for temporary files"},
		},
		Action: func(c *cli.Context) error {
			if err := atMost(c, 0); err != nil {
				return err
			}
			dir, err := demoDir(c.String("dir"))
			if err != nil {
				return err
			}
			return p.demo(c.Context, dir)
		},
	}
}

// demoDir makes sure of an empty directory.
func demoDir(dir string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "imapsync-demo-")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", usagef("demo: --dir: %v", err)
	}
	switch entries, err := os.ReadDir(dir); {
	case err != nil:
		return "", usagef("demo: --dir: %v", err)
	case len(entries) > 0:
		return "", usagef("demo: --dir: %s is not empty", dir)
	}
	return filepath.Abs(dir)
}

// demoObject is a step of the demonstration; in JSON the event "demo".
type demoObject struct {
	head
	Step    string `json:"step"`
	Maildir string `json:"maildir"`
}

func (p *program) demo(ctx context.Context, dir string) error {
	server, err := demo.Start()
	if err != nil {
		return err
	}
	defer server.Close()
	if err := server.Seed(); err != nil {
		return err
	}
	l, err := p.demoLane(server, dir)
	if err != nil {
		return err
	}
	step := func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		p.out.object(demoObject{p.out.head("demo", l.Name), text, l.Maildir})
		p.out.sayLines("", "== "+text)
	}
	run := func(dryRun bool) (*syncer.Report, error) {
		report, code := l.run(ctx, syncer.Options{DryRun: dryRun}, 0)
		return report, ended(code)
	}

	step("A server with sample mail listens on %s. First sync into %s", server.Addr, l.Maildir)
	if _, err := run(false); err != nil {
		return err
	}
	step("Changes on the server, as from a phone")
	if err := p.changeServer(server); err != nil {
		return err
	}
	step("Changes in the Maildir, as from mutt")
	if err := p.changeMaildir(ctx, l); err != nil {
		return err
	}
	step("imapsync plan: what a sync would do, and why")
	if _, err := run(true); err != nil {
		return err
	}
	step("imapsync sync: both ways")
	if _, err := run(false); err != nil {
		return err
	}
	step("imapsync sync once more: nothing is left to do")
	report, err := run(false)
	if err != nil {
		return err
	}
	if n := len(report.Plan.Ops); n > 0 {
		return fmt.Errorf("the last run should have had nothing to do, it planned %s", count(n, "operation"))
	}
	step("Done. Look at the mail:  mutt -f %s", quoted(filepath.Join(l.Maildir, "INBOX")))
	return nil
}

// demoLane is the account of the configuration a user would write. The file is
// there, so that the commands the runs name can be tried.
func (p *program) demoLane(server *demo.Server, dir string) (*lane, error) {
	text := fmt.Sprintf("state_dir = %q\n[accounts.demo]\nhost = \"127.0.0.1\"\nport = %d\ntls = \"none\"\nuser = %q\npassword = %q\nmaildir = %q\n",
		filepath.Join(dir, "state"), server.Port(), server.User, server.Password, filepath.Join(dir, "Mail"))
	file := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	conf, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	return &lane{Account: conf.Accounts[0], out: p.out, configFile: file, stateDir: conf.StateDir, only: true, now: p.now}, nil
}

// changeServer does what somebody does on a phone.
func (p *program) changeServer(server *demo.Server) error {
	changes := []struct {
		text string
		do   func() error
	}{
		{"a message arrives: \"Dinner on Saturday?\"", func() error {
			return server.Deliver("Garden neighbour <garden@example.net>", "Dinner on Saturday?", "Seven o'clock, bring the photos.")
		}},
		{"\"Lease: sign by the 30th\" is answered", func() error {
			return server.Flag("INBOX", "Lease", mail.NewFlags(mail.Answered|mail.Seen))
		}},
		{"\"Tax papers\" is moved to Archive/2026", func() error { return server.Move("INBOX", "Tax papers", "Archive/2026") }},
		{"\"Reminder: appointment on Monday\" is deleted", func() error { return server.Delete("INBOX", "Reminder: appointment") }},
		{"\"Photos from the lake\" is flagged", func() error { return server.Flag("INBOX", "Photos", mail.NewFlags(mail.Flagged)) }},
	}
	for _, c := range changes {
		if err := c.do(); err != nil {
			return err
		}
		p.out.say("  %s", c.text)
	}
	return nil
}

// changeMaildir does what somebody does in a mail reader on this machine.
func (p *program) changeMaildir(ctx context.Context, l *lane) error {
	dir, err := maildir.Open(maildir.Config{Root: l.Maildir}) // a mail reader keeps nothing of what it deletes
	if err != nil {
		return err
	}
	messages, err := bySubject(ctx, dir, mail.Inbox)
	if err != nil {
		return err
	}
	key := func(subject string) mail.Key { return messages[subject].Key }
	remove := func(subject string) error {
		return dir.Remove(ctx, mail.Inbox, key(subject), messages[subject].Flags, mail.FileStamp{})
	}
	changes := []struct {
		text string
		do   func() error
	}{
		{"\"Minutes of Thursday\" is read and tagged todo", func() error {
			return dir.SetFlags(ctx, mail.Inbox, key("Minutes of Thursday"), mail.NewFlags(mail.Seen, "todo"), mail.Flags{})
		}},
		{"\"Recipe for the soup\" is moved to Archive/2026", func() error {
			_, err := dir.Move(ctx, mail.Inbox, key("Recipe for the soup"), "Archive/2026")
			return err
		}},
		{"\"Train on Friday?\" is deleted", func() error { return remove("Train on Friday?") }},
		{"\"Photos from the lake\" is deleted, though the phone has just flagged it", func() error { return remove("Photos from the lake") }},
		{"an answer is saved in Sent", func() error { return saveAnswer(ctx, dir, p.now()) }},
	}
	for _, c := range changes {
		if err := c.do(); err != nil {
			return err
		}
		p.out.say("  %s", c.text)
	}
	return nil
}

// bySubject finds the messages of a folder by their Subject.
func bySubject(ctx context.Context, dir *maildir.Maildir, folder mail.FolderName) (map[string]mail.Local, error) {
	snapshot, err := dir.Scan(ctx, folder, false)
	if err != nil {
		return nil, err
	}
	found := map[string]mail.Local{}
	for key, message := range snapshot.Messages {
		body, err := dir.Open(ctx, folder, key)
		if err != nil {
			return nil, err
		}
		parsed, err := netmail.ReadMessage(body)
		if err = errors.Join(err, body.Close()); err != nil {
			return nil, err
		}
		found[parsed.Header.Get("Subject")] = message
	}
	return found, nil
}

// saveAnswer puts a new message into Sent, as a mail reader does.
func saveAnswer(ctx context.Context, dir *maildir.Maildir, now time.Time) error {
	text := strings.ReplaceAll(fmt.Sprintf("From: Me <me@example.org>\nTo: =?utf-8?q?B=C3=BCro?= <buero@example.com>\n"+
		"Subject: Re: Minutes of Thursday\nDate: %s\nMessage-ID: <%d.demo@example.org>\n\nThey are fine as they are.\n",
		now.Format(time.RFC1123Z), now.UnixNano()), "\n", "\r\n")
	d, err := dir.Deliver(ctx, "Sent")
	if err != nil {
		return err
	}
	defer d.Discard()
	file := mail.NewFile{Key: dir.NewKey(), Flags: mail.NewFlags(mail.Seen), Date: now}
	if _, _, err := d.Write(file, strings.NewReader(text)); err != nil {
		return err
	}
	failed, err := d.Commit(ctx)
	for _, e := range failed {
		err = errors.Join(err, e)
	}
	return err
}

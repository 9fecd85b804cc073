package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"imapsync/config"
	"imapsync/importer"
	"imapsync/mail"
)

// target is the configuration that an account is to be added to.
type target struct {
	file   string
	text   []byte // nil where there is none yet
	mode   fs.FileMode
	conf   *config.Config // nil where there is none, or it cannot be read
	broken error          // why it cannot be added to
}

// target looks at the configuration that is there.
func (p *program) target() (*target, error) {
	file, err := p.chosenConfig()
	if err != nil {
		return nil, err
	}
	if file, err = filepath.Abs(file); err != nil {
		return nil, usagef("%v", err)
	}
	t := &target{file: file}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return t, nil
	case err != nil:
		return nil, usagef("configuration: %v", err)
	}
	t.mode = info.Mode().Perm()
	if t.text, err = os.ReadFile(file); err != nil {
		return nil, usagef("configuration: %v; name a file that you can read", err)
	}
	t.conf, t.broken = config.Load(file)
	return t, nil
}

// freeName makes a name that no account has yet.
func (t *target) freeName(name string) string {
	free := name
	for n := 2; t.conf != nil && t.conf.Account(free) != nil; n++ {
		free = fmt.Sprintf("%s-%d", name, n)
	}
	return free
}

// with is the text with a section added, if that makes a configuration.
func (t *target) with(section string) ([]byte, error) {
	if t.broken != nil {
		return nil, t.broken
	}
	text := bytes.TrimRight(t.text, "\n")
	if len(text) > 0 {
		text = append(text, "\n\n"...)
	}
	text = append(text, section...)
	_, err := config.Parse(t.file, text)
	return text, err
}

// write adds the section: a file of its owner alone where there is none, else
// at the end of what is there. What goes wrong in the middle is taken back.
func (t *target) write(section string) error {
	if t.text == nil {
		return createConfig(t.file, section)
	}
	now, err := os.ReadFile(t.file)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, t.text) {
		return fmt.Errorf("%s has been changed meanwhile; run init again", t.file)
	}
	ends := len(now) - len(bytes.TrimRight(now, "\n"))
	if len(now) > ends {
		section = strings.Repeat("\n", max(0, 2-ends)) + section
	}
	return writeConfig(t.file, os.O_APPEND, section)
}

// initObject is an account set up; in JSON the event "init".
type initObject struct {
	head
	File    string `json:"file"`
	Folders int    `json:"folders"`
}

// setUp tries the account and writes it down.
func (p *program) setUp(ctx context.Context, a *answers, t *target) error {
	for _, file := range []*string{&a.maildir, &a.passwordFile, &a.caFile} {
		var err error
		if *file, err = absolute(*file); err != nil {
			return usagef("init: %v", err)
		}
	}
	l, err := p.newLane(t, a.section(nil, nil))
	if err != nil {
		return err
	}
	if t.broken != nil && (l.OAuth != nil || l.Secret.InKeyring()) { // the login would be for nothing
		return errors.Join(t.broken, usagef("init: %s is left as it is; correct it and run init again", t.file))
	}
	keep, err := p.firstLogin(ctx, l, a)
	if err != nil {
		return p.initProblem(l, err)
	}
	list, err := l.listFolders(ctx)
	if err != nil {
		return p.initProblem(l, err)
	}
	folders, virtual := foundFolders(list)
	section := a.section(folders, virtual)
	shown := section
	if a.clientSecret != "" {
		shown = strings.ReplaceAll(section, importer.TOMLString(a.clientSecret), `"[redacted]"`)
	}
	p.out.sayLines(strings.Split(strings.TrimSuffix(shown, "\n"), "\n")...)
	if _, err = t.with(section); err == nil && a.clientSecret != "" && t.mode&0o044 != 0 {
		err = fmt.Errorf("others may read it, and the section holds a client secret; run: chmod 600 %s", t.file)
	}
	if err != nil {
		return errors.Join(err, usagef("init: %s is left as it is; correct it and run init again, or add the section above by hand", t.file))
	}
	if err := p.agree(ctx, a, t); err != nil {
		return err
	}
	if err := keep(ctx); err != nil { // first: an account without its login is of no use
		return p.initProblem(l, err)
	}
	if err := t.write(section); err != nil {
		if l.secret != nil {
			err = fmt.Errorf("%w; the login is kept, and init run again puts another in its place", err)
		}
		return fmt.Errorf("init: %w", err)
	}
	p.out.object(initObject{p.out.head("init", a.name), t.file, len(folders)})
	p.out.say("%s: written to %s; %s shows what the first run would do, %s does it", a.name, t.file, l.command("plan", a.name), l.command("sync", a.name))
	return nil
}

// newLane is the account before the configuration has it.
func (p *program) newLane(t *target, section string) (*lane, error) {
	conf, err := config.Parse(t.file, []byte(section))
	if err != nil {
		return nil, err
	}
	stateDir := conf.StateDir
	if t.conf != nil {
		if t.conf.Account(conf.Accounts[0].Name) != nil {
			return nil, usagef("init: --name: %s has an account %q already; give another name", t.file, conf.Accounts[0].Name)
		}
		stateDir = t.conf.StateDir
	}
	return &lane{Account: conf.Accounts[0], out: p.out, configFile: p.configFile, stateDir: stateDir, now: p.now}, nil
}

// firstLogin tries the login; keep keeps what is to be kept of it.
func (p *program) firstLogin(ctx context.Context, l *lane, a *answers) (keep func(context.Context) error, err error) {
	if l.OAuth != nil || l.Secret.InKeyring() {
		return p.newLogin(ctx, l, a.how)
	}
	return func(context.Context) error { return nil }, l.tryLogin(ctx)
}

// initProblem reports why the account could not be tried; nothing is written.
func (p *program) initProblem(l *lane, err error) error {
	var usage *usageError
	if errors.As(err, &usage) {
		return err
	}
	advice := "correct the answer"
	var secret *config.SecretError
	var fault *mail.Fault
	switch {
	case errors.As(err, &secret) && l.OAuth == nil:
		advice = secret.Hint
	case errors.As(err, &fault) && fault.Hint != "":
		advice = fault.Hint
	}
	p.out.problem(l.Name, err, advice+"; then run init again: nothing was written")
	return ended(exitCode(err))
}

// virtual are the attributes of mailboxes that show what others hold (RFC 6154,
// RFC 8457).
var virtual = []string{`\All`, `\Flagged`, `\Important`}

// foundFolders are the server's folders, and which of them are virtual.
func foundFolders(list []*folderObject) (all, shadows []string) {
	for _, f := range list {
		if !f.Remote || !f.Selectable {
			continue
		}
		all = append(all, string(f.Folder))
		if slices.ContainsFunc(f.Attributes, func(attr string) bool {
			return slices.ContainsFunc(virtual, func(v string) bool { return strings.EqualFold(v, attr) })
		}) {
			shadows = append(shadows, string(f.Folder))
		}
	}
	return all, shadows
}

// agree has the user agree to what is to be written.
func (p *program) agree(ctx context.Context, a *answers, t *target) error {
	answer := "yes"
	if !a.yes {
		answer = ""
		q := question{flag: "yes", text: "Write this to " + t.file + "?", proposal: "yes"}
		if !p.console.terminal {
			return usagef("init: nothing was written: there is no terminal to ask; give --yes")
		}
		if err := p.answer(ctx, a, &answer, q); err != nil {
			return err
		}
	}
	if !strings.HasPrefix("yes", strings.ToLower(answer)) {
		return usagef("init: nothing was written")
	}
	return nil
}

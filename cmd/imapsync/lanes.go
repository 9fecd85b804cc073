package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"imapsync/config"
	"imapsync/mail"
)

// chosenConfig is the configuration file that -c names, or the usual one.
func (p *program) chosenConfig() (string, error) {
	if p.configFile != "" {
		return p.configFile, nil
	}
	file, err := config.DefaultFile()
	if err != nil {
		return "", usagef("%v", err)
	}
	return file, nil
}

// load reads the configuration.
func (p *program) load() (*config.Config, error) {
	file, err := p.chosenConfig()
	if err != nil {
		return nil, err
	}
	c, err := config.Load(file)
	if err != nil {
		named := p.configFile != ""
		return nil, configError(file, named, err)
	}
	return c, nil
}

// lanes returns the accounts named by the arguments, all of them when there is
// none, in the order of the configuration. With folders an argument may be
// ACCOUNT/FOLDER.
func (p *program) lanes(c *cli.Context, folders bool) ([]*lane, error) {
	conf, err := p.load()
	if err != nil {
		return nil, err
	}
	order := p.lanesOf(conf)
	all := map[string]*lane{}
	var names []string
	for _, l := range order {
		all[l.Name], names = l, append(names, l.Name)
	}
	chosen := map[*lane]bool{}
	whole := map[*lane]bool{}
	for _, arg := range c.Args().Slice() {
		name, folder, hasFolder := strings.Cut(arg, "/")
		l := all[name]
		if l == nil {
			return nil, usagef("there is no account %q in %s%s", name, filepath.Base(conf.File), orAccounts(config.Suggest(name, names), names))
		}
		chosen[l] = true
		if !hasFolder {
			whole[l] = true
			continue
		}
		if err := l.addFolder(folder, folders); err != nil {
			return nil, err
		}
	}
	if len(chosen) == 0 {
		return order, nil
	}
	var lanes []*lane
	for _, l := range order {
		if whole[l] {
			l.folders = nil
		}
		if chosen[l] {
			lanes = append(lanes, l)
		}
	}
	return lanes, nil
}

// allLanes returns all accounts in the order of the configuration.
func (p *program) allLanes() ([]*lane, error) {
	conf, err := p.load()
	if err != nil {
		return nil, err
	}
	return p.lanesOf(conf), nil
}

func (p *program) lanesOf(conf *config.Config) []*lane {
	var all []*lane
	var hooking sync.Mutex
	for _, a := range conf.Accounts {
		all = append(all, &lane{Account: a, out: p.out, configFile: p.configFile, stateDir: conf.StateDir,
			only: len(conf.Accounts) == 1, now: p.now, hooking: &hooking})
	}
	return all
}

func orAccounts(suggestion string, names []string) string {
	if suggestion != "" {
		return suggestion
	}
	return "; the accounts are " + strings.Join(names, ", ")
}

// addFolder takes the folder of an argument ACCOUNT/FOLDER.
func (l *lane) addFolder(text string, allowed bool) error {
	name := folderName(strings.TrimSuffix(text, "/"))
	switch err := name.Check(); {
	case !allowed:
		return usagef("%s/%s: this command takes accounts, not folders", l.Name, text)
	case err != nil:
		return usagef("%s/%s: %v", l.Name, text, err)
	case !l.Folders.Match(name):
		return usagef("%s/%s: the account's folders leave this folder out", l.Name, text)
	}
	l.folders = append(l.folders, name)
	return nil
}

// folderName is a folder as a user types it: INBOX in any case.
func folderName(text string) mail.FolderName {
	if strings.EqualFold(text, string(mail.Inbox)) {
		return mail.Inbox
	}
	return mail.FolderName(text)
}

// each works on the lanes at once, each in its own goroutine, so that one that
// fails does not stop the others, and returns the gravest of their codes.
func (p *program) each(ctx context.Context, lanes []*lane, work func(context.Context, *lane) int) error {
	codes := make([]int, len(lanes))
	var all sync.WaitGroup
	for i, l := range lanes {
		all.Go(func() { codes[i] = work(ctx, l) })
	}
	all.Wait()
	done := slices.ContainsFunc(codes, func(c int) bool { return c != exitUsage })
	code := exitDone
	for _, c := range codes {
		if done && c == exitUsage { // which says that nothing was done
			c = exitFailed
		}
		code = worse(code, c)
	}
	return ended(code)
}

// inTurn works on the lanes one after another, for commands whose text should
// not be mixed.
func (p *program) inTurn(ctx context.Context, lanes []*lane, work func(context.Context, *lane) error) error {
	code := exitDone
	for _, l := range lanes {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := work(ctx, l)
		if err != nil && ctx.Err() != nil { // whatever it looks like from below
			l.problem(context.Cause(ctx))
			return ended(exitInterrupted)
		}
		if err != nil && err.Error() != "" { // as a codeError has, also a joined one
			l.problem(err)
		}
		code = worse(code, exitCode(err))
	}
	return ended(code)
}

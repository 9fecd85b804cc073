package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"imapsync/config"
	"imapsync/importer"
)

// importSources are the programs whose configuration can be taken over, with the
// places it is looked for, the first that is there.
var importSources = []struct {
	name  string
	read  func(text string, env importer.Env) *importer.Result
	files []string // from the home directory on, or from $XDG_CONFIG_HOME with "$" in front
}{
	{"mbsync", importer.Mbsync, []string{"$isyncrc", ".mbsyncrc"}},
	{"offlineimap", importer.Offlineimap, []string{"$offlineimap/config", ".offlineimaprc"}},
}

func (p *program) importCommand() *cli.Command {
	var names []string
	for _, s := range importSources {
		names = append(names, s.name)
	}
	return &cli.Command{
		Name:      "import",
		Usage:     "take over accounts from mbsync or offlineimap",
		ArgsUsage: strings.Join(names, "|") + " [FILE]",
		Description: "Reads the other program's configuration (FILE, or where that program looks for it) and writes ours, or appends to it the " +
			"accounts that it does not have. The Maildirs are used as they are: nothing is downloaded, sent, renamed or deleted. What cannot be " +
			"carried over is named, with file, line and what to do instead; then the exit code is 1 where an account was left out or needs " +
			"completing. docs/mbsync.md and docs/offlineimap.md go through all options.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "print", Aliases: []string{"n"}, Usage: "print the configuration without passwords, nor commands that may hold them, and write nothing"},
		},
		Action: func(c *cli.Context) error {
			if err := atMost(c, 2); err != nil {
				return err
			}
			for _, s := range importSources {
				if s.name == c.Args().First() {
					file, text, err := oldConfig(c.Args().Get(1), s.name, s.files)
					if err != nil {
						return err
					}
					return p.takeOver(file, s.read(text, importEnv(file)), c.Bool("print"))
				}
			}
			return usagef("import: name what to import from: %s%s", strings.Join(names, " or "), config.Suggest(c.Args().First(), names))
		},
	}
}

// oldConfig reads the file named, or else the first of those that are there.
func oldConfig(named, program string, usual []string) (file, text string, err error) {
	files := []string{named}
	if named == "" {
		if files, err = usualFiles(usual); err != nil {
			return "", "", err
		}
	}
	for _, file := range files {
		f, err := os.Open(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return "", "", usagef("import: %v; name a file that you can read", err)
		}
		defer f.Close()
		const most = 1 << 20
		data, err := io.ReadAll(io.LimitReader(f, most+1))
		if err != nil || len(data) > most {
			return "", "", usagef("import: %s is no configuration of %s (%d bytes read, %v)", file, program, len(data), err)
		}
		file, err = filepath.Abs(file)
		return file, string(data), err
	}
	return "", "", usagef("import: there is no %s; name the configuration of %s", strings.Join(files, " nor "), program)
}

func usualFiles(usual []string) (files []string, err error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, usagef("import: %v; name the file", err)
	}
	xdg := os.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(xdg) {
		xdg = filepath.Join(home, ".config")
	}
	for _, u := range usual {
		if rest, ok := strings.CutPrefix(u, "$"); ok {
			files = append(files, filepath.Join(xdg, rest))
		} else {
			files = append(files, filepath.Join(home, u))
		}
	}
	return files, nil
}

// importEnv tells the importer what it may want to know of this machine.
func importEnv(file string) importer.Env {
	home, _ := os.UserHomeDir() // "" is as good as any other: paths from there are then not found
	return importer.Env{
		File: file, Home: home, Getenv: os.Getenv, Dirs: maildirsBelow,
		Same: func(a, b string) bool {
			x, err := os.Stat(a)
			if err != nil {
				return false
			}
			y, err := os.Stat(b)
			return err == nil && os.SameFile(x, y)
		},
	}
}

// maildirsBelow lists the Maildirs below a directory, as far as it can be read.
func maildirsBelow(root string) (dirs []string) {
	if real, err := filepath.EvalSymlinks(root); err == nil {
		root = real
	}
	_ = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fs.SkipDir
		case !e.IsDir():
			return nil
		case e.Name() == "new" || e.Name() == "tmp":
			return fs.SkipDir
		case e.Name() == "cur":
			if rel, err := filepath.Rel(root, filepath.Dir(path)); err == nil {
				dirs = append(dirs, rel)
			}
			return fs.SkipDir
		}
		return nil
	})
	return dirs
}

// importObject is an account taken over; in JSON the event "import".
type importObject struct {
	head
	From    string `json:"from"`
	Maildir string `json:"maildir"`
	Written bool   `json:"written"` // false: the configuration had it already, or is not to be written
}

// leftObject is something that was not carried over; in JSON the event "left".
type leftObject struct {
	head
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"`
	Option string `json:"option,omitempty"`
	Text   string `json:"text"`
	Grave  bool   `json:"grave"` // an account was left out, or is not complete
}

// takeOver writes what was read, and tells what became of it.
func (p *program) takeOver(file string, r *importer.Result, print bool) error {
	code := exitDone
	for _, n := range r.Notes {
		if n.Grave {
			code = exitFailed
		}
		p.out.object(leftObject{p.out.head("left", ""), file, n.Line, n.Option, n.Text, n.Grave})
		if !p.out.json && (!p.out.quiet || n.Grave) {
			p.out.line(p.out.stderr, noteLine(file, n))
		}
	}
	if len(r.Accounts) == 0 && code == exitDone {
		return usagef("import: %s has no account that could be taken over", file)
	} else if len(r.Accounts) == 0 {
		return fmt.Errorf("import: nothing was written: %s has no account that could be taken over as it is", file)
	}
	if print {
		var shown []*importer.Account
		for _, a := range r.Accounts {
			p.out.object(importObject{p.out.head("import", a.Name), a.From, a.Maildir, false})
			shown = append(shown, a.Masked())
		}
		if !p.out.json {
			fmt.Fprint(p.out.stdout, tomlOf(file, shown))
		}
		return ended(code)
	}
	if err := p.writeImported(file, r.Accounts); err != nil {
		return err
	}
	return ended(code)
}

func noteLine(file string, n importer.Note) string {
	at := file
	if n.Line > 0 {
		at += fmt.Sprintf(":%d", n.Line)
	}
	if n.Option != "" {
		at += ": " + n.Option
	}
	return at + ": " + n.Text
}

func tomlOf(file string, accounts []*importer.Account) string {
	sections := make([]string, len(accounts))
	for i, a := range accounts {
		sections[i] = a.TOML()
	}
	return "# Taken over from " + plain(file) + "\n\n" + strings.Join(sections, "\n")
}

// writeImported makes the configuration file, or appends to it the accounts that
// it does not have.
func (p *program) writeImported(from string, accounts []*importer.Account) error {
	target, err := p.chosenConfig()
	if err != nil {
		return err
	}
	old, err := os.ReadFile(target)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createConfig(target, tomlOf(from, accounts)); err != nil {
			return usagef("import: %v; name another file with -c, or use --print", err)
		}
		p.imported(target, accounts, nil)
		return nil
	} else if err != nil {
		return usagef("import: %v; name a file that you can read with -c", err)
	}
	known, err := config.Load(target)
	if err != nil {
		return errors.Join(append(unjoin(configError(target, p.configFile != "", err)),
			usagef("import: nothing was written to %s, for it is not in order; correct it first, or use --print and add the accounts by hand", target))...)
	}
	isKnown := func(a *importer.Account) bool { return known.Account(a.Name) != nil }
	added := slices.DeleteFunc(slices.Clone(accounts), isKnown)
	if len(added) > 0 {
		text := "\n" + tomlOf(from, added)
		if len(old) > 0 && old[len(old)-1] != '\n' {
			text = "\n" + text
		}
		if _, err := config.Parse(target, append(old, text...)); err != nil {
			return errors.Join(append(unjoin(err), usagef("import: nothing was appended to %s, for with these accounts it would not be in order: "+
				"print them with --print, add them by hand and complete them", target))...)
		}
		if err := appendConfig(target, text); err != nil {
			return usagef("import: %v; use --print and add the accounts by hand", err)
		}
	}
	p.imported(target, added, slices.DeleteFunc(slices.Clone(accounts), func(a *importer.Account) bool { return !isKnown(a) }))
	return nil
}

// createConfig writes a configuration that only its owner can read, and nothing
// where there is one by now.
func createConfig(file, text string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return writeConfig(file, os.O_CREATE|os.O_EXCL, text)
}

// appendConfig takes care that a password is not appended to what others can read.
func appendConfig(file, text string) error {
	info, err := os.Stat(file)
	if err == nil && info.Mode().Perm()&0o077 != 0 && importer.HoldsSecret(text) {
		err = fmt.Errorf("others may read %s, and a password is to be added; run: chmod 600 %s", file, quoted(file))
	}
	if err != nil {
		return err
	}
	return writeConfig(file, os.O_APPEND, text)
}

// writeConfig leaves the file as it was, or makes none, if it cannot write all of
// the text.
func writeConfig(file string, how int, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|how, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.WriteString(text)
		if err = errors.Join(err, f.Sync()); err != nil {
			err = errors.Join(err, f.Truncate(info.Size()))
		}
	}
	if err = errors.Join(err, f.Close()); err != nil && how&os.O_EXCL != 0 {
		err = errors.Join(err, os.Remove(file))
	}
	return err
}

// imported tells what was written, and how to go on.
func (p *program) imported(target string, added, known []*importer.Account) {
	names := func(list []*importer.Account, written bool) string {
		var names []string
		for _, a := range list {
			p.out.object(importObject{p.out.head("import", a.Name), a.From, a.Maildir, written})
			names = append(names, a.Name)
		}
		return strings.Join(names, ", ")
	}
	if len(known) > 0 {
		p.out.say("%s has already, and keeps as it is: %s", target, names(known, false))
	}
	if len(added) == 0 {
		return
	}
	p.out.say("written to %s: %s", target, names(added, true))
	c := ""
	if p.configFile != "" {
		c = " -c " + quoted(p.configFile)
	}
	p.out.sayLines("Next: stop what runs the old program, let it run once more, then",
		"  imapsync"+c+" check   whether the server is reached",
		"  imapsync"+c+" plan    what a first run would do: it deletes nothing, and transfers only what one side lacks",
		"  imapsync"+c+" sync")
}

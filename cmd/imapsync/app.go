package main

import (
	"fmt"
	"sort"
	"strings"

	"github.com/urfave/cli/v2"
)

const programName = "imapsync"

// init lets --help write options as the manual page does.
func init() {
	cli.FlagStringer = func(f cli.Flag) string { return flagTerm(f) + "\t" + flagText(f) }
}

// newApp declares the command line. Help, manual page and completion are all
// made from this one declaration.
func (p *program) newApp() *cli.App {
	return &cli.App{
		Name:                      programName,
		Usage:                     "keep an IMAP account and a Maildir the same, both ways",
		UsageText:                 "imapsync [-c FILE] [--json] [-q|-v|-vv] COMMAND [OPTIONS] [ARGUMENTS]",
		HideVersion:               true,
		HideHelpCommand:           true,
		DisableSliceFlagSeparator: true,
		Writer:                    p.out.stdout,
		ErrWriter:                 p.out.stderr,
		ExitErrHandler:            func(*cli.Context, error) {}, // run returns the code
		OnUsageError:              asUsageError,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Aliases: []string{"c"}, Usage: "read the configuration from `FILE`", Destination: &p.configFile},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object per line (docs/json.md)", Destination: &p.out.json},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print errors only, and nothing when another run is busy", Destination: &p.out.quiet},
			&cli.BoolFlag{Name: "v", Usage: "print each operation with its reason, and what it cost to begin: state, connections, list of folders", Destination: &p.out.verbose},
			&cli.BoolFlag{Name: "vv", Usage: "print also what is said to the server, secrets left out", Destination: &p.out.trace},
			&cli.BoolFlag{Name: "version", Usage: "print the version"},
		},
		Commands: p.commands(),
		Before:   p.before,
		Action:   p.noCommand,
	}
}

func (p *program) commands() []*cli.Command {
	list := []*cli.Command{
		p.initCommand(), p.importCommand(), p.loginCommand(), p.checkCommand(), p.planCommand(), p.syncCommand(), p.statusCommand(), p.foldersCommand(),
		p.conflictsCommand(), p.whyCommand(), p.fetchCommand(), p.undoCommand(), p.verifyCommand(), p.searchCommand(),
		p.demoCommand(), p.completionCommand(), p.accountsCommand(), p.accountFoldersCommand(), p.manCommand(), p.versionCommand(),
	}
	for _, c := range list {
		c.OnUsageError = asUsageError
		c.HideHelpCommand = true
		c.UsageText = strings.TrimSpace(programName + " " + c.Name + " [OPTIONS] " + c.ArgsUsage)
	}
	return list
}

// before settles what the global options mean together.
func (p *program) before(c *cli.Context) error {
	p.out.verbose = p.out.verbose || p.out.trace
	if p.out.quiet && p.out.verbose {
		return usagef("-q and -v contradict each other")
	}
	return nil
}

func (p *program) noCommand(c *cli.Context) error {
	if c.Bool("version") {
		p.showVersion()
		return nil
	}
	return usagef("no command given; imapsync --help lists them")
}

func asUsageError(_ *cli.Context, err error, _ bool) error { return usagef("%v", err) }

// commandNames lists the commands a user may type, sorted.
func commandNames(app *cli.App) []string {
	var names []string
	for _, c := range app.Commands {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}
	sort.Strings(names)
	return names
}

// atMost refuses more arguments than a command has a use for.
func atMost(c *cli.Context, n int) error {
	if c.NArg() > n {
		return usagef("%s: too many arguments from %q on", c.Command.Name, c.Args().Get(n))
	}
	return nil
}

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

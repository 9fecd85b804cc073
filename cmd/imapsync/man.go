package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

func (p *program) manCommand() *cli.Command {
	return &cli.Command{
		Name:      "man",
		Usage:     "print a manual page",
		ArgsUsage: "[1|5]",
		Description: "1, or nothing, is that of the program, imapsync(1); 5 is that of the configuration file, imapsync.toml(5). " +
			"Save them as imapsync.1 and imapsync.toml.5 in directories of man pages, or read them at once: imapsync man 5 | man -l -",
		Action: func(c *cli.Context) error {
			if err := atMost(c, 1); err != nil {
				return err
			}
			page := ""
			switch c.Args().First() {
			case "", "1":
				page = manual(p.app)
			case "5":
				page = configManual()
			default:
				return usagef("man: there are the sections 1, the program, and 5, the configuration file; not %q", c.Args().First())
			}
			_, err := fmt.Fprint(p.out.stdout, page)
			return err
		},
	}
}

// exitTexts are the exit codes in the manual's order.
var exitTexts = []struct {
	code int
	text string
}{
	{exitDone, "Done; both sides are the same."},
	{exitFailed, "Something failed; the rest was done."},
	{exitUsage, "The command line or the configuration is wrong; nothing was done."},
	{exitAuth, "Authentication or TLS was refused."},
	{exitTemporary, "The network or the server is unavailable for now; run again later."},
	{exitHeld, "Deletions are held, or the Maildir is not the one known (unmounted?); everything else was done."},
	{exitBusy, "Another run is busy with the account."},
	{exitInterrupted, "Interrupted by SIGINT or SIGTERM; what was done is recorded."},
}

const manExample = `[accounts.work]
host = "imap.example.org"
user = "me@example.org"
password_command = "pass mail/work"
maildir = "~/Mail/work"
folders = ["*", "!Spam"]
`

// roff writes a manual page in man(7).
type roff struct{ strings.Builder }

func (r *roff) section(name string) { fmt.Fprintf(r, ".SH %s\n", roffText(name)) }
func (r *roff) text(s string)       { fmt.Fprintf(r, "%s\n", roffText(s)) }
func (r *roff) paragraph(s string)  { fmt.Fprintf(r, ".PP\n%s\n", roffText(s)) }

// title begins the page.
func (r *roff) title(name string, section int, collection string) {
	fmt.Fprintf(r, ".TH %s %d \"%s\" \"imapsync %s\" \"%s\"\n", roffText(name), section, day, roffText(currentVersion()), collection)
}

// item is a term and what it means.
func (r *roff) item(term, text string) {
	fmt.Fprintf(r, ".TP\n\\fB%s\\fR\n%s\n", roffText(term), roffText(text))
}

// roffText escapes what roff would take for its own: backslashes, hyphens that
// are to be copied and pasted, and control characters at the start of a line.
func roffText(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...", "“", `"`, "”", `"`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}

// manual is the manual page, made from the declaration of the command line and
// of the configuration's keys.
func manual(app *cli.App) string {
	r := &roff{}
	r.title("IMAPSYNC", 1, "User Commands")
	r.section("NAME")
	r.text("imapsync - " + app.Usage)
	r.section("SYNOPSIS")
	r.text(app.UsageText)
	r.section("DESCRIPTION")
	r.text("imapsync brings every change of a Maildir to an IMAP server and every change of the server to the Maildir: " +
		"new messages, flags and keywords, deletions, folders. It remembers what both sides last agreed on, so it never " +
		"takes a message that one side lacks for deleted without proof, and it holds back deletions that look like an accident.")
	r.paragraph("It is another program than the well-known Perl tool of the same name, which copies mailboxes between servers.")
	r.paragraph("Options may stand anywhere on the command line; -- ends them.")
	r.section("OPTIONS")
	for _, f := range withHelp(app.Flags) {
		r.item(flagTerm(f), sentence(flagText(f)))
	}
	r.section("COMMANDS")
	for _, c := range app.Commands {
		if !c.Hidden {
			r.command(c)
		}
	}
	r.configuration()
	r.section("EXIT STATUS")
	r.text("Of several accounts the gravest outcome decides; what needs a person outweighs what time cures: 130, 2, 3, 1, 5, 4, 6, 0; a 2 of one account counts as 1 where another was synchronised.")
	for _, e := range exitTexts {
		r.item(fmt.Sprint(e.code), e.text)
	}
	r.section("SIGNALS")
	r.item("SIGINT, SIGTERM", "The first finishes the message in hand, records it and exits with 130; the second exits at once. "+
		"The next run goes on from there either way.")
	r.files()
	r.section("SEE ALSO")
	r.text("imapsync.toml(5), mbsync(1), notmuch(1), mutt(1), maildir(5)")
	return r.String()
}

func (r *roff) command(c *cli.Command) {
	fmt.Fprintf(r, ".SS \"%s\"\n", roffText(strings.TrimSpace(c.Name+" "+c.ArgsUsage)))
	r.text(sentence(c.Usage))
	if c.Description != "" {
		r.paragraph(c.Description)
	}
	for _, f := range c.Flags {
		if f == cli.HelpFlag {
			continue // told once, among the global options
		}
		r.item(flagTerm(f), sentence(flagText(f)))
	}
}

// flagTerm is an option with its other names and its value.
func flagTerm(f cli.Flag) string {
	var names []string
	for _, n := range f.Names() {
		names = append(names, dashes(n)+n)
	}
	term := strings.Join(names, ", ")
	_, value, ok := strings.Cut(f.(cli.DocGenerationFlag).GetUsage(), "`")
	value, _, _ = strings.Cut(value, "`")
	switch _, optional := f.(*cli.GenericFlag); {
	case optional:
		term += "[=" + value + "]"
	case ok:
		term += " " + value
	}
	return term
}

func flagText(f cli.Flag) string {
	return strings.ReplaceAll(f.(cli.DocGenerationFlag).GetUsage(), "`", "")
}

// sentence begins with a capital and ends in a full stop.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] + "." }

func (r *roff) configuration() {
	r.section("CONFIGURATION")
	r.text("The file is TOML; imapsync.toml(5) has all its keys. What it needs at least, and a choice of folders:")
	r.example(manExample)
}

func (r *roff) files() {
	r.section("FILES")
	r.item("$XDG_CONFIG_HOME/imapsync/config.toml", "The configuration; $IMAPSYNC_CONFIG or -c names another. "+
		"Where it holds a password, only its owner may be able to read it.")
	r.item("$XDG_STATE_HOME/imapsync/NAME.db", "The state of an account. When it is lost, the next run matches both sides by content and deletes nothing.")
	r.item("$XDG_STATE_HOME/imapsync/NAME.deleted", "Messages that runs removed from the Maildir, for keep_deleted.")
	r.item("$XDG_STATE_HOME/imapsync/NAME.oauth", "What imapsync login got by OAuth 2, on a machine without a keyring; only its owner can read it. "+
		"NAME.oauth.lock keeps two runs from asking for a token at once.")
	r.item("MAILDIR/.imapsync-id", "Tells to which account a Maildir belongs, so that an unmounted disk is not taken for deleted mail.")
	r.section("ENVIRONMENT")
	r.item("IMAPSYNC_CONFIG, XDG_CONFIG_HOME, XDG_STATE_HOME", "Where the files are looked for.")
	r.item("ALL_PROXY, HTTPS_PROXY, NO_PROXY", "The proxy to connect through, unless the key proxy names one.")
	r.item("DBUS_SESSION_BUS_ADDRESS", "Where the system's keyring is, on Linux; set in the session of the user.")
	r.item("CREDENTIALS_DIRECTORY", "Set by systemd for the key credential.")
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/urfave/cli/v2"

	"imapsync/config"
	"imapsync/discover"
	"imapsync/importer"
	"imapsync/oauth"
)

// answers are what `imapsync init` asks, each given by a flag or by the user.
type answers struct {
	address, host, tls, user, name, maildir string
	port                                    int
	caFile                                  string

	passwordCommand, passwordFile, tokenCommand string
	keyring                                     bool
	provider, clientID, clientSecret            string

	yes bool
	how loginOptions
}

func (p *program) initCommand() *cli.Command {
	var a answers
	text := func(name, usage string, to *string) cli.Flag {
		return &cli.StringFlag{Name: name, Usage: usage, Destination: to}
	}
	return &cli.Command{
		Name:  "init",
		Usage: "set up an account: find the server, try the login, write the configuration",
		Description: "Asks for the address, finds its server (a list of providers, the domain's autoconfig file, its SRV records), asks where the password is to come from, " +
			"tries the login, lists the folders and writes a section with comments into the configuration, which it makes with mode 0600 or adds to; " +
			"nothing that is there is changed, and nothing is written or kept before you have seen the section and agreed. Each question has an option; with all of them, or with --yes for those that have a proposal, nothing is asked.",
		Flags: []cli.Flag{
			text("address", "the mail address is `ADDRESS`", &a.address),
			text("host", "the server is `HOST`; nothing is looked for", &a.host),
			&cli.IntFlag{Name: "port", Usage: "the server's port is `PORT`, if it is neither the one found nor 993 (143 unless TLS is implicit)", Destination: &a.port},
			text("tls", "the connection is protected by `TLS`: implicit (unless another was found), starttls or none", &a.tls),
			text("ca-file", "believe the certificate authorities of the PEM `FILE`", &a.caFile),
			text("user", "the login name is `USER`, if it is not the address", &a.user),
			text("password-command", "the shell `COMMAND` prints the password", &a.passwordCommand),
			text("password-file", "the first line of `FILE` is the password", &a.passwordFile),
			&cli.BoolFlag{Name: "keyring", Usage: "keep the password in the system's keyring", Destination: &a.keyring},
			text("token-command", "the shell `COMMAND` prints an OAuth 2 access token", &a.tokenCommand),
			text("oauth", "log in by OAuth 2 with `PROVIDER`: google or microsoft", &a.provider),
			text("client-id", "the provider knows the client, for --oauth, as `ID`", &a.clientID),
			text("client-secret", "the client's secret, for --oauth, is `SECRET`, which other users of this machine may see in the list of processes; --stdin hides it", &a.clientSecret),
			text("name", "the account is called `NAME`", &a.name),
			text("maildir", "the mail goes to `DIR`", &a.maildir),
			&cli.BoolFlag{Name: "stdin", Usage: "read the password (--keyring) or the client's secret (--oauth) from the first line of standard input", Destination: &a.how.stdin},
			&cli.BoolFlag{Name: "device", Usage: "for --oauth, log in on another device, with a code", Destination: &a.how.device},
			&cli.BoolFlag{Name: "no-browser", Usage: "for --oauth, print the address and open no browser", Destination: &a.how.noBrowser},
			&cli.BoolFlag{Name: "yes", Usage: "take what is proposed, and write without asking", Destination: &a.yes},
		},
		Action: func(c *cli.Context) error {
			if err := atMost(c, 0); err != nil {
				return err
			}
			if err := a.check(); err != nil {
				return err
			}
			file, err := p.target()
			if err != nil {
				return err
			}
			if err := p.complete(c.Context, &a, file); err != nil {
				return err
			}
			return p.setUp(c.Context, &a, file)
		},
	}
}

// check refuses answers that do not go together, before anything is asked.
func (a *answers) check() error {
	switch a.sources() {
	case 0:
		return nil // which is asked for
	case 1:
		return a.checkSource()
	}
	return usagef("init: give one of --password-command, --password-file, --keyring, --token-command, --oauth")
}

// sources counts the places given that the secret is to come from.
func (a *answers) sources() (n int) {
	for _, is := range []bool{a.passwordCommand != "", a.passwordFile != "", a.keyring, a.tokenCommand != "", a.provider != ""} {
		if is {
			n++
		}
	}
	return n
}

// checkSource refuses options that have no meaning for where the secret is to come from.
func (a *answers) checkSource() error {
	switch {
	case a.provider == "" && (a.clientID != "" || a.clientSecret != ""):
		return usagef("init: --client-id and --client-secret are for --oauth")
	case a.provider == "" && (a.how.device || a.how.noBrowser):
		return usagef("init: --device and --no-browser are for --oauth")
	case a.how.device && a.how.noBrowser:
		return usagef("init: --device opens no browser anyway: give it alone")
	case a.how.stdin && a.provider == "" && !a.keyring:
		return usagef("init: --stdin is for the password that --keyring keeps, or for the client secret of --oauth")
	case a.how.stdin && a.clientSecret != "":
		return usagef("init: give one of --client-secret and --stdin")
	}
	return nil
}

// complete asks for what is missing.
func (p *program) complete(ctx context.Context, a *answers, file *target) error {
	if err := p.answer(ctx, a, &a.address, question{flag: "address", text: "Your mail address"}); err != nil {
		return err
	}
	local, domain, err := discover.Split(a.address)
	if err != nil {
		return usagef("init: --address: %v", err)
	}
	server, err := p.server(ctx, a, local, domain)
	if err != nil {
		return err
	}
	if err := p.answer(ctx, a, &a.user, question{flag: "user", text: "Login name", proposal: server.User}); err != nil {
		return err
	}
	if err := p.source(ctx, a, server); err != nil {
		return err
	}
	label, _, _ := strings.Cut(domain, ".")
	if err := p.answer(ctx, a, &a.name, question{flag: "name", text: "Name of the account", proposal: file.freeName(label)}); err != nil {
		return err
	}
	return p.answer(ctx, a, &a.maildir, question{flag: "maildir", text: "Maildir", proposal: "~/Mail/" + a.name})
}

// server finds the server, unless it was given, and has the user agree.
func (p *program) server(ctx context.Context, a *answers, local, domain string) (discover.Server, error) {
	s := discover.Server{User: a.address}
	if a.host == "" {
		found, err := p.finder.Find(ctx, a.address)
		if ctx.Err() != nil {
			return s, context.Cause(ctx)
		}
		if err != nil {
			return s, err
		}
		for _, f := range found {
			p.prompt(fmt.Sprintf("Found %s:%d (%s) by %s.", f.Host, f.Port, f.TLS, f.Found))
		}
		q := question{flag: "host", text: "IMAP server", proposal: "imap." + domain, unsure: true}
		if len(found) > 0 {
			s = found[0]
			q.proposal, q.unsure = s.Host, !s.Sure
		}
		if err := p.answer(ctx, a, &a.host, q); err != nil {
			return s, err
		}
		if a.host != s.Host {
			s = discover.Server{User: a.address}
		}
	}
	if a.port == 0 && a.tls == "" {
		a.port, a.tls = s.Port, s.TLS
	}
	if s.Note != "" {
		p.prompt(fmt.Sprintf("About %s: %s.", domain, s.Note))
	}
	return s, nil
}

// source asks where the password or token is to come from.
func (p *program) source(ctx context.Context, a *answers, server discover.Server) error {
	if a.sources() == 0 {
		if err := p.chooseSource(ctx, a, server); err != nil {
			return err
		}
	}
	if err := a.checkSource(); err != nil {
		return err
	}
	if a.provider == "" {
		return nil
	}
	if oauth.Provider(a.provider) == nil {
		return usagef("init: --oauth: must be one of %s, not %q%s", strings.Join(oauth.Providers(), ", "), a.provider, config.Suggest(a.provider, oauth.Providers()))
	}
	if err := p.answer(ctx, a, &a.clientID, question{flag: "client-id", text: "Client id that " + a.provider + " gave for your installed application"}); err != nil {
		return err
	}
	return p.askClientSecret(ctx, a)
}

// askClientSecret reads the client secret, or asks for it where the provider has one.
func (p *program) askClientSecret(ctx context.Context, a *answers) (err error) {
	switch {
	case a.how.stdin:
		a.clientSecret, err = p.console.line(ctx)
		if ctx.Err() == nil && (errors.Is(err, io.EOF) || err == nil && a.clientSecret == "") {
			return usagef("init: --stdin: there is no client secret on standard input")
		}
	case a.clientSecret == "" && a.provider == "google" && p.console.terminal:
		a.clientSecret, err = p.console.askHidden(ctx, "Client secret (empty for none):")
	}
	return err
}

// chooseSource offers what fits the server.
func (p *program) chooseSource(ctx context.Context, a *answers, server discover.Server) error {
	const flags = "password-command, --keyring, --password-file, --token-command or --oauth"
	if a.yes || !p.console.terminal {
		return usagef("init: give one of --%s", flags)
	}
	proposal := "command"
	if server.NoPassword && server.OAuth != "" {
		proposal = "oauth"
	}
	p.prompt("Where is the password to come from?",
		"  command  a command prints it, such as pass or secret-tool",
		"  keyring  the system's keyring",
		"  file     the first line of a file",
		"  oauth    none: log in with the provider in a browser (OAuth 2)")
	for {
		var choice string
		if err := p.answer(ctx, a, &choice, question{flag: flags, text: "Source", proposal: proposal}); err != nil {
			return err
		}
		switch choice {
		case "command":
			return p.answer(ctx, a, &a.passwordCommand, question{flag: "password-command", text: "Command", proposal: "pass mail/" + a.user})
		case "keyring":
			a.keyring = true
			return nil
		case "file":
			return p.answer(ctx, a, &a.passwordFile, question{flag: "password-file", text: "File"})
		case "oauth":
			return p.answer(ctx, a, &a.provider, question{flag: "oauth", text: "Provider (google, microsoft)", proposal: server.OAuth})
		}
		p.prompt("Give one of command, keyring, file, oauth.")
	}
}

// question is one that init asks.
type question struct {
	flag     string // that answers it, too
	text     string
	proposal string // "" where there is none
	unsure   bool   // the proposal is not taken without somebody's word
}

// answer fills in what no flag has given: by the proposal with --yes, else by
// asking.
func (p *program) answer(ctx context.Context, a *answers, to *string, q question) error {
	for *to == "" {
		switch {
		case a.yes && q.proposal != "" && !q.unsure:
			*to = q.proposal
			return nil
		case a.yes || !p.console.terminal:
			return p.unanswered(a, q)
		}
		text := q.text + ":"
		if q.proposal != "" {
			text = q.text + " [" + q.proposal + "]:"
		}
		line, err := p.console.ask(ctx, text)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return usagef("init: no answer to %q: %v; give --%s", q.text, err, q.flag)
		}
		if *to = strings.TrimSpace(line); *to == "" {
			*to = q.proposal
		}
	}
	return nil
}

// unanswered says how a question can be answered by somebody who is not there.
func (p *program) unanswered(a *answers, q question) error {
	switch {
	case q.proposal == "":
		return usagef("init: --%s is missing (%s)", q.flag, strings.ToLower(q.text[:1])+q.text[1:])
	case q.unsure:
		return usagef("init: --%s is missing: %q is only a guess, or comes from a record that anybody may have made up; give the server that you trust", q.flag, q.proposal)
	}
	return usagef("init: there is no terminal to ask; give --%s, or --yes for %q", q.flag, q.proposal)
}

// section is the account as the configuration will have it. Comments tell what
// the user may want to change.
func (a *answers) section(folders []string, virtual []string) string {
	var b strings.Builder
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s = %s\n", key, importer.TOMLString(value))
		}
	}
	name := importer.TOMLKey(a.name)
	fmt.Fprintf(&b, "# %s, made by imapsync init; imapsync man explains all keys.\n[accounts.%s]\n", inComment(a.address), name)
	line("host", a.host)
	if a.port != 0 {
		fmt.Fprintf(&b, "port = %d\n", a.port)
	}
	line("tls", a.tls)
	line("ca_file", a.caFile)
	line("user", a.user)
	b.WriteString(a.secretLines(importer.TOMLString(a.clientSecret)))
	line("maildir", a.maildir)
	b.WriteString(folderLines(folders, virtual))
	return b.String()
}

// secretLines say where the secret comes from; the client secret comes quoted.
func (a *answers) secretLines(clientSecret string) string {
	switch {
	case a.passwordCommand != "":
		return "# The first line that this prints is the password.\npassword_command = " + importer.TOMLString(a.passwordCommand) + "\n"
	case a.passwordFile != "":
		return "# The first line of this file is the password.\npassword_file = " + importer.TOMLString(a.passwordFile) + "\n"
	case a.tokenCommand != "":
		return "# The first line that this prints is an OAuth 2 access token.\ntoken_command = " + importer.TOMLString(a.tokenCommand) + "\n"
	case a.keyring:
		return "# The password is in the system's keyring; imapsync login replaces it.\nkeyring = true\n"
	}
	client := "client_id = " + importer.TOMLString(a.clientID)
	if a.clientSecret != "" {
		client += ", client_secret = " + clientSecret
	}
	return "# imapsync login renews the login.\noauth = { provider = " + importer.TOMLString(a.provider) + ", " + client + " }\n"
}

// folderLines choose the folders. Those that only show what others hold are
// left out: each message would come twice.
func folderLines(folders, virtual []string) string {
	if len(folders) == 0 {
		return ""
	}
	const most = 12
	shown := folders[:min(len(folders), most)]
	text := "# On the server: " + inComment(strings.Join(shown, ", "))
	if len(folders) > most {
		text += fmt.Sprintf(" and %d more", len(folders)-most)
	}
	text += ".\n"
	patterns := []string{importer.TOMLString("*")}
	for _, name := range virtual {
		patterns = append(patterns, importer.TOMLString("!"+name))
	}
	if len(virtual) > 0 {
		text += "# Those with ! are left out: they show what the others hold.\n"
	} else {
		text += "# \"!Spam\" in this list would leave that folder out.\n"
	}
	return text + "folders = [" + strings.Join(patterns, ", ") + "]\n"
}

// inComment keeps what others have named on the line of a comment: after a line end
// it would be a key.
func inComment(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// absolute keeps a path given on the command line what it is there: the
// configuration would take it from its own place.
func absolute(file string) (string, error) {
	if file == "" || strings.HasPrefix(file, "~") {
		return file, nil
	}
	return filepath.Abs(file)
}

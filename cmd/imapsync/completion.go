package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"imapsync/config"
)

// shells are those completion can be made for, with the file to put it in.
var shells = []struct {
	name, place string
	script      func(*cli.App) string
}{
	{"bash", "~/.local/share/bash-completion/completions/imapsync", bashCompletion},
	{"zsh", "a file _imapsync in a directory of $fpath", zshCompletion},
	{"fish", "~/.config/fish/completions/imapsync.fish", fishCompletion},
}

func (p *program) completionCommand() *cli.Command {
	var names, places []string
	for _, s := range shells {
		names = append(names, s.name)
		places = append(places, s.name+": "+s.place)
	}
	return &cli.Command{
		Name:        "completion",
		Usage:       "print the completion script of a shell",
		ArgsUsage:   strings.Join(names, "|"),
		Description: "Where to save it: " + strings.Join(places, "; ") + ".",
		Action: func(c *cli.Context) error {
			if err := atMost(c, 1); err != nil {
				return err
			}
			for _, s := range shells {
				if s.name == c.Args().First() {
					_, err := fmt.Fprint(p.out.stdout, s.script(p.app))
					return err
				}
			}
			return usagef("completion: name one of the shells %s%s", strings.Join(names, ", "), config.Suggest(c.Args().First(), names))
		},
	}
}

// accountsCommand lists the accounts for the completion scripts. Where the
// configuration cannot be read there is nothing to complete, and no error.
func (p *program) accountsCommand() *cli.Command {
	return &cli.Command{
		Name:   "complete-accounts",
		Hidden: true,
		Action: func(*cli.Context) error {
			conf, err := p.load()
			if err != nil {
				return nil
			}
			for _, a := range conf.Accounts {
				p.out.say("%s", a.Name)
			}
			return nil
		},
	}
}

// flagWords are the options as typed, long and short.
func flagWords(flags []cli.Flag) []string {
	var words []string
	for _, f := range withHelp(flags) {
		for _, n := range f.Names() {
			words = append(words, dashes(n)+n)
		}
	}
	return words
}

// withHelp adds --help, which package cli adds itself to what it has run.
func withHelp(flags []cli.Flag) []cli.Flag {
	if slices.Contains(flags, cli.HelpFlag) {
		return flags
	}
	return append(slices.Clone(flags), cli.HelpFlag)
}

func dashes(name string) string {
	if len(name) == 1 || name == "vv" {
		return "-"
	}
	return "--"
}

// takesAccounts reports whether a command's arguments are accounts.
func takesAccounts(c *cli.Command) bool { return strings.Contains(c.ArgsUsage, "ACCOUNT") }

// words are what may follow a command.
func words(c *cli.Command) string {
	w := flagWords(c.Flags)
	if choices := strings.Split(c.ArgsUsage, "|"); len(choices) > 1 {
		w = append(w, choices...)
	}
	return strings.Join(w, " ")
}

func bashCompletion(app *cli.App) string {
	var cases strings.Builder
	for _, c := range app.Commands {
		if c.Hidden {
			continue
		}
		accounts := ""
		if takesAccounts(c) {
			accounts = ` $(imapsync "${config[@]}" complete-accounts 2>/dev/null)`
		}
		fmt.Fprintf(&cases, "    %s) words=\"%s%s\" ;;\n", c.Name, words(c), accounts)
	}
	return `# bash completion for imapsync
_imapsync() {
  local cur="${COMP_WORDS[COMP_CWORD]}" command="" words="" i
  local -a config=()
  if [[ ${COMP_WORDS[COMP_CWORD-1]} == @(-c|--config) ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    return
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${COMP_WORDS[i]}" in
    -c|--config) config=(-c "${COMP_WORDS[++i]}") ;;
    -*) ;;
    *) if [[ -z $command ]]; then command="${COMP_WORDS[i]}"; fi ;;
    esac
  done
  case "$command" in
    "") words="` + strings.Join(append(commandNames(app), flagWords(app.Flags)...), " ") + `" ;;
` + cases.String() + `  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _imapsync imapsync
`
}

func zshCompletion(app *cli.App) string {
	var commands, cases strings.Builder
	for _, c := range app.Commands {
		if c.Hidden {
			continue
		}
		fmt.Fprintf(&commands, "    %s\n", shellQuote(c.Name+":"+c.Usage))
		accounts := ""
		if takesAccounts(c) {
			accounts = " ${(f)\"$(imapsync $config complete-accounts 2>/dev/null)\"}"
		}
		fmt.Fprintf(&cases, "    %s) compadd -- %s%s ;;\n", c.Name, words(c), accounts)
	}
	return `#compdef imapsync
_imapsync() {
  local command="" i
  local -a config commands
  if [[ ${words[CURRENT-1]} == (-c|--config) ]]; then
    _files
    return
  fi
  for ((i = 2; i < CURRENT; i++)); do
    case "${words[i]}" in
    -c|--config) config=(-c "${words[++i]}") ;;
    -*) ;;
    *) [[ -z $command ]] && command="${words[i]}" ;;
    esac
  done
  commands=(
` + commands.String() + `  )
  case "$command" in
    "") _describe command commands; compadd -- ` + strings.Join(flagWords(app.Flags), " ") + ` ;;
` + cases.String() + `  esac
}
_imapsync "$@"
`
}

func fishCompletion(app *cli.App) string {
	var b strings.Builder
	b.WriteString("# fish completion for imapsync\ncomplete -c imapsync -f\n")
	for _, f := range withHelp(app.Flags) {
		fishFlag(&b, "", f)
	}
	for _, c := range app.Commands {
		if c.Hidden {
			continue
		}
		fmt.Fprintf(&b, "complete -c imapsync -n __fish_use_subcommand -a %s -d %s\n", c.Name, shellQuote(c.Usage))
		seen := "-n '__fish_seen_subcommand_from " + c.Name + "' "
		for _, f := range c.Flags {
			fishFlag(&b, seen, f)
		}
		if takesAccounts(c) {
			fmt.Fprintf(&b, "complete -c imapsync %s-a '(imapsync complete-accounts 2>/dev/null)'\n", seen)
		}
		if choices := strings.Split(c.ArgsUsage, "|"); len(choices) > 1 {
			fmt.Fprintf(&b, "complete -c imapsync %s-a '%s'\n", seen, strings.Join(choices, " "))
		}
	}
	return b.String()
}

func fishFlag(b *strings.Builder, condition string, f cli.Flag) {
	fmt.Fprintf(b, "complete -c imapsync %s", condition)
	for _, n := range f.Names() {
		switch {
		case len(n) == 1:
			fmt.Fprintf(b, "-s %s ", n)
		case n == "vv":
			fmt.Fprintf(b, "-o %s ", n)
		default:
			fmt.Fprintf(b, "-l %s ", n)
		}
	}
	doc := f.(cli.DocGenerationFlag)
	if _, optional := f.(*cli.GenericFlag); doc.TakesValue() && !optional {
		b.WriteString("-r ")
		if f.Names()[0] == "config" {
			b.WriteString("-F ")
		}
	}
	fmt.Fprintf(b, "-d %s\n", shellQuote(strings.ReplaceAll(doc.GetUsage(), "`", "")))
}

// shellQuote puts a text in single quotes, as all three shells read them.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

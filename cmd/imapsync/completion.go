package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"imapsync/config"
	"imapsync/state"
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
			lanes, err := p.allLanes()
			if err != nil {
				return nil
			}
			for _, l := range lanes {
				p.out.say("%s", l.Name)
			}
			return nil
		},
	}
}

// accountFoldersCommand lists the accounts, and their folders as recorded,
// likewise.
func (p *program) accountFoldersCommand() *cli.Command {
	return &cli.Command{
		Name:   "complete-folders",
		Hidden: true,
		Action: func(c *cli.Context) error {
			lanes, err := p.allLanes()
			if err != nil {
				return nil
			}
			for _, l := range lanes {
				p.out.say("%s", l.Name)
				for _, name := range l.knownFolders(c.Context) {
					p.out.say("%s/%s", l.Name, name)
				}
			}
			return nil
		},
	}
}

// knownFolders are those recorded of which a line can be made.
func (l *lane) knownFolders(ctx context.Context) (names []string) {
	db, err := state.OpenReadOnly(ctx, l.stateFile())
	if err != nil {
		return nil
	}
	defer db.Close()
	records, _ := db.Folders(ctx)
	for _, r := range records {
		if name := string(r.Folder); plain(name) == name {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
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

// namesCommand is the command that lists what a command's arguments can be;
// "" when they are neither accounts nor folders.
func namesCommand(c *cli.Command) string {
	switch {
	case strings.Contains(c.ArgsUsage, "ACCOUNT[/FOLDER]"):
		return "complete-folders"
	case strings.Contains(c.ArgsUsage, "ACCOUNT"):
		return "complete-accounts"
	}
	return ""
}

// takesFiles reports whether a command's arguments can be files.
func takesFiles(c *cli.Command) bool {
	return strings.Contains(c.ArgsUsage, "FILE") || strings.Contains(c.ArgsUsage, "MESSAGE")
}

// choices are the words of which a command's first argument is one.
func choices(c *cli.Command) []string {
	first, _, _ := strings.Cut(c.ArgsUsage, " ")
	if list := strings.Split(strings.Trim(first, "[]."), "|"); len(list) > 1 {
		return list
	}
	return nil
}

// words are what may follow a command, but for names and files.
func words(c *cli.Command) string {
	return strings.Join(append(flagWords(c.Flags), choices(c)...), " ")
}

// valueOptions are the options, as a pattern of the shells, whose value is the
// next word: those that name a file and the others.
func valueOptions(app *cli.App) (files, others string) {
	var ofFiles, ofOthers []string
	add := func(flags []cli.Flag) {
		for _, f := range flags {
			doc := f.(cli.DocGenerationFlag)
			if _, optional := f.(*cli.GenericFlag); optional || !doc.TakesValue() {
				continue
			}
			words := flagWords([]cli.Flag{f, cli.HelpFlag})
			words = words[:len(f.Names())]
			if takesFile(f) {
				ofFiles = append(ofFiles, words...)
			} else {
				ofOthers = append(ofOthers, words...)
			}
		}
	}
	add(app.Flags)
	for _, c := range app.Commands {
		add(c.Flags)
	}
	pattern := func(words []string) string {
		slices.Sort(words)
		return strings.Join(slices.Compact(words), "|")
	}
	return pattern(ofFiles), pattern(ofOthers)
}

// takesFile reports whether an option's value is a file or a directory.
func takesFile(f cli.Flag) bool {
	return strings.HasSuffix(flagTerm(f), " FILE") || strings.HasSuffix(flagTerm(f), " DIR")
}

// bashCompletion has names from the state, which a server chose, never read
// again by the shell: compgen -W would carry out what is in them.
func bashCompletion(app *cli.App) string {
	files, others := valueOptions(app)
	var cases strings.Builder
	for _, c := range app.Commands {
		if c.Hidden {
			continue
		}
		fmt.Fprintf(&cases, "  %s) words=\"%s\" names=\"%s\"", c.Name, words(c), namesCommand(c))
		if takesFiles(c) {
			cases.WriteString(" files=1")
		}
		cases.WriteString(" ;;\n")
	}
	return `# bash completion for imapsync
_imapsync() {
  local cur="${COMP_WORDS[COMP_CWORD]}" command="" words="" names="" files="" name quoted i
  local -a config=()
  case "${COMP_WORDS[COMP_CWORD-1]}" in
  ` + files + `)
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    return ;;
  ` + others + `)
    return ;;
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${COMP_WORDS[i]}" in
    -c|--config) config=(-c "${COMP_WORDS[++i]}") ;;
    ` + files + "|" + others + `) ((++i)) ;;
    -*) ;;
    *) if [[ -z $command ]]; then command="${COMP_WORDS[i]}"; fi ;;
    esac
  done
  case "$command" in
  "") words="` + strings.Join(append(commandNames(app), flagWords(app.Flags)...), " ") + `" ;;
` + cases.String() + `  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
  if [[ -n $names ]]; then
    while IFS= read -r name; do
      printf -v quoted %q "$name"
      if [[ $name == "$cur"* || $quoted == "$cur"* ]]; then COMPREPLY+=("$quoted"); fi
    done < <(imapsync "${config[@]}" "$names" 2>/dev/null)
  fi
  if [[ -n $files && $cur != -* ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$cur")
  fi
}
complete -F _imapsync imapsync
`
}

func zshCompletion(app *cli.App) string {
	files, others := valueOptions(app)
	var commands, cases strings.Builder
	for _, c := range app.Commands {
		if c.Hidden {
			continue
		}
		fmt.Fprintf(&commands, "    %s\n", shellQuote(c.Name+":"+c.Usage))
		fmt.Fprintf(&cases, "    %s) compadd -- %s", c.Name, words(c))
		if names := namesCommand(c); names != "" {
			fmt.Fprintf(&cases, "; compadd -- ${(f)\"$(imapsync $config %s 2>/dev/null)\"}", names)
		}
		if takesFiles(c) {
			cases.WriteString("; _files")
		}
		cases.WriteString(" ;;\n")
	}
	return `#compdef imapsync
_imapsync() {
  local command="" i
  local -a config commands
  case "${words[CURRENT-1]}" in
  ` + files + `) _files; return ;;
  ` + others + `) return ;;
  esac
  for ((i = 2; i < CURRENT; i++)); do
    case "${words[i]}" in
    -c|--config) config=(-c "${words[++i]}") ;;
    ` + files + "|" + others + `) ((++i)) ;;
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
		if names := namesCommand(c); names != "" {
			fmt.Fprintf(&b, "complete -c imapsync %s-a '(imapsync %s 2>/dev/null)'\n", seen, names)
		}
		if list := choices(c); list != nil {
			fmt.Fprintf(&b, "complete -c imapsync %s-a '%s'\n", seen, strings.Join(list, " "))
		}
		if takesFiles(c) {
			fmt.Fprintf(&b, "complete -c imapsync %s-F\n", seen)
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
		if takesFile(f) {
			b.WriteString("-F ")
		}
	}
	fmt.Fprintf(b, "-d %s\n", shellQuote(strings.ReplaceAll(doc.GetUsage(), "`", "")))
}

// shellQuote puts a text in single quotes, as all three shells read them.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"imapsync/config"
)

// arrange puts a command line in the order package cli wants: global options,
// command, its options, arguments. Users write options anywhere, even after
// the arguments. An option whose value may be left out ("--name" or
// "--name=VALUE", never "--name VALUE") gets bareValue where it is.
func arrange(app *cli.App, args []string) ([]string, error) {
	var global, local, positional []string
	var command *cli.Command
	help := false
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			positional = append(positional, args[i+1:]...)
			i = len(args)
		case len(arg) > 1 && arg[0] == '-':
			o, isGlobal, err := findOption(app, command, arg)
			if err != nil {
				return nil, err
			}
			words := []string{o.written}
			if o.wantsValue {
				if i++; i == len(args) {
					return nil, usagef("%s needs a value", arg)
				}
				words = append(words, args[i])
			}
			if isGlobal {
				global = append(global, words...)
			} else {
				local = append(local, words...)
			}
		case command == nil && arg == "help":
			help = true // "help sync" is "sync --help"
		case command == nil:
			if command = app.Command(arg); command == nil {
				return nil, usagef("there is no command %q%s", arg, orList(config.Suggest(arg, commandNames(app)), app))
			}
		default:
			positional = append(positional, arg)
		}
	}
	if help && command == nil {
		global = append(global, "--help")
	} else if help {
		local = append(local, "--help")
	}
	line := global
	if command != nil {
		line = append(append(append(line, command.Name), local...), "--")
	}
	return append(line, positional...), nil
}

func orList(suggestion string, app *cli.App) string {
	if suggestion != "" {
		return suggestion
	}
	return "; the commands are " + strings.Join(commandNames(app), ", ")
}

// option is an option as written on a command line.
type option struct {
	written    string
	wantsValue bool // the next word is its value
}

// bareValue stands for the value that was left out. No argument of a process
// can hold a NUL.
const bareValue = "\x00"

// findOption looks an option up, the command's before the global ones.
func findOption(app *cli.App, command *cli.Command, arg string) (o option, isGlobal bool, err error) {
	name, _, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	var known []string
	for _, isGlobal := range []bool{false, true} {
		flags := app.Flags
		if !isGlobal {
			flags = nil
			if command != nil {
				flags = command.Flags
			}
		}
		for _, f := range append([]cli.Flag{cli.HelpFlag}, flags...) {
			for _, n := range f.Names() {
				known = append(known, n)
				if n != name {
					continue
				}
				if f == cli.HelpFlag {
					return option{written: "--help"}, command == nil, nil
				}
				return optionOf(f, arg, hasValue), isGlobal, nil
			}
		}
	}
	where := ""
	if command != nil {
		where = command.Name + ": "
	}
	return o, false, usagef("%sthere is no option %s%s", where, arg, dashed(config.Suggest(name, known)))
}

func optionOf(f cli.Flag, arg string, hasValue bool) option {
	if _, optional := f.(*cli.GenericFlag); optional {
		if !hasValue {
			arg += "=" + bareValue
		}
		return option{written: arg}
	}
	takes, ok := f.(cli.DocGenerationFlag)
	return option{written: arg, wantsValue: ok && takes.TakesValue() && !hasValue}
}

// dashed writes the option of a suggestion as it is typed.
func dashed(suggestion string) string { return strings.Replace(suggestion, `"`, `"--`, 1) }

// optionalValues are the values of an option that may be given without one,
// and several times.
type optionalValues struct {
	bare   bool // given without a value
	values []string
}

// Set implements cli.Generic.
func (o *optionalValues) Set(value string) error {
	switch value {
	case bareValue:
		o.bare = true
	case "":
		return usagef("an empty value is not the same as none: leave out the =")
	default:
		o.values = append(o.values, value)
	}
	return nil
}

// String implements cli.Generic.
func (o *optionalValues) String() string { return strings.Join(o.values, ",") }

// wantsJSON looks for --json in a command line that could not be understood.
func wantsJSON(args []string) bool {
	for _, a := range args {
		if a == "--json" || a == "-json" {
			return true
		}
		if a == "--" {
			break
		}
	}
	return false
}

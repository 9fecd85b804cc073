package main

import (
	"fmt"
	"strings"

	"imapsync/config"
)

const manHooks = `[hooks]
after_sync = "notmuch new --quiet"
on_new_mail = '[ "$IMAPSYNC_UNSEEN" = 0 ] || notify-send "$IMAPSYNC_ACCOUNT: $IMAPSYNC_UNSEEN new"'
on_error = '[ "$IMAPSYNC_EXIT" = 4 ] || notify-send "$IMAPSYNC_ACCOUNT: $IMAPSYNC_ERROR"'
`

// configManual is the manual page of the configuration file, made from the
// declaration of its keys.
func configManual() string {
	r := &roff{}
	r.title("IMAPSYNC.TOML", 5, "File Formats")
	r.section("NAME")
	r.text("imapsync.toml - configuration of imapsync")
	r.section("SYNOPSIS")
	r.text("$XDG_CONFIG_HOME/imapsync/config.toml")
	r.section("DESCRIPTION")
	r.text("The file is TOML. It has a section [accounts.NAME] for each account: one login on a server and one Maildir. " +
		"A key that is not known, a value of the wrong type and a contradiction are errors that name file, line and key; nothing is done then. " +
		"Where the file holds a password, only its owner may be able to read it.")
	r.paragraph("What it needs at least, and a choice of folders:")
	r.example(manExample)
	r.paragraph("Times are such as 60s, 12h, 30d, 2w, 1y. At the beginning of a path ~/ is expanded; environment variables are not; " +
		"a relative path starts from the directory of the configuration file.")
	r.section("KEYS OF THE FILE")
	r.item(`state_dir = "~/.local/state/imapsync"`, "Where the state files lie, one an account. Default: $XDG_STATE_HOME/imapsync.")
	r.section("KEYS OF [accounts.NAME]")
	r.keys(config.Keys())
	r.section(`KEYS OF [accounts.NAME.folder."PATTERN"]`)
	r.text("Such a section sets keys again for the folders that match the pattern; of several the last one counts. The keys are: " +
		strings.Join(config.FolderKeys(), ", ") + ".")
	r.section("KEYS OF [hooks] AND [accounts.NAME.hooks]")
	r.text("Hooks are commands that run after a sync, once the account is free for another run. A key of [accounts.NAME.hooks] stands in the " +
		`place of the same key of [hooks]; "" there runs nothing.`)
	r.keys(config.HookKeys())
	r.paragraph("A hook runs by sh -c, one at a time whatever the number of accounts, and not in a dry run. What it prints goes to standard error. That it fails is told " +
		"there and does not change how the sync ended. A hook that takes longer than timeout is stopped, with all that it started.")
	r.paragraph("On standard input are the files of the messages that were downloaded. In the environment are:")
	for _, v := range hookVariables {
		r.item(v.name, v.text)
	}
	r.paragraph("An example. Exit code 4 is a network or server that is unavailable for now.")
	r.example(manHooks)
	r.section("FILES")
	r.item("$XDG_CONFIG_HOME/imapsync/config.toml", "The configuration; $IMAPSYNC_CONFIG or the option -c names another. "+
		"Without XDG_CONFIG_HOME it is ~/.config/imapsync/config.toml.")
	r.section("SEE ALSO")
	r.text("imapsync(1), maildir(5)")
	return r.String()
}

// keys documents keys of the configuration.
func (r *roff) keys(keys []config.Key) {
	for _, k := range keys {
		text := k.Text
		if k.Default != "" {
			text += " Default: " + k.Default + "."
		}
		r.item(k.Name+" = "+k.Form, text)
	}
}

// example is text that is shown as it stands.
func (r *roff) example(text string) {
	r.WriteString(".PP\n.nf\n")
	for line := range strings.Lines(text) {
		fmt.Fprintf(r, "%s\n", roffText(strings.TrimSuffix(line, "\n")))
	}
	r.WriteString(".fi\n")
}

package main

import (
	"errors"
	"io/fs"
	"strings"

	"imapsync/config"
	"imapsync/mail"
)

// command is a command line as the user would type it, with the configuration
// that this one was given.
func (l *lane) command(words ...string) string {
	if l.configFile != "" {
		words = append([]string{"-c", l.configFile}, words...)
	}
	for i, w := range words {
		words[i] = quoted(w)
	}
	return programName + " " + strings.Join(words, " ")
}

// typed has the commands in a hint of another package name the configuration that
// this one was given.
func (l *lane) typed(hint string) string {
	if l.configFile == "" || strings.Contains(hint, programName+" -c ") {
		return hint
	}
	return strings.ReplaceAll(hint, programName+" ", programName+" -c "+quoted(l.configFile)+" ")
}

// problem reports an error on the account with what to do about it, which is
// mostly to look closer when nothing better is known.
func (l *lane) problem(err error) {
	advice := l.advice(err)
	code := exitCode(err)
	switch {
	case advice != "":
	case code == exitAuth:
		advice = l.command("check", l.Name) + " shows how far the login gets"
	case code == exitTemporary && mail.ScopeOf(err) == mail.ScopeAccount:
		advice = "run again later; " + l.command("check", l.Name) + " looks at each step of the connection"
	case code == exitBusy:
		advice = "wait for the other run, or give sync --wait 5m"
	}
	l.out.problem(l.Name, err, advice)
}

// advice is the way out of an error, "" where none is known: the error's own
// hint, else what only the configuration tells.
func (l *lane) advice(err error) string {
	var fault *mail.Fault
	var secret *config.SecretError
	var pin *pinError
	switch {
	case l.needsLogin(err):
		return l.loginAdvice()
	case errors.As(err, &fault) && fault.Hint != "":
		// Which file that is, package syncer cannot know.
		return l.typed(strings.Replace(fault.Hint, "the state file", "the state file "+l.stateFile(), 1))
	case errors.As(err, &secret):
		return l.typed(secret.Hint)
	case errors.As(err, &pin):
		return "either the certificate was renewed: make sure of it, then put the new fingerprint into the configuration; " +
			"or somebody is in between"
	case mail.ScopeOf(err) == mail.ScopeAccount:
		return l.placeAdvice(err)
	}
	return ""
}

// placeAdvice is for a Maildir or a state directory that cannot be used.
func (l *lane) placeAdvice(err error) string {
	var at *fs.PathError
	if !errors.As(err, &at) {
		return ""
	}
	for _, place := range []struct{ key, dir string }{{"maildir", l.Maildir}, {"state_dir", l.stateDir}} {
		if below(at.Path, place.dir) || below(place.dir, at.Path) {
			return setPlace(place.key)
		}
	}
	return ""
}

// setPlace is the advice for a directory that a key names and that is of no use.
func setPlace(key string) string {
	return "set " + key + " to a directory that you can make and write in"
}

// below reports whether a path is dir or lies in it.
func below(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

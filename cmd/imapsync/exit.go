package main

import (
	"context"
	"errors"
	"io/fs"

	"imapsync/config"
	"imapsync/mail"
)

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1   // something failed, the rest was done
	exitUsage       = 2   // command line or configuration
	exitAuth        = 3   // authentication or TLS refused
	exitTemporary   = 4   // network or server temporarily unavailable
	exitHeld        = 5   // deletions held, or the Maildir is not the one known
	exitBusy        = 6   // another run has the account
	exitInterrupted = 130 // SIGINT or SIGTERM
)

// gravity orders the codes: where several things happened, the last of these
// that did is the exit code. What needs a person outweighs what time cures.
var gravity = []int{exitDone, exitBusy, exitTemporary, exitHeld, exitFailed, exitAuth, exitUsage, exitInterrupted}

// worse returns the graver of two exit codes.
func worse(a, b int) int {
	for i := len(gravity) - 1; i >= 0; i-- {
		if gravity[i] == a || gravity[i] == b {
			return gravity[i]
		}
	}
	return exitFailed
}

// usageError is a command line that cannot be carried out.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// codeError ends the program with a code when everything there is to say has
// been said.
type codeError int

func (e codeError) Error() string { return "" }

// ended makes an error of a code, nil of 0.
func ended(code int) error {
	if code == exitDone {
		return nil
	}
	return codeError(code)
}

// exitCode tells the code for an error.
func exitCode(err error) int {
	var code codeError
	var usage *usageError
	var wrong *config.Error
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &usage), errors.As(err, &wrong):
		return exitUsage
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	switch mail.ClassOf(err) {
	case mail.ClassUsage:
		return exitUsage
	case mail.ClassAuth:
		return exitAuth
	case mail.ClassTemporary:
		return exitTemporary
	case mail.ClassHeld:
		return exitHeld
	case mail.ClassBusy:
		return exitBusy
	}
	return exitFailed
}

// configError makes a failure to read the configuration a usage error.
func configError(file string, named bool, err error) error {
	var wrong *config.Error
	switch {
	case errors.As(err, &wrong):
		return err
	case errors.Is(err, fs.ErrNotExist) && !named:
		return usagef("there is no configuration: write %s (imapsync init asks for what it needs), or name one with -c; imapsync man has an example, imapsync demo needs none", file)
	case errors.Is(err, fs.ErrNotExist):
		return usagef("there is no configuration %s: correct the name after -c, or write the file; imapsync man has an example", file)
	}
	return usagef("configuration: %v; name a TOML file that you can read", err)
}

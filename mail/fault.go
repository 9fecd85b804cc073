package mail

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Scope is how much an error costs.
type Scope int

// From the smallest to the largest: only that message is skipped, only that
// folder, or the account's whole run.
const (
	ScopeMessage Scope = iota + 1
	ScopeFolder
	ScopeAccount
)

// Class is what kind of trouble an error is; the exit code follows from it.
type Class int

// The classes; each has an exit code of its own.
const (
	ClassFailed    Class = iota // something was refused or could not be done
	ClassUsage                  // the configuration is wrong
	ClassAuth                   // authentication or TLS refused
	ClassTemporary              // network down, server unavailable, throttled
	ClassHeld                   // not done on purpose: it needs the user's word
	ClassBusy                   // another run has the account
)

// Fault is an error with its cost, its place and the way out.
type Fault struct {
	Scope   Scope
	Class   Class
	Folder  FolderName // where it happened, if in a folder
	Message string     // the UID or key concerned, if a message
	Doing   string     // what was being done: "append message"
	Err     error
	Hint    string // what the user can do about it, if anything
	// After is how long the server asked to be left alone; 0 when it did not say.
	After time.Duration
}

func (f *Fault) Error() string {
	var b strings.Builder
	if f.Folder != "" {
		fmt.Fprintf(&b, "folder %q: ", string(f.Folder))
	}
	if f.Message != "" {
		fmt.Fprintf(&b, "message %s: ", f.Message)
	}
	if f.Doing != "" {
		b.WriteString(f.Doing + ": ")
	}
	if f.Err != nil {
		b.WriteString(f.Err.Error())
	}
	if f.Hint != "" {
		b.WriteString(" (" + f.Hint + ")")
	}
	return b.String()
}

func (f *Fault) Unwrap() error { return f.Err }

// ScopeOf tells what an error costs; one that does not say costs the folder.
func ScopeOf(err error) Scope {
	var f *Fault
	if errors.As(err, &f) && f.Scope != 0 {
		return f.Scope
	}
	return ScopeFolder
}

// ClassOf tells an error's class.
func ClassOf(err error) Class {
	var f *Fault
	if errors.As(err, &f) {
		return f.Class
	}
	return ClassFailed
}

// AfterOf tells how long the server asked to be left alone, 0 when it did not say.
func AfterOf(err error) time.Duration {
	var f *Fault
	if errors.As(err, &f) {
		return f.After
	}
	return 0
}

// ErrChanged says that a message is no longer as it was observed (renamed,
// flagged or removed meanwhile): the operation was not done, and the next run
// decides anew. It is a change, not a failure and not a deletion.
var ErrChanged = errors.New("changed meanwhile")

package config

import (
	"strings"
	"time"
)

// Hooks are the commands that run after a sync; "" is none.
type Hooks struct {
	AfterSync string
	OnNewMail string
	OnError   string
	Always    bool          // AfterSync also runs where nothing happened
	Timeout   time.Duration // a command is stopped after that, at least 1 s
}

// HookKeys returns the keys of [hooks] and [accounts.NAME.hooks] in the order
// of the manual.
func HookKeys() []Key {
	keys := make([]Key, len(hookKeys))
	for i, k := range hookKeys {
		keys[i] = k.Key
	}
	return keys
}

// hookKey is a key of a hooks section; read returns what it sets.
type hookKey struct {
	Key
	read func(v value) func(*Hooks)
}

var hookKeys = []hookKey{
	{Key{Name: "after_sync", Form: `"notmuch new"`,
		Text: "A shell command to run after a sync that changed something on either side, whole or in part."},
		readHook(func(h *Hooks) *string { return &h.AfterSync })},
	{Key{Name: "on_new_mail", Form: `"notify-send \"$IMAPSYNC_ACCOUNT: $IMAPSYNC_UNSEEN unread\""`,
		Text: "A shell command to run after a sync that brought messages into the Maildir, after after_sync."},
		readHook(func(h *Hooks) *string { return &h.OnNewMail })},
	{Key{Name: "on_error", Form: `"logger -t imapsync \"$IMAPSYNC_ERROR\""`,
		Text: "A shell command to run after a sync that failed, whole or in part, or that held deletions. " +
			"That another run was busy, or that this one was interrupted, is no error."},
		readHook(func(h *Hooks) *string { return &h.OnError })},
	{Key{Name: "always", Form: "true | false", Default: "false", Text: "Whether after_sync runs after each sync, also where there was nothing to do."},
		func(v value) func(*Hooks) {
			b, _ := v.boolean()
			return func(h *Hooks) { h.Always = b }
		}},
	{Key{Name: "timeout", Form: `"10m"`, Default: `"10m"`, Text: "How long each command may take before it is stopped."},
		func(v value) func(*Hooks) {
			d, _ := v.duration(time.Second)
			return func(h *Hooks) { h.Timeout = d }
		}},
}

// readHook reads a command, which may be empty: an account can so do without
// the hook that the file has for all of them.
func readHook(to func(*Hooks) *string) func(value) func(*Hooks) {
	return func(v value) func(*Hooks) {
		s, ok := v.v.(string)
		switch {
		case !ok:
			v.wrong("a string")
		case strings.ContainsRune(s, 0):
			v.fail("must not contain a NUL character")
		}
		return func(h *Hooks) { *to(h) = s }
	}
}

// readHooks reads a hooks section.
func readHooks(v value) []func(*Hooks) {
	var sets []func(*Hooks)
	for _, member := range v.entries() {
		var names []string
		known := false
		for _, k := range hookKeys {
			if names = append(names, k.Name); k.Name == member.name() {
				known, sets = true, append(sets, k.read(member))
			}
		}
		if !known {
			member.unknown(names...)
		}
	}
	return sets
}

// hooksOf lays the sections over each other, the later over the earlier.
func hooksOf(sections ...[]func(*Hooks)) Hooks {
	h := Hooks{Timeout: 10 * time.Minute}
	for _, sets := range sections {
		for _, set := range sets {
			set(&h)
		}
	}
	return h
}

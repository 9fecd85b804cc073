package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"imapsync/conflict"
)

func parse(file string, data []byte, readable bool) (*Config, error) {
	d := newDocument(file, data)
	d.readable = readable
	c := &Config{File: file}
	var hooks []func(*Hooks)
	for _, v := range (value{doc: d, v: map[string]any(d.root)}).entries() {
		switch v.name() {
		case "state_dir":
			c.StateDir, _ = v.file()
		case "hooks":
			hooks = readHooks(v)
		case "accounts":
			for _, section := range v.entries() {
				c.Accounts = append(c.Accounts, parseAccount(section))
			}
		default:
			v.unknown("state_dir", "hooks", "accounts")
		}
	}
	for _, a := range c.Accounts {
		a.Hooks = hooksOf(hooks, a.hooks)
	}
	if c.StateDir == "" && len(d.errs) == 0 {
		dir, err := DefaultStateDir()
		if err != nil {
			d.errs = append(d.errs, &Error{File: file, Text: err.Error()})
		}
		c.StateDir = dir
	}
	if len(c.Accounts) == 0 && len(d.errs) == 0 {
		d.errs = append(d.errs, &Error{File: file, Text: "there is no account: begin one with [accounts.NAME]"})
	}
	if len(d.errs) == 0 {
		c.checkPlaces(d)
	}
	if len(d.errs) > 0 {
		return nil, joined(d.errs)
	}
	return c, nil
}

func parseAccount(v value) *Account {
	a := &Account{
		Name: v.name(), TLS: TLSImplicit, Auth: "auto", Layout: LayoutVerbatim, Folders: NewPatterns("*"),
		Namespaces:  []string{"personal"},
		Connections: 4, Compress: CompressAuto, Timeout: time.Minute, Fsync: true, KeepDeleted: 30 * 24 * time.Hour,
		FullCheck: 7 * 24 * time.Hour, MaxDeletions: Limits{Count: 100, Percent: 25}, Conflicts: conflict.Policy{Deletion: conflict.Yields},
	}
	if err := checkAccountName(a.Name); err != nil {
		v.fail("%v", err)
	}
	before := len(v.doc.errs)
	given := map[string]value{}
	a.places = map[string]Error{}
	for _, member := range v.entries() {
		given[member.name()], a.places[member.name()] = member, *member.wrongly("")
		if member.name() == "folder" {
			for _, section := range member.entries() {
				a.sections = append(a.sections, parseSection(section))
			}
			continue
		}
		if k := findKey(member.name()); k != nil {
			k.set(a, member)
		} else {
			member.unknown(append(keyNames(false), "folder")...)
		}
	}
	if len(v.doc.errs) == before { // else one mistake would be told twice
		a.check(v, given)
	}
	return a
}

func parseSection(v value) section {
	s := section{pattern: newPattern(v.name())}
	if v.name() == "" || s.pattern.negated {
		v.fail(`must be a pattern of folder names such as "Archive/*", without "!"`)
	}
	for _, member := range v.entries() {
		k := findKey(member.name())
		switch {
		case k == nil:
			member.unknown(keyNames(true)...)
		case k.folder == nil:
			member.fail("is set for the whole account, not for a folder; a folder section may set %s", strings.Join(keyNames(true), ", "))
		default:
			if set := k.folder(member); set != nil {
				s.apply = append(s.apply, set)
			}
		}
	}
	return s
}

// unknown records a key that is not among those known here.
func (v value) unknown(known ...string) {
	for _, later := range laterKeys {
		if v.name() == later {
			v.fail("%s", notSupported("this key"))
			return
		}
	}
	v.fail("there is no such key%s", Suggest(v.name(), known))
}

func notSupported(what string) string { return what + " is not supported by this version" }

// checkAccountName keeps names fit for file names and for ACCOUNT/FOLDER on
// the command line.
func checkAccountName(name string) error {
	fit := name != "" && len(name) <= 64 && name[0] != '.' && name[0] != '-'
	for _, r := range name {
		fit = fit && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._-+@", r))
	}
	if !fit {
		return fmt.Errorf("an account's name is made of letters, digits and . _ - + @, at most 64 bytes, not beginning with . or -")
	}
	return nil
}

// DefaultFile is the configuration file used when none is named on the command
// line: $IMAPSYNC_CONFIG, else $XDG_CONFIG_HOME/imapsync/config.toml.
func DefaultFile() (string, error) {
	if file := os.Getenv("IMAPSYNC_CONFIG"); file != "" {
		return file, nil
	}
	return xdg("XDG_CONFIG_HOME", ".config", "config.toml")
}

// DefaultStateDir is where state files lie unless state_dir says otherwise:
// $XDG_STATE_HOME/imapsync.
func DefaultStateDir() (string, error) {
	return xdg("XDG_STATE_HOME", filepath.Join(".local", "state"))
}

// xdg follows the XDG Base Directory Specification: a variable that is unset,
// empty or not an absolute path means the default below the home directory.
func xdg(variable, fallback string, rest ...string) (string, error) {
	base := os.Getenv(variable)
	if !filepath.IsAbs(base) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("neither $%s nor the home directory is known: %w", variable, err)
		}
		base = filepath.Join(home, fallback)
	}
	return filepath.Join(append([]string{base, "imapsync"}, rest...)...), nil
}

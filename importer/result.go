package importer

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
)

// Env is what a configuration refers to beyond itself.
type Env struct {
	File   string // that was read, absolute
	Home   string
	Getenv func(name string) string
	Dirs   func(root string) []string    // paths, below root, of the directories with a cur; none where there is no root
	Same   func(path, other string) bool // both are the same directory
}

// Result is a configuration in our terms.
type Result struct {
	Accounts []*Account
	Notes    []Note // in the order of the file
}

// Note is something of the old configuration that is not in the new one, or not
// quite.
type Note struct {
	Line   int    // 0 when it concerns the file as a whole
	Option string // as the file has it, with its section where that helps
	Text   string // what becomes of it, and what to do instead
	Grave  bool   // an account was left out or does not work yet because of it
}

// Account is a section [accounts.NAME].
type Account struct {
	Name    string
	Maildir string // absolute
	From    string // what it was made of
	Missing string // the key, with an example, that has to be added by hand; "" for none

	settings
	folders []folderSection
}

// folderSection is a section [accounts.NAME.folder."PATTERN"].
type folderSection struct {
	pattern string
	settings
}

// settings are keys with their values, in the order they were set.
type settings []setting

type setting struct {
	key   string
	value any // string, int, bool, []string, or []pair for a table
}

// pair is an entry of a table.
type pair struct{ key, value string }

// set gives a key its value, in place of an earlier one.
func (s *settings) set(key string, value any) {
	for i := range *s {
		if (*s)[i].key == key {
			(*s)[i].value = value
			return
		}
	}
	*s = append(*s, setting{key, value})
}

// get returns a key's value, nil where it has none.
func (s settings) get(key string) any {
	for _, have := range s {
		if have.key == key {
			return have.value
		}
	}
	return nil
}

// note records what is not carried over.
func (r *Result) note(line int, option, format string, args ...any) {
	r.Notes = append(r.Notes, Note{Line: line, Option: option, Text: fmt.Sprintf(format, args...)})
}

// grave records what keeps an account from being written, or from working.
func (r *Result) grave(line int, option, format string, args ...any) {
	r.note(line, option, format, args...)
	r.Notes[len(r.Notes)-1].Grave = true
}

// noteInsecure names what crosses the network so that anybody may read it.
func (r *Result) noteInsecure(a *Account, line int, option string) {
	if a.get("insecure") != nil {
		r.note(line, option, "BEWARE: without TLS anybody on the way reads the password and the mail of account %s, as before; insecure = true allows that. "+
			"Nearly every server has TLS: take out insecure and tls (or write tls = \"starttls\"), and try imapsync check", a.Name)
	}
}

// finish puts the notes in order and tells each once.
func (r *Result) finish() *Result {
	slices.SortStableFunc(r.Notes, func(a, b Note) int { return a.Line - b.Line })
	told := map[Note]bool{}
	r.Notes = slices.DeleteFunc(r.Notes, func(n Note) bool {
		again := told[n]
		told[n] = true
		return again
	})
	return r
}

// accountName makes a name that the configuration takes, and that none of the
// accounts has.
func (r *Result) accountName(wish string) string {
	fit := strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune("._-+@", c) {
			return c
		}
		return '-'
	}, strings.ToValidUTF8(wish, "-"))
	for len(fit) > 60 {
		fit = strings.ToValidUTF8(fit[:len(fit)-1], "")
	}
	if fit == "" || fit[0] == '.' || fit[0] == '-' {
		fit = "a" + fit
	}
	name := fit
	for n := 2; slices.ContainsFunc(r.Accounts, func(a *Account) bool { return strings.EqualFold(a.Name, name) }); n++ {
		name = fmt.Sprintf("%s-%d", fit, n)
	}
	return name
}

// separate leaves accounts out whose Maildir is another's, or lies in another's.
func (r *Result) separate(lines map[*Account]int) {
	var kept []*Account
	for _, a := range r.Accounts {
		i := slices.IndexFunc(kept, func(b *Account) bool { return overlap(a.Maildir, b.Maildir) })
		if i < 0 {
			kept = append(kept, a)
			continue
		}
		r.grave(lines[a], a.From, "the account is left out: its Maildir %s and %s, that of account %q, lie in each other; "+
			"move its folders to a directory of their own, say so in the old file, and import again", a.Maildir, kept[i].Maildir, kept[i].Name)
	}
	r.Accounts = kept
}

// overlap reports whether two directories are the same or one holds the other.
func overlap(a, b string) bool { return within(a, b) || within(b, a) }

// within reports whether a path is dir or below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// path makes a path absolute: "~" is the home directory, what is relative starts
// from the file's directory.
func (e Env) path(s string) string {
	if rest, ok := strings.CutPrefix(s, "~"); ok && (rest == "" || rest[0] == '/') {
		s = e.Home + rest
	}
	if !filepath.IsAbs(s) {
		s = filepath.Join(filepath.Dir(e.File), s)
	}
	return s
}

// variable is "$NAME" or "${NAME}".
var variable = lazily(`\$(\w+|\{[^}]*\})`)

// expand replaces environment variables; those that are not set stay, as in Python.
func (e Env) expand(s string) string {
	return variable().ReplaceAllStringFunc(s, func(m string) string {
		if value := e.Getenv(strings.Trim(m, "${}")); value != "" {
			return value
		}
		return m
	})
}

// short writes a path from the home directory on, where it lies there.
func (e Env) short(path string) string {
	if e.Home != "" && e.Home != "/" && within(path, e.Home) {
		return "~" + path[len(strings.TrimSuffix(e.Home, "/")):]
	}
	return path
}

// shellQuote writes a word for a shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

package maildir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"imapsync/mail"
)

const keywordsFile = "dovecot-keywords"

// table is the names of the keyword letters a to z, "" where a letter has none,
// as Dovecot keeps them: lines of a number from 0 and a name.
type table [26]string

// parseTable reads a dovecot-keywords file. Lines that say nothing to Dovecot
// say nothing here.
func parseTable(text []byte) table {
	var t table
	for line := range bytes.Lines(text) {
		number, name, ok := strings.Cut(strings.TrimRight(string(line), "\r\n"), " ")
		if i, err := strconv.Atoi(number); ok && name != "" && err == nil && i >= 0 && i < len(t) {
			t[i] = name
		}
	}
	return t
}

// text is the file's form of the table.
func (t table) text() []byte {
	var b bytes.Buffer
	for i, name := range t {
		if name != "" {
			fmt.Fprintf(&b, "%d %s\n", i, name)
		}
	}
	return b.Bytes()
}

// meaning returns what one letter of a name says; nothing where it is not known
// or its keyword is none that IMAP can carry.
func (t table) meaning(letter byte) mail.Flags {
	if letter >= 'a' && letter <= 'z' {
		if name := t[letter-'a']; name != "" {
			return mail.NewFlags(0, name)
		}
		return mail.Flags{}
	}
	return mail.Flags{System: mail.SystemOfLetter(letter)}
}

// flags returns what the letters of a name say.
func (t table) flags(letters string) mail.Flags {
	var system mail.System
	var keywords []string
	for i := 0; i < len(letters); i++ {
		if c := letters[i]; c >= 'a' && c <= 'z' {
			if name := t[c-'a']; name != "" {
				keywords = append(keywords, name)
			}
		} else {
			system |= mail.SystemOfLetter(c)
		}
	}
	if keywords == nil {
		return mail.Flags{System: system}
	}
	return mail.NewFlags(system, keywords...)
}

// letter returns the letter of a keyword, 0 if it has none.
func (t table) letter(keyword string) byte {
	for i, name := range t {
		if strings.EqualFold(name, keyword) {
			return 'a' + byte(i)
		}
	}
	return 0
}

// change returns letters without those of remove and with those of add. What
// has no meaning stays; keywords without a letter are left out.
func (t table) change(letters string, add, remove mail.Flags) string {
	var kept []byte
	for i := 0; i < len(letters); i++ {
		if m := t.meaning(letters[i]); m.IsEmpty() || !m.Minus(remove).IsEmpty() {
			kept = append(kept, letters[i])
		}
	}
	missing := add.Minus(t.flags(string(kept)))
	kept = append(kept, missing.System.Letters()...)
	for _, k := range missing.Keywords() {
		if l := t.letter(k); l != 0 {
			kept = append(kept, l)
		}
	}
	if string(kept) == letters {
		return letters
	}
	return sortLetters(string(kept))
}

// hasKeywordLetter reports whether letters of a name need a table to be read.
func hasKeywordLetter(letters string) bool {
	return strings.ContainsFunc(letters, func(r rune) bool { return r >= 'a' && r <= 'z' })
}

// space tells which flags the folder can store. used are the letters that stand
// in file names (bit 0 for a): where one of them has lost its entry, nobody can
// tell which keywords are missing.
func (t table) space(used uint32) mail.FlagSpace {
	return mail.FlagSpace{System: mail.AllSystem, Keywords: mail.NewFlags(0, t[:]...),
		AnyKeyword: t.free(used) >= 0, Blind: t.strays(used) != 0}
}

// strays are the letters among used that have no entry.
func (t table) strays(used uint32) uint32 {
	for i, name := range t {
		if name != "" {
			used &^= 1 << i
		}
	}
	return used
}

// tellStrays has Skipped tell of letters that stand in file names and say nothing.
func (f *folder) tellStrays(strays uint32) {
	var letters []string
	for i := range len(table{}) {
		if strays&(1<<i) != 0 {
			letters = append(letters, string(rune('a'+i)))
		}
	}
	path := filepath.Join(f.path, keywordsFile)
	f.m.tellOdd(&mail.Fault{Scope: mail.ScopeFolder, Folder: f.name, Doing: "read keywords",
		Err:  fmt.Errorf("%s does not say what %s in file names stands for: until it does, no keyword that is missing in this folder is taken off on the server", path, strings.Join(letters, ", ")),
		Hint: "put its lines back from a backup, or take the letters out of the names if their keywords are to go"})
}

// free returns the number of the first letter that has neither a name nor a
// place in a file name, where a new name for it would tag mail; -1 if none.
func (t table) free(used uint32) int {
	for i, name := range t {
		if name == "" && used&(1<<i) == 0 {
			return i
		}
	}
	return -1
}

// keywords reads the folder's table; an empty one where there is no file. One
// that cannot be read is an error: its keywords must not look removed.
func (f *folder) keywords() (table, error) {
	text, err := os.ReadFile(filepath.Join(f.path, keywordsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return table{}, f.inFolder("read keywords", err)
	}
	return parseTable(text), nil
}

// tableFor reads the folder's table if letters of a name, or flags, have need of
// it: most messages have no keywords.
func (f *folder) tableFor(letters string, flags mail.Flags) (table, error) {
	if !hasKeywordLetter(letters) && len(flags.Keywords()) == 0 {
		return table{}, nil
	}
	return f.keywords()
}

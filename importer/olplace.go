package importer

import (
	"fmt"
	"slices"
	"strings"
)

// leaveOut tells why the account is not written.
func (a *olAccount) leaveOut(s *olSection, option, format string, args ...any) bool {
	s.grave(s.lineOf(option), option, "account "+a.name+" is left out: "+format, args...)
	return false
}

// where finds out how the Maildir lies; false when our layouts do not have it,
// which was told then.
func (a *olAccount) where() bool {
	p := &a.place
	p.layout = "verbatim"
	if p.root = a.local.path("localfolders"); p.root == "" {
		return a.leaveOut(a.local, "localfolders", "there is no localfolders")
	}
	if a.sep = a.local.text("sep"); a.sep == "" {
		a.sep = "."
	}
	if a.sep != "/" {
		p.layout, p.separator = "flat", a.sep
		if len(a.sep) != 1 || !strings.Contains("!#$&()*+,-.:;<=>?@[]^_{|}~", a.sep) {
			return a.leaveOut(a.local, "sep", "%q cannot be a separator here, which is one punctuation character; rename the directories, change sep, and import again", a.sep)
		}
	}
	if a.account.yes("maildir-windows-compatible", false) {
		return a.leaveOut(a.account, "maildir-windows-compatible", "its files have \"!2,\" where a Maildir has \":2,\"; rename them: "+
			"find %s -name '*!2,*' -exec sh -c 'mv \"$1\" \"${1%%!2,*}:2,${1##*!2,}\"' sh '{}' ';' , remove the option, and import again", shellQuote(p.root))
	}
	dirs := a.account.env.Dirs(p.root)
	p.utf7 = holdsUTF7(dirs)
	if text := a.remote.text("nametrans"); text != "" {
		t, err := translationOf(text)
		switch {
		case err != nil:
			return a.leaveOut(a.remote, "nametrans", "the expression cannot be translated (%v), and without it the folders would have other names than the directories; "+
				"take it out of a copy of the file, import that, and write rename = { \"name on the server\" = \"name in the Maildir\" }", err)
		case t.plusPlus && p.layout == "flat" && a.sep == ".":
			p.layout, p.separator = "maildir++", ""
		case t.plusPlus:
			return a.leaveOut(a.remote, "nametrans", "with sep %q there is no layout that has these names", a.sep)
		}
		for _, r := range t.renames {
			p.renames = append(p.renames, pair{r.key, strings.ReplaceAll(r.value, a.sep, "/")})
		}
	} else if below := a.belowInbox(dirs); len(below) > 0 {
		return a.leaveOut(a.local, "localfolders", "all folders are below INBOX (%s), as they are on servers that have INBOX. before every name. That prefix is left out here, "+
			"so take it off the directories: %s; and import again", strings.Join(below, ", "), a.moveUp(below))
	}
	a.dots(dirs)
	a.keywords()
	return true
}

// belowInbox lists the directories when all but the inbox are below it.
func (a *olAccount) belowInbox(dirs []string) (below []string) {
	for _, dir := range dirs {
		switch {
		case strings.HasPrefix(dir, "INBOX"+a.sep):
			below = append(below, dir)
		case dir != "INBOX":
			return nil
		}
	}
	slices.Sort(below)
	return below
}

// moveUp is a command that takes the prefix off directories.
func (a *olAccount) moveUp(dirs []string) string {
	command := "cd " + shellQuote(a.place.root)
	for _, dir := range dirs {
		rest := strings.TrimPrefix(dir, "INBOX"+a.sep)
		if a.sep != "/" || !strings.Contains(rest, "/") { // else it goes along
			command += " && mv " + shellQuote(dir) + " " + shellQuote(rest)
		}
	}
	return command
}

// dots names directories that may be one folder with the separator in its name.
func (a *olAccount) dots(dirs []string) {
	var lone []string
	for _, dir := range dirs {
		i := strings.LastIndex(dir, a.sep)
		if a.place.layout == "flat" && i > 0 && !slices.Contains(dirs, dir[:i]) {
			lone = append(lone, dir)
		}
	}
	if len(lone) == 0 {
		return
	}
	slices.Sort(lone)
	a.local.note(a.local.lineOf("sep"), "sep", "there is no directory above %s. Where %q is part of the name on the server, and not between two folders, "+
		"say so before the first sync: rename = { %q = %q }", strings.Join(lone, ", "), a.sep, readable(lone[0]), readable(strings.ReplaceAll(lone[0], a.sep, "/")))
}

// keywords tells how the letters of customflag_a to z are named here.
func (a *olAccount) keywords() {
	var table strings.Builder
	line := 0
	for c := 'a'; c <= 'z'; c++ {
		option := "customflag_" + string(c)
		if keyword := a.local.text(option); keyword != "" {
			fmt.Fprintf(&table, `%d %s\n`, c-'a', strings.ReplaceAll(keyword, "'", ""))
			line = a.local.lineOf(option)
		}
	}
	if line > 0 {
		script := "printf '" + table.String() + "' >dovecot-keywords"
		a.local.note(line, "customflag_…", "letters of keywords are named in a file of each folder, as Dovecot does it. Before the first sync: "+
			"find %s -name cur -execdir sh -c %s ';'", shellQuote(a.place.root), shellQuote(script))
	}
}

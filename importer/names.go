package importer

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"imapsync/mail"
)

// codedName is a piece of a name in modified UTF-7 (RFC 3501 section 5.1.3).
var codedName = lazily(`&[A-Za-z0-9+,]*-`)

// holdsUTF7 reports whether directories have names in modified UTF-7.
func holdsUTF7(dirs []string) bool { return slices.ContainsFunc(dirs, codedName().MatchString) }

// lazily compiles a pattern when it is first needed, which is in an import alone.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// readable writes a name or a pattern as our configuration has it: in UTF-8.
func readable(name string) string { return mail.DecodeUTF7(name) }

// matches reports whether a list of patterns chooses a name: later ones win, "!"
// leaves out.
func matches(patterns []string, name string) (chosen bool) {
	for _, p := range patterns {
		p, not := strings.CutPrefix(p, "!")
		if matchesOne(p, name) {
			chosen = !not
		}
	}
	return chosen
}

// matchesOne matches a name with "*" for anything and "%" for anything without
// "/".
func matchesOne(pattern, name string) bool {
	expr := strings.NewReplacer(`\*`, ".*", "%", "[^/]*").Replace(regexp.QuoteMeta(pattern))
	ok, err := regexp.MatchString("^(?s:"+expr+")$", name)
	return err == nil && ok
}

// local is what a folder of the server, or a pattern of such, is called in the
// Maildir.
func (p *place) local(name string) string {
	var m mail.Mapping
	for _, r := range p.renames {
		m = append(m, mail.Renaming{Server: mail.FolderName(r.key), Local: mail.FolderName(r.value)})
	}
	return string(m.Local(mail.FolderName(name)))
}

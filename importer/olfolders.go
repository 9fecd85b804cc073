package importer

import (
	"slices"
	"strings"
)

// chooseFolders translates reference, folderfilter and folderincludes.
func (a *olAccount) chooseFolders() {
	p := &a.place
	chosen := a.below(a.filter())
	p.folders = p.ours(chosen.patterns())
	if text := a.remote.text("folderincludes"); text != "" {
		if list, ok := parseStrings(text); ok {
			p.folders = append(p.folders, p.ours(spellings(list))...)
		} else {
			a.remote.grave(a.remote.lineOf("folderincludes"), "folderincludes", "the expression cannot be translated; add the folders to the key folders")
		}
	}
}

// filter translates folderfilter; all folders where there is none.
func (a *olAccount) filter() (chosen choice) {
	for _, s := range []*olSection{a.remote, a.local} {
		text := s.text("folderfilter")
		if text == "" {
			continue
		}
		c, err := filterOf(text)
		switch {
		case err != nil:
			s.grave(s.lineOf("folderfilter"), "folderfilter", "all folders are taken, for the expression cannot be translated (%v); "+
				"write the key folders before the first sync, such as folders = [\"*\", \"!Spam\"]", err)
		case s == a.local:
			s.note(s.lineOf("folderfilter"), "folderfilter", "the key folders holds for both sides; leave out there what is not to be sent")
		default:
			chosen = c
		}
	}
	return chosen
}

// below leaves of a choice what reference has the server list.
func (a *olAccount) below(c choice) choice {
	s := a.remote
	reference := readable(strings.Trim(s.text("reference"), `"`))
	if reference == "" {
		return c
	}
	line, root := s.lineOf("reference"), reference+"/"
	if c.base == nil {
		c.base = []string{root + "*"}
		if a.place.local(root+"*") == "*" {
			s.grave(line, "reference", "in the Maildir folders are called without %s, so what the server has beside it is taken, too; "+
				"leave that out in the key folders before the first sync", root)
		} else {
			s.note(line, "reference", "the server is asked for all folders, of which those below %s are taken", reference)
		}
		return c
	}
	var beside []string
	c.base = slices.DeleteFunc(slices.Clone(c.base), func(pattern string) bool {
		out := !strings.HasPrefix(pattern, root)
		if out {
			beside = append(beside, pattern)
		}
		return out
	})
	if len(beside) > 0 {
		s.grave(line, "reference", "not below it, and so not taken, is what folderfilter has of %s; if that is not meant, write the key folders before the first sync",
			strings.Join(beside, ", "))
	}
	return c
}

// ours writes patterns of the server's names as patterns of the Maildir's.
func (p *place) ours(patterns []string) (list []string) {
	for _, pattern := range patterns {
		name, not := strings.CutPrefix(pattern, "!")
		if name = p.local(name); not {
			name = "!" + name
		}
		list = append(list, name)
	}
	return list
}

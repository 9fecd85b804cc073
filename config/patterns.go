package config

import (
	"strings"

	"imapsync/mail"
)

// Patterns chooses folders: the last pattern that matches a name decides, and
// a "!" before it means no. A list that begins with such a pattern starts from
// every folder. "*" stands for any characters, "%" for any but the "/" between
// components (as in LIST, RFC 3501 section 6.3.8). INBOX matches in any case.
type Patterns struct {
	list []pattern
}

type pattern struct {
	negated bool
	glob    string
}

// NewPatterns makes the list of what the configuration says.
func NewPatterns(texts ...string) Patterns {
	var p Patterns
	for _, t := range texts {
		p.list = append(p.list, newPattern(t))
	}
	return p
}

func newPattern(text string) pattern {
	glob, negated := strings.CutPrefix(text, "!")
	return pattern{negated, glob}
}

// Match reports whether the folder is chosen.
func (p Patterns) Match(name mail.FolderName) bool {
	chosen := len(p.list) > 0 && p.list[0].negated
	for _, one := range p.list {
		if one.match(name) {
			chosen = !one.negated
		}
	}
	return chosen
}

// match walks name and glob side by side and, where they part, goes back to
// the last wildcard and gives it one character more. Going back further is
// never needed: an earlier wildcard that took more would leave the later ones
// no choice they did not have. So it takes no more than quadratic time.
func (p pattern) match(name mail.FolderName) bool {
	s, glob := string(name), p.glob
	folded := 0 // so many leading bytes are compared in any case
	if first, _, _ := strings.Cut(s, "/"); strings.EqualFold(first, string(mail.Inbox)) {
		folded = len(first)
	}
	star, starNext, pct, pctNext := -1, 0, -1, 0
	g, i := 0, 0
	for i < len(s) || g < len(glob) {
		switch {
		case g < len(glob) && glob[g] == '*':
			star, starNext, pct = g, i, -1
			g++
		case g < len(glob) && glob[g] == '%':
			pct, pctNext = g, i
			g++
		case g < len(glob) && i < len(s) && (glob[g] == s[i] || i < folded && glob[g]|0x20 == s[i]|0x20):
			g, i = g+1, i+1
		case pct >= 0 && pctNext < len(s) && s[pctNext] != '/':
			pctNext++
			g, i = pct+1, pctNext
		case star >= 0 && starNext < len(s):
			starNext++
			g, i, pct = star+1, starNext, -1
		default:
			return false
		}
	}
	return true
}

package importer

import (
	"regexp/syntax"
	"strings"
)

// What globs of regular expressions begin and end with where those are anchored.
const (
	textBegin = "\x01"
	textEnd   = "\x02"
)

// globs writes a regular expression of Python as patterns that together match
// the same: literals, "*", textBegin and textEnd. False where it has anything
// that they cannot say.
func globs(expression string) ([]string, bool) {
	re, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil, false
	}
	return expandRegexp(re)
}

// mostGlobs bounds how many patterns are made of an expression.
const mostGlobs = 100

func expandRegexp(re *syntax.Regexp) (list []string, ok bool) {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return []string{""}, true
	case syntax.OpLiteral:
		text := string(re.Rune)
		return []string{text}, re.Flags&syntax.FoldCase == 0 && !strings.ContainsAny(text, "*%"+textBegin+textEnd)
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			for c := re.Rune[i]; c <= re.Rune[i+1]; c++ {
				if list = append(list, string(c)); len(list) > mostGlobs || c == '*' || c == '%' || c <= 2 {
					return nil, false
				}
			}
		}
		return list, true
	case syntax.OpBeginLine, syntax.OpBeginText:
		return []string{textBegin}, true
	case syntax.OpEndLine, syntax.OpEndText:
		return []string{textEnd}, true
	case syntax.OpCapture:
		return expandRegexp(re.Sub[0])
	case syntax.OpStar:
		any := re.Sub[0].Op == syntax.OpAnyCharNotNL || re.Sub[0].Op == syntax.OpAnyChar
		return []string{"*"}, any
	case syntax.OpQuest:
		list, ok = expandRegexp(re.Sub[0])
		return append(list, ""), ok
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			more, ok := expandRegexp(sub)
			if list = append(list, more...); !ok || len(list) > mostGlobs {
				return nil, false
			}
		}
		return list, true
	case syntax.OpConcat:
		return expandConcat(re.Sub)
	}
	return nil, false
}

func expandConcat(subs []*syntax.Regexp) ([]string, bool) {
	list := []string{""}
	for _, sub := range subs {
		more, ok := expandRegexp(sub)
		if len(list)*len(more) > mostGlobs || !ok {
			return nil, false
		}
		var longer []string
		for _, a := range list {
			for _, b := range more {
				longer = append(longer, a+b)
			}
		}
		list = longer
	}
	return list, true
}

// asPatterns writes globs as patterns of folder names. They match anywhere
// unless they are anchored; where match is set, at the beginning only.
func asPatterns(list []string, match bool) (patterns []string, ok bool) {
	for _, g := range list {
		begin, end := strings.HasPrefix(g, textBegin) || match, strings.HasSuffix(g, textEnd)
		g = strings.TrimSuffix(strings.TrimPrefix(g, textBegin), textEnd)
		if strings.ContainsAny(g, textBegin+textEnd) {
			return nil, false
		}
		if !begin && !strings.HasPrefix(g, "*") {
			g = "*" + g
		}
		if !end && !strings.HasSuffix(g, "*") {
			g += "*"
		}
		patterns = append(patterns, g)
	}
	return patterns, true
}

package importer

import (
	"slices"
	"strings"
)

// choice is which folders a folderfilter takes: those of base, or all where it is
// nil, but for those of minus.
type choice struct{ base, minus []string }

// patterns are the choice as a value of the key folders.
func (c choice) patterns() []string {
	list := slices.Clone(c.base)
	if c.base == nil {
		list = []string{"*"}
	}
	for _, m := range c.minus {
		list = append(list, "!"+m)
	}
	return list
}

// filterOf translates a folderfilter.
func filterOf(text string) (choice, error) {
	parameter, body, err := parseLambda(text)
	if err != nil {
		return choice{}, err
	}
	c, ok := chosen(body, parameter)
	if !ok {
		return choice{}, errPython
	}
	return c, nil
}

func chosen(n *pyNode, parameter string) (c choice, ok bool) {
	switch n.op {
	case "name", "number":
		return choice{}, n.text == "True" || n.text == "1"
	case "not":
		c, ok = chosen(n.kids[0], parameter)
		return c.not(ok)
	case "and", "or":
		a, aok := chosen(n.kids[0], parameter)
		b, bok := chosen(n.kids[1], parameter)
		if !aok || !bok {
			return choice{}, false
		}
		if n.op == "and" {
			return a.and(b)
		}
		return a.or(b)
	case "in", "==", "notin", "!=":
		names, ok := n.kids[1].strings()
		switch {
		case n.kids[0].is(parameter) && ok:
		case n.kids[1].is(parameter) && n.kids[0].op == "string" && (n.op == "in" || n.op == "notin"):
			names = []string{"*" + n.kids[0].text + "*"}
		default:
			return choice{}, false
		}
		c = choice{base: spellings(names)}
		if n.op == "notin" || n.op == "!=" {
			return c.not(true)
		}
		return c, true
	case "call":
		names, ok := chosenByCall(n, parameter)
		return choice{base: spellings(names)}, ok && len(names) > 0
	}
	return choice{}, false
}

func chosenByCall(n *pyNode, parameter string) (names []string, ok bool) {
	switch {
	case (n.calls("re.search", 2) || n.calls("re.match", 2)) && len(n.kids) == 3 && n.kids[1].op == "string" && n.kids[2].is(parameter):
		list, ok := globs(n.kids[1].text)
		if !ok {
			return nil, false
		}
		return asPatterns(list, n.calls("re.match", 2))
	case (n.calls(".startswith", 1) || n.calls(".endswith", 1)) && len(n.kids) == 2 && n.kids[0].kids[0].is(parameter):
		list, ok := n.kids[1].strings()
		for _, s := range list {
			if n.calls(".startswith", 1) {
				names = append(names, s+"*")
			} else {
				names = append(names, "*"+s)
			}
		}
		return names, ok
	}
	return nil, false
}

func (c choice) not(ok bool) (choice, bool) {
	switch {
	case len(c.minus) == 0 && c.base != nil:
		return choice{minus: c.base}, ok
	case c.base == nil && len(c.minus) > 0:
		return choice{base: c.minus}, ok
	}
	return choice{}, false
}

func (c choice) and(d choice) (choice, bool) {
	if c.base != nil && d.base != nil {
		return choice{}, false
	}
	base := c.base
	if base == nil {
		base = d.base
	}
	return choice{base, append(slices.Clone(c.minus), d.minus...)}, true
}

func (c choice) or(d choice) (choice, bool) {
	if c.base == nil || d.base == nil || len(c.minus)+len(d.minus) > 0 {
		return choice{}, false
	}
	return choice{base: append(slices.Clone(c.base), d.base...)}, true
}

// spellings writes names as the server has them as we may have them: without the
// prefix of its namespace, and with "/" where it may have a dot between folders.
func spellings(names []string) (list []string) {
	for _, name := range names {
		name = readable(name)
		all := []string{name}
		if strings.Contains(name, ".") {
			all = append(all, strings.ReplaceAll(name, ".", "/"))
		}
		for _, s := range slices.Clone(all) {
			if rest, ok := strings.CutPrefix(s, "INBOX/"); ok && strings.HasPrefix(name, "INBOX.") {
				all = append(all, rest)
			}
		}
		for _, s := range all {
			if s != "" && !slices.Contains(list, s) {
				list = append(list, s)
			}
		}
	}
	return list
}

// translation is what a nametrans does to names.
type translation struct {
	renames  []pair
	plusPlus bool // INBOX is the root, "." before every other name
}

// translationOf translates the nametrans of a server's repository.
func translationOf(text string) (t translation, err error) {
	parameter, body, err := parseLambda(text)
	if err == nil && !t.read(body, parameter) {
		err = errPython
	}
	return t, err
}

func (t *translation) read(n *pyNode, parameter string) bool {
	switch {
	case n.is(parameter):
		return true
	case n.calls("re.sub", 3) && len(n.kids) == 4 && n.kids[1].op == "string" && n.kids[2].op == "string":
		return t.read(n.kids[3], parameter) && t.sub(n.kids[1].text, n.kids[2].text)
	case n.calls(".replace", 2) && len(n.kids) == 3 && n.kids[1].op == "string" && n.kids[2].op == "string":
		return t.read(n.kids[0].kids[0], parameter) && t.add(n.kids[1].text, n.kids[2].text)
	case n.calls(".get", 2) && n.kids[0].kids[0].op == "dict" && n.kids[2].is(parameter) && n.kids[1].is(parameter):
		dict := n.kids[0].kids[0].kids
		for i := 0; i+1 < len(dict); i += 2 {
			if dict[i].op != "string" || dict[i+1].op != "string" || !t.add(textBegin+dict[i].text+textEnd, dict[i+1].text) {
				return false
			}
		}
		return true
	}
	return false
}

// sub takes in a re.sub.
func (t *translation) sub(expression, by string) bool {
	if strings.Contains(by, `\`) {
		return false
	}
	if by == "." && len(t.renames) == 0 && slices.Contains([]string{`^INBOX\.*`, `^INBOX\.?`, `^INBOX.?`, `INBOX\.?`, `INBOX\.*`}, expression) {
		t.plusPlus = true
		return true
	}
	expression = strings.ReplaceAll(expression, `\[Gmail\].`, `\[Gmail\]/`) // which is what the "any character" is there
	list, ok := globs(strings.ReplaceAll(expression, `\[Gmail\]/*`, `\[Gmail\]/`))
	for _, g := range list {
		ok = ok && t.add(g, by)
	}
	return ok
}

// add takes in the replacement of a literal, which may be anchored.
func (t *translation) add(glob, by string) bool {
	whole := strings.HasPrefix(glob, textBegin) && strings.HasSuffix(glob, textEnd)
	name := strings.TrimSuffix(strings.TrimPrefix(glob, textBegin), textEnd)
	folder := strings.HasSuffix(name, "/") || strings.HasSuffix(name, ".")
	switch {
	case name == "" || t.plusPlus || strings.ContainsAny(name, "*"+textBegin+textEnd):
		return false
	case whole:
	case folder && (by == "" || strings.HasSuffix(by, "/")) && !strings.HasSuffix(glob, textEnd):
		if strings.EqualFold(name, "INBOX.") && by == "" {
			return true // the prefix of a namespace is left out anyway
		}
		name = strings.TrimRight(name, "./") + "/"
	case strings.HasPrefix(glob, textBegin) && by != "" && !folder:
	default:
		return false
	}
	name = readable(name)
	for _, earlier := range t.renames { // whose result this one changes further
		if strings.HasSuffix(earlier.key, "/") && !strings.HasSuffix(name, "/") && strings.HasPrefix(name, earlier.value) {
			name = earlier.key + strings.TrimPrefix(name, earlier.value)
			break
		}
	}
	t.renames = append(t.renames, pair{name, readable(by)})
	return true
}

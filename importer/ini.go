package importer

import (
	"fmt"
	"slices"
	"strings"
)

// iniFile is a file in the syntax of Python's configparser, as far as offlineimap
// uses it.
type iniFile struct {
	sections []*iniSection
	defaults *iniSection // [DEFAULT]
	followed int         // references, which a file could make grow without end
}

type iniSection struct {
	name    string
	line    int
	options []iniOption
	all     *iniFile
}

type iniOption struct {
	name  string // lower case
	value string // before interpolation, lines parted by "\n"
	line  int
}

// readINI takes a file apart: sections in brackets, "name = value" or "name:
// value", values continued on lines that are indented more, comments on lines
// that begin with "#" or ";". Of several sections or options of one name the
// last says what holds.
func (r *Result) readINI(text string) *iniFile {
	f := &iniFile{}
	f.defaults = &iniSection{name: "DEFAULT", all: f}
	var in *iniSection
	var last *iniOption
	number, indent := 0, 0
	for line := range strings.Lines(text) {
		number++
		trimmed := strings.TrimSpace(line)
		depth := len(line) - len(strings.TrimLeft(line, " \t"))
		switch {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
		case last != nil && depth > indent:
			last.value += "\n" + trimmed
		case trimmed[0] == '[' && strings.IndexByte(trimmed, ']') > 0:
			in, last, indent = f.begin(trimmed[1:strings.IndexByte(trimmed, ']')], number), nil, depth
		case in == nil || strings.IndexAny(trimmed, "=:") <= 0:
			r.grave(number, "", "this is neither a section nor an option; left out")
			last = nil
		default:
			i := strings.IndexAny(trimmed, "=:")
			last = in.set(iniOption{strings.ToLower(strings.TrimSpace(trimmed[:i])), strings.TrimSpace(trimmed[i+1:]), number})
			indent = depth
		}
	}
	return f
}

func (f *iniFile) begin(name string, line int) *iniSection {
	if name == f.defaults.name {
		return f.defaults
	}
	if s := f.section(name); s != nil {
		return s
	}
	s := &iniSection{name: name, line: line, all: f}
	f.sections = append(f.sections, s)
	return s
}

// section finds a section, nil where there is none.
func (f *iniFile) section(name string) *iniSection {
	i := slices.IndexFunc(f.sections, func(s *iniSection) bool { return s.name == name })
	if i < 0 {
		return nil
	}
	return f.sections[i]
}

// refersTo reports whether a value has a reference to an option of that name.
func (f *iniFile) refersTo(name string) bool {
	for _, s := range append(f.sections[:len(f.sections):len(f.sections)], f.defaults) {
		for _, o := range s.options {
			if strings.Contains(strings.ToLower(o.value), "%("+name+")s") {
				return true
			}
		}
	}
	return false
}

func (s *iniSection) set(o iniOption) *iniOption {
	for i := range s.options {
		if s.options[i].name == o.name {
			s.options[i] = o
			return &s.options[i]
		}
	}
	s.options = append(s.options, o)
	return &s.options[len(s.options)-1]
}

// raw finds an option in the section or in [DEFAULT].
func (s *iniSection) raw(name string) (iniOption, bool) {
	for _, from := range []*iniSection{s, s.all.defaults} {
		for _, o := range from.options {
			if o.name == name {
				return o, true
			}
		}
	}
	return iniOption{}, false
}

// reference is "%(name)s", or "%%" for a percent sign.
var reference = lazily(`%(%|\(([^)]*)\)s)`)

// What references may do: configparser follows them this deep, and a file has no
// use for more in all, or for longer values.
const (
	deepReferences = 10
	maxReferences  = 10_000
	maxValue       = 1 << 16
)

// expand replaces the references in a value.
func (s *iniSection) expand(value string, depth int) (string, error) {
	if s.all.followed++; depth > deepReferences || s.all.followed > maxReferences {
		return "", fmt.Errorf("references go round in circles, or are too many")
	}
	var failed error
	out := reference().ReplaceAllStringFunc(value, func(m string) string {
		if m == "%%" {
			return "%"
		}
		name := strings.ToLower(m[2 : len(m)-2])
		o, ok := s.raw(name)
		if !ok {
			failed = fmt.Errorf("there is no option %s to put in place of %s", name, m)
			return ""
		}
		text, err := s.expand(o.value, depth+1)
		if err != nil {
			failed = err
		}
		if len(text) > maxValue {
			failed = fmt.Errorf("%s makes a value too long", m)
			return ""
		}
		return text
	})
	return out, failed
}

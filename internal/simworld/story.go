package simworld

import (
	"bufio"
	"fmt"
	"strings"
	"time"

	"imapsync/conflict"
)

// Story is a history written down: what the server lacks and what happens, in
// its order. Acts for which there is nothing to do are passed over when it is
// played, so that any part of a story is one, too.
type Story struct {
	Comment []string
	Seed    uint64
	Lacks   Lacks
	Options Options // of every run
	Acts    []Act
}

// Lacks are the features of the server taken away.
type Lacks struct{ Move, UIDPlus, ModSeq, Marks, Keywords bool }

// ActKind is what an act is.
type ActKind string

// The kinds of acts. During and Strike are for the Go that follows them.
const (
	Do     ActKind = "do"      // an edit between runs
	During ActKind = "during"  // an edit right before a call
	Strike ActKind = "trouble" // a trouble at a call
	Go     ActKind = "run"
	Quiet  ActKind = "quiet" // runs without trouble until all is quiet, and the checks
)

// Act is one thing that happens. Which fields it uses depends on its kind.
type Act struct {
	Kind    ActKind
	Side    Side
	Edit    Edit
	When    When
	Trouble Trouble
	Wait    time.Duration // Go: how long after the last run it begins

	NotPulled, NotPushed conflict.Kinds // Go: what is not propagated
	Fetch                Entry          // Go: what is asked for whole, its folder alone being synchronised
}

// String is the act's line in a story.
func (a Act) String() string {
	words, text := string(a.Kind), ""
	switch a.Kind {
	case Do:
		words, text = string(a.Side), a.Edit.String()
	case During:
		text = fmt.Sprintf("%s: %s %s", a.When, a.Side, a.Edit)
	case Strike:
		text = fmt.Sprintf("%s: %s", a.When, a.Trouble)
	case Go:
		words := append([]string{a.Wait.String()}, directions(a.NotPulled, a.NotPushed)...)
		if a.Fetch.Name != "" {
			words = append(words, "fetch "+at(a.Fetch.Folder, a.Fetch.Name))
		}
		text = strings.Join(words, ", ")
	}
	return headed(words, text)
}

// headed is a line as scenarios have it: a word and what it is about.
func headed(words, text string) string {
	return strings.TrimRight(fmt.Sprintf("%-12s %s", words, text), " ")
}

// String is the story as ParseStory reads it.
func (s *Story) String() string {
	var b strings.Builder
	for _, c := range s.Comment {
		b.WriteString(strings.TrimRight("# "+c, " ") + "\n")
	}
	b.WriteString(headed("seed", fmt.Sprint(s.Seed)) + "\n")
	if lacks := s.Lacks.words(); lacks != "" {
		b.WriteString(headed("without", lacks) + "\n")
	}
	if o := s.Options.String(); o != "" {
		b.WriteString(headed("options", o) + "\n")
	}
	for _, a := range s.Acts {
		b.WriteString(a.String() + "\n")
	}
	return b.String()
}

func (l *Lacks) all() []struct {
	word  string
	lacks *bool
} {
	return []struct {
		word  string
		lacks *bool
	}{{"move", &l.Move}, {"uidplus", &l.UIDPlus}, {"modseq", &l.ModSeq}, {"marks", &l.Marks}, {"keywords", &l.Keywords}}
}

func (l Lacks) words() string {
	var words []string
	for _, f := range l.all() {
		if *f.lacks {
			words = append(words, f.word)
		}
	}
	return strings.Join(words, ", ")
}

// ParseStory reads a story. name is for errors.
func ParseStory(name, text string) (*Story, error) {
	s := &Story{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		if err := s.line(strings.TrimSpace(lines.Text())); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
	}
	if len(s.Acts) == 0 {
		return nil, fmt.Errorf("%s: nothing happens", name)
	}
	return s, lines.Err()
}

func (s *Story) line(line string) (err error) {
	word, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	switch word {
	case "":
		return nil
	case "seed":
		_, err = fmt.Sscan(rest, &s.Seed)
		return err
	case "without":
		return s.Lacks.parse(rest)
	case "options":
		return parseOptions(&s.Options, rest)
	}
	if line[0] == '#' {
		s.Comment = append(s.Comment, strings.TrimPrefix(line[1:], " "))
		return nil
	}
	acts, err := parseActs(ActKind(word), rest)
	s.Acts = append(s.Acts, acts...)
	return err
}

func (l *Lacks) parse(text string) error {
	for _, word := range splitList(text) {
		known := false
		for _, f := range l.all() {
			if f.word == word {
				*f.lacks, known = true, true
			}
		}
		if !known {
			return fmt.Errorf("no server is without %q", word)
		}
	}
	return nil
}

func parseActs(kind ActKind, text string) (acts []Act, err error) {
	a := Act{Kind: kind}
	switch kind {
	case ActKind(Local), ActKind(Remote), ActKind(State):
		a.Kind, a.Side = Do, Side(kind)
		return a.edits(text)
	case Quiet:
		return []Act{a}, nil
	case Go:
		err = a.run(text)
		return []Act{a}, err
	case During, Strike:
	default:
		return nil, fmt.Errorf("a line cannot begin with %q", string(kind))
	}
	when, what, _ := strings.Cut(text, ":")
	what = strings.TrimSpace(what)
	if a.When, err = parseWhen(when); err != nil {
		return nil, err
	}
	if kind == Strike {
		a.Trouble, err = parseTrouble(what)
		return []Act{a}, err
	}
	side, edits, _ := strings.Cut(what, " ")
	a.Side = Side(side)
	return a.edits(edits)
}

// run reads how long after the last one a run begins, and what it propagates.
func (a *Act) run(text string) (err error) {
	for _, phrase := range splitList(text) {
		switch word, rest, _ := strings.Cut(phrase, " "); word {
		case "pull", "push":
			err = parseDirection(word, rest, &a.NotPulled, &a.NotPushed)
		case "fetch":
			a.Fetch.Folder, a.Fetch.Name, err = parsePlace(rest)
		default:
			a.Wait, err = time.ParseDuration(phrase)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// edits returns the act with each of the edits.
func (a Act) edits(text string) (acts []Act, err error) {
	edits, err := parseEdits(text)
	for _, e := range edits {
		a.Edit = e
		acts = append(acts, a)
	}
	if len(acts) == 0 && err == nil {
		err = fmt.Errorf("no edit")
	}
	return acts, err
}

// world makes the world the story begins with.
func (s *Story) world() *World {
	w := New(s.Seed)
	w.Server.NoMove, w.Server.NoUIDPlus, w.Server.NoModSeq, w.Server.NoMarks = s.Lacks.Move, s.Lacks.UIDPlus, s.Lacks.ModSeq, s.Lacks.Marks
	if s.Lacks.Keywords {
		w.Server.RefuseKeywords()
	}
	return w
}

// Play plays the story and returns how it went; Failed tells of the promise
// broken. It works in a testing/synctest bubble only.
func (s *Story) Play(engine Engine) *History {
	h := newHistory(engine, *s)
	defer h.w.Schedule()()
	for i := 0; i < len(s.Acts) && h.err == nil; i++ {
		switch a := s.Acts[i]; a.Kind {
		case Do:
			h.edit(a.Side, a.Edit)
		case During, Strike:
			h.coming = append(h.coming, a)
		case Go:
			h.run(a)
		case Quiet:
			h.quiet()
		}
	}
	h.end()
	return h
}

package simworld

import (
	"bufio"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"imapsync/conflict"
	"imapsync/mail"
)

// Scenario is a small story of both sides: what they agree on at first, then
// rounds of edits, each with the plan they lead to and how it ends.
type Scenario struct {
	Comment []string // lines, without "#"
	OneWay  bool     // the rules for it are not the same with the sides swapped
	Start   []Entry  // on both sides, agreed on by a run
	Rounds  []Round
}

// Round is edits, one run, and what is to come of it.
type Round struct {
	Comment []string
	Options Options
	Edits   map[Side][]Edit
	Fails   string            // what the run's error or one of its failures says
	Plan    map[Side][]string // phrases; State stands for what changes neither side
	After   map[Side][]Entry
}

// Options are what a scenario can ask of a run.
type Options struct {
	Full          bool
	DeletionWins  bool // conflicts.deletion = "wins"
	Expunge       conflict.Expunge
	Trash         mail.FolderName // where deletions on the server go
	TrashApart    bool            // and it is not synchronised
	Accept        bool            // held deletions are carried out
	AcceptFolders []mail.FolderName
	Fetch         map[mail.FolderName][]mail.UID // what alone is synchronised, these whole; not written
	Count         int                            // max_deletions; 0 for the defaults
	Percent       int
	Lanes         int // folders worked on at once; 0 is one
	Attempts      int // how often the work is tried
	Extent        conflict.Extent

	NotPulled, NotPushed conflict.Kinds // what is not propagated
}

// Parse reads a scenario. name is for errors.
func Parse(name, text string) (*Scenario, error) {
	p := &parser{s: &Scenario{}}
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		if err := p.line(strings.TrimSpace(lines.Text())); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
	}
	if len(p.s.Rounds) == 0 {
		return nil, fmt.Errorf("%s: no round", name)
	}
	return p.s, lines.Err()
}

type parser struct {
	s       *Scenario
	begun   bool // a line of the scenario's head was read
	ended   bool // the last round has its after line
	comment []string
}

func (p *parser) line(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	switch {
	case line == "":
		return nil
	case word[0] == '#':
		p.comment = append(p.comment, strings.TrimPrefix(strings.TrimPrefix(line, "#"), " "))
		return nil
	}
	if !p.begun {
		p.s.Comment, p.comment, p.begun = p.comment, nil, true
	}
	switch word {
	case "oneway":
		p.s.OneWay = true
		return nil
	case "start":
		list, err := parseEntries(rest)
		p.s.Start = append(p.s.Start, list...)
		return err
	}
	return p.roundLine(p.round(word), word, rest)
}

// round returns the round the line belongs to; a line other than after begins
// the next one once the last has ended.
func (p *parser) round(word string) *Round {
	after := word == "after"
	if len(p.s.Rounds) == 0 || p.ended && !after {
		p.s.Rounds = append(p.s.Rounds, Round{Comment: p.comment, Edits: map[Side][]Edit{}, Plan: map[Side][]string{}, After: map[Side][]Entry{}})
		p.comment = nil
	}
	p.ended = after
	return &p.s.Rounds[len(p.s.Rounds)-1]
}

func (p *parser) roundLine(r *Round, word, rest string) error {
	var side Side
	if first, after, _ := strings.Cut(rest, " "); word == "plan" || word == "after" {
		if side = Side(first); side == Local || side == Remote || side == State {
			rest = strings.TrimSpace(after)
		} else {
			side = ""
		}
	}
	switch word {
	case "options":
		return parseOptions(&r.Options, rest)
	case "local", "remote", "state":
		edits, err := parseEdits(rest)
		r.Edits[Side(word)] = append(r.Edits[Side(word)], edits...)
		return err
	case "fails":
		r.Fails = rest
		return nil
	case "plan":
		if side == "" && rest != "nothing" {
			return fmt.Errorf("a plan is that of local, remote or state")
		}
		if side != "" {
			r.Plan[side] = append(r.Plan[side], splitList(rest)...)
		}
		return nil
	case "after":
		list, err := parseEntries(rest)
		for _, s := range []Side{Local, Remote} {
			if side == "" || side == s {
				r.After[s] = Tidy(append(r.After[s], list...))
			}
		}
		return err
	}
	return fmt.Errorf("a line cannot begin with %q", word)
}

func splitList(s string) []string {
	var out []string
	for _, part := range strings.Split(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

func parseOptions(o *Options, text string) (err error) {
	for _, phrase := range splitList(text) {
		word, rest, _ := strings.Cut(phrase, " ")
		switch {
		case phrase == "full":
			o.Full = true
		case phrase == "deletion wins":
			o.DeletionWins = true
		case word == "expunge":
			o.Expunge = conflict.Expunge(rest)
		case word == "trash":
			place, apart := strings.CutSuffix(rest, " apart")
			o.Trash, o.TrashApart = mail.FolderName(strings.TrimSuffix(place, "/")), apart
		case phrase == "accept":
			o.Accept = true
		case word == "accept":
			o.Accept = true
			o.AcceptFolders = append(o.AcceptFolders, mail.FolderName(strings.TrimSuffix(rest, "/")))
		case word == "pull" || word == "push":
			if err = parseDirection(word, rest, &o.NotPulled, &o.NotPushed); err != nil {
				return err
			}
		case word == "lanes":
			if o.Lanes, err = strconv.Atoi(rest); err != nil {
				return err
			}
		case slices.Contains(limitWords, word):
			if o.Extent, err = parseExtent(phrase); err != nil {
				return err
			}
		case word == "attempts":
			if o.Attempts, err = strconv.Atoi(rest); err != nil {
				return err
			}
		case word == "limit":
			count, percent, _ := strings.Cut(rest, " ")
			if o.Count, err = strconv.Atoi(count); err != nil {
				return err
			}
			if o.Percent, err = strconv.Atoi(strings.TrimSuffix(percent, "%")); err != nil {
				return err
			}
		default:
			return fmt.Errorf("unknown option %q", phrase)
		}
	}
	return nil
}

func parseEdits(text string) ([]Edit, error) {
	var edits []Edit
	for _, phrase := range splitList(text) {
		list, err := parseEdit(phrase)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", phrase, err)
		}
		edits = append(edits, list...)
	}
	return edits, nil
}

var changes = regexp.MustCompile(`^([^+\-= ]+)((?:[+-][^+\- ]+)+)$`)

func parseEdit(phrase string) ([]Edit, error) {
	verb, rest, has := strings.Cut(phrase, " ")
	if m := changes.FindStringSubmatch(phrase); m != nil {
		return parseChange(m[1], m[2])
	}
	e := Edit{Verb: Verb(verb)}
	switch e.Verb {
	case Lose, Limit:
		e.Name = rest
		return []Edit{e}, nil
	case Unmount, Mount, Backup:
		return []Edit{e}, nil
	case Restore:
		if !has { // of the state
			return []Edit{e}, nil
		}
	case Add, Delete, Move, Copy, Create, Remove, Rename, Rewrite, Note, Show, Fill, Renumber, ReadOnly, Permanent,
		Partial, Hide, Empty, Fewer, Vanish, Complete, Lock, Unlock:
	default:
		has = false
	}
	if !has {
		return nil, fmt.Errorf("unknown edit")
	}
	what, to, _ := strings.Cut(rest, " to ")
	e.To = mail.FolderName(strings.TrimSuffix(to, "/"))
	list, err := parseEntries(what)
	var edits []Edit
	for _, entry := range list {
		e.Folder, e.Name, e.Flags, e.New = entry.Folder, entry.Name, entry.Flags, entry.New
		edits = append(edits, e)
	}
	return edits, err
}

// parseChange reads "+FS-T+todo": letters where all are letters of flags, else
// a keyword.
func parseChange(place, signs string) ([]Edit, error) {
	names, err := expand([]string{place})
	if err != nil {
		return nil, err
	}
	e := Edit{Verb: Change}
	for _, word := range regexp.MustCompile(`[+-][^+\-]+`).FindAllString(signs, -1) {
		flags, err := parseFlagWord(word[1:])
		if err != nil {
			flags = mail.NewFlags(0, word[1:])
		}
		if word[0] == '+' {
			e.Flags = e.Flags.Union(flags)
		} else {
			e.Minus = e.Minus.Union(flags)
		}
	}
	var edits []Edit
	for _, n := range names {
		if e.Folder, e.Name, err = parsePlace(n); err != nil {
			return nil, err
		}
		edits = append(edits, e)
	}
	return edits, nil
}

// String is the form Parse reads.
func (e Edit) String() string {
	place := at(e.Folder, e.Name)
	switch e.Verb {
	case Change:
		return place + signed("+", e.Flags) + signed("-", e.Minus)
	case Lose, Limit:
		return string(e.Verb) + " " + e.Name
	case Unmount, Mount, Backup:
		return string(e.Verb)
	case Restore:
		if e.Folder == "" {
			return string(e.Verb)
		}
	case Add, Permanent:
		return string(e.Verb) + " " + Entry{e.Folder, e.Name, e.Flags, e.New}.stringWithFlags()
	case Move, Copy, Rename:
		return string(e.Verb) + " " + place + " to " + string(e.To) + "/"
	}
	return string(e.Verb) + " " + place
}

func (e Entry) stringWithFlags() string {
	if e.Name == "" {
		return e.String() + "=" + flagWord(e.Flags)
	}
	return e.String()
}

func signed(sign string, f mail.Flags) string {
	s := ""
	if f.System != 0 {
		s = sign + f.System.Letters()
	}
	for _, k := range f.Keywords() {
		s += sign + k
	}
	return s
}

// String is the scenario as Parse reads it.
func (s *Scenario) String() string {
	var b strings.Builder
	line := func(words, text string) {
		b.WriteString(strings.TrimRight(fmt.Sprintf("%-12s %s", words, text), " ") + "\n")
	}
	for _, c := range s.Comment {
		b.WriteString(strings.TrimRight("# "+c, " ") + "\n")
	}
	if s.OneWay {
		line("oneway", "")
	}
	if len(s.Start) > 0 {
		line("start", EntriesText(s.Start))
	}
	for i, r := range s.Rounds {
		if i > 0 {
			b.WriteString("\n")
		}
		for _, c := range r.Comment {
			b.WriteString(strings.TrimRight("# "+c, " ") + "\n")
		}
		r.write(line)
	}
	return b.String()
}

func (r Round) write(line func(words, text string)) {
	if o := r.Options.String(); o != "" {
		line("options", o)
	}
	for _, side := range []Side{State, Local, Remote} {
		var ps []phrase
		for _, e := range r.Edits[side] {
			text, place := e.String(), at(e.Folder, e.Name)
			before, after, ok := strings.Cut(text, place)
			if !ok || e.Name == "" {
				before, place, after = text, "", ""
			}
			ps = append(ps, phrase{before, place, after})
		}
		if len(ps) > 0 {
			line(string(side), strings.Join(shorten(ps), ", "))
		}
	}
	if r.Fails != "" {
		line("fails", r.Fails)
	}
	planned := false
	for _, side := range []Side{State, Local, Remote} {
		if len(r.Plan[side]) > 0 {
			line("plan "+string(side), strings.Join(r.Plan[side], ", "))
			planned = true
		}
	}
	if !planned {
		line("plan", "nothing")
	}
	if SameEntries(r.After[Local], r.After[Remote]) {
		line("after", EntriesText(r.After[Local]))
		return
	}
	line("after local", EntriesText(r.After[Local]))
	line("after remote", EntriesText(r.After[Remote]))
}

// String is the form of an options line.
func (o Options) String() string {
	var words []string
	if o.Full {
		words = append(words, "full")
	}
	if o.DeletionWins {
		words = append(words, "deletion wins")
	}
	if o.Expunge != "" {
		words = append(words, "expunge "+string(o.Expunge))
	}
	if o.Trash != "" {
		words = append(words, "trash "+string(o.Trash)+"/"+map[bool]string{true: " apart"}[o.TrashApart])
	}
	if o.Accept && len(o.AcceptFolders) == 0 {
		words = append(words, "accept")
	}
	for _, f := range o.AcceptFolders {
		words = append(words, "accept "+string(f)+"/")
	}
	if o.Count != 0 || o.Percent != 0 {
		words = append(words, fmt.Sprintf("limit %d %d%%", o.Count, o.Percent))
	}
	if o.Lanes != 0 {
		words = append(words, fmt.Sprintf("lanes %d", o.Lanes))
	}
	if o.Attempts != 0 {
		words = append(words, fmt.Sprintf("attempts %d", o.Attempts))
	}
	if o.Extent != (conflict.Extent{}) {
		words = append(words, extentWords(o.Extent))
	}
	return strings.Join(append(words, directions(o.NotPulled, o.NotPushed)...), ", ")
}

package realworld

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"imapsync/internal/dovecot"
	"imapsync/internal/simworld"
	"imapsync/maildir"
)

const scenarioDir = "../../testdata/scenarios"

// leftOut are the scenarios that cannot be played here, and why.
var leftOut = map[string]string{
	"permanent-flags":     "Dovecot stores every flag and keyword: its PERMANENTFLAGS cannot be narrowed",
	"read-only":           "what this server lets a user select he may change",
	"unproven":            "Dovecot's listings add up; a partial view cannot be had from it",
	"unproven-renumbered": "likewise",
}

// planDepends are the scenarios whose plan is not compared, and why.
var planDepends = map[string]string{
	"keywords-table-full": "that the table is full is noticed only when the directory is listed, as it is while its stamp is young",
}

// withoutEmpty are scenarios played but for the message without any bytes, which
// Dovecot refuses to store.
var withoutEmpty = []string{"odd-messages", "odd-messages-first-run"}

// emptyless leaves the message Empty out of a scenario.
func emptyless(s *simworld.Scenario) {
	empty := regexp.MustCompile(`\bEmpty\b`)
	isEmpty := func(e simworld.Entry) bool { return e.Name == "Empty" }
	s.Start = slices.DeleteFunc(s.Start, isEmpty)
	for _, r := range s.Rounds {
		for side := range r.Edits {
			r.Edits[side] = slices.DeleteFunc(r.Edits[side], func(e simworld.Edit) bool { return e.Name == "Empty" })
		}
		for side := range r.Plan {
			r.Plan[side] = slices.DeleteFunc(r.Plan[side], empty.MatchString)
		}
		for side := range r.After {
			r.After[side] = slices.DeleteFunc(r.After[side], isEmpty)
		}
	}
}

// variant is how the scenarios are played.
type variant struct {
	name    string
	without []string // extensions taken away
	begin   simworld.Side
	layout  maildir.Layout
	plays   func(name string, s *simworld.Scenario) bool // nil: every scenario
}

// quick tells of a variant that takes one extension away: what only the others
// can show is not looked at again.
func (v variant) quick() bool { return len(v.without) == 1 || v.name == "no-CONDSTORE" }

// turn tells whether the variant is among those played, when a scenario's and
// its own number add up to n.
func (v variant) turn(n int) bool {
	switch {
	case os.Getenv("VARIANTS") == "all" || v.name == "all":
		return true
	case raceDetector:
		return !v.quick() && n%2 == 0
	}
	return !v.quick() || n%2 == 0
}

// extensions are those a run makes use of.
var extensions = []string{"CONDSTORE", "ESEARCH", "UIDPLUS", "MOVE", "LIST-STATUS", "LITERAL+"}

// matters tells whether a scenario makes use of an extension, such as MOVE where
// something is to be moved on the server.
func matters(extension string, s *simworld.Scenario) bool {
	var plan, edits []string
	for _, r := range s.Rounds {
		plan = append(plan, r.Plan[simworld.Remote]...)
		for _, e := range r.Edits[simworld.Remote] {
			edits = append(edits, e.String())
		}
	}
	does := func(list []string, verbs ...string) bool {
		return slices.ContainsFunc(list, func(phrase string) bool {
			verb, _, _ := strings.Cut(phrase, " ")
			return slices.Contains(verbs, verb)
		})
	}
	switch extension {
	case "MOVE":
		return does(plan, "move") || slices.ContainsFunc(plan, func(phrase string) bool { // to the trash
			return strings.HasPrefix(phrase, "delete") && strings.Contains(phrase, " to ")
		})
	case "LITERAL+":
		return does(plan, "new")
	case "UIDPLUS":
		return does(plan, "move", "copy", "new", "delete")
	case "ESEARCH": // for finding out which message went
		return does(plan, "move", "delete") || does(edits, "move", "delete", "remove", "rename", "renumber")
	}
	return len(s.Start) > 0 // CONDSTORE and LIST-STATUS: for finding out what changed since
}

// variants are the ways scenarios are played: what the server offers, and how
// the start comes about: with mail on both sides that a run pairs, or on one
// side, from where a run copies it.
func variants() []variant {
	list := []variant{
		{name: "all"},
		{name: "none", without: append([]string{"QRESYNC", "MULTIAPPEND", "UNSELECT", "LIST-EXTENDED"}, extensions...), begin: simworld.Remote},
	}
	for i, e := range extensions {
		v := variant{name: "no-" + e, without: []string{e}, plays: func(_ string, s *simworld.Scenario) bool { return matters(e, s) }}
		switch {
		case e == "CONDSTORE":
			v.without = append(v.without, "QRESYNC") // which implies it (RFC 7162 section 3.2)
		case i%3 == 1:
			v.begin = simworld.Local
		case i%3 == 2:
			v.begin = simworld.Remote
		}
		list = append(list, v)
	}
	some := []string{"first-run", "folder-created", "folder-deleted-kept", "folder-deleted-local", "folder-deleted-remote",
		"folder-renamed-local", "folder-renamed-remote", "folder-renamed-children", "folder-renamed-with-changes", "keywords", "many-changes", "marker-missing", "moved-to-new-folder", "uidvalidity"}
	for _, l := range []maildir.Layout{maildir.MaildirPP, maildir.Flat} {
		list = append(list, variant{name: string(l), layout: l,
			plays: func(name string, _ *simworld.Scenario) bool { return slices.Contains(some, name) }})
	}
	return list
}

// Each scenario ends as it says on the real thing, whatever the server offers
// and however the Maildir is laid out, and the run after each round is idle. Of
// the variants that take one extension away each scenario is played in every
// other one, with VARIANTS=all in all of them.
func TestScenarios(t *testing.T) {
	server := dovecot.Start(t, dovecot.WithExtra(reuse))
	files, err := filepath.Glob(filepath.Join(scenarioDir, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios in %s: %v", scenarioDir, err)
	}
	scenarios := map[string]*simworld.Scenario{}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if scenarios[name], err = simworld.Parse(path, string(text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range withoutEmpty {
		emptyless(scenarios[name])
	}
	for name := range leftOut {
		if scenarios[name] == nil {
			t.Errorf("leftOut names %s, which is not there", name)
		}
	}
	for i, name := range slices.Sorted(maps.Keys(scenarios)) {
		if leftOut[name] != "" {
			continue
		}
		for j, v := range variants() {
			if v.plays != nil && !v.plays(name, scenarios[name]) || !v.turn(i+j) {
				continue
			}
			t.Run(name+"/"+v.name, func(t *testing.T) {
				t.Parallel()
				p := &player{newWorld(t, server, name+"."+strings.ReplaceAll(v.name, "+", "-plus"), v.layout, v.without), v, name}
				if v.quick() {
					p.connections = 1
				}
				if err := p.play(scenarios[name]); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// reuse has the server's processes serve many connections, one after another.
const reuse = `
service imap {
  service_count = 100
}
service auth {
  client_limit = 2000
}`

// player plays a scenario on a world.
type player struct {
	*world
	v    variant
	name string // of the scenario
}

func (p *player) play(s *simworld.Scenario) error {
	if err := p.start(s.Start); err != nil {
		return fmt.Errorf("start: %w\n%s", err, p.last)
	}
	for i, r := range s.Rounds {
		if err := p.round(r); err != nil {
			return fmt.Errorf("round %d: %w", i+1, err)
		}
	}
	return nil
}

// start has a run agree on what the scenario begins with.
func (p *player) start(entries []simworld.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	for _, e := range entries {
		edit := simworld.Edit{Verb: simworld.Add, Folder: e.Folder, Name: e.Name, Flags: e.Flags, New: e.New}
		if e.Name == "" {
			edit = simworld.Edit{Verb: simworld.Create, Folder: e.Folder}
		}
		for _, side := range []simworld.Side{simworld.Local, simworld.Remote} {
			if p.v.begin == "" || p.v.begin == side {
				p.edit(side, edit)
			}
		}
	}
	if out := p.run(simworld.Options{}); out.err != nil {
		return out.err
	}
	if p.v.quick() {
		return p.run(simworld.Options{}).err // whose marks the next run starts from
	}
	p.learn()
	want := simworld.Tidy(entries)
	return p.quiet(simworld.Options{}, map[simworld.Side][]simworld.Entry{simworld.Local: want, simworld.Remote: want})
}

func (p *player) round(r simworld.Round) error {
	for _, side := range []simworld.Side{simworld.State, simworld.Local, simworld.Remote} {
		for _, e := range r.Edits[side] {
			p.edit(side, e)
		}
	}
	var names simworld.Names
	if p.comparable() {
		names = p.learn()
	}
	out := p.run(r.Options)
	err := p.failed(r, out.err)
	if out.report != nil && p.comparable() {
		err = errors.Join(err, comparePlan(r.Plan, simworld.Phrases(out.report.Plan, names)))
	}
	if blindMoves(p.without) && r.Fails == "" {
		err = errors.Join(err, p.run(r.Options).err)
	}
	if err = errors.Join(err, p.quiet(r.Options, r.After)); err != nil {
		return fmt.Errorf("%w\n%s%s", err, out, p.last)
	}
	return nil
}

// failed tells whether the run failed otherwise than the round says.
func (p *player) failed(r simworld.Round, err error) error {
	switch {
	case r.Fails == "" && err != nil:
		return fmt.Errorf("the run failed: %w", err)
	case r.Fails != "" && (err == nil || !strings.Contains(err.Error(), r.Fails)):
		return fmt.Errorf("the run should fail with %q, not with %v", r.Fails, err)
	}
	return nil
}

// comparable tells whether the plan is compared, too: without MOVE a message
// that was moved is copied and deleted.
func (p *player) comparable() bool {
	return !p.v.quick() && !slices.Contains(p.without, "MOVE") && planDepends[p.name] == ""
}

// blindMoves tells whether one more run may be needed: a server without UIDPLUS
// does not tell the UIDs that moved messages have in their new place, so the
// next run looks for them there.
func blindMoves(without []string) bool {
	return slices.Contains(without, "UIDPLUS") && !slices.Contains(without, "MOVE")
}

// quiet checks what both sides hold, that another run is idle, and the state.
func (p *player) quiet(o simworld.Options, want map[simworld.Side][]simworld.Entry) error {
	local := p.reader.list()
	remote, found := p.client.look()
	errs := []error{compare(simworld.Local, local, want[simworld.Local]), compare(simworld.Remote, remote, want[simworld.Remote])}
	equal := simworld.SameEntries(want[simworld.Local], want[simworld.Remote])
	errs = append(errs, p.idle(o))
	return errors.Join(append(errs, p.settled(found, equal))...)
}

func compare(side simworld.Side, got, want []simworld.Entry) error {
	if !simworld.SameEntries(got, want) {
		return fmt.Errorf("after, %s:\n got  %s\n want %s", side, simworld.EntriesText(got), simworld.EntriesText(want))
	}
	return nil
}

// comparePlan compares plans but for their order, which follows keys and UIDs.
func comparePlan(want, got map[simworld.Side][]string) error {
	for _, side := range []simworld.Side{simworld.Local, simworld.Remote, simworld.State} {
		w, g := simworld.NormalPlan(writtenOut(want[side])), simworld.NormalPlan(writtenOut(got[side]))
		if w != g {
			return fmt.Errorf("plan, %s:\n got  %s\n want %s", side, g, w)
		}
	}
	return nil
}

var span = regexp.MustCompile(`^(.*?)(\d+)\.\.[A-Za-z]+(\d+)(.*)$`)

// writtenOut writes "delete M1..M3" as three phrases.
func writtenOut(phrases []string) []string {
	var out []string
	for _, p := range phrases {
		m := span.FindStringSubmatch(p)
		if m == nil {
			out = append(out, p)
			continue
		}
		from, _ := strconv.Atoi(m[2])
		to, _ := strconv.Atoi(m[3])
		for n := from; n <= to; n++ {
			out = append(out, m[1]+strconv.Itoa(n)+m[4])
		}
	}
	return out
}

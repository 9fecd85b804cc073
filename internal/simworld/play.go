package simworld

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"imapsync/syncer"
)

// Engine does one run on a world. Tests of package syncer give it, wiring the
// world's parts into an account.
type Engine func(w *World, o Options) (*syncer.Report, error)

// Variation is how a scenario is played.
type Variation struct {
	Seed      uint64
	Mirrored  bool // the sides swapped
	NoMove    bool // the server's features taken away
	NoUIDPlus bool
	NoModSeq  bool
	NoMarks   bool

	// Where Trouble is not zero, it strikes at the Step-th effect of the run of
	// the round counted from 0; runs follow until all is quiet.
	Trouble Trouble
	Round   int
	Step    int
}

// Play plays a scenario and returns it as it went, with the plans and ends of
// its rounds as they were. The error says where they differ from the
// scenario's, or what else was wrong: a breach of the ports' contract, a run
// after the run that was not idle, a state that does not agree with both sides.
func (s *Scenario) Play(engine Engine, v Variation) (*Scenario, error) {
	p := newPlaying(s, engine, v)
	played := *p.s
	played.Rounds = nil
	if err := p.start(); err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	var errs []error
	for i, r := range p.s.Rounds {
		got, err := p.round(i, r)
		if err != nil {
			errs = append(errs, fmt.Errorf("round %d: %w", i+1, err))
		}
		played.Rounds = append(played.Rounds, got)
	}
	return &played, errors.Join(errs...)
}

// Steps tells how many effects each round's run has, for choosing where
// Trouble strikes.
func (s *Scenario) Steps(engine Engine, v Variation) ([]int, error) {
	p := newPlaying(s, engine, v)
	if err := p.start(); err != nil {
		return nil, err
	}
	var rounds []int
	for _, r := range s.Rounds {
		if err := p.edit(r); err != nil {
			return nil, err
		}
		p.run(r.Options)
		rounds = append(rounds, p.w.Steps())
	}
	return rounds, nil
}

// playing is a scenario being played.
type playing struct {
	w      *World
	engine Engine
	v      Variation
	s      *Scenario
	names  Names           // of messages as they were when the last run began
	story  strings.Builder // the runs so far
}

func newPlaying(s *Scenario, engine Engine, v Variation) *playing {
	p := &playing{w: New(v.Seed), engine: engine, v: v, s: s}
	if v.Mirrored {
		p.s = s.mirror()
	}
	p.w.Server.NoMove, p.w.Server.NoUIDPlus = v.NoMove, v.NoUIDPlus
	p.w.Server.NoModSeq, p.w.Server.NoMarks = v.NoModSeq, v.NoMarks
	return p
}

// start makes both sides as the scenario begins and lets a run agree on it.
func (p *playing) start() error {
	for _, e := range p.s.Start {
		edit := Edit{Verb: Add, Folder: e.Folder, Name: e.Name, Flags: e.Flags, New: e.New}
		if e.Name == "" {
			edit = Edit{Verb: Create, Folder: e.Folder}
		}
		for _, side := range []Side{Local, Remote} {
			if err := p.w.Edit(side, edit); err != nil {
				return err
			}
		}
	}
	if len(p.s.Start) == 0 {
		return nil
	}
	if _, err := p.run(Options{}); err != nil {
		return err
	}
	want := Tidy(p.s.Start)
	return errors.Join(p.compare(Local, want), p.compare(Remote, want), p.idle(Options{}))
}

func (p *playing) edit(r Round) error {
	for _, side := range []Side{State, Local, Remote} {
		for _, e := range r.Edits[side] {
			if err := p.w.Edit(side, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// run begins a run ten seconds after the last and does it. Its failures are
// part of the error.
func (p *playing) run(o Options) (*syncer.Report, error) {
	p.w.Begin(10 * time.Second)
	return p.runBegun(o)
}

func (p *playing) runBegun(o Options) (*syncer.Report, error) {
	p.names = p.w.Names()
	report, err := p.engine(p.w, o)
	if report != nil {
		err = errors.Join(append([]error{err}, report.Failures...)...)
	}
	p.tell(report, err)
	return report, err
}

// tell adds a run to the story.
func (p *playing) tell(report *syncer.Report, err error) {
	fmt.Fprintf(&p.story, "run:%s\n", suffix(err))
	if report != nil && report.Plan != nil {
		for _, op := range report.Plan.Ops {
			fmt.Fprintf(&p.story, "  plan: %s\n", op)
		}
	}
	p.story.WriteString(traceText(p.w.Trace()))
}

func (p *playing) round(i int, r Round) (Round, error) {
	got := r
	got.Plan, got.After = map[Side][]string{}, map[Side][]Entry{}
	if err := p.edit(r); err != nil {
		return got, err
	}
	p.w.Begin(10 * time.Second)
	troubled := p.v.Trouble != 0 && p.v.Round == i
	if troubled {
		p.w.TroubleAt(When{N: p.v.Step}, p.v.Trouble)
	}
	p.story.Reset()
	report, err := p.runBegun(r.Options)
	if troubled || p.v.NoUIDPlus && !p.v.NoMove {
		// A move of which the server tells no UIDs is found in the next run.
		err = p.settle(r.Options)
	}
	var errs []error
	switch {
	case r.Fails == "" && err != nil:
		errs = append(errs, fmt.Errorf("the run failed: %w", err))
	case r.Fails != "" && (err == nil || !strings.Contains(err.Error(), r.Fails)):
		errs = append(errs, fmt.Errorf("the run should fail with %q, not with %v", r.Fails, err))
	}
	if report != nil {
		got.Plan = Phrases(report.Plan, p.names)
	}
	if err := p.comparePlan(r.Plan, got.Plan); err != nil && p.v.plain() {
		errs = append(errs, err)
	}
	for _, side := range []Side{Local, Remote} {
		got.After[side] = p.w.List(side)
		errs = append(errs, p.compare(side, r.After[side]))
	}
	errs = append(errs, p.idle(r.Options))
	if err := errors.Join(errs...); err != nil {
		return got, fmt.Errorf("%w\n%s", err, p.story.String())
	}
	return got, nil
}

// plain tells whether the plan is to be the scenario's.
func (v Variation) plain() bool {
	return v.Trouble == 0 && !v.NoMove && !v.NoUIDPlus && !v.NoModSeq && !v.NoMarks
}

// maxRuns is how many runs may pass before all is quiet.
const maxRuns = 8

// settle runs until a run has nothing to do, and returns that run's error. The first
// begins at once, where the server may have something to do yet.
func (p *playing) settle(o Options) error {
	var wait time.Duration
	for range maxRuns {
		p.w.Begin(wait)
		wait = 10 * time.Second
		_, err := p.runBegun(o)
		if len(p.effects()) == 0 {
			return err
		}
	}
	return fmt.Errorf("still not quiet after %d runs:\n%s", maxRuns, traceText(p.effects()))
}

// effects returns the calls of the last run that changed a side.
func (p *playing) effects() []Call {
	var out []Call
	for _, c := range p.w.Trace() {
		if c.Effect && c.Side != State {
			out = append(out, c)
		}
	}
	return out
}

// idle checks that another run does nothing, and the state.
func (p *playing) idle(o Options) error {
	o.Accept = false
	report, _ := p.run(o)
	var errs []error
	if e := p.effects(); len(e) > 0 {
		errs = append(errs, fmt.Errorf("the next run is not idle:\n%s", traceText(e)))
	}
	if report != nil && report.Plan != nil {
		for _, op := range report.Plan.Ops {
			if !op.Held {
				errs = append(errs, fmt.Errorf("the next run plans: %s", op))
			}
		}
	}
	for _, wrong := range p.w.Wrong() {
		errs = append(errs, fmt.Errorf("breach of contract: %s", wrong))
	}
	return errors.Join(append(errs, p.w.CheckRecord())...)
}

func (p *playing) compare(side Side, want []Entry) error {
	if got := p.w.List(side); !SameEntries(got, want) {
		return fmt.Errorf("after, %s:\n got  %s\n want %s", side, EntriesText(got), EntriesText(want))
	}
	return nil
}

func (p *playing) comparePlan(want, got map[Side][]string) error {
	for _, side := range []Side{Local, Remote, State} {
		w, g := strings.Join(want[side], ", "), strings.Join(got[side], ", ")
		if p.v.Mirrored {
			w, g = NormalPlan(want[side]), NormalPlan(got[side])
		}
		if w != g {
			return fmt.Errorf("plan, %s:\n got  %s\n want %s", side, g, w)
		}
	}
	return nil
}

func traceText(calls []Call) string {
	var b strings.Builder
	for _, c := range calls {
		if c.Effect {
			fmt.Fprintf(&b, "  %3d %s\n", c.Step, c)
		} else {
			fmt.Fprintf(&b, "      %s\n", c)
		}
	}
	return b.String()
}

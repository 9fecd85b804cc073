package simworld

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"imapsync/mail"
	"imapsync/syncer"
)

// History is a story being played: the world in it, the story as it went, and
// what must come of it.
type History struct {
	engine Engine
	w      *World
	story  Story
	ledger *ledger
	log    []string

	coming   []Act          // for the next run
	happened []Act          // in the run going on, as it happened
	hook     *When          // the call right before which an edit happens; nil between runs
	unseen   []Edit         // on the server in the run going on
	cut      bool           // the last run did not end well
	pristine bool           // nothing has happened since all was quiet
	quieted  bool           // likewise, and no run has been either
	met      map[int64]bool // intents of which a file that somebody made may be taken for what they were to deliver
	again    []string       // what the last run planned
	err      error
}

// Failure is a broken promise.
type Failure struct {
	Promise string // the kind: a shrunk history breaks the same
	Err     error
}

func (f *Failure) Error() string { return f.Promise + ": " + f.Err.Error() }
func (f *Failure) Unwrap() error { return f.Err }

func broken(promise, format string, args ...any) error {
	return &Failure{promise, fmt.Errorf(format, args...)}
}

// PromiseOf tells the promise an error says is broken, "" for none.
func PromiseOf(err error) string {
	var f *Failure
	if errors.As(err, &f) {
		return f.Promise
	}
	return ""
}

func newHistory(engine Engine, s Story) *History {
	s.Acts = nil
	h := &History{engine: engine, w: s.world(), story: s, ledger: newLedger(), pristine: true, quieted: true, met: map[int64]bool{}}
	h.ledger.noKeywords, h.ledger.noMove = s.Lacks.Keywords, s.Lacks.Move
	h.ledger.expunges, h.ledger.trash = s.Options.Expunge.Any(), s.Options.Trash
	h.ledger.stubs = h.w.stubsOf
	if s.Options.TrashApart {
		h.w.apart = s.Options.Trash
	}
	h.logf("%s\n", strings.TrimSpace(s.String()))
	return h
}

// Failed returns the promises that were broken, nil for none.
func (h *History) Failed() error { return h.err }

// Log is the history so far for a person to read.
func (h *History) Log() string { return strings.Join(h.log, "\n") + "\n" }

// Story is the history as it went: what came to nothing is not in it.
func (h *History) Story() *Story { return &h.story }

func (h *History) logf(format string, args ...any) {
	h.log = append(h.log, fmt.Sprintf(format, args...))
}

// allowed tells whether an edit may happen now. Nobody takes a state away under
// a run, nor while the server is busy with what one asked: with it goes what is to
// come. A mailbox is put back to a backup only while all is quiet, and other
// clients leave it alone until it has been settled: with its counters grown
// again past those that were seen, nobody could tell. And a Maildir not mounted
// looks like one not made yet where no state knows better.
func (h *History) allowed(side Side, e Edit) bool {
	switch {
	case side == State:
		return h.hook == nil && !h.w.Disk.Unmounted && (len(h.w.late) == 0 || e.Verb == Limit || e.Verb == Backup)
	case e.Verb == Backup:
		return h.hook == nil
	case e.Verb == Unmount:
		return h.hook == nil && len(h.w.Record.rowsWhere(func(b mail.Base) bool { return b.Key != "" })) > 0
	}
	if side != Remote {
		return true
	}
	if e.Verb == Restore {
		return h.hook == nil && h.pristine
	}
	for _, name := range []mail.FolderName{e.Folder, e.To} {
		if b := h.w.Server.boxes[name]; b != nil && b.restored {
			return false
		}
	}
	return true
}

// edit does an edit, if it is allowed and there is anything to do it to.
func (h *History) edit(side Side, e Edit) {
	if h.err != nil || !h.allowed(side, e) {
		return
	}
	do := h.w.Edit
	if h.hook != nil {
		do = h.w.EditInHook
	}
	stub := h.w.strikesStub(side, e)
	before, left, deleting := h.w.holders(e), side == Remote && h.w.half(e), side == Remote && h.hook != nil && h.w.deleting(e.Folder)
	if do(side, e) != nil {
		return
	}
	if h.hook != nil {
		h.logf("    %s %s at %s", side, e, h.hook)
		h.happened = append(h.happened, Act{Kind: During, When: *h.hook, Side: side, Edit: e})
	} else {
		h.logf("%s %s", side, e)
		h.story.Acts = append(h.story.Acts, Act{Kind: Do, Side: side, Edit: e})
	}
	if e.Verb != Backup && e.Verb != Restore && e.Verb != Limit {
		h.pristine = false
	}
	h.quieted = false
	// What an interrupted run sent is looked for where it was sent to: moved on
	// by another client, it is out of sight, too. So is what was to be deleted.
	h.ledger.note(side, e, h.hook != nil || h.cut && side == Remote || left, before, h.w.holders(e))
	switch {
	case stub && e.Verb == Copy:
		h.ledger.account(e.Name).hollow++
	case stub && h.hook != nil: // the whole may be on its way, and takes the place of what is not there any more
		h.ledger.account(e.Name).marked = true
	}
	switch {
	case side == Local && h.w.leftBehind(e, h.hook != nil):
		h.ledger.met(e.made())
	case side == Remote && h.w.awaited(e):
		h.ledger.met(e.Name)
	case side == Remote && h.hook != nil:
		h.unseen = append(h.unseen, e)
	}
	if deleting {
		h.ledger.tooLate(e)
	}
	if h.hook != nil && side == Remote && e.Verb == Move && h.w.steps > 0 && !h.cut && h.story.Options.Attempts < 2 {
		h.ledger.taken(e)
	}
	for _, name := range []mail.FolderName{e.Folder, e.To} {
		h.ledger.remade[name] = h.ledger.remade[name] || h.w.remade(name)
	}
	if e.Verb == Hide && !h.w.Record.knows(e.Folder) {
		h.ledger.outOfSight(before[Remote])
	}
}

// at has do happen right before a call of the run that was begun.
func (h *History) at(when When, do func()) {
	h.w.HookAt(when, func() {
		h.hook = &when
		do()
		h.hook = nil
	})
}

// trouble has a call of the run that was begun go wrong.
func (h *History) trouble(when When, t Trouble) {
	h.w.TroubleAt(when, t)
	h.happened = append(h.happened, Act{Kind: Strike, When: when, Trouble: t})
}

// run does the run for which acts are coming.
func (h *History) run(as Act) {
	h.begin(as.Wait)
	for _, a := range h.coming {
		if a.Kind == During {
			h.at(a.When, func() { h.edit(a.Side, a.Edit) })
		} else {
			h.trouble(a.When, a.Trouble)
		}
	}
	h.goOn(as)
}

func (h *History) begin(wait time.Duration) {
	h.w.Begin(wait)
	h.happened, h.pristine, h.quieted = nil, false, false
}

// goOn does the run that was begun and writes down what happened in it.
func (h *History) goOn(as Act) {
	o := h.story.Options
	o.NotPulled, o.NotPushed = as.NotPulled, as.NotPushed
	h.ledger.partly = h.ledger.partly || as.NotPulled|as.NotPushed != 0
	if as.NotPulled != 0 && h.w.stubs() { // whose whole may come only when limits are applied the next time
		h.ledger.missed = true
	}
	whole := h.fetch(&as, &o)
	h.once(o, "run")
	whole()
	for _, a := range h.happened {
		if a.Kind == During || h.w.struck[a.When] {
			h.story.Acts = append(h.story.Acts, a)
		}
	}
	h.story.Acts = append(h.story.Acts, as)
	h.coming = nil
	for _, e := range h.unseen { // the run then may have begun a copy where it was made
		if h.w.awaited(e) {
			h.ledger.met(e.Name)
		}
	}
	h.unseen = nil
	h.ledger.ended(h.cut)
	h.w.endViews()
}

// once does the run begun and reports whether it changed a side.
func (h *History) once(o Options, words string) bool {
	o.Count, o.Percent = 1<<30, 100
	for in, name := range h.w.underWay() {
		if !h.met[in] {
			h.met[in] = true
			h.ledger.met(name)
		}
	}
	report, err := h.engine(h.w, o)
	if report != nil {
		err = errors.Join(append([]error{err}, report.Failures...)...)
	}
	h.cut = err != nil
	h.logf("%s: %d steps%s", words, h.w.Steps(), suffix(err))
	changed := false
	for _, c := range h.w.Trace() {
		changed = changed || c.Effect && c.Side != State
		if c.Effect {
			h.logf("    %3d %s", c.Step, c)
		}
	}
	if wrong := strayed(h.w.Trace(), o); wrong != "" {
		h.err = errors.Join(h.err, broken("a run goes its way alone", "%s", wrong))
	}
	h.fails("no stub is sent", h.w.noStubSent())
	h.again = planned(report)
	for _, op := range h.again {
		h.logf("      plan: %s", op)
	}
	for _, wrong := range h.w.Wrong() {
		h.err = errors.Join(h.err, broken("the ports' contract", "%s", wrong))
	}
	return changed
}

func planned(report *syncer.Report) (ops []string) {
	if report != nil && report.Plan != nil {
		for _, op := range report.Plan.Ops {
			ops = append(ops, op.String())
		}
	}
	return ops
}

func suffix(err error) string {
	if err == nil {
		return ""
	}
	return ": " + strings.ReplaceAll(err.Error(), "\n", "; ")
}

// quiet is a quiet time.
func (h *History) quiet() {
	if h.err != nil {
		return
	}
	h.story.Acts = append(h.story.Acts, Act{Kind: Quiet})
	h.rest()
}

// rest runs without trouble until all is quiet, within the limits and then without
// those that leave messages on the server, then compares everything in full: that
// must find nothing, unless the ledger says that it may. Then both sides, the state
// and the ledger are compared, and one more run must be idle.
func (h *History) rest() {
	h.coming = nil
	if h.limited(); h.err != nil {
		return
	}
	if h.settleAll(); h.err != nil {
		return
	}
	h.w.Begin(10 * time.Second)
	if h.once(h.story.Options, "one more run") || len(h.again) > 0 {
		h.err = errors.Join(h.err, broken("a further run is idle", "it did or planned something"))
	}
	h.fails("the record is right", h.w.CheckRecord())
	h.fails("both sides are the same", h.w.CheckSettled())
	h.fails("the limits hold", h.w.CheckLimits())
	h.err = errors.Join(h.err, h.ledger.check(h.w))
	h.w.endRestored()
	h.pristine, h.quieted = true, true
}

// settleAll settles, removes what stubs stand for nothing, as the runs advise, and
// settles again and in full.
func (h *History) settleAll() {
	if h.settle(false); h.err != nil {
		return
	}
	removed, err := h.w.removeOrphans(!h.ledger.unsure && !h.ledger.stale && h.ledger.cut == 0)
	if h.fails("stubs stand for messages", err); h.err != nil {
		return
	}
	if removed > 0 {
		h.logf("%d stubs that stand for nothing are removed", removed)
	}
	if removed > 0 || h.w.Record.stubs() > 0 { // of those found again the whole comes in the next run
		h.settle(false)
	}
	if h.err == nil {
		h.settle(true)
	}
}

func (h *History) fails(promise string, err error) {
	if err != nil {
		h.err = errors.Join(h.err, &Failure{promise, err})
	}
}

// settle runs until a run changes neither side.
func (h *History) settle(full bool) {
	o := h.story.Options
	o.Full = o.Full || full
	for run := range maxRuns {
		wait := 10 * time.Second
		if len(h.w.Record.quarantine) > 0 {
			wait = 25 * time.Hour // what was set aside is tried again by then
		}
		h.w.Begin(wait)
		changed := h.once(o, fmt.Sprintf("settling run, full %v", full))
		if h.err != nil || !changed {
			return
		}
		if full && run == 0 && !h.ledger.missed {
			h.err = broken("a full comparison finds nothing more", "it changed something")
			return
		}
	}
	h.err = broken("it comes to an end", "still not quiet after %d runs", maxRuns)
}

// end has every story end quiet, with all messages held whole.
func (h *History) end() {
	if h.err == nil && !h.quieted {
		h.quiet()
	}
	if h.err == nil && !h.w.Extent.Unlimited() {
		h.unlimited()
		h.rest()
	}
}

// holdings and holders are for hooks, too: the lock may be held.

// holdings lists what a side has, the same way each time.
func (w *World) holdings(side Side) (messages []Entry, folders []mail.FolderName) {
	if side == Local {
		for _, name := range w.Disk.names() {
			folders = append(folders, name)
			f := w.Disk.folders[name]
			for _, k := range f.keyList() {
				messages = append(messages, Entry{name, NameOf(f.files[k].content), f.files[k].flags, f.files[k].new})
			}
		}
	} else {
		for _, name := range w.Server.names() {
			if name == w.apart {
				continue
			}
			folders = append(folders, name)
			for _, m := range w.Server.boxes[name].messages {
				messages = append(messages, Entry{name, NameOf(m.content), m.flags, false})
			}
		}
	}
	if len(folders) == 0 {
		folders = []mail.FolderName{mail.Inbox}
	}
	return messages, folders
}

package simworld

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"imapsync/mail"
)

// History is a sequence of edits, runs and troubles decoded from bytes: every
// byte string is a history, and the same bytes are always the same one.
type History struct {
	engine Engine
	w      *World
	in     []byte
	log    []string
	ledger *ledger
	names  int
	cut    bool // the last run did not end well
	err    error
}

// NewHistory prepares a history for an engine.
func NewHistory(engine Engine, data []byte) *History {
	h := &History{engine: engine, in: data}
	seed := uint64(h.next())<<8 | uint64(h.next())
	h.w = New(seed)
	f := h.next()
	s := h.w.Server
	s.NoMove, s.NoUIDPlus, s.NoModSeq, s.NoMarks = f&1 != 0, f&2 != 0, f&4 != 0, f&8 != 0
	h.ledger = newLedger()
	h.logf("seed %d; no move %v, no uidplus %v, no modseq %v, no marks %v", seed, s.NoMove, s.NoUIDPlus, s.NoModSeq, s.NoMarks)
	return h
}

// Log is the history so far for a person to read.
func (h *History) Log() string { return strings.Join(h.log, "\n") + "\n" }

func (h *History) logf(format string, args ...any) {
	h.log = append(h.log, fmt.Sprintf(format, args...))
}

// next takes a byte; past the end all are 0.
func (h *History) next() byte {
	if len(h.in) == 0 {
		return 0
	}
	b := h.in[0]
	h.in = h.in[1:]
	return b
}

func (h *History) below(n int) int { return int(h.next()) % n }

// maxEpochs bounds a history however many bytes it has.
const maxEpochs = 4

// Play carries the history out: epochs of edits and troubled runs, each
// followed by runs without trouble until all is quiet, and then the checks. The
// error says which promise was broken. It works in a testing/synctest bubble
// only.
func (h *History) Play() error {
	defer h.w.Schedule()()
	for epoch := 0; epoch < maxEpochs && (epoch == 0 || len(h.in) > 0); epoch++ {
		for range 1 + h.below(3) {
			for range h.below(6) {
				h.edit(h.w.Edit, "")
			}
			h.troubledRun()
			if h.err != nil {
				return h.err
			}
		}
		if err := h.settle(); err != nil {
			return err
		}
		if err := h.ledger.check(h.w); err != nil {
			return err
		}
	}
	return nil
}

// troubledRun does one run in which edits happen and calls go wrong.
func (h *History) troubledRun() {
	h.w.Begin(time.Duration(h.below(5)) * time.Second)
	kinds := h.next()
	for range int(kinds & 3) {
		when := h.when()
		h.w.HookAt(when, func() { h.edit(h.w.EditInHook, " during the run at "+when.String()) })
	}
	if kinds&4 != 0 {
		t, when := Trouble(1+h.below(int(Temporary))), h.when()
		h.logf("  %s at %s", t, when)
		h.w.TroubleAt(when, t)
	}
	if kinds&8 != 0 {
		when := When{N: 1 + h.below(30)}
		t := CrashBefore + Trouble(h.below(2))
		h.logf("  %s at %s", t, when)
		h.w.TroubleAt(when, t)
	}
	if kinds&0x70 == 0x70 {
		partial := Edit{Verb: Partial, Folder: mail.Inbox}
		h.logf("  remote partial INBOX/ for this run")
		h.w.Edit(Remote, partial)
		defer h.w.Edit(Remote, Edit{Verb: Complete, Folder: mail.Inbox})
	}
	h.run(Options{}, "run")
}

func (h *History) when() When {
	n := 1 + h.below(40)
	switch h.below(4) {
	case 0:
		return When{Local, n}
	case 1:
		return When{Remote, n}
	case 2:
		return When{State, n}
	}
	return When{N: n}
}

// run does the run begun and reports whether it changed a side.
func (h *History) run(o Options, words string) bool {
	o.Count, o.Percent = 1<<30, 100
	report, err := h.engine(h.w, o)
	if report != nil {
		err = errors.Join(append([]error{err}, report.Failures...)...)
	}
	h.cut = err != nil
	changed := false
	for _, c := range h.w.Trace() {
		changed = changed || c.Effect && c.Side != State
	}
	h.logf("%s: %d steps%s", words, h.w.Steps(), suffix(err))
	for _, c := range h.w.Trace() {
		if c.Effect {
			h.logf("    %3d %s", c.Step, c)
		}
	}
	if report != nil && report.Plan != nil {
		for _, op := range report.Plan.Ops {
			h.logf("      plan: %s", op)
		}
	}
	for _, wrong := range h.w.Wrong() {
		h.err = errors.Join(h.err, fmt.Errorf("breach of contract: %s", wrong))
	}
	return changed
}

func suffix(err error) string {
	if err == nil {
		return ""
	}
	return ": " + strings.ReplaceAll(err.Error(), "\n", "; ")
}

// settle runs without trouble until all is quiet, then compares everything
// in full: that must find nothing, unless a file was rewritten in place.
func (h *History) settle() error {
	for _, o := range []Options{{}, {Full: true}} {
		quiet := false
		for run := 0; run < maxRuns && !quiet; run++ {
			h.w.Begin(10 * time.Second)
			quiet = !h.run(o, fmt.Sprintf("settling run, full %v", o.Full))
			if h.err != nil {
				return h.err
			}
			if o.Full && run == 0 && !quiet && !h.ledger.rewritten {
				return errors.New("a full comparison found what the runs before it had missed")
			}
		}
		if !quiet {
			return fmt.Errorf("still not quiet after %d runs", maxRuns)
		}
	}
	return errors.Join(h.w.CheckRecord(), h.w.CheckSettled())
}

var folderPool = []mail.FolderName{mail.Inbox, "F", "G", "F/H"}

var flagPool = []mail.Flags{
	mail.NewFlags(mail.Seen), mail.NewFlags(mail.Flagged), mail.NewFlags(mail.Answered), mail.NewFlags(mail.Deleted),
	mail.NewFlags(0, "todo"), mail.NewFlags(mail.Seen|mail.Draft, "$Label1"),
}

// verbPool has the common edits more often.
var verbPool = []Verb{
	Change, Change, Change, Change, Change, Add, Add, Add, Add, Delete, Delete, Delete, Move, Move, Move,
	Copy, Create, Remove, Rename, Renumber, Lose, Rewrite, Show,
}

// edit decodes one edit and does it, if there is anything to do it to.
func (h *History) edit(do func(Side, Edit) error, when string) {
	side := []Side{Local, Remote}[h.below(2)]
	e := Edit{Verb: verbPool[h.below(len(verbPool))]}
	messages, folders := h.w.holdings(side)
	a, b := int(h.next()), int(h.next())
	switch e.Verb {
	case Add:
		h.add(do, when, side, a, b)
		return
	case Create:
		e.Folder = folderPool[1+a%3]
	case Remove, Rename, Renumber:
		e.Folder = folders[a%len(folders)]
		e.To = folderPool[1+b%3]
		if e.Verb == Renumber {
			side = Remote
		} else if e.Folder == mail.Inbox || e.Verb == Rename && e.To == e.Folder {
			return
		}
	case Lose:
		side, e.Name = State, "state"
		if a%4 != 0 || when != "" { // nobody takes a state away under a run
			return
		}
	default:
		if len(messages) == 0 || side == Remote && (e.Verb == Rewrite || e.Verb == Show) {
			return
		}
		m := messages[a%len(messages)]
		e.Folder, e.Name = m.Folder, m.Name
		e.To = folderPool[b%len(folderPool)]
		if e.Verb == Change {
			if e.Flags = flagPool[b%len(flagPool)]; b&0x80 != 0 {
				e.Flags, e.Minus = mail.Flags{}, e.Flags
			}
		}
	}
	h.do(do, when, side, e)
}

// add makes a new message, or another of a content there is already, on one
// side or on both.
func (h *History) add(do func(Side, Edit) error, when string, side Side, a, b int) {
	e := Edit{Verb: Add, Folder: folderPool[a%len(folderPool)], New: b&1 != 0}
	if b&2 != 0 {
		e.Flags, e.New = flagPool[b>>4%len(flagPool)], false
	}
	if a&0x40 == 0 || h.names == 0 {
		h.names++
	}
	e.Name = fmt.Sprintf("M%d", h.names)
	h.do(do, when, side, e)
	if a&0x80 != 0 {
		other := Local
		if side == Local {
			other = Remote
		}
		h.do(do, when, other, e)
	}
}

func (h *History) do(do func(Side, Edit) error, when string, side Side, e Edit) {
	before := h.w.holders(e)
	if err := do(side, e); err != nil {
		return
	}
	h.logf("%s %s%s", side, e, when)
	// What an interrupted run sent is looked for where it was sent to: moved on
	// by another client, it is out of sight, too.
	h.ledger.note(side, e, when != "" || h.cut && side == Remote, before)
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

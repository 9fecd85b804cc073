package simworld

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"sync"
	"time"

	"imapsync/conflict"
	"imapsync/mail"
)

// Side names one of the three things a run works on.
type Side string

// The sides.
const (
	Local  Side = "local"
	Remote Side = "remote"
	State  Side = "state"
)

// Call is one call of a port as the trace holds it.
type Call struct {
	Side   Side
	Name   string
	Folder mail.FolderName
	Detail string
	Effect bool
	N      int // number among the run's calls on this side, from 1
	Step   int // number among the run's calls with an effect, from 1; 0 without one

	about string // what else tells it from others of these words that wait for their turn, too
}

func (c Call) String() string {
	s := fmt.Sprintf("%s %s", c.Side, c.Name)
	if c.Folder != "" {
		s += " " + string(c.Folder)
	}
	if c.Detail != "" {
		s += " " + c.Detail
	}
	return s
}

// When names a call of the next run: the Nth on a side or, where Side is "",
// the Nth of those with an effect on any side.
type When struct {
	Side Side
	N    int
}

func (w When) String() string {
	if w.Side == "" {
		return fmt.Sprintf("step %d", w.N)
	}
	return fmt.Sprintf("%s call %d", w.Side, w.N)
}

// parseWhen reads what String writes.
func parseWhen(s string) (When, error) {
	words := strings.Fields(s)
	var w When
	switch {
	case len(words) == 2 && words[0] == "step":
	case len(words) == 3 && words[1] == "call" && (words[0] == string(Local) || words[0] == string(Remote) || words[0] == string(State)):
		w.Side = Side(words[0])
	default:
		return w, fmt.Errorf("%q names no call: \"step 3\" and \"remote call 5\" do", s)
	}
	var err error
	w.N, err = strconv.Atoi(words[len(words)-1])
	return w, err
}

// ErrCrash is the error of every call between a crash and Begin.
var ErrCrash = &mail.Fault{Scope: mail.ScopeAccount, Class: mail.ClassFailed, Err: errors.New("the simulated process has died")}

// World is a simulated server, Maildir and state, and the calls a run makes on
// them. All its methods and those of its parts may be called from several
// goroutines.
type World struct {
	Server *Server
	Disk   *Disk
	Record *Record
	Extent conflict.Extent // what the Maildir is to hold of each folder

	schedule *schedule // nil: calls happen as they come

	mu       sync.Mutex
	seed     uint64
	now      time.Time
	dead     bool
	calls    map[Side]int
	steps    int
	trace    []Call
	troubles map[When]Trouble
	struck   map[When]bool // troubles that came about
	hooks    map[When][]func()
	wrong    []string
	named    map[mail.Digest]string // what scenarios call the contents made so far
	open     int                    // mailboxes and deliveries not yet given back
	apart    mail.FolderName        // a mailbox that no history speaks of: the trash
	late     []late                 // what the server comes to do yet, the first first
}

// late is an effect of a call that its caller has given up.
type late struct {
	due    time.Time
	effect func() error
}

// New returns an empty world: a server with INBOX alone and every feature, no
// Maildir, no state. The seed decides what the ports leave open: what a crash
// takes with it and the order of answers.
func New(seed uint64) *World {
	w := &World{seed: seed, now: epoch.Add(24 * time.Hour), named: map[mail.Digest]string{}}
	w.Server = newServer(w)
	w.Disk = newDisk(w)
	w.Record = newRecord(w)
	w.reset()
	return w
}

func (w *World) reset() {
	w.calls, w.steps, w.trace = map[Side]int{}, 0, nil
	w.troubles, w.struck, w.hooks, w.open = map[When]Trouble{}, map[When]bool{}, map[When][]func(){}, 0
}

// Begin starts a new run: a dead process is revived, what it had written to the
// Maildir is durable by now, calls are numbered from 1, the troubles and hooks
// of the last run are forgotten and the clock goes on by d.
func (w *World) Begin(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead = false
	w.Disk.writeBack()
	w.pass(d)
	w.reset()
}

// pass lets time go by, and happen what is due.
func (w *World) pass(d time.Duration) {
	w.now = w.now.Add(d)
	for len(w.late) > 0 && !w.now.Before(w.late[0].due) {
		effect := w.late[0].effect
		w.late = w.late[1:]
		_ = effect() // there is nobody to tell
	}
}

// TroubleAt makes a call of this run go wrong.
func (w *World) TroubleAt(when When, t Trouble) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.troubles[when] = t
}

// HookAt calls do right before a call of this run happens. do may edit the
// world through Edit only.
func (w *World) HookAt(when When, do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hooks[when] = append(w.hooks[when], do)
}

// Now is the simulated clock.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// Wait lets time pass in the middle of a run.
func (w *World) Wait(_ context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pass(d)
	return nil
}

// Trace returns the calls of this run in their order.
func (w *World) Trace() []Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Call(nil), w.trace...)
}

// Steps is the number of this run's calls with an effect, so far.
func (w *World) Steps() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.steps
}

// Crashed tells whether the process has died in this run.
func (w *World) Crashed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dead
}

// Wrong returns what a run did that the contract of the ports forbids.
func (w *World) Wrong() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	wrong := append([]string(nil), w.wrong...)
	if w.open != 0 && !w.dead {
		wrong = append(wrong, fmt.Sprintf("%d mailboxes or deliveries were not given back", w.open))
	}
	return wrong
}

// wrongf notes a breach of contract. The lock is held.
func (w *World) wrongf(format string, args ...any) {
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

// do makes one call: it is numbered, hooks and troubles strike, and effect
// happens, all under the lock.
func (w *World) do(ctx context.Context, c Call, effect func() error) error {
	if w.schedule != nil {
		w.schedule.wait(c)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return ErrCrash
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	t := w.enter(&c)
	if t.late(c) {
		w.late = append(w.late, late{w.now.Add(lateness), effect})
	}
	if t != 0 && !t.after(c) {
		return w.strike(t, c)
	}
	if c.Side == Local && w.Disk.unreadable(c.Folder) {
		return w.fault(Bad, c)
	}
	if err := effect(); err != nil {
		return err
	}
	if t != 0 {
		return w.strike(t, c)
	}
	return nil
}

// deleting tells whether the run going on has asked for the flags of what it
// deletes in a mailbox already: of what happens to them now it learns no more. A
// hook is running.
func (w *World) deleting(name mail.FolderName) bool {
	for i := len(w.trace) - 2; i >= 0; i-- {
		if c := w.trace[i]; c.Side == Remote && c.Folder == name {
			return c.Name == "fetch flags" || c.Name == "expunge"
		}
	}
	return false
}

// enter numbers the call, runs the hooks set for it and tells what goes wrong.
func (w *World) enter(c *Call) Trouble {
	w.pass(time.Millisecond)
	w.calls[c.Side]++
	c.N = w.calls[c.Side]
	at := []When{{c.Side, c.N}}
	if c.Effect {
		w.steps++
		c.Step = w.steps
		at = append(at, When{N: c.Step})
	}
	w.trace = append(w.trace, *c)
	var t Trouble
	for _, when := range at {
		for _, hook := range w.hooks[when] {
			hook()
		}
		if u := w.troubles[when]; u != 0 {
			t, w.struck[when] = u, true
		}
	}
	return t
}

func (w *World) strike(t Trouble, c Call) error {
	if t == CrashBefore || t == CrashAfter || t == CrashLate {
		return w.die()
	}
	return w.fault(t, c)
}

// die ends the process: what was not made durable may be lost.
func (w *World) die() error {
	w.dead = true
	w.Disk.crash()
	return ErrCrash
}

// chance decides something the contract leaves open, the same way each time
// for the same seed, moment and thing. The lock is held.
func (w *World) chance(about string) bool { return w.pick(about, 2) == 0 }

// pick returns a number below n, under the same terms as chance.
func (w *World) pick(about string, n int) int {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %d %d %s", w.seed, w.now.UnixNano(), w.steps, about)
	return int((h.Sum64() >> 7) % uint64(n))
}

package realworld

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"imapsync/internal/dovecot"
	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/maildir"
)

// Whatever people do on both sides between runs, both sides end the same,
// nothing is lost, nothing doubled, what was deleted is gone, flags merge, and
// the next run is idle. SEEDS=n plays n histories, SEED=n the nth alone.
func TestHistories(t *testing.T) {
	seeds := uint64(30)
	if raceDetector {
		seeds = 8
	}
	first, count := number(t, "SEED", 0), number(t, "SEEDS", seeds)
	if first != 0 {
		count = 1
	} else {
		first = 1
	}
	server := dovecot.Start(t, dovecot.WithExtra(reuse))
	for seed := first; seed < first+count; seed++ {
		t.Run(fmt.Sprintf("SEED=%d", seed), func(t *testing.T) {
			t.Parallel()
			h := newHistory(t, server, seed)
			for range 4 + h.IntN(4) {
				if err := h.round(); err != nil {
					t.Fatalf("%v\nSEED=%d, layout %q, without %v:\n%s\n%s", err, seed, h.layout, h.without,
						strings.Join(h.log, "\n"), h.story)
				}
			}
		})
	}
}

func number(t *testing.T, name string, otherwise uint64) uint64 {
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// history is a random story of one account.
type history struct {
	*world
	*rand.Rand
	log   []string // the edits so far, as scenarios write them
	story string   // of the last runs

	agreed []simworld.Entry                   // what both sides held after the last run
	have   map[simworld.Side][]simworld.Entry // places of the messages now, on either side
	made   int                                // messages so far
	now    tally
}

// tally is what was done in a round.
type tally struct {
	added   map[string]map[simworld.Side]int // messages of a content that came to be
	deleted map[string]int
	moved   map[string][]mail.FolderName // where to
	gone    []mail.FolderName            // mailboxes that were deleted or renamed
	blurred bool                         // renumbered or lost: no deletion is believed
	options simworld.Options
}

func newHistory(t *testing.T, s *dovecot.Server, seed uint64) *history {
	r := rand.New(rand.NewPCG(seed, 1))
	var without []string
	for _, e := range extensions {
		if r.IntN(4) == 0 {
			without = append(without, e)
		}
	}
	if slices.Contains(without, "CONDSTORE") {
		without = append(without, "QRESYNC")
	}
	layout := []maildir.Layout{maildir.Verbatim, maildir.MaildirPP, maildir.Flat}[r.IntN(3)]
	w := newWorld(t, s, fmt.Sprintf("history%d", seed), layout, without)
	w.connections = 1 + r.IntN(3)
	return &history{world: w, Rand: r, have: map[simworld.Side][]simworld.Entry{}}
}

// round does some edits and one run, and checks all that is promised.
func (h *history) round() error {
	h.log = append(h.log, "")
	h.now = tally{added: map[string]map[simworld.Side]int{}, deleted: map[string]int{}, moved: map[string][]mail.FolderName{},
		options: simworld.Options{Accept: true}}
	if h.IntN(12) == 0 {
		h.do(simworld.State, simworld.Edit{Verb: simworld.Lose, Name: "state"})
		h.now.blurred = true
	} else {
		for range 2 + h.IntN(9) {
			h.random()
		}
	}
	local, remote := h.reader.list(), h.client.list()
	out := h.run(h.now.options)
	h.story = out.String()
	if out.err != nil {
		return out.err
	}
	if blindMoves(h.without) {
		out := h.run(h.now.options)
		if h.story += out.String(); out.err != nil {
			return out.err
		}
	}
	after := h.reader.list()
	theirs, found := h.client.look()
	errs := []error{compare(simworld.Remote, theirs, after), h.counted(after), h.placed(after), h.merged(local, remote, after)}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w\nbefore local  %s\nbefore remote %s\nafter  local  %s", err,
			simworld.EntriesText(local), simworld.EntriesText(remote), simworld.EntriesText(after))
	}
	for range 2 {
		if err := h.idle(h.now.options); err != nil {
			h.story += h.last.String()
			return err
		}
	}
	h.agreed = after
	h.have = map[simworld.Side][]simworld.Entry{simworld.Local: slices.Clone(after), simworld.Remote: slices.Clone(after)}
	return h.settled(found, true)
}

// count tells how many messages of each content there are.
func count(list []simworld.Entry) map[string]int {
	n := map[string]int{}
	for _, e := range list {
		if e.Name != "" {
			n[e.Name]++
		}
	}
	return n
}

// counted checks that nothing was lost that nobody deleted, and nothing doubled.
func (h *history) counted(after []simworld.Entry) error {
	before, now := count(h.agreed), count(after)
	names := map[string]bool{}
	for name := range before {
		names[name] = true
	}
	for name := range h.now.added {
		names[name] = true
	}
	for name := range now {
		names[name] = true
	}
	var errs []error
	for name := range names {
		local, remote := h.now.added[name][simworld.Local], h.now.added[name][simworld.Remote]
		// What came on both sides may be one message.
		least, most := before[name]+max(local, remote)-h.now.deleted[name], before[name]+local+remote
		if n := now[name]; n < least {
			errs = append(errs, fmt.Errorf("%s is lost: there are %d, at least %d should be", name, n, least))
		} else if n > most {
			errs = append(errs, fmt.Errorf("%s is doubled: there are %d, at most %d should be", name, n, most))
		}
	}
	return errors.Join(errs...)
}

// placed checks of each message that was there once, and that at most one edit
// moved or deleted, that it is where it was moved to or gone.
func (h *history) placed(after []simworld.Entry) error {
	before, now := count(h.agreed), count(after)
	var errs []error
	for _, e := range h.agreed {
		moved, deleted := h.now.moved[e.Name], h.now.deleted[e.Name]
		if e.Name == "" || before[e.Name] != 1 || h.now.added[e.Name] != nil || len(moved)+deleted > 1 || h.now.blurred {
			continue
		}
		if deleted == 1 {
			if now[e.Name] > 0 && !h.changed(e) {
				errs = append(errs, fmt.Errorf("%s was deleted and is back", e.Name))
			}
			continue
		}
		place := e.Folder
		if len(moved) == 1 {
			place = moved[0]
		}
		if !slices.ContainsFunc(after, func(a simworld.Entry) bool { return a.Name == e.Name && a.Folder == place }) {
			errs = append(errs, fmt.Errorf("%s is not in %s", e.Name, place))
		}
	}
	return errors.Join(errs...)
}

// changed tells whether either side changed the flags of a message in this
// round: a deletion may yield to that.
func (h *history) changed(e simworld.Entry) bool {
	word := fmt.Sprintf("/%s", e.Name)
	for i := len(h.log) - 1; h.log[i] != ""; i-- {
		line := "/" + h.log[i][strings.LastIndexAny(h.log[i], " /")+1:]
		if rest, is := strings.CutPrefix(line, word); is && rest != "" && (rest[0] == '+' || rest[0] == '-') {
			return true
		}
	}
	return false
}

// merged checks the flags of each message that was there once on both sides.
func (h *history) merged(local, remote, after []simworld.Entry) error {
	base, ours, theirs, now := only(h.agreed), only(local), only(remote), only(after)
	var errs []error
	for name, b := range base {
		l, inLocal := ours[name]
		r, inRemote := theirs[name]
		a, still := now[name]
		if !inLocal || !inRemote || !still {
			continue
		}
		if want := l.Intersect(r).Intersect(b).Union(l.Minus(b)).Union(r.Minus(b)); !a.Equal(want) {
			errs = append(errs, fmt.Errorf("%s has flags %s; from base %s, local %s, remote %s comes %s", name, a, b, l, r, want))
		}
	}
	return errors.Join(errs...)
}

// only tells the flags of the messages that are there once.
func only(list []simworld.Entry) map[string]mail.Flags {
	n, flags := count(list), map[string]mail.Flags{}
	for _, e := range list {
		if n[e.Name] == 1 {
			flags[e.Name] = e.Flags
		}
	}
	return flags
}

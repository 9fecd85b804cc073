package syncer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/syncer"
)

// corrupter spoils a state in ways that no run does.
type corrupter struct {
	t     *testing.T
	w     *simworld.World
	r     *rand.Rand
	story []string
}

func (c *corrupter) commit(b mail.Batch, format string, args ...any) {
	c.t.Helper()
	c.story = append(c.story, fmt.Sprintf(format, args...))
	if err := c.w.Record.Commit(context.Background(), b); err != nil {
		c.t.Fatal(err)
	}
}

// spoil does one thing to the rows of one folder.
func (c *corrupter) spoil() {
	c.t.Helper()
	ctx := context.Background()
	records, err := c.w.Record.Folders(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	records = slices.DeleteFunc(records, func(r mail.FolderRecord) bool { return r.Rows < 2 })
	if len(records) == 0 {
		return
	}
	rec := records[c.r.IntN(len(records))]
	rows, err := c.w.Record.Rows(ctx, rec.Folder)
	if err != nil {
		c.t.Fatal(err)
	}
	c.r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	a, b := rows[0], rows[1]
	switch c.r.IntN(8) {
	case 0:
		a.UID, b.UID = b.UID, a.UID
		c.commit(mail.Batch{Put: []*mail.Base{a, b}}, "UIDs %d and %d of %s exchanged", a.UID, b.UID, a.Folder)
	case 1:
		a.Key, b.Key = b.Key, a.Key
		c.commit(mail.Batch{Put: []*mail.Base{a, b}}, "keys %s and %s of %s exchanged", a.Key, b.Key, a.Folder)
	case 2:
		c.commit(mail.Batch{Drop: []*mail.Base{a}}, "row of UID %d in %s dropped", a.UID, a.Folder)
	case 3:
		a.Content = b.Content
		c.commit(mail.Batch{Put: []*mail.Base{a}}, "row of UID %d in %s with the content of UID %d", a.UID, a.Folder, b.UID)
	case 4:
		a.UID = mail.UID(9000 + c.r.IntN(1000))
		c.commit(mail.Batch{Put: []*mail.Base{a}}, "row of %s in %s with UID %d", a.Key, a.Folder, a.UID)
	case 5:
		a.Key = mail.Key(fmt.Sprintf("none%d", c.r.IntN(1000)))
		c.commit(mail.Batch{Put: []*mail.Base{a}}, "row of UID %d in %s with key %s", a.UID, a.Folder, a.Key)
	case 6:
		a.Flags = mail.NewFlags(mail.Flagged, "odd")
		c.commit(mail.Batch{Put: []*mail.Base{a}}, "row of UID %d in %s with flags %s", a.UID, a.Folder, a.Flags)
	case 7:
		a.File = mail.FileStamp{}
		c.commit(mail.Batch{Put: []*mail.Base{a}}, "row of UID %d in %s without stamp", a.UID, a.Folder)
	}
}

// names are the messages of a side whatever their flags.
func names(w *simworld.World, side simworld.Side) []string {
	var list []string
	for _, e := range w.List(side) {
		list = append(list, string(e.Folder)+"/"+e.Name)
	}
	slices.Sort(list)
	return list
}

func repairHistory(t *testing.T, seed uint64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var world *simworld.World
		h := simworld.NewHistory(func(w *simworld.World, o simworld.Options) (*syncer.Report, error) {
			world = w
			return engine(w, o)
		}, seededHistory(seed))
		if err := h.Play(); err != nil {
			t.Fatalf("SEED=%d: %v", seed, err)
		}
		defer world.Schedule()()
		c := &corrupter{t: t, w: world, r: rand.New(rand.NewPCG(seed, 2))}
		world.Begin(10 * time.Second)
		for range 1 + c.r.IntN(4) {
			c.spoil()
		}
		before := names(world, simworld.Local)
		world.Begin(10 * time.Second)
		found, _ := verify(t, simAccount(world, simworld.Options{}), syncer.VerifyOptions{Lanes: 2, Repair: true})
		for _, call := range world.Trace() {
			if call.Effect && call.Side != simworld.State {
				t.Errorf("SEED=%d: the repair did %s", seed, call)
			}
		}
		for run := range 4 {
			world.Begin(10 * time.Second)
			report, err := engine(world, simworld.Options{Count: 1 << 30, Percent: 100})
			if err != nil || len(report.Failures) > 0 {
				t.Fatalf("SEED=%d: %v %v", seed, err, report)
			}
			for _, op := range report.Plan.Ops {
				c.story = append(c.story, fmt.Sprintf("run %d: %s", run, op))
			}
		}
		for _, side := range []simworld.Side{simworld.Local, simworld.Remote} {
			if got := names(world, side); !slices.Equal(got, before) {
				t.Errorf("SEED=%d: %s:\n got  %q\n want %q", seed, side, got, before)
			}
		}
		world.Begin(10 * time.Second)
		after, _ := verify(t, simAccount(world, simworld.Options{}), syncer.VerifyOptions{})
		for _, f := range after {
			t.Errorf("SEED=%d: afterwards: %+v", seed, f)
		}
		if t.Failed() {
			for _, f := range found {
				c.story = append(c.story, fmt.Sprintf("found %+v", f))
			}
			t.Log(strings.Join(c.story, "\n"))
		}
	})
}

// However the rows of a quiet account are spoiled, a repair and the runs after it
// leave both sides with exactly the messages they had.
func TestRepairLosesAndDoublesNothing(t *testing.T) {
	for seed := range seedsOr(t, 300) {
		repairHistory(t, seed)
		if t.Failed() {
			return
		}
	}
}

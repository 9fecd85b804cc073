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

	edited []string // contents that a user replaced
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
		a.UID = mail.UID(9000 + len(c.story))
		c.commit(mail.Batch{Put: []*mail.Base{a}}, "row of %s in %s with UID %d", a.Key, a.Folder, a.UID)
	case 5:
		a.Key = mail.Key(fmt.Sprintf("none%d", len(c.story)))
		c.commit(mail.Batch{Put: []*mail.Base{a}}, "row of UID %d in %s with key %s", a.UID, a.Folder, a.Key)
	case 6:
		a.Flags = mail.NewFlags(mail.Flagged, "odd")
		c.commit(mail.Batch{Put: []*mail.Base{a}}, "row of UID %d in %s with flags %s", a.UID, a.Folder, a.Flags)
	case 7:
		a.File = mail.FileStamp{}
		c.commit(mail.Batch{Put: []*mail.Base{a}}, "row of UID %d in %s without stamp", a.UID, a.Folder)
	}
}

// names are the messages of a side whatever their flags, but for those of a folder
// that is not synchronised.
func names(w *simworld.World, side simworld.Side, o simworld.Options) []string {
	var list []string
	for _, e := range w.List(side) {
		if !o.TrashApart || e.Folder != o.Trash {
			list = append(list, string(e.Folder)+"/"+e.Name)
		}
	}
	slices.Sort(list)
	return list
}

func repairHistory(t *testing.T, seed uint64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var world *simworld.World
		h := simworld.PlayBytes(func(w *simworld.World, o simworld.Options) (*syncer.Report, error) {
			world = w
			return engine(w, o)
		}, seededHistory(seed))
		if h.Failed() != nil {
			t.Fatalf("SEED=%d: %v", seed, h.Failed())
		}
		defer world.Schedule()()
		c := &corrupter{t: t, w: world, r: rand.New(rand.NewPCG(seed, 2))}
		world.Begin(10 * time.Second)
		for range 1 + c.r.IntN(4) {
			c.spoil()
		}
		before := names(world, simworld.Local, lasting(h))
		world.Begin(10 * time.Second)
		found, _ := verify(t, simAccount(world, lasting(h)), syncer.VerifyOptions{Lanes: 2, Repair: true})
		for _, call := range world.Trace() {
			if call.Effect && call.Side != simworld.State {
				t.Errorf("SEED=%d: the repair did %s", seed, call)
			}
		}
		for run := range 4 {
			world.Begin(10 * time.Second)
			options := lasting(h)
			options.Count, options.Percent = 1<<30, 100
			report, err := engine(world, options)
			if err != nil || len(report.Failures) > 0 {
				t.Fatalf("SEED=%d: %v %v", seed, err, report)
			}
			for _, op := range report.Plan.Ops {
				c.story = append(c.story, fmt.Sprintf("run %d: %s", run, op))
			}
		}
		for _, side := range []simworld.Side{simworld.Local, simworld.Remote} {
			if got := names(world, side, lasting(h)); !slices.Equal(got, before) {
				t.Errorf("SEED=%d: %s:\n got  %q\n want %q", seed, side, got, before)
			}
		}
		world.Begin(10 * time.Second)
		after, _ := verify(t, simAccount(world, lasting(h)), syncer.VerifyOptions{})
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

// edit does what a mail reader or another client does, short of deleting.
func (c *corrupter) edit() {
	c.t.Helper()
	side := []simworld.Side{simworld.Local, simworld.Remote}[c.r.IntN(2)]
	all := c.w.List(side)
	all = slices.DeleteFunc(all, func(e simworld.Entry) bool { return e.Name == "" })
	folder := []mail.FolderName{mail.Inbox, "F", "G"}[c.r.IntN(3)]
	e := simworld.Edit{Verb: simworld.Add, Folder: folder, Name: fmt.Sprintf("N%d", c.r.IntN(1000))}
	if len(all) > 0 {
		m := all[c.r.IntN(len(all))]
		switch c.r.IntN(5) {
		case 0:
			e = simworld.Edit{Verb: simworld.Change, Folder: m.Folder, Name: m.Name, Flags: mail.NewFlags(mail.Seen, "todo")}
		case 1:
			e = simworld.Edit{Verb: simworld.Move, Folder: m.Folder, Name: m.Name, To: folder}
			if base := strings.TrimRight(m.Name, "~"); base != m.Name {
				c.edited = append(c.edited, base) // damaged and moved is deleted and new
			}
		case 2:
			e = simworld.Edit{Verb: simworld.Copy, Folder: m.Folder, Name: m.Name, To: folder}
		case 3:
			c.damage(m.Folder, m.Name)
			return
		}
	}
	c.story = append(c.story, fmt.Sprintf("%s %s", side, e))
	if err := c.w.Edit(side, e); err != nil {
		c.t.Fatal(err)
	}
}

// damage changes a file and leaves the stamp that its row has of it.
func (c *corrupter) damage(folder mail.FolderName, name string) {
	c.t.Helper()
	rows, err := c.w.Record.Rows(context.Background(), folder)
	if err != nil {
		c.t.Fatal(err)
	}
	intact := func(row *mail.Base) (mail.FileStamp, bool) {
		content, stamp, _, err := c.w.Disk.Read(context.Background(), folder, row.Key)
		return stamp, err == nil && content.Digest == row.Content.Digest
	}
	rows = slices.DeleteFunc(rows, func(row *mail.Base) bool { _, ok := intact(row); return !ok })
	if err := c.w.Edit(simworld.Local, simworld.Edit{Verb: simworld.Rewrite, Folder: folder, Name: name}); err != nil {
		return // it is on the server alone
	}
	for _, row := range rows {
		if stamp, ok := intact(row); !ok {
			row.File = stamp
			c.commit(mail.Batch{Put: []*mail.Base{row}}, "%s of %s damaged", row.Key, folder)
			return
		}
	}
	c.edited = append(c.edited, name, strings.TrimRight(name, "~")) // no row has the file: a message rewritten, as by its user
}

// Whatever has been spoiled and whatever people did meanwhile: as long as nobody
// deleted anything, a repair and the runs after it leave no content behind.
func TestRepairAmidChangesKeepsEveryContent(t *testing.T) {
	for seed := range seedsOr(t, 300) {
		synctest.Test(t, func(t *testing.T) { repairAmidChanges(t, seed) })
		if t.Failed() {
			return
		}
	}
}

func repairAmidChanges(t *testing.T, seed uint64) {
	w := simworld.New(seed)
	defer w.Schedule()()
	c := &corrupter{t: t, w: w, r: rand.New(rand.NewPCG(seed, 3))}
	w.Server.NoMove, w.Server.NoUIDPlus, w.Server.NoModSeq = c.r.IntN(2) == 0, c.r.IntN(2) == 0, c.r.IntN(2) == 0
	for i := range 4 + c.r.IntN(8) {
		folder := []mail.FolderName{mail.Inbox, "F", "G"}[c.r.IntN(3)]
		if err := w.Edit(simworld.Remote, simworld.Edit{Verb: simworld.Add, Folder: folder, Name: fmt.Sprintf("M%d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	c.quiet(seed)
	w.Begin(time.Minute)
	for range 1 + c.r.IntN(3) {
		c.spoil()
	}
	for range c.r.IntN(4) {
		c.edit()
	}
	contents := map[string]bool{}
	for _, side := range []simworld.Side{simworld.Local, simworld.Remote} {
		for _, e := range w.List(side) {
			contents[e.Name] = true
		}
	}
	for _, name := range c.edited {
		delete(contents, name)
	}
	w.Begin(10 * time.Second)
	found, _ := verify(t, simAccount(w, simworld.Options{}), syncer.VerifyOptions{Lanes: 2, Repair: true})
	for _, f := range found {
		c.story = append(c.story, fmt.Sprintf("found %+v", f))
	}
	c.quiet(seed)
	for _, side := range []simworld.Side{simworld.Local, simworld.Remote} {
		has := map[string]bool{"": true}
		for _, e := range w.List(side) {
			has[e.Name] = true
		}
		for name := range contents {
			if !has[name] {
				t.Errorf("SEED=%d: %s has lost %s", seed, side, name)
			}
		}
	}
	w.Begin(10 * time.Second)
	after, _ := verify(t, simAccount(w, simworld.Options{}), syncer.VerifyOptions{})
	for _, f := range after {
		t.Errorf("SEED=%d: afterwards: %+v", seed, f)
	}
	if t.Failed() {
		t.Log(strings.Join(c.story, "\n"))
	}
}

// quiet runs until nothing is left to do.
func (c *corrupter) quiet(seed uint64) {
	c.t.Helper()
	for run := range 6 {
		c.w.Begin(10 * time.Second)
		report, err := engine(c.w, simworld.Options{Count: 1 << 30, Percent: 100, Full: run > 0})
		if err != nil || len(report.Failures) > 0 {
			c.t.Fatalf("SEED=%d: %v %v\n%s", seed, err, report.Failures, strings.Join(c.story, "\n"))
		}
		for _, op := range report.Plan.Ops {
			c.story = append(c.story, fmt.Sprintf("run %d: %s", run, op))
		}
		if run > 1 && len(report.Plan.Ops) == 0 {
			return
		}
	}
	c.t.Fatalf("SEED=%d: never quiet\n%s", seed, strings.Join(c.story, "\n"))
}

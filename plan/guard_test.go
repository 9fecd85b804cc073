package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"imapsync/conflict"
	"imapsync/mail"
)

// deletedLocally is a world in which the files of the first gone of n messages
// of a folder, and of another folder's others, have been deleted.
func deletedLocally(n, gone, others int) *model {
	m := newModel("INBOX", "Other")
	for i := range n {
		k, _ := m.agree("INBOX", fmt.Sprint("m", i), "S")
		if i < gone {
			delete(m.local["INBOX"], k)
		}
	}
	for i := range others {
		m.agree("Other", fmt.Sprint("o", i), "")
	}
	return m
}

func TestGuard(t *testing.T) {
	accept := func(folder mail.FolderName, most int) func(string, mail.FolderName) (int, bool) {
		return func(side string, f mail.FolderName) (int, bool) {
			if side != "remote" || f != folder {
				return 0, false
			}
			return most, true
		}
	}
	for _, c := range []struct {
		name      string
		m         *model
		limits    Limits
		confirmed func(string, mail.FolderName) (int, bool)
		held      int
	}{
		{"few of many", deletedLocally(400, 100, 0), Limits{}, nil, 0},
		{"many, but a small part", deletedLocally(404, 101, 0), Limits{}, nil, 0},
		{"many, and a large part", deletedLocally(403, 101, 0), Limits{}, nil, 101},
		{"a large part of the folder, not of the account", deletedLocally(300, 150, 600), Limits{}, nil, 0},
		{"limits of one's own", deletedLocally(10, 5, 0), Limits{Count: 4, Percent: 40}, nil, 5},
		{"all of a small folder", deletedLocally(20, 20, 100), Limits{}, nil, 0},
		{"all of a folder of more than twenty", deletedLocally(21, 21, 1000), Limits{}, nil, 21},
		{"confirmed", deletedLocally(403, 101, 0), Limits{}, accept("INBOX", 101), 0},
		{"fewer than confirmed", deletedLocally(403, 101, 0), Limits{}, accept("INBOX", 140), 0},
		{"more than confirmed", deletedLocally(403, 101, 0), Limits{}, accept("INBOX", 100), 101},
		{"wanted before they were told of", deletedLocally(403, 101, 0), Limits{}, accept("INBOX", 0), 101},
		{"another folder confirmed", deletedLocally(403, 101, 0), Limits{}, accept("Other", 101), 101},
	} {
		in := c.m.observe(conflict.Policy{})
		in.Guard.Limits, in.Guard.Confirmed = c.limits, c.confirmed
		p := Make(in)
		held := 0
		for _, o := range p.Ops {
			if o.Held {
				held++
			}
		}
		counted := 0
		for _, h := range p.Holds {
			counted += h.Count
			if h.Side != "remote" || h.Folder != "INBOX" || h.Reason == "" {
				t.Errorf("%s: %+v", c.name, h)
			}
		}
		if held != c.held || counted != c.held {
			t.Errorf("%s: %d operations held, %d in holds, want %d", c.name, held, counted, c.held)
		}
	}
}

// TestGuardMirrored: what the Maildir would lose is guarded like what the
// server would.
func TestGuardMirrored(t *testing.T) {
	m := newModel("INBOX")
	for i := range 30 {
		_, u := m.agree("INBOX", fmt.Sprint("m", i), "S")
		delete(m.remote["INBOX"], u)
	}
	p := Make(m.observe(conflict.Policy{}))
	if len(p.Holds) != 1 || p.Holds[0].Side != "local" || p.Holds[0].Count != 30 {
		t.Errorf("%+v", p.Holds)
	}
}

// TestGuardLetsMovesPass: a renamed folder is no deletion, on a server with
// MOVE and on one without.
func TestGuardLetsMovesPass(t *testing.T) {
	for _, move := range []bool{true, false} {
		m := newModel("INBOX", "Old")
		m.move = move
		for i := range 200 {
			m.agree("Old", fmt.Sprint("m", i), "S")
		}
		m.local["New"] = m.local["Old"]
		delete(m.local, "Old")
		p := Make(m.observe(conflict.Policy{}))
		if len(p.Holds) != 0 {
			t.Fatalf("MOVE %v: %+v", move, p.Holds)
		}
		if err := m.run(conflict.Policy{}); err != nil {
			t.Fatal(err)
		}
		if _, left := m.remote["Old"]; left || len(m.remote["New"]) != 200 {
			t.Errorf("MOVE %v: the old folder is left %v, the new has %d", move, left, len(m.remote["New"]))
		}
	}
}

// TestGuardSeesThroughArrivals: new mail in a folder that lost all it had, or a
// message moved out of it, does not make the loss less of an accident.
func TestGuardSeesThroughArrivals(t *testing.T) {
	m := deletedLocally(90, 89, 1000)
	m.putRemote("INBOX", "new", "")
	m.putLocal("INBOX", "newer", "")
	for _, k := range slices.Sorted(maps.Keys(m.local["INBOX"])) {
		if f := m.local["INBOX"][k]; f.text == "m89" {
			delete(m.local["INBOX"], k)
			m.local["Other"][k] = f
		}
	}
	p := Make(m.observe(conflict.Policy{}))
	if len(p.Holds) != 1 || p.Holds[0].Count != 89 {
		t.Errorf("%+v", p.Holds)
	}
}

// TestHeldFolderStays: a folder whose deletions are held is not removed.
func TestHeldFolderStays(t *testing.T) {
	m := newModel("INBOX", "A")
	for i := range 25 {
		m.agree("A", fmt.Sprint("m", i), "S")
	}
	delete(m.local, "A")
	p := Make(m.observe(conflict.Policy{}))
	for _, o := range p.Ops {
		if !o.Held {
			t.Errorf("not held: %v", o)
		}
	}
	if len(p.Ops) != 26 {
		t.Errorf("%d operations", len(p.Ops))
	}
}

func TestDoubtDeletesNothing(t *testing.T) {
	m := newModel("INBOX")
	_, gone := m.agree("INBOX", "one", "S")
	m.agree("INBOX", "two", "")
	delete(m.remote["INBOX"], gone)
	in := m.observe(conflict.Policy{})
	in.Folders[0].Remote.Doubt = "2 messages announced, 1 listed"
	p := Make(in)
	if len(p.Ops) != 0 || p.Unproven["INBOX"] == "" {
		t.Errorf("%v, unproven %v", p.Ops, p.Unproven)
	}
}

// TestUnstorableFlagsStay: a keyword that one side has no room for is neither
// removed from the other nor set again and again.
func TestUnstorableFlagsStay(t *testing.T) {
	m := newModel("INBOX")
	k, u := m.agree("INBOX", "one", "")
	m.base[0].Flags = mail.NewFlags(0, "todo")
	m.remote["INBOX"][u] = file{"one", mail.NewFlags(0, "todo")}
	m.local["INBOX"][k] = file{"one", mail.NewFlags(mail.Seen)}
	in := m.observe(conflict.Policy{})
	in.Folders[0].Local.Space = mail.FlagSpace{System: mail.AllSystem}
	p := Make(in)
	if len(p.Ops) != 1 || p.Ops[0].OnLocal || !p.Ops[0].OnRemote || !p.Ops[0].Flags.Equal(mail.NewFlags(mail.Seen, "todo")) {
		t.Fatalf("%v", p.Ops)
	}
	m.do(p.Ops[0], true)
	in = m.observe(conflict.Policy{})
	in.Folders[0].Local.Space = mail.FlagSpace{System: mail.AllSystem}
	if p := Make(in); len(p.Ops) != 0 {
		t.Errorf("again: %v", p.Ops)
	}
}

func TestText(t *testing.T) {
	m := deletedLocally(30, 30, 0)
	var b strings.Builder
	if err := Text(&b, Make(m.observe(conflict.Policy{}))); err != nil {
		t.Fatal(err)
	}
	first, rest, _ := strings.Cut(b.String(), "\n")
	if want := `HELD INBOX: delete remote uid 3 file k002: deleted in the Maildir`; first != want {
		t.Errorf("got  %s\nwant %s", first, want)
	}
	if !strings.Contains(rest, `held: 30 deletions (remote) in "INBOX": all 30 messages of the folder would go`) {
		t.Errorf("no hold in\n%s", rest)
	}
	js, err := Make(m.observe(conflict.Policy{})).Ops[0].MarshalJSON()
	if want := `{"kind":"delete remote","folder":"INBOX","uid":3,"key":"k002","rule":"deleted","reason":"deleted in the Maildir","held":true}`; err != nil || string(js) != want {
		t.Errorf("got %s, %v", js, err)
	}
}

// TestGuardHoldsBothHalves: a deletion from both sides is held on both where it is too
// much for one of them, and so is what builds on it.
func TestGuardHoldsBothHalves(t *testing.T) {
	p := &Plan{}
	for range 150 {
		row := &mail.Base{Folder: "F"}
		first := &Op{Kind: DeleteRemote, Folder: "F", Row: row}
		p.Ops = append(p.Ops, first, &Op{Kind: DeleteLocal, Folder: "F", Row: row, After: first})
	}
	moved := &Op{Kind: DeleteRemote, Folder: "F", Row: &mail.Base{Folder: "F"}, Moved: true}
	p.Ops = append(p.Ops, moved)
	g := Guard{Local: map[mail.FolderName]int{"F": 151}, Remote: map[mail.FolderName]int{"F": 10_000}}
	g.hold(p, map[mail.FolderName]int{"F": 1})
	for i, o := range p.Ops {
		if o.Held == o.Moved {
			t.Fatalf("operation %d, %s, held %v", i, o.Kind, o.Held)
		}
	}
	if len(p.Holds) != 1 || p.Holds[0].Side != "local" {
		t.Errorf("held %+v", p.Holds)
	}
}

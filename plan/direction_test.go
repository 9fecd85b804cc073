package plan

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"imapsync/conflict"
	"imapsync/mail"
)

// checkDirections checks what holds whatever is propagated: what is not pulled
// leaves the Maildir as it is, and what is not pushed the server; the prefix law;
// and that afterwards, with everything propagated, both sides are the same. It
// returns that end.
func checkDirections(start *model, policy conflict.Policy) (end string, err error) {
	whole := start.clone()
	if err := whole.run(policy); err != nil {
		return "", err
	}
	if err := untouched(start, whole, policy); err != nil {
		return "", err
	}
	wantLocal, wantRemote := whole.sides()
	all := conflict.Policy{Deletion: policy.Deletion, Expunge: policy.Expunge}
	if end, err = settles(whole.clone(), all); err != nil {
		return "", fmt.Errorf("with everything propagated: %w", err)
	}
	count := len(Make(start.clone().observe(policy)).Ops)
	for n := range count {
		m := start.clone()
		ops := Make(m.observe(policy)).Ops
		for _, o := range ops[:n+1] {
			m.do(o, true)
		}
		if err := m.run(policy); err != nil {
			return "", fmt.Errorf("after %d operations: %w", n+1, err)
		}
		local, remote := m.sides()
		if !start.twins() && (local != wantLocal || remote != wantRemote) {
			return "", fmt.Errorf("after %d operations the end is another\nwant %s\n     %s\ngot  %s\n     %s\n%v", n+1, wantLocal, wantRemote, local, remote, ops)
		}
	}
	return end, nil
}

// untouched compares the sides before and after runs of a policy.
func untouched(before, after *model, p conflict.Policy) error {
	local, remote := before.places()
	nowLocal, nowRemote := after.places()
	for _, side := range []struct {
		name      string
		not       conflict.Kinds
		was, is   map[string]int
		now, then string
	}{
		{"the Maildir", p.NotPulled, local, nowLocal, first(after.sides()), first(before.sides())},
		{"the server", p.NotPushed, remote, nowRemote, second(after.sides()), second(before.sides())},
	} {
		if side.not == conflict.AllKinds && side.now != side.then {
			return fmt.Errorf("%s was changed:\nfrom %s\nto   %s", side.name, side.then, side.now)
		}
		for m, n := range side.was {
			if side.not&conflict.Deletions != 0 && side.is[m] < n {
				return fmt.Errorf("%s has lost %s", side.name, m)
			}
		}
		for m, n := range side.is {
			if side.not&conflict.New != 0 && side.was[m] < n {
				return fmt.Errorf("%s got %s", side.name, m)
			}
		}
	}
	return nil
}

func first(a, _ string) string  { return a }
func second(_, b string) string { return b }

// places counts the messages of each side by folder and content, and its folders.
func (m *model) places() (local, remote map[string]int) {
	count := func(text string) map[string]int {
		n := map[string]int{}
		for _, w := range strings.Fields(text) {
			place, _, _ := strings.Cut(w, ":")
			n[strings.TrimSuffix(place, "/")]++
		}
		return n
	}
	l, r := m.sides()
	local, remote = count(l), count(r)
	for _, side := range []map[string]int{local, remote} {
		for place := range side {
			if !strings.Contains(place, "/") {
				delete(side, place) // a folder
			}
		}
	}
	return local, remote
}

// everyDirection calls f with each choice of what happens to messages for each
// direction.
func everyDirection(f func(notPulled, notPushed conflict.Kinds)) {
	for pulled := range conflict.Folders {
		for pushed := range conflict.Folders {
			f(pulled, pushed)
		}
	}
}

// TestDirectionsOfOneMessage goes through all triples of two flags and all
// directions: whatever was not propagated, in the end it is as if it had been at
// once.
func TestDirectionsOfOneMessage(t *testing.T) {
	two := []string{"-", "", "F", "S"}
	everyDirection(func(notPulled, notPushed conflict.Kinds) {
		for n := range len(two) * len(two) * len(two) {
			base, local, remote := two[n/16], two[n/4%4], two[n%4]
			for _, deletion := range []conflict.Deletion{conflict.Yields, conflict.Wins} {
				m := oneMessage(base, local, remote)
				policy := conflict.Policy{Deletion: deletion, NotPulled: notPulled, NotPushed: notPushed}
				want, err := settles(m.clone(), conflict.Policy{Deletion: deletion})
				if err != nil {
					t.Fatal(err)
				}
				got, err := checkDirections(m, policy)
				if err != nil || got != want {
					t.Fatalf("base %s local %s remote %s, not pulled %v, not pushed %v: want %s, got %s, %v", base, local, remote, notPulled, notPushed, want, got, err)
				}
			}
		}
	})
}

// TestDirectionsOfOneMarked does the same with messages marked as deleted.
func TestDirectionsOfOneMarked(t *testing.T) {
	four := []string{"-", "", "T", "F", "FT"}
	everyDirection(func(notPulled, notPushed conflict.Kinds) {
		for n := range len(four) * len(four) * len(four) {
			base, local, remote := four[n/25], four[n/5%5], four[n%5]
			for _, expunge := range []conflict.Expunge{conflict.ExpungeBoth, conflict.ExpungeLocal, conflict.ExpungeRemote} {
				m := oneMessage(base, local, remote)
				policy := conflict.Policy{Expunge: expunge, NotPulled: notPulled, NotPushed: notPushed}
				want, err := settles(m.clone(), conflict.Policy{Expunge: expunge})
				if err != nil {
					t.Fatal(err)
				}
				got, err := checkDirections(m, policy)
				if err != nil || got != want {
					t.Errorf("base %s local %s remote %s, expunge %s, not pulled %v, not pushed %v: want %s, got %s, %v", base, local, remote, expunge, notPulled, notPushed, want, got, err)
				}
			}
		}
	})
}

// TestDirectionsOfManyMessages does the same with random worlds, of which no
// message may get lost; what becomes of equal ones, nothing tells.
func TestDirectionsOfManyMessages(t *testing.T) {
	for seed := range int64(3000) {
		rnd := rand.New(rand.NewSource(seed))
		m := randomModel(rnd)
		policy := conflict.Policy{NotPulled: conflict.Kinds(rnd.Intn(16)), NotPushed: conflict.Kinds(rnd.Intn(16))}
		want, err := settles(m.clone(), conflict.Policy{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := checkDirections(m, policy)
		if err == nil && (loses(want, got) || !m.twins() && !m.renumbered() && loses(got, want)) {
			err = fmt.Errorf("the end is another\nwant %s\ngot  %s", want, got)
		}
		if err != nil {
			local, remote := m.sides()
			t.Fatalf("seed %d, not pulled %v, not pushed %v: %v\nstart local  %s\nstart remote %s", seed, policy.NotPulled, policy.NotPushed, err, local, remote)
		}
	}
}

// renumbered reports whether the rows say nothing of the server.
func (m *model) renumbered() bool {
	for _, row := range m.base {
		if row.UID == 0 {
			return true
		}
	}
	return false
}

func TestRememberedSaysWhatAndWhy(t *testing.T) {
	m := newModel(mail.Inbox)
	m.putRemote(mail.Inbox, "new", "")
	k, _ := m.agree(mail.Inbox, "gone", "")
	delete(m.local[mail.Inbox], k)
	p := Make(m.observe(conflict.Policy{NotPulled: conflict.New, NotPushed: conflict.Deletions | conflict.Folders}))
	if len(p.Ops) != 0 || len(p.Remembered) != 2 {
		t.Fatalf("%v %+v", p.Ops, p.Remembered)
	}
	var text strings.Builder
	if err := Text(&text, p); err != nil {
		t.Fatal(err)
	}
	want := "INBOX: not pushed: 1 × deleted in the Maildir, for push lacks \"deletions\"\nINBOX: not pulled: 1 × new on the server, for pull lacks \"new\"\n"
	if text.String() != want {
		t.Errorf("%s", text.String())
	}
	a := p.Again[mail.Inbox]
	if !a.Files || a.All || a.Flags || a.From == 0 {
		t.Errorf("to be seen again: %+v", a)
	}
}

// What is done to the flags of an original before it is copied goes along with the
// copy: the original's deletion does not yield to it once it is propagated.
func TestOriginalLeftYieldsToNothingThatWentAlong(t *testing.T) {
	m := newModel(mail.Inbox, "Work")
	k, u := m.agree(mail.Inbox, "one", "")
	m.local["Work"][k] = m.local[mail.Inbox][k]
	delete(m.local[mail.Inbox], k)
	m.remote[mail.Inbox][u] = file{"one", mail.ParseFlags(":R")}
	if err := m.run(conflict.Policy{NotPushed: conflict.Deletions}); err != nil {
		t.Fatal(err)
	}
	if _, remote := m.sides(); remote != "INBOX/ INBOX/one:R Work/ Work/one:R" {
		t.Errorf("with the deletion left: %s", remote)
	}
	if end, err := settles(m, conflict.Policy{}); err != nil || end != "INBOX/ Work/ Work/one:R" {
		t.Errorf("in the end: %s %v", end, err)
	}
}

package plan

import (
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"imapsync/conflict"
	"imapsync/mail"
)

// settles runs the model to its end and checks that both sides are the same.
func settles(m *model, policy conflict.Policy) (end string, err error) {
	if err := m.run(policy); err != nil {
		return "", err
	}
	local, remote := m.sides()
	if local != remote {
		return "", fmt.Errorf("the sides differ\nlocal  %s\nremote %s", local, remote)
	}
	return local, nil
}

// checkLaws checks agreement and settling, then the prefix law: any prefix of
// the plan, the last operation of it recorded or not, and planning again reach
// the same end.
func checkLaws(start *model, policy conflict.Policy) error {
	whole := start.clone()
	want, err := settles(whole, policy)
	if err != nil {
		return err
	}
	count := len(Make(start.clone().observe(policy)).Ops)
	for n := range count {
		for _, recorded := range []bool{true, false} {
			m := start.clone()
			ops := Make(m.observe(policy)).Ops
			if !recorded && (ops[n].Copy() || ops[n].Kind == CreateLocal || ops[n].Kind == CreateRemote) {
				continue // copies are journalled: recovery records them
			}
			for i, o := range ops[:n+1] {
				m.do(o, recorded || i < n)
			}
			got, err := settles(m, policy)
			if err != nil {
				return fmt.Errorf("after %d of %d operations (last recorded: %v): %w\n%v", n+1, count, recorded, err, ops)
			}
			if got != want && (recorded || !start.twins() || loses(want, got)) {
				return fmt.Errorf("after %d of %d operations (last recorded: %v) the end is another\nwant %s\ngot  %s\n%v", n+1, count, recorded, want, got, ops)
			}
		}
	}
	return nil
}

// loses reports whether a message of one end is in no folder of the other. It
// is all that can be asked when the record of a move is lost and equal messages
// lie about: nothing tells then which of them was moved and which deleted, and
// one too many is the safe side.
func loses(want, got string) bool {
	texts := map[string]bool{}
	for _, w := range strings.Fields(got) {
		texts[textOf(w)] = true
	}
	for _, w := range strings.Fields(want) {
		if !texts[textOf(w)] {
			return true
		}
	}
	return false
}

func textOf(word string) string {
	text, _, _ := strings.Cut(word, ":")
	return text[strings.IndexByte(text, '/')+1:]
}

// twins reports whether two messages on one side have equal contents.
func (m *model) twins() bool {
	local, remote := map[string]bool{}, map[string]bool{}
	for _, files := range m.local {
		for _, f := range files {
			if local[f.text] {
				return true
			}
			local[f.text] = true
		}
	}
	for _, messages := range m.remote {
		for _, f := range messages {
			if remote[f.text] {
				return true
			}
			remote[f.text] = true
		}
	}
	return false
}

// letters lists absence and every set of the four flags.
func letters() []string {
	all := []string{"-"}
	for n := range 16 {
		s := ""
		for i, l := range "FRST" {
			if n&(1<<i) != 0 {
				s += string(l)
			}
		}
		all = append(all, s)
	}
	return all
}

// TestLawsOfOneMessage goes through all triples of four flags.
func TestLawsOfOneMessage(t *testing.T) {
	count := 0
	for _, base := range letters() {
		for _, local := range letters() {
			for _, remote := range letters() {
				m := oneMessage(base, local, remote)
				for _, policy := range []conflict.Policy{{}, {Deletion: conflict.Wins}} {
					count++
					if err := checkLaws(m, policy); err != nil {
						t.Fatalf("base %s local %s remote %s %+v: %v", base, local, remote, policy, err)
					}
				}
			}
		}
	}
	if count != 2*17*17*17 {
		t.Errorf("%d triples", count)
	}
}

func oneMessage(base, local, remote string) *model {
	m := newModel("INBOX")
	k, u := mail.Key("k000"), mail.UID(1)
	if base != "-" {
		m.base = append(m.base, &mail.Base{ID: 1, Folder: "INBOX", UID: u, Key: k, Flags: mail.ParseFlags(":" + base),
			Content: contentOfText("m"), RemoteSize: 1})
	}
	if local != "-" {
		m.local["INBOX"][k] = file{"m", mail.ParseFlags(":" + local)}
	}
	if remote != "-" {
		m.remote["INBOX"][u] = file{"m", mail.ParseFlags(":" + remote)}
	}
	return m
}

// TestLawsOfManyMessages does the same with random worlds of several messages
// and folders: moved, copied, deleted, flagged, new, equal, on both sides at
// once, with and without MOVE.
func TestLawsOfManyMessages(t *testing.T) {
	for seed := range int64(1500) {
		m := randomModel(rand.New(rand.NewSource(seed)))
		policy := conflict.Policy{}
		if seed%5 == 0 {
			policy.Deletion = conflict.Wins
		}
		if err := checkLaws(m, policy); err != nil {
			local, remote := m.sides()
			t.Fatalf("seed %d: %v\nstart local  %s\nstart remote %s", seed, err, local, remote)
		}
	}
}

func randomModel(rnd *rand.Rand) *model {
	folders := []mail.FolderName{"INBOX", "A", "B"}
	m := newModel(folders...)
	m.move = rnd.Intn(3) > 0
	pick := func() mail.FolderName { return folders[rnd.Intn(len(folders))] }
	flags := func() string { return []string{"", "S", "F", "FS", "T"}[rnd.Intn(5)] }
	texts := []string{"one", "two", "three", "four"}
	for range 1 + rnd.Intn(4) {
		m.agree(pick(), texts[rnd.Intn(len(texts))], flags())
	}
	for range rnd.Intn(6) {
		m.disturbLocal(rnd, pick, flags, texts)
		m.disturbRemote(rnd, pick, flags, texts)
	}
	if rnd.Intn(8) == 0 {
		delete(m.local, "B")
	}
	if rnd.Intn(8) == 0 {
		delete(m.remote, "A")
	}
	if rnd.Intn(10) == 0 {
		m.renumber()
	}
	return m
}

func (m *model) disturbLocal(rnd *rand.Rand, pick func() mail.FolderName, flags func() string, texts []string) {
	if rnd.Intn(3) == 0 {
		m.putLocal(pick(), texts[rnd.Intn(len(texts))], flags())
	}
	from := pick()
	for _, k := range slices.Sorted(maps.Keys(m.local[from])) {
		f := m.local[from][k]
		switch rnd.Intn(6) {
		case 0:
			delete(m.local[from], k)
		case 1:
			m.local[from][k] = file{f.text, mail.ParseFlags(":" + flags())}
		case 2:
			delete(m.local[from], k)
			m.local[pick()][k] = f
		case 3:
			m.putLocal(pick(), f.text, f.flags.System.Letters())
		}
	}
}

func (m *model) disturbRemote(rnd *rand.Rand, pick func() mail.FolderName, flags func() string, texts []string) {
	if rnd.Intn(3) == 0 {
		m.putRemote(pick(), texts[rnd.Intn(len(texts))], flags())
	}
	from := pick()
	for _, u := range slices.Sorted(maps.Keys(m.remote[from])) {
		f := m.remote[from][u]
		switch rnd.Intn(6) {
		case 0:
			delete(m.remote[from], u)
		case 1:
			m.remote[from][u] = file{f.text, mail.ParseFlags(":" + flags())}
		case 2:
			delete(m.remote[from], u)
			m.putRemote(pick(), f.text, f.flags.System.Letters())
		}
	}
}

func TestFirstRunDeletesNothing(t *testing.T) {
	for seed := range int64(500) {
		m := randomModel(rand.New(rand.NewSource(seed)))
		m.base, m.known = nil, map[mail.FolderName]bool{}
		for _, o := range Make(m.observe(conflict.Policy{})).Ops {
			if o.Deletion() || o.Kind == Forget || o.Kind == RemoveLocal || o.Kind == RemoveRemote {
				t.Fatalf("seed %d: %v", seed, o)
			}
		}
	}
}

func TestRematchDeletesNothing(t *testing.T) {
	for seed := range int64(500) {
		m := randomModel(rand.New(rand.NewSource(seed)))
		m.renumber()
		m.move = true
		for _, o := range Make(m.observe(conflict.Policy{})).Ops {
			if o.Deletion() {
				t.Fatalf("seed %d: %v", seed, o)
			}
		}
	}
}

func TestOrder(t *testing.T) {
	for seed := range int64(500) {
		m := randomModel(rand.New(rand.NewSource(seed)))
		last := 0
		for _, o := range Make(m.observe(conflict.Policy{})).Ops {
			if phases[o.Kind] < last {
				t.Fatalf("seed %d: %v comes too late", seed, o)
			}
			last = phases[o.Kind]
			if o.Rule == "" || o.Reason == "" || strings.Contains(o.String(), "%!") {
				t.Fatalf("seed %d: %q does not say why", seed, o)
			}
		}
	}
}

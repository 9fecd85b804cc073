package plan

import (
	"cmp"
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
	if policy.Expunge == conflict.ExpungeLocal || policy.Expunge == conflict.ExpungeRemote {
		end = local + " | " + remote
		local, remote = unmarked(local), unmarked(remote)
	}
	if local != remote {
		return "", fmt.Errorf("the sides differ\nlocal  %s\nremote %s", local, remote)
	}
	slices.Sort(m.bin)
	return strings.Join(append([]string{cmp.Or(end, local)}, m.bin...), " "), nil
}

// unmarked leaves out of a side the messages marked as deleted, which it may have
// alone.
func unmarked(side string) string {
	return strings.Join(slices.DeleteFunc(strings.Fields(side), func(w string) bool {
		_, flags, _ := strings.Cut(w, ":")
		return strings.Contains(flags, "T")
	}), " ")
}

// checkLaws checks agreement and settling, that flags can be recorded beside what
// comes later, then the prefix law: any prefix of the plan, the last operation of it
// recorded or not, and planning again reach the same end.
func checkLaws(start *model, policy conflict.Policy) error {
	whole := start.clone()
	want, err := settles(whole, policy)
	if err != nil {
		return err
	}
	all := Make(start.clone().observe(policy)).Ops
	if err := flagsApart(all); err != nil {
		return err
	}
	count := len(all)
	for n := range count {
		for _, recorded := range []bool{true, false} {
			m := start.clone()
			ops := Make(m.observe(policy)).Ops
			if !recorded && (ops[n].Copy() || ops[n].Kind == CreateLocal || ops[n].Kind == CreateRemote) {
				continue // copies are journalled: recovery records them
			}
			if !recorded && start.trash != "" && (ops[n].Kind == DeleteLocal || ops[n].Kind == DeleteRemote && start.twins()) {
				continue // so are removals; and see loses
			}
			for i, o := range ops[:n+1] {
				m.do(o, recorded || i < n)
			}
			got, err := settles(m, policy)
			if err != nil {
				return fmt.Errorf("after %d of %d operations (last recorded: %v): %w\n%v", n+1, count, recorded, err, ops)
			}
			if got != want && !(start.trash != "" && start.twins()) && (recorded && !policy.Expunge.Any() || !start.twins() || loses(want, got)) &&
				(recorded || !unsureOfMark(ops[n], policy) || loses(want, got)) {
				return fmt.Errorf("after %d of %d operations (last recorded: %v) the end is another\nwant %s\ngot  %s\n%v", n+1, count, recorded, want, got, ops)
			}
		}
	}
	return nil
}

// flagsApart checks that what follows flags of the same row says so.
func flagsApart(ops []*Op) error {
	flags := map[*mail.Base]*Op{}
	for _, o := range ops {
		if first := flags[o.Row]; first != nil {
			after := o.After
			for after != nil && after != first {
				after = after.After
			}
			if after == nil {
				return fmt.Errorf("%v does not await %v", o, first)
			}
		}
		if o.Kind == SetFlags {
			flags[o.Row] = o
		}
	}
	return nil
}

// loses reports whether a message of one end is in no folder of the other. It
// is all that can be asked when the record of a move is lost and equal messages
// lie about: nothing tells then which of them was moved and which deleted, and
// one too many is the safe side. With a trash it cannot even be asked: of equal
// messages one that came into the trash may be taken for another deleted there.
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

// unsureOfMark reports whether it is lost with the record of an operation whether
// a mark came before a move or after it: then it is taken off, and the message stays.
func unsureOfMark(o *Op, policy conflict.Policy) bool {
	return policy.Expunge.Any() && (o.Kind == MoveLocal || o.Kind == MoveRemote)
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
				for _, policy := range policies {
					count++
					if err := checkLaws(m, policy); err != nil {
						t.Fatalf("base %s local %s remote %s %+v: %v", base, local, remote, policy, err)
					}
				}
			}
		}
	}
	if count != len(policies)*17*17*17 {
		t.Errorf("%d triples", count)
	}
}

var policies = []conflict.Policy{{}, {Deletion: conflict.Wins},
	{Expunge: conflict.ExpungeBoth}, {Expunge: conflict.ExpungeBoth, Deletion: conflict.Wins},
	{Expunge: conflict.ExpungeLocal}, {Expunge: conflict.ExpungeRemote}}

// TestLawsWithTrash does the same where deletions on the server move messages to a
// trash folder, which is synchronised or not, with and without MOVE.
func TestLawsWithTrash(t *testing.T) {
	all := slices.DeleteFunc(letters(), func(s string) bool { return strings.Contains(s, "R") })
	for n := range len(all) * len(all) * len(all) {
		base, local, remote := all[n%len(all)], all[n/len(all)%len(all)], all[n/len(all)/len(all)]
		for i, policy := range policies {
			m := oneMessage(base, local, remote)
			m.trash, m.trashSynced, m.move = "Trash", (n+i)%2 == 0, (n+i)%4 < 2
			if (n+i)%8 == 6 {
				m.trash = "INBOX"
			}
			if err := checkLaws(m, policy); err != nil {
				t.Fatalf("base %s local %s remote %s %+v synchronised %v MOVE %v: %v", base, local, remote, policy, m.trashSynced, m.move, err)
			}
		}
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

// TestLawsOfManyMarked does with the policies on marked messages what
// TestLawsOfManyMessages does. Of one side alone a deleted folder leaves nothing,
// which is another end than without it: no folder is deleted then.
func TestLawsOfManyMarked(t *testing.T) {
	for seed := range int64(1500) {
		m := randomModel(rand.New(rand.NewSource(seed)))
		policy := policies[2+seed%int64(len(policies)-2)]
		if policy.Expunge != conflict.ExpungeBoth && (m.local["B"] == nil || m.remote["A"] == nil) {
			continue
		}
		if seed%3 > 0 {
			m.trash, m.trashSynced = "B", seed%3 == 1
			if !m.trashSynced {
				m.trash = "Trash"
			}
			// What was taken out of the trash and is put back by a run that does not come
			// to record it is as it was before.
			if slices.ContainsFunc(m.base, func(row *mail.Base) bool {
				_, there := m.remote[m.trash][row.UID]
				return row.Folder == m.trash && !there
			}) {
				continue
			}
		}
		if err := checkLaws(m, policy); err != nil {
			local, remote := m.sides()
			t.Fatalf("seed %d %+v trash %q: %v\nstart local  %s\nstart remote %s", seed, policy, m.trash, err, local, remote)
		}
	}
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

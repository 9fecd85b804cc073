package conflict

import "testing"

func TestKinds(t *testing.T) {
	k, ok := ParseKinds([]string{"new", "folders"})
	if !ok || k != New|Folders || k.String() != `"new", "folders"` {
		t.Errorf("%v %v", k, ok)
	}
	if _, ok := ParseKinds([]string{"delete"}); ok {
		t.Error("delete is taken for a kind")
	}
	if k, ok := ParseKinds(nil); k != 0 || !ok {
		t.Errorf("nothing is %v %v", k, ok)
	}
	if all, _ := ParseKinds(KindNames); all != AllKinds {
		t.Errorf("all names are %v", all)
	}
}

func TestPolicyOfOneWay(t *testing.T) {
	p := Policy{NotPulled: Deletions}
	for _, c := range []struct {
		pull, push         bool
		pulled, pushed     bool // New
		deletions, deleted bool
	}{
		{false, false, true, true, false, true},
		{true, true, true, true, false, true},
		{true, false, true, false, false, false},
		{false, true, false, true, false, true},
	} {
		w := p.OneWay(c.pull, c.push)
		if w.Pulls(New) != c.pulled || w.Pushes(New) != c.pushed || w.Pulls(Deletions) != c.deletions || w.Pushes(Deletions) != c.deleted {
			t.Errorf("pull %v push %v: %+v", c.pull, c.push, w)
		}
	}
}

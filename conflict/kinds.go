package conflict

import (
	"slices"
	"strings"
)

// Kinds is a set of kinds of changes, as the keys pull and push name them.
type Kinds uint8

// The kinds. A move is New where the message goes and Deletions where it was.
const (
	New       Kinds = 1 << iota // messages that the other side does not have
	Flags                       // flags and keywords of messages that both have
	Deletions                   // messages that one side lost
	Folders                     // folders made, renamed and removed

	AllKinds = New | Flags | Deletions | Folders
)

// KindNames are the names of the kinds, in their order.
var KindNames = []string{"new", "flags", "deletions", "folders"}

// ParseKinds reads names of kinds; ok is false where one is none.
func ParseKinds(names []string) (k Kinds, ok bool) {
	for _, name := range names {
		i := slices.Index(KindNames, name)
		if i < 0 {
			return 0, false
		}
		k |= 1 << i
	}
	return k, true
}

// Names lists the kinds of the set.
func (k Kinds) Names() (names []string) {
	for i, name := range KindNames {
		if k&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// String quotes the names as the configuration has them.
func (k Kinds) String() string {
	names := k.Names()
	for i := range names {
		names[i] = `"` + names[i] + `"`
	}
	return strings.Join(names, ", ")
}

// Pulls reports whether the Maildir gets changes of all these kinds that were
// made on the server.
func (p Policy) Pulls(k Kinds) bool { return p.NotPulled&k == 0 }

// Pushes reports whether the server gets changes of all these kinds that were
// made in the Maildir.
func (p Policy) Pushes(k Kinds) bool { return p.NotPushed&k == 0 }

// OneWay is the policy of a run that is to carry out changes in one direction
// alone; both together are no restriction.
func (p Policy) OneWay(pull, push bool) Policy {
	if pull && !push {
		p.NotPushed = AllKinds
	}
	if push && !pull {
		p.NotPulled = AllKinds
	}
	return p
}

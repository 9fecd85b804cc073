package importer

import "slices"

// kinds are the kinds of change that a direction may carry, as the keys pull and
// push have them.
var kinds = []string{"new", "flags", "deletions", "folders"}

// direction is which kinds of change are carried over one way.
type direction map[string]bool

func allKinds() direction {
	return direction{"new": true, "flags": true, "deletions": true, "folders": true}
}

// list is the value of pull or push.
func (d direction) list() []string {
	return slices.DeleteFunc(slices.Clone(kinds), func(k string) bool { return !d[k] })
}

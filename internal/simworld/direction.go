package simworld

import (
	"fmt"
	"strings"

	"imapsync/conflict"
)

// Policy is what the options say of the rules.
func (o Options) Policy() conflict.Policy {
	p := conflict.Policy{Expunge: o.Expunge, Extent: o.Extent, NotPulled: o.NotPulled, NotPushed: o.NotPushed}
	if o.DeletionWins {
		p.Deletion = conflict.Wins
	}
	return p
}

// directions writes what is propagated where that is not all: "pull new flags,
// push nothing".
func directions(notPulled, notPushed conflict.Kinds) (words []string) {
	for _, d := range []struct {
		word string
		not  conflict.Kinds
	}{{"pull", notPulled}, {"push", notPushed}} {
		switch names := (conflict.AllKinds &^ d.not).Names(); {
		case d.not == 0:
		case len(names) == 0:
			words = append(words, d.word+" nothing")
		default:
			words = append(words, d.word+" "+strings.Join(names, " "))
		}
	}
	return words
}

// parseDirection reads one of them.
func parseDirection(word, rest string, notPulled, notPushed *conflict.Kinds) error {
	var names []string
	if rest != "nothing" {
		names = strings.Fields(rest)
	}
	kinds, ok := conflict.ParseKinds(names)
	if !ok || rest == "" {
		return fmt.Errorf("%q: the kinds are %s, or nothing", rest, strings.Join(conflict.KindNames, ", "))
	}
	if word == "pull" {
		*notPulled = conflict.AllKinds &^ kinds
	} else {
		*notPushed = conflict.AllKinds &^ kinds
	}
	return nil
}

// strayed tells what a run changed on a side to which nothing was to be brought.
// That the Maildir is marked, and mended and cleaned after a run that died, is no
// change, nor is that files go whose messages limits leave on the server,
// nor what is asked for.
func strayed(calls []Call, o Options) string {
	for _, c := range calls {
		ours := c.Name == "set marker" || c.Name == "clean tmp" || c.Name == "create folder" || c.Name == "discard"
		ours = ours || len(o.Fetch) > 0 && (c.Name == "link" || c.Name == "fsync")
		if c.Effect && (c.Side == Remote && o.NotPushed == conflict.AllKinds || c.Side == Local && o.NotPulled == conflict.AllKinds && !ours) {
			return c.String()
		}
	}
	return ""
}

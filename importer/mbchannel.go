package importer

import (
	"math"
	"strings"
)

func (t *mbsync) channel(b *mbBlock) {
	c := t.defaults // whose slices and maps no channel changes in place
	c.name, c.line = b.name, b.line
	for _, o := range b.options {
		switch o.name {
		case "far", "master":
			c.far = t.end(o)
		case "near", "slave":
			c.near = t.end(o)
		case "pattern", "patterns":
			c.many = true
			c.patterns = append(c.patterns[:len(c.patterns):len(c.patterns)], o.args...)
		case "maxsize":
			c.maxSize = t.size(o)
		case "syncstate":
		default:
			if !t.channelOption(&c, o) {
				t.unknown(o, "Channel")
			}
		}
	}
	t.channels = append(t.channels, &c)
}

// channelOption reads what may stand in a channel or, for all of them, in the
// global part.
func (t *mbsync) channelOption(c *mbChannel, o mbOption) bool {
	switch o.name {
	case "sync":
		t.sync(c, o)
	case "create":
		c.create = t.sides(o)
	case "remove":
		c.remove = t.sides(o)
	case "expunge":
		c.expunge = t.sides(o)
	case "expungesolo":
		c.solo = t.sides(o)
	case "maxmessages":
		c.maxMessages = t.number(o, 0, math.MaxInt32)
	case "expireunread":
		if t.yes(o) {
			t.note(o.line, o.said, "unread and flagged messages are always kept beyond max_messages")
		}
	case "expireside":
		if strings.EqualFold(o.arg(), "far") {
			t.note(o.line, o.said, "max_messages limits the Maildir only; nothing is ever deleted on the server because of it")
		}
	case "copyarrivaldate":
		// It is always done.
	default:
		return false
	}
	return true
}

// end reads ":store:box".
func (t *mbsync) end(o mbOption) mbEnd {
	store, box, ok := strings.Cut(strings.TrimPrefix(o.arg(), ":"), ":")
	if !ok || !strings.HasPrefix(o.arg(), ":") {
		t.grave(o.line, o.said, "%q is not of the form :store:box", o.arg())
	}
	return mbEnd{store, box}
}

// sides reads None, Far, Near or Both, and what they were called before 1.4.
func (t *mbsync) sides(o mbOption) (s mbSides) {
	for _, arg := range o.args {
		switch strings.ToLower(arg) {
		case "none", "no":
		case "both", "yes":
			s = mbSides{true, true}
		case "far", "master":
			s.far = true
		case "near", "slave":
			s.near = true
		default:
			t.note(o.line, o.said, "%q is none of None, Far, Near and Both; left out", arg)
		}
	}
	return s
}

// mbTypes are the types of operation of Sync, with our kinds for them.
var mbTypes = map[string][]string{
	"new": {"new"}, "flags": {"flags"}, "gone": {"deletions"}, "delete": {"deletions"}, "renew": {}, "upgrade": {}, "old": {},
	"full": {"new", "flags", "deletions"}, "all": {"new", "flags", "deletions"},
}

// sync reads the operations of Sync: either directions and types, which make up
// the cells where they meet, or cells such as PullNew, beside which a direction
// or type stands for all its cells.
func (t *mbsync) sync(c *mbChannel, o mbOption) {
	var directions, types []string
	cells := false
	pull, push := direction{}, direction{}
	add := func(way, kind string) {
		for _, k := range mbTypes[kind] {
			if way != "push" {
				pull[k] = true
			}
			if way != "pull" {
				push[k] = true
			}
		}
	}
	for _, arg := range o.args {
		word := strings.ToLower(arg)
		way, kind := "", word
		for _, w := range []string{"pull", "push"} {
			if rest, ok := strings.CutPrefix(word, w); ok {
				way, kind = w, rest
			}
		}
		_, known := mbTypes[kind]
		switch {
		case word == "none":
			types = append(types, "old") // which is nothing by itself
		case way != "" && kind == "":
			directions = append(directions, way)
		case !known:
			t.note(o.line, o.said, "%q is no operation; left out", arg)
		case way == "":
			types = append(types, kind)
		default:
			cells = true
			add(way, kind)
		}
	}
	if !cells && len(directions) == 0 {
		directions = []string{"both"}
	}
	for _, way := range directions {
		if cells || len(types) == 0 {
			add(way, "full")
			continue
		}
		for _, kind := range types {
			add(way, kind)
		}
	}
	for _, kind := range types {
		if cells {
			add("both", kind)
		}
	}
	c.pull, c.push = pull, push
}

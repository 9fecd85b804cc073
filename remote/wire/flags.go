package wire

import "strings"

// maxSeen bounds the reports of dropped flags; each flag is reported once.
const maxSeen = 256

// maxFlags and maxMessageFlags bound the flags of a mailbox and of a message,
// maxFlag the length of each. A longer list is dropped whole: a part of it would
// read as flags taken away.
const (
	maxFlags        = 4096
	maxMessageFlags = 256
	maxFlag         = 255
)

// flagList writes flags as a list for imapclient.
func (c *Conn) flagList(flags []value, wildcard bool) string {
	return "(" + strings.Join(c.flagNames(flags, wildcard), " ") + ")"
}

// flagValues reads a list of flags.
func flagValues(args string) ([]value, bool) {
	v, ok := (&parser{b: []byte(args)}).value()
	return v.list, ok && v.kind == aList && len(v.list) <= maxFlags
}

// flagNames are the flags that are atoms, as imapclient takes them (RFC 3501
// section 2.3.2); the others are reported once and left out.
func (c *Conn) flagNames(flags []value, wildcard bool) []string {
	good := make([]string, 0, len(flags))
	for _, f := range flags {
		name := strings.TrimPrefix(f.s, `\`)
		if f.kind == anAtom && len(name) <= maxFlag && (validAtom(name) || wildcard && f.s == `\*`) {
			good = append(good, f.s)
			continue
		}
		if f.kind == aList {
			f.s = "()"
		}
		if !c.seen[f.s] && len(c.seen) < maxSeen && len(f.s) < maxText {
			c.seen[f.s] = true
			c.dropped("FLAGS", f.s)
		}
	}
	return good
}

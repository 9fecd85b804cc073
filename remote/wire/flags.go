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

// flagList writes the flags that imapclient can parse as a list (RFC 3501
// section 2.3.2); the others are reported once and left out.
func (c *Conn) flagList(flags []value, wildcard bool) string {
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
	return "(" + strings.Join(good, " ") + ")"
}

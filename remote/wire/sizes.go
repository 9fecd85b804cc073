package wire

import (
	"math"
	"strconv"
	"strings"
)

// PartSize is what a BODYSTRUCTURE tells of a part (RFC 3501 section 7.4.2).
type PartSize struct {
	Kind   string // media type in lower case
	Octets int64  // of its body as it is transferred
}

// maxSizedParts bounds what is kept of one message's structure.
const maxSizedParts = 1000

// PartSizes asks for the sizes of the parts of messages, which only BODYSTRUCTURE
// tells; told is given those of a message by their numbers ("1.2"), by the
// connection's reader. The returned function waits for the end. imapclient is shown
// nothing of it, for it ends the connection over a structure that it does not
// understand, and many servers write such. Here it is a message without sizes.
func (c *Conn) PartSizes(uids string, told func(uid uint32, parts map[string]PartSize)) (wait func() (Answer, error)) {
	return c.ask("UID FETCH "+uids+" (UID BODYSTRUCTURE)", func(cmd *command) {
		cmd.told = func(f *fetch) {
			if f.sizes != nil {
				told(uint32(f.uid), f.sizes)
			}
		}
	})
}

// telling is whom a question of our own has told what comes of messages, nil if there
// is none.
func (c *Conn) telling() func(*fetch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cmd := range c.cmds {
		if cmd.told != nil {
			return cmd.told
		}
	}
	return nil
}

// partSizes reads a structure; of what is not as it should be nothing is told.
func partSizes(v value) map[string]PartSize {
	parts := map[string]PartSize{}
	if v.kind != aList || len(v.list) == 0 {
		return parts
	}
	path := ""
	if v.list[0].kind != aList { // the only part of its message has a number, too
		path = "1"
	}
	addSizes(parts, v, path)
	return parts
}

func addSizes(parts map[string]PartSize, v value, path string) {
	if v.kind != aList || len(v.list) == 0 || len(parts) >= maxSizedParts {
		return
	}
	if v.list[0].kind == aList { // a multipart
		for i, child := range v.list {
			if child.kind != aList {
				break
			}
			addSizes(parts, child, strings.TrimPrefix(path+"."+strconv.Itoa(i+1), "."))
		}
		return
	}
	const octets = 6 // after type, subtype, parameters, id, description and encoding
	if len(v.list) <= octets {
		return
	}
	if n, ok := v.list[octets].number(math.MaxInt64); ok && v.list[0].kind == aString && v.list[1].kind == aString {
		parts[path] = PartSize{Kind: strings.ToLower(v.list[0].s + "/" + v.list[1].s), Octets: int64(n)}
	}
}

package wire

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// mailboxName writes a mailbox name as imapclient takes it. One that it could
// not name again is refused: raw 8-bit, bad modified UTF-7.
func mailboxName(v value) (string, bool) {
	if v.kind == aList || !reencodes(v.s) {
		return "", false
	}
	return quote(v.s)
}

// delimiter writes a hierarchy delimiter: one quoted character or NIL, which
// an empty string means as well.
func delimiter(v value) (string, bool) {
	switch r, size := utf8.DecodeRuneInString(v.s); {
	case v.kind == aList:
		return "", false
	case v.s == "", v.isNIL():
		return "NIL", true
	case r == utf8.RuneError || size != len(v.s) || r < ' ' || r == 0x7f:
		return "", false
	case r == '"' || r == '\\':
		return `"\` + v.s + `"`, true
	}
	return `"` + v.s + `"`, true
}

// maxAttrs bounds the attributes of one mailbox; there are some twenty.
const maxAttrs = 64

// listResponse mends "(attributes) delimiter name [extended]" (RFC 3501 section
// 7.2.2, RFC 5258); extended data is left out.
func (c *Conn) listResponse(args string) (string, bool) {
	vs, ok := (&parser{b: []byte(args)}).values()
	if !ok || len(vs) < 3 || vs[0].kind != aList {
		return "", false
	}
	var attrs []string
	for _, a := range vs[0].list[:min(len(vs[0].list), maxAttrs)] {
		if name, ok := strings.CutPrefix(a.s, `\`); ok && validAtom(name) {
			attrs = append(attrs, a.s)
		}
	}
	delim, ok1 := delimiter(vs[1])
	name, ok2 := mailboxName(vs[2])
	return "LIST (" + strings.Join(attrs, " ") + ") " + delim + " " + name, ok1 && ok2
}

// statusItems are the STATUS items imapclient reads, and how large each may be.
var statusItems = map[string]uint64{
	"MESSAGES": math.MaxUint32, "UNSEEN": math.MaxUint32, "DELETED": math.MaxUint32,
	"UIDNEXT": math.MaxUint32, "UIDVALIDITY": math.MaxUint32, "HIGHESTMODSEQ": math.MaxInt64,
	"SIZE": math.MaxInt64, "DELETED-STORAGE": math.MaxInt64, "APPENDLIMIT": math.MaxUint32,
}

// statusResponse mends "name (item value ...)" (RFC 3501 section 7.2.4): items
// that imapclient cannot read are left out, and so unknown to the caller.
func (c *Conn) statusResponse(args string) (string, bool) {
	vs, ok := (&parser{b: []byte(args)}).values()
	if !ok || len(vs) < 2 || vs[1].kind != aList {
		return "", false
	}
	name, ok := mailboxName(vs[0])
	if !ok {
		return "", false
	}
	var items []string
	for list := vs[1].list; len(list) >= 2; list = list[2:] {
		item := strings.ToUpper(list[0].s)
		most, known := statusItems[item]
		n, ok := list[1].number(most)
		switch {
		case !known:
		case ok:
			items = append(items, item+" "+strconv.FormatUint(n, 10))
		case item == "APPENDLIMIT" && list[1].isNIL():
			items = append(items, item+" NIL")
		default:
			c.dropped("STATUS", vs[0].s+" "+item+" "+list[1].s)
		}
	}
	return "STATUS " + name + " (" + strings.Join(items, " ") + ")", true
}

func (c *Conn) flagsResponse(args string) (string, bool) {
	list, ok := flagValues(args)
	return "FLAGS " + c.flagList(list, false), ok
}

// namespaceResponse mends three lists of (prefix delimiter) (RFC 2342);
// prefixes that could not be named again are left out.
func (c *Conn) namespaceResponse(args string) (string, bool) {
	vs, ok := (&parser{b: []byte(args)}).values()
	if !ok || len(vs) != 3 {
		return "", false
	}
	classes := make([]string, 3)
	for i, class := range vs {
		classes[i] = "NIL"
		var descriptions []string
		for _, d := range class.list {
			if len(d.list) < 2 || d.list[0].kind != aString {
				continue
			}
			prefix, ok1 := mailboxName(d.list[0])
			delim, ok2 := delimiter(d.list[1])
			if !ok1 || !ok2 {
				c.dropped("NAMESPACE", d.list[0].s)
				continue
			}
			descriptions = append(descriptions, "("+prefix+" "+delim+")")
		}
		if descriptions != nil {
			classes[i] = "(" + strings.Join(descriptions, "") + ")"
		}
	}
	return "NAMESPACE " + strings.Join(classes, " "), true
}

// rightsResponse reads "name rights" (RFC 4314 section 3.8).
func rightsResponse(args string) (string, bool) {
	vs, ok := (&parser{b: []byte(args)}).values()
	if !ok || len(vs) != 2 || vs[1].kind == aList {
		return "", false
	}
	name, ok1 := mailboxName(vs[0])
	rights, ok2 := quote(vs[1].s)
	return "MYRIGHTS " + name + " " + rights, ok1 && ok2
}

// quotaResponse reads "root (resource usage limit ...)" (RFC 9208).
func quotaResponse(args string) (string, bool) {
	vs, ok := (&parser{b: []byte(args)}).values()
	if !ok || len(vs) != 2 || vs[0].kind == aList || vs[1].kind != aList || len(vs[1].list)%3 != 0 {
		return "", false
	}
	root, ok := quote(vs[0].s)
	var resources []string
	for i, v := range vs[1].list {
		if _, isNumber := v.number(math.MaxInt64); i%3 == 0 && !validAtom(v.s) || i%3 > 0 && !isNumber {
			return "", false
		}
		resources = append(resources, v.s)
	}
	return "QUOTA " + root + " (" + strings.Join(resources, " ") + ")", ok
}

// quotaRootResponse reads "mailbox root ..." (RFC 9208).
func quotaRootResponse(args string) (string, bool) {
	vs, ok := (&parser{b: []byte(args)}).values()
	if !ok || len(vs) == 0 {
		return "", false
	}
	text, ok := mailboxName(vs[0])
	for _, v := range vs[1:] {
		root, ok1 := quote(v.s)
		text, ok = text+" "+root, ok && ok1 && v.kind != aList
	}
	return "QUOTAROOT " + text, ok
}

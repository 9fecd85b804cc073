package wire

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxUID is the highest number passed on: imapclient loops for ever over a
	// set that ends with 4294967295.
	maxUID = math.MaxUint32 - 1

	// maxMembers bounds a set, which a server can write in twenty bytes and
	// imapclient's callers unfold.
	maxMembers = 1 << 24
)

// span is a range of numbers, both ends included.
type span struct{ from, to uint32 }

type spans []span

// parseSet reads a sequence-set without "*" (RFC 3501 section 9), merged and
// sorted, which imapclient does much slower.
func parseSet(s string) (set spans, ok bool) {
	for part := range strings.SplitSeq(s, ",") {
		a, b, ranged := strings.Cut(part, ":")
		if !ranged {
			b = a
		}
		from, ok1 := number(a, maxUID)
		to, ok2 := number(b, maxUID)
		if !ok1 || !ok2 || from == 0 || to == 0 {
			return nil, false
		}
		set = append(set, span{uint32(min(from, to)), uint32(max(from, to))})
	}
	set = set.merged()
	return set, set.count() <= maxMembers
}

func (s spans) merged() spans {
	slices.SortFunc(s, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	out := s[:0]
	for _, r := range s {
		if n := len(out); n > 0 && r.from <= out[n-1].to+1 {
			out[n-1].to = max(out[n-1].to, r.to)
			continue
		}
		out = append(out, r)
	}
	return out
}

func (s spans) count() (n uint64) {
	for _, r := range s {
		n += uint64(r.to-r.from) + 1
	}
	return n
}

func (s spans) String() string {
	var b []byte
	for i, r := range s {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(r.from), 10)
		if r.to > r.from {
			b = strconv.AppendUint(append(b, ':'), uint64(r.to), 10)
		}
	}
	return string(b)
}

// searchResponse reads "n n n (MODSEQ m)" (RFC 3501 section 7.2.5, RFC 7162).
// imapclient copies all it has for each number more, so that the first answer
// to a UID SEARCH is written as an ESEARCH, a set.
func (c *Conn) searchResponse(args string) (string, bool) {
	args, modseq, hasModSeq := strings.Cut(args, "(")
	var set spans
	for field := range strings.FieldsSeq(args) {
		n, ok := number(field, maxUID)
		if !ok || n == 0 {
			return "", false
		}
		set = append(set, span{uint32(n), uint32(n)})
	}
	if hasModSeq {
		name, m := word(strings.TrimRight(modseq, ") "))
		n, ok := number(m, math.MaxInt64)
		if name != "MODSEQ" || !ok {
			return "", false
		}
		modseq = strconv.FormatUint(n, 10)
	}
	set = set.merged()
	if tag, ok := c.firstSearch(set); ok {
		text := `ESEARCH (TAG "` + tag + `") UID ALL ` + set.String()
		if hasModSeq {
			text += " MODSEQ " + modseq
		}
		return text, true
	}
	out := []byte("SEARCH")
	for _, r := range set {
		for n := r.from; n <= r.to; n++ {
			out = strconv.AppendUint(append(out, ' '), uint64(n), 10)
		}
	}
	if hasModSeq {
		out = append(out, " (MODSEQ "+modseq+")"...)
	}
	return string(out), true
}

// firstSearch finds the UID SEARCH that found is the first answer to. Servers
// may split an answer; imapclient adds a later SEARCH to what it has.
func (c *Conn) firstSearch(found spans) (tag string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cmd := range c.cmds {
		if cmd.name == "UID SEARCH" && len(found) > 0 {
			first := !cmd.found
			cmd.found = true
			return cmd.tag, first
		}
	}
	return "", false
}

// esearchResponse reads `(TAG "t") UID ALL set COUNT n` (RFC 4731). Where the
// UID indicator is missing from the answer to a UID SEARCH the numbers mean
// nothing.
func (c *Conn) esearchResponse(args string) (string, bool) {
	vs, ok := (&parser{b: []byte(args)}).values()
	if !ok {
		return "", false
	}
	tag := ""
	if len(vs) > 0 && vs[0].kind == aList {
		correlator := vs[0].list
		if len(correlator) != 2 || !strings.EqualFold(correlator[0].s, "TAG") {
			return "", false
		}
		tag = correlator[1].s
		vs = vs[1:]
	}
	name := "SEARCH"
	if len(vs) > 0 && vs[0].kind == anAtom && strings.EqualFold(vs[0].s, "UID") {
		name = "UID SEARCH"
		vs = vs[1:]
	}
	if tag, ok = c.searchTag(name, tag); !ok {
		return "", false
	}
	out := `ESEARCH (TAG "` + tag + `")` + strings.TrimSuffix(" "+strings.TrimSuffix(name, "SEARCH"), " ")
	for ; len(vs) >= 2; vs = vs[2:] {
		item := strings.ToUpper(vs[0].s)
		switch item {
		case "ALL":
			set, ok := parseSet(vs[1].s)
			if !ok || vs[1].kind != anAtom {
				return "", false
			}
			out += " ALL " + set.String()
		case "MIN", "MAX", "COUNT":
			n, ok := vs[1].number(maxUID)
			if !ok {
				return "", false
			}
			out += " " + item + " " + strconv.FormatUint(n, 10)
		case "MODSEQ":
			if n, ok := vs[1].number(math.MaxInt64); ok {
				out += " MODSEQ " + strconv.FormatUint(n, 10)
			}
		default:
			c.notice(Notice{Kind: NoticeData, Name: "ESEARCH", Text: item + " " + vs[1].s})
		}
	}
	return out, len(vs) == 0
}

// searchTag finds the search that an ESEARCH answers; imapclient dies of one
// without a tag.
func (c *Conn) searchTag(name, tag string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cmd := range c.cmds {
		if cmd.name == name && (tag == "" || cmd.tag == tag) {
			return cmd.tag, true
		}
	}
	return "", false
}

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

	// maxSpans bounds the ranges of one answer, of eight bytes each.
	maxSpans = 1 << 21
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
		if set = append(set, span{uint32(min(from, to)), uint32(max(from, to))}); len(set) > maxSpans {
			return nil, false
		}
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

func (s spans) has(n uint64) bool {
	i, _ := slices.BinarySearchFunc(s, n, func(r span, n uint64) int { return cmp.Compare(uint64(r.to), n) })
	return i < len(s) && uint64(s[i].from) <= n
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

// found is what the answers to one search told so far.
type found struct {
	answered bool
	set      spans
	merged   int    // how long set was when it was last merged
	items    string // what an ESEARCH told besides, written anew
	modseq   uint64
}

// add takes more numbers; merging only what has doubled keeps it cheap however
// many lines a server makes of one answer.
func (f *found) add(set spans) bool {
	f.answered = true
	f.set = append(f.set, set...)
	if len(f.set) > min(2*f.merged+4096, 2*maxSpans) {
		f.set = f.set.merged()
		f.merged = len(f.set)
	}
	if f.merged > maxSpans {
		f.set, f.merged = nil, 0
		return false
	}
	return true
}

// line is the whole answer, as an ESEARCH whatever it came as: imapclient takes
// the last ESEARCH for all of it, and copies all it has for each number of a
// SEARCH. ok is false where there is too much.
func (f *found) line(cmd *command) (text string, ok bool) {
	if !f.answered {
		return "", true
	}
	f.set = f.set.merged()
	if f.set.count() > maxMembers {
		return "", false
	}
	text = `* ESEARCH (TAG "` + cmd.tag + `")`
	if cmd.name == "UID SEARCH" {
		text += " UID"
	}
	if len(f.set) > 0 {
		text += " ALL " + f.set.String()
	}
	text += f.items
	if f.modseq > 0 {
		text += " MODSEQ " + strconv.FormatUint(f.modseq, 10)
	}
	return text + "\r\n", true
}

// searchResponse reads "n n n (MODSEQ m)" (RFC 3501 section 7.2.5, RFC 7162),
// which is for the first search pending, and may be a part of its answer.
func (c *Conn) searchResponse(args string) bool {
	args, modseq, hasModSeq := strings.Cut(args, "(")
	var set spans
	for field := range strings.FieldsSeq(args) {
		n, ok := number(field, maxUID)
		if !ok || n == 0 {
			return false
		}
		if set = append(set, span{uint32(n), uint32(n)}); len(set) > maxSpans {
			return false
		}
	}
	var last uint64
	if hasModSeq {
		name, m := word(strings.TrimRight(modseq, ") "))
		n, ok := number(m, math.MaxInt64)
		if name != "MODSEQ" || !ok {
			return false
		}
		last = n
	}
	return c.foundFor("", "", func(f *found) bool {
		f.modseq = max(f.modseq, last)
		return f.add(set)
	})
}

// esearchResponse reads `(TAG "t") UID ALL set COUNT n` (RFC 4731). Where the
// UID indicator is missing from the answer to a UID SEARCH the numbers mean
// nothing.
func (c *Conn) esearchResponse(args string) bool {
	vs, ok := (&parser{b: []byte(args)}).values()
	if !ok {
		return false
	}
	tag := ""
	if len(vs) > 0 && vs[0].kind == aList {
		correlator := vs[0].list
		if len(correlator) != 2 || !strings.EqualFold(correlator[0].s, "TAG") {
			return false
		}
		tag = correlator[1].s
		vs = vs[1:]
	}
	name := "SEARCH"
	if len(vs) > 0 && vs[0].kind == anAtom && strings.EqualFold(vs[0].s, "UID") {
		name = "UID SEARCH"
		vs = vs[1:]
	}
	var (
		set    spans
		items  string
		modseq uint64
	)
	for ; len(vs) >= 2; vs = vs[2:] {
		item := strings.ToUpper(vs[0].s)
		switch item {
		case "ALL":
			more, ok := parseSet(vs[1].s)
			if !ok || vs[1].kind != anAtom {
				return false
			}
			set = append(set, more...)
		case "MIN", "MAX", "COUNT":
			n, ok := vs[1].number(maxUID)
			if !ok {
				return false
			}
			items += " " + item + " " + strconv.FormatUint(n, 10)
		case "MODSEQ":
			modseq, _ = vs[1].number(math.MaxInt64)
		default:
			c.notice(Notice{Kind: NoticeData, Name: "ESEARCH", Text: item + " " + vs[1].s})
		}
	}
	return len(vs) == 0 && c.foundFor(name, tag, func(f *found) bool {
		f.items, f.modseq = items, max(f.modseq, modseq)
		return f.add(set)
	})
}

// foundFor gives an answer to the search it is for: the first of that name and
// tag, as far as they are known.
func (c *Conn) foundFor(name, tag string, take func(*found) bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cmd := range c.cmds {
		isSearch := cmd.name == "SEARCH" || cmd.name == "UID SEARCH"
		if isSearch && (name == "" || cmd.name == name) && (tag == "" || cmd.tag == tag) {
			return take(&cmd.found)
		}
	}
	return false
}

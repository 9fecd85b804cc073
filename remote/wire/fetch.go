package wire

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// fetch is a FETCH response (RFC 3501 section 7.4.2) on its way through: it is
// read item by item, what imapclient understands is written anew with the UID
// in front, and a body streams through between two of its lines.
type fetch struct {
	seq      string
	uid      uint64   // 0 until it is known
	items    []string // mended, not passed on yet
	begun    bool     // the beginning was passed on, the end is owed
	broken   string   // why the rest is not understood; only framing goes on
	left     bool     // it is of a mailbox that is being left: nothing is passed on
	depth    int      // open lists of a value that spans literals and is skipped
	skip     string   // the item that value belongs to
	text     int      // octets of text so far
	room     int64    // for literals that come before the UID
	alien    []string // items left out
	contents bool     // they have been read
	visit    *Visit   // whom it is for, nil for imapclient
	msg      Message  // what it tells

	sizes  map[string]PartSize // by its BODYSTRUCTURE
	object string              // EMAILID or X-GM-MSGID
}

// fetchFirst begins a FETCH response with its first line, "n FETCH (...".
func (c *Conn) fetchFirst(line []byte) error {
	seq, _ := word(string(line[:min(len(line), 40)]))
	f := &fetch{room: maxShort, visit: c.visiting()}
	if f.left = c.leaving(); f.visit != nil {
		f.left = !f.visit.open
	}
	open := bytes.IndexByte(line, '(')
	var ok bool
	if f.seq, ok = seqNumber(seq); !ok || f.seq == "0" || open < 0 {
		f.broken, open = "no message number or no list", len(line)-1
	}
	return c.fetchLine(f, line, open+1)
}

// fetchMore continues a FETCH response after a body that was passed on.
func (c *Conn) fetchMore() error {
	f := c.fetch
	c.fetch = nil
	line, err := c.readLine(f.text)
	if err != nil {
		return err
	}
	return c.fetchLine(f, line, 0)
}

// fetchLine handles lines until the response ends or a body is to stream.
func (c *Conn) fetchLine(f *fetch, line []byte, from int) error {
	for {
		if from == 0 && isFarewell(line) { // in the middle of a response, which nothing else would end
			return c.response(line)
		}
		f.text += len(line)
		text, n, literal := literalAtEnd(line)
		item := ""
		if from = min(from, len(text)); f.broken == "" && !f.left {
			item = c.fetchItems(f, text[from:], literal)
		}
		if !literal {
			c.fetchEnd(f)
			return nil
		}
		if err := c.literalSize(n); err != nil {
			return err
		}
		if item != "" && !f.begun && f.uid != 0 && f.visit == nil && c.misplaced(f.uid, true) {
			f.left, item = true, ""
		}
		switch {
		case item == "" || f.broken != "" || f.visit != nil:
			if _, err := io.CopyN(io.Discard, c.br, n); err != nil {
				return err
			}
		case f.uid != 0 || c.pending("FETCH"):
			c.fetchFlush(f, fmt.Sprintf("%s {%d}\r\n", item, n))
			c.lit, c.fetch = n, f
			return nil
		default:
			if err := c.fetchShort(f, item, n); err != nil {
				return err
			}
		}
		var err error
		if line, err = c.readLine(f.text); err != nil {
			return err
		}
		from = 0
	}
}

// leaving reports whether a SELECT or EXAMINE is unanswered, and no question to
// the mailbox selected before: what comes now is unasked and of that mailbox,
// and imapclient would take it for the answer to a FETCH sent after the SELECT.
func (c *Conn) leaving() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cmd := range c.cmds {
		switch cmd.name {
		case "SELECT", "EXAMINE":
			return true
		case "FETCH", "UID FETCH", "STORE", "UID STORE":
			return false
		}
	}
	return false
}

// misplaced reports whether what was read of a message must not reach imapclient,
// which gives it to the first FETCH that asked for this UID and has no answer yet,
// be that one sent behind a SELECT and meant for another mailbox. While one is,
// only contents that were asked for before the SELECT pass.
func (c *Conn) misplaced(uid uint64, contents bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	var claim *command
	fetching, leaving := false, false
	for _, cmd := range c.cmds {
		if leaving = cmd.name == "SELECT" || cmd.name == "EXAMINE"; leaving {
			break
		}
		fetching = fetching || cmd.want != nil
		if claim == nil && cmd.want.has(uid) && !cmd.got[uid] {
			claim = cmd
		}
	}
	if leaving && fetching && (claim == nil || !contents) {
		return true
	}
	if claim != nil {
		claim.got[uid] = true
	}
	return false
}

func isFarewell(line []byte) bool {
	return bytes.HasPrefix(line, []byte("* BYE")) || bytes.HasPrefix(line, []byte("* BAD"))
}

// fetchShort keeps a body that came before the UID, which imapclient must see
// first; one too large for memory is left out, to be asked for again.
func (c *Conn) fetchShort(f *fetch, item string, n int64) error {
	if f.room -= n; f.room < 0 {
		f.room = 0
		c.dropped("FETCH", fmt.Sprintf("message %s: %s of %d octets before the UID", f.seq, item, n))
		_, err := io.CopyN(io.Discard, c.br, n)
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s {%d}\r\n", item, n)
	if _, err := io.CopyN(&b, c.br, n); err != nil {
		return err
	}
	f.items, f.contents = append(f.items, b.String()), true
	return nil
}

// fetchFlush passes on what is there so far and then last.
func (c *Conn) fetchFlush(f *fetch, last string) {
	if f.begun {
		c.out = append(c.out, ' ')
	} else {
		c.out = append(c.out, "* "+f.seq+" FETCH ("...)
		f.begun = true
		if f.uid != 0 {
			f.items = append([]string{"UID " + strconv.FormatUint(f.uid, 10)}, f.items...)
		}
	}
	if last != "" {
		f.items = append(f.items, last)
	}
	c.out = append(c.out, strings.Join(f.items, " ")...)
	f.items = nil
}

// fetchEnd closes the response, or drops it where nothing was passed on yet and
// it is broken or empty.
func (c *Conn) fetchEnd(f *fetch) {
	if f.left {
		c.notice(Notice{Kind: NoticeData, Name: "FETCH", Text: "message " + f.seq + " of the mailbox selected before"})
		return
	}
	if !f.begun && f.visit == nil && f.uid != 0 && c.misplaced(f.uid, f.contents) {
		return
	}
	if !f.contents && !f.begun {
		if told := c.telling(); told != nil {
			if f.broken == "" && f.uid != 0 {
				told(f)
			}
			return // imapclient would take it for the answer to a FETCH of contents
		}
	}
	if f.visit != nil && f.broken == "" {
		if f.msg.UID = uint32(f.uid); f.uid != 0 {
			f.visit.Told(f.msg)
		}
		return
	}
	for _, alien := range f.alien {
		name, text, _ := strings.Cut(alien, " ")
		c.notice(Notice{Kind: NoticeData, Name: name, Text: fmt.Sprintf("UID %d %s", f.uid, text)})
	}
	if f.broken != "" {
		c.dropped("FETCH", fmt.Sprintf("message %s UID %d: %s", f.seq, f.uid, f.broken))
	}
	switch {
	case f.begun && len(f.items) > 0:
		c.fetchFlush(f, "")
	case f.begun:
	case f.broken != "", f.uid == 0 && len(f.items) == 0:
		return
	default:
		c.fetchFlush(f, "")
	}
	c.out = append(c.out, ")\r\n"...)
}

// fetchItems reads the items of one line. If the line ends where the literal of
// a body section begins, it returns that item's name.
func (c *Conn) fetchItems(f *fetch, text []byte, literal bool) (body string) {
	p := &parser{b: text}
	for {
		if f.depth > 0 || f.skip != "" {
			done, ok := f.skipValue(p)
			switch {
			case !ok:
				f.broken = "unbalanced " + f.skip
				return ""
			case !done:
				if !literal {
					f.broken = "no end of " + f.skip
				}
				return ""
			}
			f.skip = ""
		}
		p.spaces()
		if len(p.b) == 0 {
			if !literal {
				f.broken = "no closing parenthesis"
			}
			return ""
		}
		if p.b[0] == ')' {
			if literal { // what looks like one is no part of the response
				f.broken = "a literal after its end"
			}
			return ""
		}
		name, ok := itemName(p)
		if !ok {
			f.broken = "no item name at " + strconv.Quote(string(p.b[:min(len(p.b), 32)]))
			return ""
		}
		if len(p.b) == 0 && literal && isBody(name) {
			return name
		}
		f.item(c, name, p)
		if f.broken != "" {
			return ""
		}
	}
}

// itemName reads the name of an item with its section, as in BODY[HEADER]<0>.
func itemName(p *parser) (string, bool) {
	n := bytes.IndexAny(p.b, " ()[\"{")
	if n <= 0 {
		return "", false
	}
	name := strings.ToUpper(string(p.b[:n]))
	if p.b[n] == '[' {
		end := bytes.IndexByte(p.b, ']')
		if end < 0 {
			return "", false
		}
		if end++; end < len(p.b) && p.b[end] == '<' {
			end += bytes.IndexByte(p.b[end:min(len(p.b), end+maxAnnounced)], '>') + 1
		}
		name += string(p.b[n:end])
		n = end
	}
	p.b = p.b[n:]
	p.spaces()
	return name, true
}

// section is a body section that imapclient parses.
var section = lazily(`(?i)^BODY\[(?:\d{1,9}(?:\.\d{1,9})*|` +
	`(?:\d{1,9}(?:\.\d{1,9})*\.)?(?:HEADER|TEXT|MIME|HEADER\.FIELDS(?:\.NOT)? \((?:"[!#-\[\]-~]+"|[!#$&'+-\[^-z|}~]+)(?: (?:"[!#-\[\]-~]+"|[!#$&'+-\[^-z|}~]+))*\)))?\](?:<\d{1,9}>)?$`)

func isBody(name string) bool { return section().MatchString(name) }

// item mends one item whose value begins at p; what imapclient does not
// understand is left out with its value.
func (f *fetch) item(c *Conn, name string, p *parser) {
	before := *p
	keep := func(text string) { f.items = append(f.items, text) }
	v, ok := p.value()
	switch name {
	case "UID":
		uid, isNumber := v.number(maxUID)
		if !ok || !isNumber || uid == 0 || f.uid != 0 && f.uid != uid {
			f.broken = "UID " + v.s
			return
		}
		if f.uid = uid; f.begun {
			keep("UID " + strconv.FormatUint(uid, 10))
		}
		return
	case "FLAGS":
		if ok && v.kind == aList && len(v.list) <= maxMessageFlags {
			names := c.flagNames(v.list, false)
			if f.msg.Flags, f.msg.HasFlags = names, true; f.visit == nil {
				keep("FLAGS (" + strings.Join(names, " ") + ")")
			}
			return
		}
	case "INTERNALDATE":
		if t, isDate := parseDate(v.s); ok && isDate {
			if f.msg.Date = t; f.visit == nil {
				keep(`INTERNALDATE "` + t.Format(dateTime) + `"`)
			}
			return
		}
	case "RFC822.SIZE":
		if n, isNumber := v.number(math.MaxInt64); ok && isNumber {
			if f.msg.Size, f.msg.HasSize = int64(n), true; f.visit == nil {
				keep("RFC822.SIZE " + strconv.FormatUint(n, 10))
			}
			return
		}
	case "MODSEQ":
		if v.kind == aList && len(v.list) == 1 {
			v = v.list[0]
		}
		if n, isNumber := v.number(math.MaxInt64); ok && isNumber {
			keep("MODSEQ (" + strconv.FormatUint(n, 10) + ")")
			return
		}
	case "BODYSTRUCTURE", "EMAILID", "X-GM-MSGID":
		if ok && f.own(name, v) {
			return
		}
	default:
		if ok && isBody(name) && v.kind == aString {
			f.contents = true
			keep(fmt.Sprintf("%s {%d}\r\n%s", name, len(v.s), v.s))
			return
		}
	}
	*p = before
	f.leaveOut(c, name, v, p)
}

// own takes what only questions of our own ask for. An identifier that nobody has
// asked for is a curiosity to be named as others are.
func (f *fetch) own(name string, v value) (done bool) {
	if name == "BODYSTRUCTURE" {
		f.sizes = partSizes(v)
		return true
	}
	f.object = objectID(v)
	return false
}

// leaveOut leaves out a value that was not understood, or that goes on after a literal.
func (f *fetch) leaveOut(c *Conn, name string, v value, p *parser) {
	f.skip = name
	if isBody(name) || name == "FLAGS" || name == "INTERNALDATE" || name == "RFC822.SIZE" || name == "MODSEQ" {
		c.dropped("FETCH", fmt.Sprintf("message %s UID %d: %s %s", f.seq, f.uid, name, v.s))
	} else if len(f.alien) < 16 {
		f.alien = append(f.alien, name+" "+string(p.b[:min(len(p.b), maxText)]))
	}
}

// skipValue skips a value, which may go on after the literal that the line ends
// with: done is false then.
func (f *fetch) skipValue(p *parser) (done, ok bool) {
	for {
		p.spaces()
		if len(p.b) == 0 {
			if f.depth == 0 { // the literal is all of the value
				f.skip = ""
			}
			return false, true
		}
		switch p.b[0] {
		case '(':
			f.depth++
			p.b = p.b[1:]
		case ')':
			if f.depth == 0 {
				return true, true
			}
			f.depth--
			p.b = p.b[1:]
		case '"':
			if _, ok := p.quoted(); !ok {
				return false, false
			}
		default:
			if n := bytes.IndexAny(p.b, " ()\""); n >= 0 {
				p.b = p.b[n:]
			} else {
				p.b = nil
			}
		}
		if f.depth == 0 {
			return true, true
		}
	}
}

// dateTime is how imapclient wants a date-time (RFC 3501 section 9).
const dateTime = "_2-Jan-2006 15:04:05 -0700"

// parseDate reads a date-time; what is not a zone counts as UTC, for a date
// some hours off is better than none.
func parseDate(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	t, err := time.Parse(dateTime, s)
	if err != nil {
		const noZone = "_2-Jan-2006 15:04:05"
		if t, err = time.Parse(noZone, s); err != nil {
			t, err = time.Parse(noZone, strings.TrimSpace(s[:max(0, strings.LastIndexByte(s, ' '))]))
		}
	}
	return t, err == nil && !t.IsZero()
}

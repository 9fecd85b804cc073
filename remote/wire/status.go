package wire

import (
	"fmt"
	"math"
	"strings"
)

// status is the content of an OK, NO, BAD, BYE or PREAUTH (RFC 3501 section
// 7.1).
type status struct {
	typ  string // OK, NO, BAD, ...
	code string // response code in upper case, or ""
	args string // what follows the code
	text string // the human-readable text
}

// maxCode bounds the name of a response code.
const maxCode = 64

// parseStatus reads what follows OK or NO: " [CODE args] text", taking a space
// after the bracket and a missing text.
func parseStatus(s string) status {
	s = strings.TrimSpace(s)
	inner, ok := strings.CutPrefix(s, "[")
	if !ok {
		return status{text: s}
	}
	inner = strings.TrimLeft(inner, " ")
	end := strings.IndexByte(inner, ']')
	if name, _ := word(inner); name == "PERMANENTFLAGS" || name == "BADCHARSET" {
		// a keyword may hold a bracket, where it must not
		if list := strings.Index(inner, ")]"); list >= 0 {
			end = list + 1
		}
	}
	if end < 0 {
		return status{text: s}
	}
	st := status{text: strings.TrimSpace(inner[end+1:])}
	st.code, st.args = word(strings.TrimSpace(inner[:end]))
	st.args = strings.TrimSpace(st.args)
	return st
}

func (st status) notice(kind NoticeKind, tag string) Notice {
	n := Notice{Kind: kind, Tag: tag, Name: st.code, Text: st.args, Status: st.typ, Human: st.text}
	if n.Name == "" {
		n.Name = st.typ
	}
	if n.Text == "" {
		n.Text = st.text
	}
	return n
}

// record keeps what imapclient would lose: every code, and the text of each NO
// and BAD.
func (c *Conn) record(st status, tag string) {
	switch {
	case st.code == "ALERT":
		c.notice(st.notice(NoticeAlert, tag))
	case st.typ == "BYE":
		c.notice(st.notice(NoticeBye, tag))
	case st.code != "" || st.typ == "NO" || st.typ == "BAD":
		c.notice(st.notice(NoticeStatus, tag))
	}
}

// statusLine writes a status response that imapclient parses.
func (c *Conn) statusLine(tag string, st status) string {
	code := c.shownCode(st)
	if code != "" {
		code = "[" + code + "] "
	}
	text := c.shortText(st.text)
	switch {
	case text == "":
		text = "-"
	case code == "" && text[0] == '[':
		text = "- " + text
	}
	return tag + " " + st.typ + " " + code + text + "\r\n"
}

// shownCode is the response code as imapclient may see it: with arguments only
// where it reads them, and only good ones.
func (c *Conn) shownCode(st status) string {
	args := strings.Fields(st.args)
	one := func(most uint64) string {
		if len(args) == 1 {
			if n, ok := number(args[0], most); ok {
				return fmt.Sprintf("%s %d", st.code, n)
			}
		}
		c.dropped(st.code, st.args)
		return ""
	}
	switch st.code {
	case "", "CAPABILITY":
		return ""
	case "UIDNEXT", "UIDVALIDITY":
		return one(math.MaxUint32)
	case "HIGHESTMODSEQ":
		return one(math.MaxInt64)
	case "PERMANENTFLAGS":
		list, ok := flagValues(st.args)
		if !ok {
			c.dropped(st.code, st.args)
			return ""
		}
		return st.code + " " + c.flagList(list, true)
	case "APPENDUID":
		if len(args) == 2 {
			v, ok1 := number(args[0], math.MaxUint32)
			uid, ok2 := number(args[1], math.MaxUint32)
			if ok1 && ok2 {
				return fmt.Sprintf("APPENDUID %d %d", v, uid)
			}
		}
		c.dropped(st.code, st.args)
		return ""
	case "COPYUID":
		return c.copyUID(st, args)
	}
	shown := c.codeText(st.code)
	if shown == "" {
		c.dropped(st.code, st.args)
	}
	return shown
}

// copyUID checks a COPYUID code (RFC 4315): two sets of as many UIDs.
func (c *Conn) copyUID(st status, args []string) string {
	if len(args) == 3 {
		v, ok := number(args[0], math.MaxUint32)
		from, ok1 := parseSet(args[1])
		to, ok2 := parseSet(args[2])
		if ok && ok1 && ok2 && from.count() == to.count() {
			// The pairing goes by order, so the sets stay as they were written.
			return fmt.Sprintf("COPYUID %d %s %s", v, args[1], args[2])
		}
	}
	c.dropped(st.code, st.args)
	return ""
}

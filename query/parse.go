package query

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxQuery bounds a query in bytes, for servers bound the length of a command.
const maxQuery = 4096

// Parse reads a query on the day that now is. Its errors say what is wrong and
// how it is written.
func Parse(text string, now time.Time) (Query, error) {
	switch {
	case len(text) > maxQuery:
		return nil, fmt.Errorf("the query is longer than %d bytes", maxQuery)
	case !utf8.ValidString(text):
		return nil, errors.New("the query is not UTF-8")
	case strings.ContainsAny(text, "\x00\r\n"):
		return nil, errors.New("the query holds a line end or a NUL")
	}
	var q Query
	not := false
	for rest := strings.TrimLeftFunc(text, unicode.IsSpace); rest != ""; rest = strings.TrimLeftFunc(rest, unicode.IsSpace) {
		w, after, err := next(rest)
		if err != nil {
			return nil, err
		}
		rest = after
		if w.isNot() {
			not = !not
			continue
		}
		t, err := w.term(now)
		if err != nil {
			return nil, err
		}
		t.Not = not != w.negated
		q, not = append(q, t), false
	}
	if not {
		return nil, errors.New(`"not" stands before nothing; to search for the word itself, quote it`)
	}
	if len(q) == 0 {
		return nil, errors.New("the query is empty")
	}
	return q, nil
}

// word is one word of a query, without its quotes.
type word struct {
	negated bool
	prefix  string // before the first colon; "" when a quote came first
	colon   bool   // there is one
	text    string // after the colon
	quoted  bool   // whole or in part
}

// next takes a word off the beginning of a text that begins with none of the
// spaces between words. Quotes hold spaces and colons together; in them \" is
// a quote and \\ a backslash.
func next(s string) (w word, rest string, err error) {
	if len(s) > 1 && s[0] == '-' {
		if r, _ := utf8.DecodeRuneInString(s[1:]); !unicode.IsSpace(r) {
			w.negated, s = true, s[1:]
		}
	}
	var text strings.Builder
	inQuotes := false
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"':
			inQuotes, w.quoted = !inQuotes, true
		case inQuotes && r == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
			text.WriteByte(s[i])
		case !inQuotes && unicode.IsSpace(r):
			w.text = text.String()
			return w, s[i:], nil
		case r == ':' && !w.quoted && !w.colon && text.Len() > 0:
			w.colon, w.prefix = true, text.String()
			text.Reset()
		default:
			text.WriteRune(r)
		}
		i += size
	}
	if inQuotes {
		return w, "", errors.New("a quote is not closed")
	}
	w.text = text.String()
	return w, "", nil
}

func (w word) isNot() bool {
	return !w.negated && !w.colon && !w.quoted && strings.EqualFold(w.text, "not")
}

// term is what a word means. A prefix that is no field is an error if it looks
// like one, lest a slip of the fingers find nothing.
func (w word) term(now time.Time) (t Term, err error) {
	if w.colon {
		for _, f := range fields {
			if strings.EqualFold(w.prefix, string(f)) {
				t.Field = f
			}
		}
		if t.Field == Text {
			w.text = w.prefix + ":" + w.text
			if isName(w.prefix) {
				return t, fmt.Errorf(`there is no field "%s:", only from:, to:, subject:, since:, before:, larger: and flag:; `+
					`to search for the text itself, quote it: "%s"`, w.prefix, w.text)
			}
		}
	}
	if w.text == "" {
		if t.Field == Text {
			return t, errors.New("there are quotes around nothing")
		}
		return t, fmt.Errorf("%s: wants a value right behind it, as in %s", t.Field, examples[t.Field])
	}
	switch t.Field {
	case Since, Before:
		t.Day, err = day(w.text, now)
	case Larger:
		t.Size, err = size(w.text)
	case Flag:
		t.Text, err = flagName(w.text)
	default:
		t.Text = w.text
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", t.Field, err)
	}
	return t, err
}

var examples = map[Field]string{
	From: "from:anna", To: "to:anna", Subject: `subject:"last call"`, Since: "since:2026-01-31", Before: "before:30d", Larger: "larger:5M", Flag: "flag:flagged",
}

func isName(prefix string) bool {
	return strings.IndexFunc(prefix, func(r rune) bool { return !unicode.IsLetter(r) }) < 0
}

// firstYear is the first that mail may be of: a year has four digits.
const firstYear = 1000

// day reads a day, or how long ago it was.
func day(s string, now time.Time) (time.Time, error) {
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	switch strings.ToLower(s) {
	case "today":
		return today, nil
	case "yesterday":
		return today.AddDate(0, 0, -1), nil
	}
	if d, err := time.Parse(dayLayout, s); err == nil && d.Year() >= firstYear {
		return d, nil
	}
	wrong := fmt.Errorf("%q is no day such as 2026-01-31, today, yesterday, or 30d, 2w, 1y for so long ago", s)
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 16)
	if err != nil {
		return today, wrong
	}
	ago := today
	switch s[len(s)-1] {
	case 'd':
		ago = today.AddDate(0, 0, -int(n))
	case 'w':
		ago = today.AddDate(0, 0, -7*int(n))
	case 'y':
		ago = today.AddDate(-int(n), 0, 0)
	default:
		return today, wrong
	}
	if ago.Year() < firstYear {
		return today, fmt.Errorf("%q is too long ago", s)
	}
	return ago, nil
}

// size reads a number of bytes; IMAP knows up to 32 bits (RFC 3501 section 9,
// search-key).
func size(s string) (int64, error) {
	digits, shift := s, 0
	if i := strings.IndexByte("kmg", s[len(s)-1]|0x20); i >= 0 {
		digits, shift = s[:len(s)-1], 10*(i+1)
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || n == 0 || n > math.MaxUint32>>shift {
		return 0, fmt.Errorf("%q is no size such as 100000, 500k or 5M, below 4G", s)
	}
	return int64(n) << shift, nil
}

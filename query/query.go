// Package query reads what a person searches mail for. It is pure: no I/O, no
// clock; what day it is the caller says.
//
// A query is terms, parted by spaces, that must all hold for a message:
//
//	invoice "annual report"    words and phrases, in its header or text
//	from:anna to:bob           in From; in To or Cc
//	subject:"last call"        in the subject
//	since:2026-01-31           arrived on that day or later; also since:30d, 2w, 1y, today, yesterday
//	before:2026-01-31          arrived on an earlier day; likewise
//	larger:5M                  more bytes than that; k, M and G are powers of 1024
//	flag:flagged               has the flag: seen, answered, flagged, draft, deleted, forwarded, or a keyword
//	-from:anna, not from:anna  does not hold
package query

import (
	"fmt"
	"strings"
	"time"

	"imapsync/mail"
)

// Query is terms that must all hold; never none.
type Query []Term

// Field is what a term looks at.
type Field string

// The fields, as they are written before a colon.
const (
	Text    Field = "" // header and text of the message
	From    Field = "from"
	To      Field = "to" // or Cc
	Subject Field = "subject"
	Since   Field = "since" // when it arrived: INTERNALDATE, a day
	Before  Field = "before"
	Larger  Field = "larger" // than so many bytes
	Flag    Field = "flag"
)

var fields = []Field{From, To, Subject, Since, Before, Larger, Flag}

// Term is one condition.
type Term struct {
	Field Field
	Not   bool
	Text  string    // of Text, From, To and Subject: UTF-8 without line ends and NUL; of Flag: its IMAP name
	Day   time.Time // of Since and Before: 00:00 UTC
	Size  int64     // of Larger, at least 1
}

// String writes the query so that Parse reads the same.
func (q Query) String() string {
	words := make([]string, len(q))
	for i, t := range q {
		words[i] = t.String()
	}
	return strings.Join(words, " ")
}

// String writes one term.
func (t Term) String() string {
	s := ""
	if t.Not {
		s = "-"
	}
	if t.Field != Text {
		s += string(t.Field) + ":"
	}
	switch t.Field {
	case Since, Before:
		return s + t.Day.Format(dayLayout)
	case Larger:
		return s + fmt.Sprint(t.Size)
	}
	return s + `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(t.Text) + `"`
}

const dayLayout = "2006-01-02"

// flagName is the IMAP name of a flag as a person writes it.
func flagName(word string) (string, error) {
	name := word
	switch strings.ToLower(word) {
	case "seen", "answered", "flagged", "draft", "deleted":
		name = `\` + word
	case "forwarded":
		name = "$" + word
	}
	if system := mail.SystemOfIMAP(name); system != 0 {
		return system.IMAP()[0], nil
	}
	if !mail.ValidKeyword(name) {
		return "", fmt.Errorf("%q is no flag: there are seen, answered, flagged, draft, deleted, forwarded, and keywords", word)
	}
	return name, nil
}

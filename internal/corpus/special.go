package corpus

import (
	"bytes"
	"fmt"
	"strings"
)

// Special is an awkward message by name.
type Special struct {
	Name string
	Body []byte // as it lies in a Maildir
	// Refused says that no server takes it by APPEND: NUL bytes have no place
	// in a literal (RFC 3501 section 9, CHAR8), and a literal of no bytes
	// cancels the upload (RFC 3502).
	Refused bool
}

// Specials returns the awkward messages but the huge one, always the same.
func Specials() []Special {
	head := func(name string) string {
		return fmt.Sprintf("From: a@example.org\nTo: b@example.org\nSubject: %s\nDate: Mon, 05 Jan 2026 10:00:00 +0000\n"+
			"Message-ID: <%s@special.example.org>\n", name, strings.ReplaceAll(name, " ", "-"))
	}
	whole := func(name, body string) Special { return Special{Name: name, Body: []byte(head(name) + "\n" + body)} }
	same := "From: a@example.org\nSubject: same id\nMessage-ID: <same@special.example.org>\n\n"
	twice := "From: a@example.org\nSubject: twice\nMessage-ID: <twice@special.example.org>\n\nThe very same.\n"
	return []Special{
		whole("8-bit latin-1", "Gr\xfc\xdfe\x85\xa0\xff\n"),
		whole("8-bit controls", "\x01\x02\x1b[31m\x7f\x80\n"),
		{Name: "8-bit header", Body: []byte("From: Jos\xe9 <a@example.org>\nSubject: Gr\xc3\xbc\xc3\x9fe roh\nMessage-ID: <8bit@special.example.org>\n\nx\n")},
		whole("bare CR", "one\rtwo\rthree\n\rfour\n"),
		whole("line of 100 kB", strings.Repeat("0123456789", 10_000)+"\nend\n"),
		{Name: "header line of 20 kB", Body: []byte(head("header line of 20 kB") + "X-Long: " + strings.Repeat("y", 20_000) + "\n\nbody\n")},
		{Name: "no header", Body: []byte("\nonly a body\n")},
		{Name: "no header, no blank line", Body: []byte("this is not a header at all\nnor this\n")},
		{Name: "empty body", Body: []byte(head("empty body") + "\n")},
		{Name: "no body", Body: []byte(head("no body"))},
		{Name: "no final newline", Body: []byte(head("no final newline") + "\nthe end")},
		{Name: "header without newline", Body: []byte("Subject: cut")},
		{Name: "only a newline", Body: []byte("\n")},
		whole("like a literal", "a1 OK FETCH done {10}\n* 5 EXPUNGE\n)\n+ go\n"),
		whole("From and dots", "From me\n.\n..\n>From you\n"),
		{Name: "mbox From line first", Body: []byte("From a@example.org Mon Jan  5 10:00:00 2026\n" + head("mbox From line first") + "\nx\n")},
		{Name: "tool fields", Body: []byte("X-TUID: abcdef123456\nStatus: RO\n" + head("tool fields") + "\nx\n")},
		{Name: "same Message-ID, one", Body: []byte(same + "one of them\n")},
		{Name: "same Message-ID, two", Body: []byte(same + "the other, which is longer\n")},
		{Name: "same content, one", Body: []byte(twice)},
		{Name: "same content, two", Body: []byte(twice)},
		{Name: "no Message-ID", Body: []byte("From: a@example.org\nSubject: no id\n\nx\n")},
		{Name: "NUL", Body: []byte(head("NUL") + "\nbefore\x00after\n"), Refused: true},
		{Name: "zero size", Body: nil, Refused: true},
	}
}

// Huge returns a message of about so many bytes, an attachment in base64.
func Huge(size int) []byte {
	line := append(bytes.Repeat([]byte("QUJD"), 19), '\n')
	head := "From: a@example.org\nSubject: huge\nMessage-ID: <huge@special.example.org>\nMIME-Version: 1.0\n" +
		"Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n"
	return append([]byte(head), bytes.Repeat(line, max(size-len(head), 0)/len(line))...)
}

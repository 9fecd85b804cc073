package simworld

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"imapsync/conflict"
	"imapsync/mail"
)

const (
	anEdit   = "An edit.\n"
	theOther = "That"
	filling  = "This line is one of many that are all the same, and the message a long one.\n"
)

// Content returns the bytes, with LF line ends, of the message a scenario
// calls by this name. Each "~" at the end is one edit: the header stays as it
// was, Message-ID included, and the body grows. With "!" at the very end the body
// says something else in as many bytes. "Empty" has no bytes at all,
// a name that begins with "Bare" has no header block, and one with "Big" more
// than a stub may have.
func Content(name string) []byte {
	name, other := strings.CutSuffix(name, "!")
	base := strings.TrimRight(name, "~")
	edits := strings.Repeat(anEdit, len(name)-len(base))
	if strings.HasPrefix(name, "Big") {
		edits = strings.Repeat(filling, 1+conflict.TextLimit/len(filling)) + edits
	}
	switch {
	case name == "Empty":
		return []byte{}
	case strings.HasPrefix(name, "Bare"):
		return []byte("\n" + name + "\n" + edits)
	}
	says := "This"
	if other {
		says = theOther
	}
	return fmt.Appendf(nil, `From: Alice <alice@example.org>
To: Bob <bob@example.org>
Subject: %s
Date: Sat, 2 Mar 2024 10:00:00 +0000
Message-ID: <%s@example.org>

%s is message %s.
%s`, base, base, says, base, edits)
}

var subject = regexp.MustCompile(`(?m)^Subject: ([A-Za-z0-9]+)$`)

// NameOf returns the name of a message from its bytes, whatever their line
// ends; of a stub that of its message; "?" for a message that is none of a scenario's.
func NameOf(content []byte) string {
	content = bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))
	if isStub(content) {
		content = wholeOf(content)
	}
	edits := strings.Repeat("~", bytes.Count(content, []byte(anEdit)))
	if bytes.Contains(content, []byte("\n\n"+theOther+" is ")) {
		edits += "!"
	}
	switch {
	case len(content) == 0:
		return "Empty"
	case bytes.HasPrefix(content, []byte("\nBare")):
		name, _, _ := bytes.Cut(content[1:], []byte("\n"))
		return string(name)
	}
	if m := subject.FindSubmatch(content); m != nil {
		return string(m[1]) + edits
	}
	return "?"
}

// epoch is when the simulated clock starts and the INTERNALDATE of every
// message a scenario makes.
var epoch = time.Date(2024, 3, 2, 10, 0, 0, 0, time.UTC)

func wire(content []byte) []byte {
	return bytes.ReplaceAll(content, []byte("\n"), []byte("\r\n"))
}

func unwire(content []byte) []byte {
	return bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))
}

func contentOf(content []byte) mail.Content {
	h := mail.NewHasher()
	h.Write(content)
	return h.Content()
}

// headerOf returns the header block with the empty line that ends it.
func headerOf(content []byte) []byte {
	if bytes.HasPrefix(content, []byte("\n")) {
		return content[:1]
	}
	if i := bytes.Index(content, []byte("\n\n")); i >= 0 {
		return content[:i+2]
	}
	return content
}

// ObjectIDs implements syncer.Mailbox. They are made from the contents.
func (m *Mailbox) ObjectIDs(ctx context.Context, uids []mail.UID) (map[mail.UID]string, error) {
	ids := map[mail.UID]string{}
	err := m.do(ctx, "fetch ids", uidWords(uids), false, func(b *box) error {
		for _, msg := range m.found(b, uids) {
			ids[msg.uid] = contentOf(msg.content).Digest.String()
		}
		return nil
	})
	return ids, err
}

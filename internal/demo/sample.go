package demo

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"mime"
	"mime/quotedprintable"
	"strings"
	"time"

	"imapsync/mail"
)

// sample is one message of the sample mail.
type sample struct {
	folder    string
	daysAgo   int
	flags     string // as mail.ParseFlags reads them
	from, to  string
	subject   string
	replyTo   string // Subject of the message answered, for References
	text      string
	attached  string // file name of an attachment
	alternate bool   // HTML beside the text
}

const (
	me        = "Me <me@example.org>"
	office    = "Büro <buero@example.com>"
	neighbour = "Garden neighbour <garden@example.net>"
	shop      = "Buchladen am Markt <laden@example.com>"
	list      = "Allotment list <allotment@example.net>"
)

var samples = []sample{
	{"INBOX", 0, ":", office, me, "Minutes of Thursday", "", "Attached are the minutes. Please correct what I got wrong.", "minutes.pdf", false},
	{"INBOX", 0, ":", neighbour, me, "Train on Friday?", "", "The 8:12 or the 9:12? I would rather sleep.", "", false},
	{"INBOX", 1, ":", shop, me, "Ihre Bestellung ist abholbereit", "", "Guten Tag,\n\n»Der Zauberberg« liegt für Sie bereit.\n\nIhr Buchladen am Markt", "", true},
	{"INBOX", 1, ":S", list, me, "[allotment] Water is back on", "", "The taps at the lower gate work again. Please close them after use.", "", false},
	{"INBOX", 2, ":F", office, me, "Lease: sign by the 30th", "", "The landlord wants it back before the end of the month.", "lease.pdf", false},
	{"INBOX", 2, ":RS", neighbour, me, "Photos from the lake", "", "Here are the best two. More on the disk.", "lake.jpg", false},
	{"INBOX", 3, ":S", list, me, "Re: [allotment] Water is back on", "[allotment] Water is back on", "Thanks! Number 14 still drips.", "", false},
	{"INBOX", 3, ":", list, me, "Re: [allotment] Water is back on", "[allotment] Water is back on", "I will look at number 14 on Saturday.", "", false},
	{"INBOX", 4, ":S todo", office, me, "Tax papers", "", "Could you send me last year's statement?", "", false},
	{"INBOX", 5, ":S $Label1", "Clinic <no-reply@example.com>", me, "Reminder: appointment on Monday", "", "Monday, 10:40, second floor.", "", false},
	{"INBOX", 6, ":S", "Café Zoë <hallo@example.com>", me, "Öffnungszeiten über die Feiertage", "", "Wir haben bis 18 Uhr geöffnet. Schöne Grüße!", "", true},
	{"INBOX", 8, ":PS", neighbour, me, "Recipe for the soup", "", "Leeks, potatoes, patience.", "", false},
	{"INBOX", 9, ":S", "会議室 <rooms@example.org>", me, "ご連絡ありがとうございます", "", "来週の会議の件、承知しました。", "", false},
	{"Sent", 2, ":S", me, neighbour, "Re: Photos from the lake", "Photos from the lake", "The second one goes on the wall.", "", false},
	{"Sent", 4, ":S", me, office, "Re: Tax papers", "Tax papers", "Next week, I promise.", "", false},
	{"Sent", 7, ":S", me, list, "[allotment] Key for the shed", "", "Who has the second key?", "", false},
	{"Archive/2026", 30, ":S", office, me, "Heating bill", "", "It is lower than last year.", "bill.pdf", false},
	{"Archive/2026", 31, ":RS", me, office, "Re: Heating bill", "Heating bill", "Then let us not celebrate by turning it up.", "", false},
	{"Archive/2026", 40, ":S", neighbour, me, "Address in Kraków", "", "ul. Józefa 12, third bell.", "", false},
	{"Archive/2026", 42, ":FS", "Railway <tickets@example.com>", me, "Your ticket 4F7K2", "", "Coach 7, seat 61, window.", "ticket.pdf", true},
	{"Archive/2026", 50, ":S", list, me, "[allotment] Annual meeting", "", "Sunday at three, in the hut. There will be cake.", "", false},
	{"Archive/2026", 51, ":S", list, me, "Re: [allotment] Annual meeting", "[allotment] Annual meeting", "Rhubarb or plum?", "", false},
	{"Archive/2026", 51, ":S", list, me, "Re: [allotment] Annual meeting", "[allotment] Annual meeting", "Both.", "", false},
	{"Entwürfe", 1, ":DS", me, neighbour, "Re: Train on Friday?", "Train on Friday?", "The 9:12. And", "", false},
	{"Entwürfe", 3, ":DS", me, "laden@example.com", "Frage zur Bestellung", "", "Guten Tag, könnten Sie", "", false},
}

// Seed makes the folders Sent, Archive/2026 and Entwürfe and fills them and
// INBOX with 25 messages.
func (s *Server) Seed() error {
	for _, folder := range []string{"Sent", "Archive", "Archive/2026", "Entwürfe"} {
		if err := s.Create(folder); err != nil {
			return err
		}
	}
	midnight := time.Now().Truncate(24 * time.Hour)
	for i, m := range samples {
		date := midnight.AddDate(0, 0, -m.daysAgo).Add(-time.Duration(i) * 7 * time.Minute)
		if err := s.Append(m.folder, mail.ParseFlags(m.flags), date, m.bytes(date)); err != nil {
			return err
		}
	}
	return nil
}

// bytes renders the message with CR LF line ends.
func (m sample) bytes(date time.Time) []byte {
	var b bytes.Buffer
	field := func(name, value string) { fmt.Fprintf(&b, "%s: %s\n", name, value) }
	field("From", address(m.from))
	field("To", address(m.to))
	field("Subject", mime.QEncoding.Encode("utf-8", m.subject))
	field("Date", date.Format(time.RFC1123Z))
	field("Message-ID", messageID(m.subject, m.text))
	if m.replyTo != "" {
		field("In-Reply-To", messageID(m.replyTo, textOf(m.replyTo)))
		field("References", messageID(m.replyTo, textOf(m.replyTo)))
	}
	field("MIME-Version", "1.0")
	switch {
	case m.attached != "":
		noise := bytes.Repeat([]byte(m.subject), 2000/len(m.subject)+1)
		attachment := fmt.Sprintf("Content-Type: application/octet-stream\nContent-Disposition: attachment; filename=%q\n"+
			"Content-Transfer-Encoding: base64\n\n%s", m.attached, lines(base64.StdEncoding.EncodeToString(noise), 76))
		multipart(&b, "mixed", textPart("plain", m.text), attachment)
	case m.alternate:
		multipart(&b, "alternative", textPart("plain", m.text),
			textPart("html", "<p>"+strings.ReplaceAll(m.text, "\n\n", "</p>\n<p>")+"</p>"))
	default:
		b.WriteString(textPart("plain", m.text))
	}
	return bytes.ReplaceAll(b.Bytes(), []byte("\n"), []byte("\r\n"))
}

func multipart(b *bytes.Buffer, kind string, parts ...string) {
	const boundary = "=_sample_part"
	fmt.Fprintf(b, "Content-Type: multipart/%s; boundary=%q\n\n", kind, boundary)
	for _, part := range parts {
		fmt.Fprintf(b, "--%s\n%s\n", boundary, part)
	}
	fmt.Fprintf(b, "--%s--\n", boundary)
}

func textPart(kind, text string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Content-Type: text/%s; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n", kind)
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(text + "\n"))
	_ = w.Close()
	return strings.ReplaceAll(b.String(), "\r\n", "\n")
}

// address encodes the display name where it is not ASCII.
func address(a string) string {
	name, rest, found := strings.Cut(a, " <")
	if !found {
		return a
	}
	return mime.QEncoding.Encode("utf-8", name) + " <" + rest
}

func messageID(subject, text string) string {
	h := fnv.New64a()
	h.Write([]byte(subject + "\n" + text))
	return fmt.Sprintf("<%x@example.org>", h.Sum64())
}

// textOf finds the text of the first sample with this subject.
func textOf(subject string) string {
	for _, m := range samples {
		if m.subject == subject {
			return m.text
		}
	}
	return ""
}

func lines(s string, width int) string {
	var b strings.Builder
	for len(s) > width {
		b.WriteString(s[:width] + "\n")
		s = s[width:]
	}
	b.WriteString(s + "\n")
	return b.String()
}

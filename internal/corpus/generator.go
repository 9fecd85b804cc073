package corpus

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"math/rand/v2"
	"mime"
	"mime/quotedprintable"
	"slices"
	"strings"
	"time"

	"imapsync/mail"
)

// Message sizes are log-normal, as measured on real mailboxes: median 8 kB,
// mean 27 kB, one in a thousand above 1 MB.
const (
	medianSize = 7500 // headers and encodings make 8 kB of it
	sizeSigma  = 1.56 // sqrt(2 ln(mean/median))
	minSize    = 500
	maxSize    = 8 << 20
)

// Generator makes realistic messages. It is not for concurrent use.
type Generator struct {
	random  *rand.Rand
	source  *rand.ChaCha8
	made    int
	threads []thread // recent messages that may be answered
}

type thread struct{ id, references, subject string }

// New returns a generator; equal seeds give equal messages in equal order.
func New(seed uint64) *Generator {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	source := rand.NewChaCha8(key)
	return &Generator{random: rand.New(source), source: source}
}

// Messages makes n messages.
func (g *Generator) Messages(n int) []Message {
	messages := make([]Message, n)
	for i := range messages {
		messages[i] = g.Message()
	}
	return messages
}

// Message makes the next message.
func (g *Generator) Message() Message {
	size := int(math.Exp(math.Log(medianSize) + sizeSigma*g.random.NormFloat64()))
	return g.Sized(min(max(size, minSize), maxSize))
}

// Sized makes the next message with about so many bytes.
func (g *Generator) Sized(size int) Message {
	g.made++
	// Ten years of mail, in no order.
	date := time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(g.random.Int64N(10*365*24*3600)) * time.Second)
	var b bytes.Buffer
	g.header(&b, date)
	switch kind := g.random.IntN(100); {
	case size > 60<<10 || kind < 20:
		g.withAttachment(&b, size)
	case kind < 60:
		g.alternative(&b, size)
	case kind < 70:
		g.eightBit(&b, size)
	default:
		b.WriteString("Content-Type: text/plain; charset=us-ascii\n\n")
		g.prose(&b, size-b.Len(), false)
	}
	return Message{Flags: g.flags(), Date: date, Body: b.Bytes()}
}

func (g *Generator) header(b *bytes.Buffer, date time.Time) {
	id := fmt.Sprintf("<%016x.%d@%s>", g.random.Uint64(), g.made, pick(g, domains))
	from, to := pick(g, people), pick(g, people)
	t := thread{id: id, references: id}
	if len(g.threads) > 0 && g.random.IntN(10) < 4 {
		parent := pick(g, g.threads)
		t.references, t.subject = parent.references+"\n "+id, parent.subject
		fmt.Fprintf(b, "References: %s\nIn-Reply-To: %s\n", parent.references, parent.id)
		fmt.Fprintf(b, "Subject: %s\n", mime.QEncoding.Encode("utf-8", "Re: "+t.subject))
	} else {
		t.subject = fmt.Sprintf("%s %s %d", pick(g, subjects), pick(g, words), g.made)
		fmt.Fprintf(b, "Subject: %s\n", mime.QEncoding.Encode("utf-8", t.subject))
	}
	if strings.Count(t.references, "\n") < 8 {
		g.threads = append(g.threads, t)
	}
	if len(g.threads) > 50 {
		g.threads = g.threads[1:]
	}
	for hop := range 1 + g.random.IntN(4) {
		fmt.Fprintf(b, "Received: from mx%d.%s by mail.%s with ESMTPS id %x;\n\t%s\n", hop, pick(g, domains), pick(g, domains),
			g.random.Uint64(), date.Add(time.Duration(-hop)*time.Second).Format(time.RFC1123Z))
	}
	fmt.Fprintf(b, "From: %s\nTo: %s\n", mailbox(from), mailbox(to))
	fmt.Fprintf(b, "Date: %s\nMessage-ID: %s\nMIME-Version: 1.0\n", date.Format(time.RFC1123Z), id)
}

func mailbox(name string) string {
	address := strings.ToLower(strings.Map(func(r rune) rune {
		if r < 'A' || r > 'z' {
			return -1
		}
		return r
	}, name))
	return fmt.Sprintf("%s <%s@example.org>", mime.QEncoding.Encode("utf-8", name), address)
}

// withAttachment fills most of the size with base64 noise.
func (g *Generator) withAttachment(b *bytes.Buffer, size int) {
	boundary := fmt.Sprintf("=_%x", g.random.Uint64())
	fmt.Fprintf(b, "Content-Type: multipart/mixed; boundary=%q\n\n--%s\nContent-Type: text/plain; charset=us-ascii\n\n", boundary, boundary)
	g.prose(b, min(size/10, 2000), false)
	fmt.Fprintf(b, "\n--%s\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=\"%s.pdf\"\n\n",
		boundary, pick(g, words))
	noise := make([]byte, max(size-b.Len(), 0)*3/4)
	_, _ = g.source.Read(noise) // it never fails
	for line := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(noise)), 76) {
		b.Write(line)
		b.WriteByte('\n')
	}
	fmt.Fprintf(b, "--%s--\n", boundary)
}

// alternative says the same in plain text and in HTML.
func (g *Generator) alternative(b *bytes.Buffer, size int) {
	boundary := fmt.Sprintf("=_%x", g.random.Uint64())
	fmt.Fprintf(b, "Content-Type: multipart/alternative; boundary=%q\n\n", boundary)
	var text bytes.Buffer
	g.prose(&text, max(size-b.Len(), 200)/2, true)
	for _, part := range []struct{ kind, text string }{
		{"plain", text.String()},
		{"html", "<html><body><p>" + strings.ReplaceAll(text.String(), "\n\n", "</p>\n<p>") + "</p></body></html>\n"},
	} {
		fmt.Fprintf(b, "--%s\nContent-Type: text/%s; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n", boundary, part.kind)
		var quoted bytes.Buffer
		w := quotedprintable.NewWriter(&quoted)
		_, _ = w.Write([]byte(part.text)) // a buffer never fails
		_ = w.Close()
		b.Write(Disk(quoted.Bytes()))
		b.WriteByte('\n')
	}
	fmt.Fprintf(b, "--%s--\n", boundary)
}

// eightBit is text as it is, in UTF-8 or Latin-1.
func (g *Generator) eightBit(b *bytes.Buffer, size int) {
	latin := g.random.IntN(2) == 0
	charset := "utf-8"
	if latin {
		charset = "iso-8859-1"
	}
	fmt.Fprintf(b, "Content-Type: text/plain; charset=%s\nContent-Transfer-Encoding: 8bit\n\n", charset)
	var text bytes.Buffer
	g.prose(&text, size-b.Len(), true)
	if !latin {
		b.Write(text.Bytes())
		return
	}
	for _, r := range text.String() {
		if r > 0xff {
			r = '?'
		}
		b.WriteByte(byte(r))
	}
}

// prose writes paragraphs of about size bytes.
func (g *Generator) prose(b *bytes.Buffer, size int, accents bool) {
	column := 0
	for end := b.Len() + size; b.Len() < end; {
		word := pick(g, words)
		if accents && g.random.IntN(8) == 0 {
			word = pick(g, accented)
		}
		switch {
		case g.random.IntN(80) == 0:
			b.WriteString(word + ".\n\n")
			column = 0
		case column > 66:
			b.WriteString(word + "\n")
			column = 0
		default:
			b.WriteString(word + " ")
			column += len(word) + 1
		}
	}
	b.WriteString("\n")
}

// flags are those of a lived-in mailbox: most is read, some of it answered.
func (g *Generator) flags() mail.Flags {
	var system mail.System
	var keywords []string
	if g.random.IntN(10) < 8 {
		system |= mail.Seen
		if g.random.IntN(5) == 0 {
			system |= mail.Answered
		}
		if g.random.IntN(30) == 0 {
			system |= mail.Forwarded
		}
	}
	if g.random.IntN(20) == 0 {
		system |= mail.Flagged
	}
	if g.random.IntN(15) == 0 {
		keywords = append(keywords, pick(g, labels))
	}
	return mail.NewFlags(system, keywords...)
}

func pick[T any](g *Generator, from []T) T { return from[g.random.IntN(len(from))] }

var (
	labels   = []string{"todo", "$Label1", "$Junk", "work", "NonJunk"}
	domains  = []string{"example.org", "example.com", "example.net", "lists.example.org"}
	people   = []string{"Front desk", "Büro Süd", "Garden neighbour", "Café du Marché", "Łódź office", "会議室", "Support team", "Dirección"}
	subjects = []string{"Minutes", "Invoice", "Grüße aus", "Re-use of", "Agenda für", "Reminder:", "Ticket", "Заметки", "会議", "Question about"}
	words    = strings.Fields(`the of and a to in is that for it as was with be by on not he his but at are this have from or had an they which one
		you were all her she there would their we him been has when who will no more if out so up said what its about than into them can only other
		time new some could these two may first then do any like my now over such our man me even most made after also did many off before must well
		back through years much where your way down should because long each just state those people too mr how little good world make very year still`)
	accented = strings.Fields("für über schön Straße café élève naïve señor mañana ångström Grüße déjà größer Übung")
)

package mail

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
)

var lineEnd = regexp.MustCompile(`\r*\n`)

// dumbContent says what a message is with all of it in memory, line by line.
func dumbContent(message []byte) Content {
	text := string(lineEnd.ReplaceAll(message, []byte("\n")))
	lines := int64(strings.Count(text, "\n"))
	c := Content{Size: int64(len(text)), Wire: int64(len(text)) + lines, NUL: strings.ContainsRune(text, 0)}
	head, body := text, ""
	switch i := strings.Index(text, "\n\n"); {
	case strings.HasPrefix(text, "\n"):
		head, body = "\n", text[1:]
	case i >= 0:
		head, body = text[:i+2], text[i+2:]
	}
	rawHead, rawBody := sha256.Sum256([]byte(head)), sha256.Sum256([]byte(body))
	c.Digest = sha256.Sum256(append(rawHead[:], rawBody[:]...))
	c.Body = rawBody
	c.Net = c.Wire
	var kept strings.Builder
	leaving := false
	c.NoID = true
	for line := range strings.Lines(head) {
		if line == "\n" {
			break
		}
		if line[0] != ' ' && line[0] != '\t' {
			name, _, isField := strings.Cut(line[:min(len(line), 256)], ":")
			leaving = isField && isToolField(name)
			if isField && !leaving {
				c.Fields++
				c.NoID = c.NoID && !strings.EqualFold(strings.TrimRight(name, " \t"), "message-id")
				was := len(line)
				line = name + ": " + strings.TrimLeft(line[len(name)+1:], " \t")
				c.Net += int64(len(line) - was)
			}
		}
		switch {
		case !leaving:
			kept.WriteString(strings.TrimSuffix(line, "\n") + "\n")
		case strings.HasSuffix(line, "\n"):
			c.Net -= int64(len(line)) + 1
		default:
			c.Net -= int64(len(line))
		}
	}
	c.Header = sha256.Sum256([]byte(kept.String()))
	return c
}

func hashed(parts ...[]byte) Content {
	h := NewHasher()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Content()
}

var messages = map[string]string{
	"plain":              "From: a@example.org\nSubject: hi\n\nbody\n",
	"empty":              "",
	"no header":          "\njust a body\n",
	"no header, no body": "\n",
	"only a header":      "From: a\nSubject: b\n",
	"unterminated field": "From: a\nSubject: b",
	"unterminated tool":  "From: a\nStatus: RO",
	"unterminated body":  "From: a\n\nbody without end",
	"not a header":       "hello there\nno colon at all\n\nbody",
	"folded":             "Subject: one\n two\n\tthree\nX-UID: 7\n 8\nTo: x\n\nbody\n",
	"tool fields":        "X-TUID: abc\nSTATUS : R\nX-Keywords: a b\nX-OfflineIMAP: 1\nX-Status: F\nFrom: x\n\nb",
	"continued first":    " folded\nFrom: x\n\nb",
	"bare CRs":           "From: a\rb\n\nx\ry\r\rz\n\r",
	"CRs at the end":     "From: a\n\nbody\r\r\r",
	"CRs in the header":  "From: a\r",
	"long name":          strings.Repeat("n", 300) + ": x\n\nb\n",
	"long tool name":     "Status" + strings.Repeat(" ", 300) + ": x\n\nb\n",
	"long line":          "Subject: " + strings.Repeat("x", 5000) + "\nStatus: " + strings.Repeat("y", 5000) + "\n\n" + strings.Repeat("z", 100_000),
	"8-bit and NUL":      "Subject: \xe4\xf6\xfc\x00\n\n\xff\x00\xfe\n",
}

func TestHasherAgreesWithWholeBuffer(t *testing.T) {
	for name, m := range messages {
		if got, want := hashed([]byte(m)), dumbContent([]byte(m)); got != want {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
		}
	}
}

func TestHasherIgnoresLineEnds(t *testing.T) {
	for name, m := range messages {
		want := hashed([]byte(m))
		for _, end := range []string{"\r\n", "\r\r\n", "\r\r\r\r\n"} {
			if got := hashed([]byte(strings.ReplaceAll(m, "\n", end))); got != want {
				t.Errorf("%s with %q:\n got %+v\nwant %+v", name, end, got, want)
			}
		}
	}
}

func TestHasherAtEverySplit(t *testing.T) {
	for name, m := range messages {
		wire := []byte(strings.ReplaceAll(m, "\n", "\r\n"))
		want := hashed(wire)
		for i := 0; i <= len(wire) && i < 700; i++ {
			if got := hashed(wire[:i], wire[i:]); got != want {
				t.Fatalf("%s split at %d:\n got %+v\nwant %+v", name, i, got, want)
			}
		}
		h := NewHasher()
		buf := make([]byte, 1)
		for r := iotest.OneByteReader(bytes.NewReader(wire)); ; {
			n, err := r.Read(buf)
			h.Write(buf[:n])
			if err != nil {
				break
			}
		}
		if got := h.Content(); got != want {
			t.Errorf("%s byte by byte:\n got %+v\nwant %+v", name, got, want)
		}
	}
}

func TestHeaderOnlyIsTheHeaderOfTheWhole(t *testing.T) {
	for name, m := range messages {
		wire := strings.ReplaceAll(m, "\n", "\r\n")
		block := wire
		if i := strings.Index(wire, "\r\n\r\n"); strings.HasPrefix(wire, "\r\n") {
			block = "\r\n"
		} else if i >= 0 {
			block = wire[:i+4]
		}
		whole := hashed([]byte(wire))
		forms := []string{block, strings.TrimSuffix(block, "\r\n")} // some servers leave out the empty line
		if whole.Fields > 0 && !strings.HasSuffix(block, "\r") {
			forms = append(forms, strings.TrimRight(block, "\r\n")+"\r\n\r\n") // or add it
		}
		for _, form := range forms {
			h := NewHasher()
			h.Write([]byte(form))
			got := h.HeaderOnly()
			if got.Header != whole.Header || got.Fields != whole.Fields {
				t.Errorf("%s: header block %.40q gives another header than the whole message", name, form)
			}
			if !got.Digest.IsZero() || !got.Body.IsZero() {
				t.Errorf("%s: a header block tells a digest of what was not read", name)
			}
			if got.Wire != int64(len(form)) {
				t.Errorf("%s: wire size %d of a block of %d", name, got.Wire, len(form))
			}
		}
	}
}

func TestHasherReadsFrom(t *testing.T) {
	for name, m := range messages {
		h := NewHasher()
		n, err := h.ReadFrom(iotest.DataErrReader(iotest.HalfReader(strings.NewReader(m))))
		if got := h.Content(); n != int64(len(m)) || err != nil || got != dumbContent([]byte(m)) {
			t.Errorf("%s: %d bytes, %v, %+v", name, n, err, got)
		}
	}
	broken := errors.New("broken")
	if n, err := NewHasher().ReadFrom(io.MultiReader(strings.NewReader("some"), iotest.ErrReader(broken))); n != 4 || err != broken {
		t.Errorf("of a reader that fails: %d bytes, %v", n, err)
	}
}

func TestToolFieldsDoNotCount(t *testing.T) {
	bare := "From: a\nSubject: s\n\nbody\n"
	for _, field := range []string{
		"X-TUID: 1234", "x-offlineimap: 5", "X-Keywords: a, b\n c", "X-UID: 4", "Status: RO", "X-Status: \n\tF", "X-STATUS \t: F",
	} {
		for _, with := range []string{field + "\n" + bare, strings.Replace(bare, "Subject", field+"\nSubject", 1)} {
			a, b := hashed([]byte(bare)), hashed([]byte(with))
			if a.Header != b.Header || !a.SameMessage(b) || !b.SameMessage(a) {
				t.Errorf("%q makes it another message", with)
			}
			if a.Digest == b.Digest {
				t.Errorf("%q has the digest of a message without it", with)
			}
			if b.Net != a.Wire || b.Wire <= a.Wire || b.Fields != a.Fields {
				t.Errorf("%q: net %d, wire %d, fields %d; without the field %d, %d, %d", with, b.Net, b.Wire, b.Fields, a.Net, a.Wire, a.Fields)
			}
		}
	}
	for _, field := range []string{"X-Status-Of: F", "Statuses: 1", "XStatus: 1", "Message-ID: <x>"} {
		if hashed([]byte(bare)).SameMessage(hashed([]byte(field + "\n" + bare))) {
			t.Errorf("%q does not count", field)
		}
	}
}

// Offlineimap writes one space after each field's name, whatever stood there.
func TestBlanksBeforeValuesDoNotCount(t *testing.T) {
	a := hashed([]byte("From: a\nSubject: \nX-A: b \n\tc\nX-B: \n d\n\nbody\n"))
	for _, m := range []string{
		"From:a\nSubject:\nX-A:b \n\tc\nX-B:\n d\n\nbody\n",
		"From:  a\nSubject:\t \nX-A:\t\tb \n\tc\nX-B:   \n d\n\nbody\n",
	} {
		if b := hashed([]byte(m)); a.Header != b.Header || !a.SameMessage(b) || a.Net != b.Net || a.Digest == b.Digest {
			t.Errorf("%q is not told as the same message: %+v, %+v", m, a, b)
		}
	}
	for _, m := range []string{"From: a\nSubject: \nX-A: b\n\tc\nX-B: \n d\n\nbody\n", "From: a\nSubject: \nX-A: b \n c\nX-B: \n d\n\nbody\n"} {
		if a.SameMessage(hashed([]byte(m))) {
			t.Errorf("%q is told as the same message", m)
		}
	}
}

func TestSameMessage(t *testing.T) {
	a := hashed([]byte("From: a\n\nbody\n"))
	for _, other := range []string{"From: b\n\nbody\n", "From: a\n\nbody", "From: a\n\nBody\n", ""} {
		if a.SameMessage(hashed([]byte(other))) {
			t.Errorf("%q is taken for the same message", other)
		}
	}
	if (Content{}).SameMessage(Content{}) {
		t.Error("two contents nothing is known of are the same message")
	}
	h := NewHasher()
	h.Write([]byte("From: a\n\n"))
	if b := h.HeaderOnly(); a.SameMessage(b) || b.SameMessage(b) {
		t.Error("a header alone is taken for proof")
	}
}

func TestHasherHoldsLittle(t *testing.T) {
	h := NewHasher()
	line := bytes.Repeat([]byte("x"), 1000)
	for range 1000 {
		h.Write(line)
	}
	if cap(h.line) > 16<<10 {
		t.Errorf("the hasher holds %d bytes of one header line", cap(h.line))
	}
}

func FuzzHasher(f *testing.F) {
	for _, m := range messages {
		f.Add([]byte(m), uint16(3))
		f.Add([]byte(strings.ReplaceAll(m, "\n", "\r\n")), uint16(7))
	}
	f.Fuzz(func(t *testing.T, m []byte, step uint16) {
		want := dumbContent(m)
		h := NewHasher()
		for p := m; len(p) > 0; {
			n := min(len(p), int(step)+1)
			h.Write(p[:n])
			p = p[n:]
		}
		if got := h.Content(); got != want {
			t.Fatalf("%q in steps of %d:\n got %s\nwant %s", m, int(step)+1, tell(got), tell(want))
		}
	})
}

func tell(c Content) string { return fmt.Sprintf("%+v", c) }

func BenchmarkHasher(b *testing.B) {
	m := []byte("From: a\r\nSubject: b\r\n\r\n" + strings.Repeat(strings.Repeat("x", 76)+"\r\n", 13_000))
	b.SetBytes(int64(len(m)))
	for b.Loop() {
		hashed(m)
	}
}

// TestNoID: a header block tells whether it has a Message-ID; what comes after it
// does not count.
func TestNoID(t *testing.T) {
	for text, want := range map[string]bool{
		"From: a\nMessage-ID: <1@x>\n\nb\n":      false,
		"From: a\nmessage-id : <1@x>\n\n":        false,
		"Message-Id:\n <1@x>\n":                  false,
		"From: a\nX-Message-ID: <1@x>\n\nb\n":    true,
		"From: a\n Message-ID: <1@x>\n\nb\n":     true,
		"From: a\n\nMessage-ID: <1@x>\n\nb\n":    true,
		"":                                       true,
		"From: a\r\nMessage-ID: <1@x>\r\n\r\nb":  false,
		"In-Reply-To: <1@x>\r\nSubject: x\r\n\r": true,
	} {
		h := NewHasher()
		_, _ = h.Write([]byte(text))
		if got := h.Content().NoID; got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

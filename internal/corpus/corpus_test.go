package corpus_test

import (
	"bytes"
	netmail "net/mail"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"imapsync/internal/corpus"
)

func TestEqualSeedsGiveEqualMail(t *testing.T) {
	a, b, c := corpus.New(1), corpus.New(1), corpus.New(2)
	for i := range 50 {
		x, y, z := a.Message(), b.Message(), c.Message()
		if !bytes.Equal(x.Body, y.Body) || !x.Flags.Equal(y.Flags) || !x.Date.Equal(y.Date) {
			t.Fatalf("message %d differs", i)
		}
		if bytes.Equal(x.Body, z.Body) {
			t.Fatalf("message %d is the same for another seed", i)
		}
	}
}

func TestSizesAndShape(t *testing.T) {
	const n = 5000
	g := corpus.New(7)
	var sizes []int
	total := 0
	counts := map[string]int{}
	count := func(what string, is bool) {
		if is {
			counts[what]++
		}
	}
	for range n {
		m := g.Message()
		parsed, err := netmail.ReadMessage(bytes.NewReader(m.Body))
		if err != nil {
			t.Fatalf("%v\n%.500s", err, m.Body)
		}
		if bytes.Contains(m.Body, []byte("\r")) {
			t.Fatal("a CR in the Maildir form")
		}
		count("threaded", parsed.Header.Get("References") != "")
		count("flagged", !m.Flags.IsEmpty())
		count("with an attachment", bytes.Contains(m.Body, []byte("Content-Disposition: attachment")))
		count("with a subject beyond ASCII", strings.HasPrefix(parsed.Header.Get("Subject"), "=?utf-8?"))
		count("in 8 bits", bytes.ContainsFunc(m.Body, func(r rune) bool { return r >= utf8.RuneSelf }))
		count("in HTML", bytes.Contains(m.Body, []byte("Content-Type: text/html")))
		sizes = append(sizes, len(m.Body))
		total += len(m.Body)
	}
	slices.Sort(sizes)
	for _, c := range []struct {
		what           string
		got, low, high int
	}{
		{"median size", sizes[n/2], 7400, 8600},
		{"mean size", total / n, 23_000, 31_000},
		{"size that one in a thousand is above", sizes[n-n/1000-1], 700 << 10, 2 << 20},
		{"largest size", sizes[n-1], 1 << 20, 9 << 20},
		{"threaded", counts["threaded"], n / 3, n / 2},
		{"flagged", counts["flagged"], n / 2, n},
		{"with an attachment", counts["with an attachment"], n / 5, n / 2},
		{"with a subject beyond ASCII", counts["with a subject beyond ASCII"], n / 5, n * 3 / 4},
		{"in 8 bits", counts["in 8 bits"], n / 20, n / 5},
		{"in HTML", counts["in HTML"], n / 5, n / 2},
	} {
		if c.got < c.low || c.got > c.high {
			t.Errorf("%s: %d, want %d to %d", c.what, c.got, c.low, c.high)
		}
	}
}

func TestLineEnds(t *testing.T) {
	for _, c := range []struct{ in, wire, disk string }{
		{"a\nb\n", "a\r\nb\r\n", "a\nb\n"},
		{"a\r\nb", "a\r\nb", "a\nb"},
		{"a\rb\n", "a\rb\r\n", "a\rb\n"},
		{"a\r\r\n", "a\r\r\n", "a\n"},
		{"", "", ""},
		{"\n", "\r\n", "\n"},
		{"a\r", "a\r", "a\r"},
	} {
		if got := string(corpus.Wire([]byte(c.in))); got != c.wire {
			t.Errorf("Wire(%q) = %q, want %q", c.in, got, c.wire)
		}
		if got := string(corpus.Disk([]byte(c.in))); got != c.disk {
			t.Errorf("Disk(%q) = %q, want %q", c.in, got, c.disk)
		}
	}
	for _, s := range corpus.Specials() {
		if corpus.Sum(corpus.Wire(s.Body)) != corpus.Sum(s.Body) {
			t.Errorf("%s: the line ends matter", s.Name)
		}
	}
}

func TestHuge(t *testing.T) {
	if n := len(corpus.Huge(50 << 20)); n < 49<<20 || n > 50<<20 {
		t.Errorf("%d bytes", n)
	}
}

package corpus_test

import (
	"bytes"
	netmail "net/mail"
	"slices"
	"testing"

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
	const n = 2000
	g := corpus.New(7)
	var sizes []int
	total, threaded, flagged := 0, 0, 0
	for range n {
		m := g.Message()
		parsed, err := netmail.ReadMessage(bytes.NewReader(m.Body))
		if err != nil {
			t.Fatalf("%v\n%.500s", err, m.Body)
		}
		if parsed.Header.Get("References") != "" {
			threaded++
		}
		if !m.Flags.IsEmpty() {
			flagged++
		}
		if bytes.Contains(m.Body, []byte("\r")) {
			t.Fatal("a CR in the Maildir form")
		}
		sizes = append(sizes, len(m.Body))
		total += len(m.Body)
	}
	slices.Sort(sizes)
	if median := sizes[n/2]; median < 7000 || median > 10_000 {
		t.Errorf("median size %d", median)
	}
	if mean := total / n; mean < 20_000 || mean > 36_000 {
		t.Errorf("mean size %d", mean)
	}
	if largest := sizes[n-1]; largest < 1<<20 {
		t.Errorf("largest message has %d bytes", largest)
	}
	if threaded < n/5 || flagged < n/2 {
		t.Errorf("%d of %d threaded, %d flagged", threaded, n, flagged)
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

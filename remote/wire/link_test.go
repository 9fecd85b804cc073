package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// TestSlowLink: what four readings in a row make of a link.
func TestSlowLink(t *testing.T) {
	const slow, fast = 1e6, 1e7
	for _, test := range []struct {
		readings []float64
		want     bool
	}{
		{nil, false},
		{[]float64{slow, slow, slow}, false},
		{[]float64{slow, slow, slow, slow}, true},
		{[]float64{slow, slow, slow, fast}, false}, // TCP has only begun
		{[]float64{fast, slow, slow, slow}, false},
		{[]float64{fast, slow, slow, slow, slow}, true},
		{[]float64{slow, slow, slow, slow, fast}, false},
		{[]float64{slowLink, slowLink, slowLink, slowLink}, false},
	} {
		var l Link
		for _, r := range test.readings {
			l.Add(r)
		}
		if got := l.Slow(); got != test.want {
			t.Errorf("%v: slow %v", test.readings, got)
		}
		if l.forswear(); l.Slow() {
			t.Errorf("%v: slow after compression was given up", test.readings)
		}
	}
}

// TestMeter: a reading is taken of enough bytes, or of enough time.
func TestMeter(t *testing.T) {
	for _, test := range []struct {
		bytes   int
		blocked time.Duration
		want    []float64
	}{
		{readingBytes - 1, 0, nil},
		{readingBytes, time.Second, []float64{readingBytes}},
		{1000, readingTime, []float64{250}},
	} {
		var l Link
		var m meter
		if m.add(&l, test.bytes, test.blocked); fmt.Sprint(l.readings) != fmt.Sprint(test.want) {
			t.Errorf("%d bytes in %v: readings %v", test.bytes, test.blocked, l.readings)
		}
	}
}

// TestCompressionGivenUp: what a server sends in the place of compressed data
// costs the connection, and the account does without from there on.
func TestCompressionGivenUp(t *testing.T) {
	for _, data := range []string{"* OK in the clear\r\n", "\x01\x02", ""} {
		ours, theirs := net.Pipe()
		go func() { _, _ = io.WriteString(theirs, data); theirs.Close() }()
		l := &Link{readings: []float64{1, 1, 1, 1}}
		c := newConn(Options{Host: "test", Timeout: time.Hour, MaxLine: 1 << 20, MaxAnswer: 1 << 30, Compress: CompressAuto, Link: l}, ours)
		c.ready()
		c.out = nil
		c.inflate()
		_, err := c.Read(make([]byte, 100))
		var e *Error
		if !errors.As(err, &e) || e.Kind != KindNetwork || l.Slow() {
			t.Errorf("%q: %v, compresses still: %v", data, err, l.Slow())
		}
	}
}

// throttled is a connection on which time passes only as its bytes need it.
type throttled struct {
	net.Conn
	bytesPerSecond float64
	clock          *time.Time
}

func (c throttled) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	*c.clock = c.clock.Add(time.Duration(float64(n) / c.bytesPerSecond * float64(time.Second)))
	return n, err
}

// TestCompressAuto: a connection begins to compress between two commands once
// bodies have shown that the link is slow, and not on a fast one.
func TestCompressAuto(t *testing.T) {
	for _, rate := range []float64{slowLink / 10, slowLink * 10} {
		ours, theirs := net.Pipe()
		asked := make(chan struct{}, 1)
		go bodies(theirs, 6<<20, asked)
		clock := time.Unix(0, 0)
		c, err := Dial(t.Context(), Options{Host: "test", Security: Plain, AllowPlain: true, User: "u",
			Secret:   func(context.Context) (string, error) { return "secret", nil },
			Compress: CompressAuto, Link: &Link{now: func() time.Time { return clock }},
			DialContext: func(context.Context, string, string) (net.Conn, error) { return throttled{ours, rate, &clock}, nil }})
		if err != nil {
			t.Fatal(err)
		}
		cl := imapclient.New(c, nil)
		if err := cl.WaitGreeting(); err != nil {
			t.Fatal(err)
		}
		c.Compress(t.Context())
		if _, err := cl.Select("INBOX", nil).Wait(); err != nil {
			t.Fatal(err)
		}
		if len(asked) > 0 {
			t.Error("compressed before anything was measured")
		}
		whole := &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}}
		if _, err := cl.Fetch(imap.UIDSet{{Start: 1}}, whole).Collect(); err != nil {
			t.Fatal(err)
		}
		c.Compress(t.Context())
		if slow := rate < slowLink; len(asked) > 0 != slow {
			t.Errorf("at %.0f bytes/s: asked for compression %v, readings %.0f", rate, !slow, c.o.Link.readings)
		}
		c.Abort(errors.New("enough"))
		theirs.Close()
		cl.Close()
	}
}

// bodies is a server whose one message has so many bytes; it refuses to
// compress, and tells that it was asked to.
func bodies(conn net.Conn, size int, asked chan<- struct{}) {
	fmt.Fprint(conn, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\r\n")
	body := bytes.Repeat([]byte("x"), size)
	var line []byte
	for one := make([]byte, 1); ; {
		if _, err := conn.Read(one); err != nil {
			return
		}
		if line = append(line, one[0]); one[0] != '\n' {
			continue
		}
		words := strings.Fields(string(line))
		line = line[:0]
		answer := "OK"
		switch words[1] {
		case "AUTHENTICATE":
			answer = "OK [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE]"
		case "CAPABILITY":
			fmt.Fprint(conn, "* CAPABILITY IMAP4rev1 COMPRESS=DEFLATE\r\n")
		case "COMPRESS":
			asked <- struct{}{}
			answer = "NO"
		case "UID":
			fmt.Fprintf(conn, "* 1 FETCH (UID 1 BODY[] {%d}\r\n", size)
			_, _ = conn.Write(body)
			_, _ = io.WriteString(conn, ")\r\n")
		}
		fmt.Fprintf(conn, "%s %s done\r\n", words[0], answer)
	}
}

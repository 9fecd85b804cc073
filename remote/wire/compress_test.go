package wire_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"imapsync/internal/dovecot"
	"imapsync/remote/wire"
)

func always(o *wire.Options) { o.Compress = wire.CompressAlways }

const deflates = "COMPRESS=DEFLATE LITERAL+"

// flushed is a compressor that flushes after each write.
type flushed struct {
	net.Conn
	z *flate.Writer
}

func (f flushed) Write(p []byte) (int, error) {
	n, err := f.z.Write(p)
	return n, errors.Join(err, f.z.Flush())
}

// compress accepts COMPRESS and speaks so from there on.
func (s *server) compress() {
	s.ok(s.expect("COMPRESS DEFLATE"))
	s.br = bufio.NewReader(flate.NewReader(s.br))
	z, _ := flate.NewWriter(s.conn, flate.BestSpeed)
	s.conn = flushed{s.conn, z}
}

// compressing is a client that has asked for compression.
func compressing(t *testing.T, c *wire.Conn) *imapclient.Client {
	t.Helper()
	cl := client(t, c, nil)
	c.Compress(t.Context())
	return cl
}

// TestDovecotCompress: what goes up compressed comes down the same, and takes
// less on the wire.
func TestDovecotCompress(t *testing.T) {
	s := dovecot.Start(t, dovecot.WithCompress())
	c, err := onDovecot(t, s, always)
	if err != nil {
		t.Fatal(err)
	}
	cl := client(t, c, nil)
	c.Compress(t.Context())
	if !c.Compressed() {
		t.Fatalf("not compressed; caps %v, notices %v", c.Caps(), c.Notices())
	}
	messages := []string{strings.Repeat("0123456789abcd\r\n", 20_000), "Subject: x\r\n\r\n8-bit \xff\x80 \r\n"}
	for _, m := range messages {
		if data, err := appendMessage(cl, m); err != nil || data.UID == 0 {
			t.Fatalf("APPEND: %+v, %v (%v)", data, err, c.Err())
		}
	}
	if _, err := cl.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	got, err := cl.Fetch(imap.UIDSet{{Start: 1}}, wholeBody).Collect()
	if err != nil || len(got) != len(messages) {
		t.Fatalf("%d messages, %v (%v)", len(got), err, c.Err())
	}
	for i, m := range messages {
		if !bytes.Equal(got[i].BodySection[0].Bytes, []byte(m)) {
			t.Errorf("message %d came back changed", i)
		}
	}
	if st := c.Stats(); st.BytesIn > 100_000 || st.BytesOut > 100_000 {
		t.Errorf("%d bytes in, %d out", st.BytesIn, st.BytesOut)
	}
	idle, err := cl.Idle()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(idle.Close(), idle.Wait()); err != nil {
		t.Errorf("IDLE: %v", err)
	}
	if err := cl.Logout().Wait(); err != nil || c.Err() != nil {
		t.Errorf("LOGOUT: %v, %v", err, c.Err())
	}
}

// TestCompressRefused: the connection goes on without, and does not ask again.
func TestCompressRefused(t *testing.T) {
	for _, answer := range []string{"NO [COMPRESSIONACTIVE] TLS does that", "BAD what"} {
		c := dial(t, deflates, func(s *server) {
			s.write("%s %s\r\n", s.expect("COMPRESS DEFLATE"), answer)
			s.noop()
		}, always)
		cl := compressing(t, c)
		c.Compress(t.Context())
		if c.Compressed() {
			t.Error("compressed")
		}
		alive(t, c, cl)
	}
}

// TestCompressOnlyWhereWanted: not unless told to, not where it is not offered
// or is disabled, and not while a command is on its way.
func TestCompressOnlyWhereWanted(t *testing.T) {
	script := func(s *server) { s.noop() }
	for name, c := range map[string]*wire.Conn{
		"never":       dial(t, deflates, script),
		"not offered": dial(t, "", script, always),
		"disabled":    dial(t, deflates, script, always, func(o *wire.Options) { o.Disable = []string{"compress=deflate"} }),
		"auto, nothing is known": dial(t, deflates, script, func(o *wire.Options) {
			o.Compress, o.Link = wire.CompressAuto, &wire.Link{}
		}),
		"auto without a link": dial(t, deflates, script, func(o *wire.Options) { o.Compress = wire.CompressAuto }),
	} {
		t.Run(name, func(t *testing.T) { alive(t, c, compressing(t, c)) })
	}
	t.Run("busy", func(t *testing.T) {
		seen := make(chan struct{})
		c := dial(t, deflates, func(s *server) {
			tag := s.expect("NOOP")
			<-seen
			s.ok(tag)
			s.compress()
			s.noop()
		}, always)
		cl := client(t, c, nil)
		noop := cl.Noop()
		c.Compress(t.Context())
		if c.Compressed() {
			t.Error("compressed in the middle of a command")
		}
		close(seen)
		if err := noop.Wait(); err != nil {
			t.Fatal(err)
		}
		c.Compress(t.Context())
		if !c.Compressed() {
			t.Error("not compressed afterwards")
		}
		alive(t, c, cl)
	})
}

// TestCompressedInjection: what the connection itself tells imapclient between
// two responses comes through although the rest of the compressed data of the
// last response is still on its way.
func TestCompressedInjection(t *testing.T) {
	for size := 32<<10 - 20; size < 32<<10+20; size++ { // around the size of the window
		c := dial(t, deflates, func(s *server) {
			s.compress()
			tag := s.expect("NOOP")
			var packed bytes.Buffer
			z, _ := flate.NewWriter(&packed, flate.NoCompression)
			pad := "* OK " + strings.Repeat("x", size-len(tag)-12-5-2)
			fmt.Fprintf(z, "%s\r\n%s OK done\r\n", pad, tag)
			z.Flush()
			raw := s.conn.(flushed).Conn
			raw.Write(packed.Bytes()[:packed.Len()-5]) // without the mark of the flush
			tag = s.expect("APPEND")
			s.octets(5)
			s.line()
			raw.Write(packed.Bytes()[packed.Len()-5:])
			s.ok(tag)
			s.untilClosed()
		}, always)
		cl := compressing(t, c)
		noop := cl.Noop()
		go func() {
			if err := noop.Wait(); err != nil {
				t.Error(err)
			}
		}()
		if _, err := appendMessage(cl, "x\r\n\r\n"); err != nil {
			t.Fatalf("size %d: %v (%v)", size, err, c.Err())
		}
		c.Close()
	}
}

// TestCompressedGarbage: no compressed data, or half of it, ends the connection
// with an error that says so.
func TestCompressedGarbage(t *testing.T) {
	var packed bytes.Buffer
	z, _ := flate.NewWriter(&packed, flate.BestCompression)
	io.WriteString(z, "* OK "+strings.Repeat("no end is in sight ", 1000)+"\r\n")
	z.Flush()
	for _, test := range []struct {
		name, send string
		kind       wire.Kind
		text       string
	}{
		{"garbage", "\xff\xff\xff\xff* OK not compressed\r\n", wire.KindProtocol, "set compress = false"},
		{"plain text", "* OK this is in the clear\r\n", wire.KindProtocol, "not compressed as it should be"},
		{"cut", packed.String()[:packed.Len()/2], wire.KindNetwork, "closed the connection"},
		{"nothing", "", wire.KindNetwork, "closed the connection"},
		{"ended", "\x03\x00", wire.KindNetwork, "closed the connection"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := dial(t, deflates, func(s *server) {
				s.ok(s.expect("COMPRESS DEFLATE"))
				io.WriteString(s.conn, test.send)
				if test.kind == wire.KindNetwork {
					_ = s.conn.(*net.TCPConn).CloseWrite()
				}
				s.untilClosed()
			}, always)
			cl := compressing(t, c)
			err := cl.Noop().Wait()
			var e *wire.Error
			if err == nil || !errors.As(c.Err(), &e) || e.Kind != test.kind || !strings.Contains(e.Error(), test.text) {
				t.Errorf("got %v (%v), want %s: %s", err, c.Err(), test.kind, test.text)
			}
		})
	}
}

// TestCompressedBomb: the limits hold for what is inflated, not for what came.
func TestCompressedBomb(t *testing.T) {
	bomb := strings.Repeat("a", 1<<20)
	for name, text := range map[string]string{
		"line":   "* OK " + bomb + bomb,
		"answer": strings.Repeat("* OK "+bomb[:1<<19]+"\r\n", 5),
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, deflates, func(s *server) {
				s.compress()
				s.expect("NOOP")
				io.WriteString(s.conn, text)
				s.untilClosed()
			}, always, func(o *wire.Options) { o.MaxAnswer = 2 << 20 })
			cl := compressing(t, c)
			err := cl.Noop().Wait()
			var e *wire.Error
			if err == nil || !errors.As(c.Err(), &e) || e.Kind != wire.KindLimit || c.Stats().BytesIn > 64<<10 {
				t.Errorf("got %v (%v) after %d bytes", err, c.Err(), c.Stats().BytesIn)
			}
		})
	}
}

// TestCompressInterrupted: a server that does not answer COMPRESS holds nobody
// for longer than the caller waits.
func TestCompressInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := dial(t, deflates, func(s *server) {
		s.expect("COMPRESS DEFLATE")
		cancel()
		s.untilClosed()
	}, always)
	client(t, c, nil)
	c.Compress(ctx)
	var e *wire.Error
	if !errors.As(c.Err(), &e) || e.Kind != wire.KindAborted {
		t.Errorf("got %v", c.Err())
	}
}

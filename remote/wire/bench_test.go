package wire_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// BenchmarkBodies fetches 500 messages by one command, as package wire frames
// them for a reader that does nothing, and as imapclient hands them on.
func BenchmarkBodies(b *testing.B) {
	const messages, size = 500, 27 << 10
	body := strings.Repeat("A line of a message of the size that is usual.\r\n", size/48)
	var answer bytes.Buffer
	for i := 1; i <= messages; i++ {
		fmt.Fprintf(&answer, "* %d FETCH (UID %d BODY[] {%d}\r\n%s)\r\n", i, i, len(body), body)
	}
	serve := func(s *server) {
		for {
			tag := s.expect("UID FETCH")
			s.conn.Write(answer.Bytes())
			s.ok(tag)
		}
	}
	b.Run("wire", func(b *testing.B) {
		c := dial(b, "", serve)
		buf := make([]byte, 32<<10)
		b.SetBytes(int64(answer.Len()))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := io.WriteString(c, "a1 UID FETCH 1:500 (UID BODY.PEEK[])\r\n"); err != nil {
				b.Fatal(err)
			}
			for last := ""; !strings.Contains(last, "OK done\r\n"); {
				n, err := c.Read(buf)
				if err != nil {
					b.Fatal(err)
				}
				last = string(buf[max(0, n-32):n])
			}
		}
	})
	b.Run("imapclient", func(b *testing.B) {
		cl := client(b, dial(b, "", serve), nil)
		section := &imap.FetchItemBodySection{Peek: true}
		b.SetBytes(int64(answer.Len()))
		b.ReportAllocs()
		for b.Loop() {
			cmd := cl.Fetch(imap.UIDSet{{Start: 1, Stop: messages}}, &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{section}})
			got := 0
			for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
				for item := msg.Next(); item != nil; item = msg.Next() {
					if part, ok := item.(imapclient.FetchItemDataBodySection); ok {
						n, _ := io.Copy(io.Discard, part.Literal)
						got += int(n)
					}
				}
			}
			if err := cmd.Close(); err != nil || got != messages*len(body) {
				b.Fatal(got, err)
			}
		}
	})
}

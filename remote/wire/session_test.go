package wire_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"imapsync/remote/wire"
)

var wholeBody = &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}}

// fails checks the kind of a connection's failure.
func fails(t *testing.T, c *wire.Conn, kind wire.Kind, text string) {
	t.Helper()
	var e *wire.Error
	if !errors.As(c.Err(), &e) || e.Kind != kind || !strings.Contains(e.Error(), text) {
		t.Errorf("Err() = %v, want %s with %q", c.Err(), kind, text)
	}
}

// TestFetchSurvives: what imapclient makes of mended FETCH responses.
func TestFetchSurvives(t *testing.T) {
	c := dial(t, "", func(s *server) {
		tag := s.expect("UID FETCH 1:9")
		s.write("* 1 FETCH (X-GM-MSGID 99 UID 1 FLAGS (\\Seen bad]flag good) INTERNALDATE NIL RFC822.SIZE -1 BODY[] {3}\r\nabc EMAILID (M1))\r\n")
		s.write("* 2 FETCH (UID 2 BODY[] NIL)\r\n")
		s.write("* 3 FETCH (BODY[] ~{4}\r\n\x00\xffab UID 3)\r\n* VANISHED 8\r\n\r\n")
		s.write("* 4 FETCH (UID 4294967299 BODY[] {3}\r\nxxx)\r\n")
		s.write("* 5 FETCH (UID 5 BODY[] {0}\r\n)\r\n")
		s.ok(tag)
		s.noop()
	})
	cl := client(t, c, nil)
	msgs, err := cl.Fetch(imap.UIDSet{{Start: 1, Stop: 9}}, wholeBody).Collect()
	if err != nil {
		t.Fatal(err, c.Err())
	}
	got := ""
	for _, m := range msgs {
		got += fmt.Sprintf("%d %v", m.UID, m.Flags)
		for _, b := range m.BodySection {
			got += fmt.Sprintf(" %q", b.Bytes)
		}
		got += "\n"
	}
	const want = "1 [\\Seen good] \"abc\"\n2 []\n3 [] \"\\x00\\xffab\"\n5 [] \"\"\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	alive(t, c, cl)
}

// TestCutBody: imapclient alone takes the end of the stream for the end of the
// literal.
func TestCutBody(t *testing.T) {
	c := dial(t, "", func(s *server) {
		s.expect("UID FETCH 1")
		s.write("* 1 FETCH (UID 1 BODY[] {1000}\r\nshort")
	})
	cl := client(t, c, nil)
	cmd := cl.Fetch(imap.UIDSetNum(1), wholeBody)
	msg := cmd.Next()
	msg.Next() // the UID
	data, err := io.ReadAll(msg.Next().(imapclient.FetchItemDataBodySection).Literal)
	if err == nil {
		t.Errorf("%d octets and no error", len(data))
	}
	<-cl.Closed() // else discarding the rest races with the reader inside imapclient
	if cmd.Close() == nil {
		t.Error("FETCH succeeded")
	}
	fails(t, c, wire.KindNetwork, "closed the connection")
}

// TestLargeBodyStreams: 50 MB pass without being held.
func TestLargeBodyStreams(t *testing.T) {
	const size = 50 << 20
	c := dial(t, "", func(s *server) {
		tag := s.expect("UID FETCH 1")
		s.write("* 1 FETCH (UID 1 BODY[] {%d}\r\n", size)
		block := bytes.Repeat([]byte("0123456789abcde\n"), 4096)
		for range size / len(block) {
			if _, err := s.conn.Write(block); err != nil {
				return
			}
		}
		s.write(" FLAGS ())\r\n")
		s.ok(tag)
		s.noop()
	})
	cl := client(t, c, nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cmd := cl.Fetch(imap.UIDSetNum(1), wholeBody)
	msg := cmd.Next()
	for item := msg.Next(); item != nil; item = msg.Next() {
		if b, ok := item.(imapclient.FetchItemDataBodySection); ok {
			if n, err := io.Copy(io.Discard, b.Literal); n != size || err != nil {
				t.Errorf("%d octets, %v", n, err)
			}
		}
	}
	if err := cmd.Close(); err != nil {
		t.Error(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("%d bytes allocated for a body of %d", used, size)
	}
	alive(t, c, cl)
}

func TestListAndStatusSurvive(t *testing.T) {
	c := dial(t, "LIST-STATUS LIST-EXTENDED", func(s *server) {
		tag := s.expect("LIST")
		s.write("* LIST (\\ \\HasChildren) \"\" \"R&D\"\r\n* STATUS \"R&D\" (MESSAGES 1)\r\n")
		s.write("* LIST (\\Marked) nil {5}\r\na \"b\"\r\n* STATUS {5}\r\na \"b\" (X-A (b) MESSAGES 3)\r\n* XLIST () \"/\" x\r\n")
		s.ok(tag)
		s.noop()
	})
	cl := client(t, c, nil)
	boxes, err := cl.List("", "*", &imap.ListOptions{ReturnStatus: &imap.StatusOptions{NumMessages: true}}).Collect()
	if err != nil || len(boxes) != 1 || boxes[0].Mailbox != `a "b"` || boxes[0].Delim != 0 || *boxes[0].Status.NumMessages != 3 {
		t.Errorf("got %+v, %v", boxes, err)
	}
	if !has(c.Notices(), wire.NoticeDropped, "LIST", "R&D") {
		t.Error("the skipped mailbox is not told")
	}
	alive(t, c, cl)
}

// TestSearchNotUnderstood: an answer that cannot be passed on must not read as
// "nothing found", which would look like deletions.
func TestSearchNotUnderstood(t *testing.T) {
	for _, answer := range []string{
		"* SEARCH 1 two 3", "* SEARCH 4294967296", "* SEARCH 4294967295",
		"* ESEARCH (TAG \"T1\") UID ALL 1:4294967295", "* ESEARCH (TAG \"T1\") UID ALL 1:*",
		"* ESEARCH (TAG \"T1\") ALL 1:3", "* ESEARCH (TAG \"T1\") UID ALL", "* ESEARCH (TAG \"T1\") UID ALL {70000}\r\n" + strings.Repeat("1", 70000),
	} {
		c := dial(t, "ESEARCH", func(s *server) {
			tag := s.expect("UID SEARCH RETURN (ALL) ALL")
			s.write("%s\r\n", answer)
			s.ok(tag)
			s.noop()
		})
		cl := client(t, c, nil)
		_, err := cl.UIDSearch(&imap.SearchCriteria{}, &imap.SearchOptions{ReturnAll: true}).Wait()
		var e *imap.Error
		if !errors.As(err, &e) || e.Type != "NO" {
			t.Errorf("%.60q: %v, want a NO", answer, err)
		}
		alive(t, c, cl)
	}
}

// TestSearchInParts: imapclient adds up what a server sends in several lines.
func TestSearchInParts(t *testing.T) {
	c := dial(t, "", func(s *server) {
		tag := s.expect("UID SEARCH ALL")
		s.write("* SEARCH\r\n* SEARCH 5 4\r\n* SEARCH 9 2\r\n* SEARCH\r\n")
		s.ok(tag)
		s.noop()
	})
	cl := client(t, c, nil)
	data, err := cl.UIDSearch(&imap.SearchCriteria{}, nil).Wait()
	if err != nil || fmt.Sprint(data.AllUIDs()) != "[2 4 5 9]" {
		t.Errorf("%v, %v", data.AllUIDs(), err)
	}
	alive(t, c, cl)
}

// TestLongSearch: a line far beyond MaxLine, unsorted.
func TestLongSearch(t *testing.T) {
	const n = 100_000
	c := dial(t, "", func(s *server) {
		tag := s.expect("UID SEARCH ALL")
		var b strings.Builder
		for i := n; i > 0; i-- {
			fmt.Fprintf(&b, " %d", 2*i)
		}
		s.write("* SEARCH%s\r\n", b.String())
		s.ok(tag)
		s.noop()
	}, func(o *wire.Options) { o.MaxLine = 64 << 10 })
	cl := client(t, c, nil)
	data, err := cl.UIDSearch(&imap.SearchCriteria{}, nil).Wait()
	if err != nil || len(data.AllUIDs()) != n {
		t.Errorf("%d UIDs, %v", len(data.AllUIDs()), err)
	}
	alive(t, c, cl)
}

func TestResponseCodesAreKept(t *testing.T) {
	c := dial(t, "UIDPLUS CONDSTORE", func(s *server) {
		s.write("%s OK [READ-ONLY] examined\r\n", s.expect("SELECT"))
		s.write("%s OK [MODIFIED 7,9] conditional\r\n", s.expect("UID STORE"))
		s.write("%s NO [TRYCREATE] no such mailbox\r\n", s.expect("UID COPY"))
		s.write("%s OK [APPENDUID 1 1:50] strange\r\n", s.expect("UID COPY"))
		s.write("%s NO [ INUSE ] wait\r\n", s.expect("UID COPY"))
		s.noop()
	})
	cl := client(t, c, nil)
	if _, err := cl.Select("a", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	set := imap.UIDSetNum(7)
	if err := cl.Store(set, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{"\\Seen"}}, &imap.StoreOptions{UnchangedSince: 5}).Close(); err != nil {
		t.Fatal(err)
	}
	code := func() imap.ResponseCode {
		_, err := cl.Copy(set, "b").Wait()
		var e *imap.Error
		errors.As(err, &e)
		if e == nil {
			return ""
		}
		return e.Code
	}
	if got := []imap.ResponseCode{code(), code(), code()}; fmt.Sprint(got) != "[TRYCREATE  INUSE]" {
		t.Errorf("codes %q", got)
	}
	notices := c.Notices()
	for _, want := range []wire.Notice{
		{Kind: wire.NoticeStatus, Tag: "T1", Name: "READ-ONLY", Text: "examined", Status: "OK", Human: "examined"},
		{Kind: wire.NoticeStatus, Tag: "T2", Name: "MODIFIED", Text: "7,9", Status: "OK", Human: "conditional"},
		{Kind: wire.NoticeStatus, Tag: "T3", Name: "TRYCREATE", Text: "no such mailbox", Status: "NO", Human: "no such mailbox"},
		{Kind: wire.NoticeStatus, Tag: "T4", Name: "APPENDUID", Text: "1 1:50", Status: "OK", Human: "strange"},
		{Kind: wire.NoticeStatus, Tag: "T5", Name: "INUSE", Text: "wait", Status: "NO", Human: "wait"},
	} {
		found := false
		for _, n := range notices {
			found = found || n == want
		}
		if !found {
			t.Errorf("no %+v in %+v", want, notices)
		}
	}
	if len(c.Notices()) != 0 {
		t.Error("Notices does not drain")
	}
	alive(t, c, cl)
}

func TestByeAndBad(t *testing.T) {
	for line, want := range map[string]string{
		"* BYE [UNAVAILABLE] going down for repairs": "going down for repairs",
		"* BAD something is wrong with you":          "something is wrong with you",
	} {
		c := dial(t, "", func(s *server) {
			s.expect("NOOP")
			s.write("%s\r\n", line)
			s.untilClosed() // it does not close, which imapclient alone would wait for
		})
		cl := client(t, c, nil)
		if err := cl.Noop().Wait(); err == nil {
			t.Error("NOOP succeeded")
		}
		fails(t, c, wire.KindBye, want)
	}
}

func TestLogout(t *testing.T) {
	c := dial(t, "", func(s *server) {
		s.write("* BYE see you\r\n%s OK bye\r\n", s.expect("LOGOUT"))
	})
	cl := client(t, c, nil)
	if err := cl.Logout().Wait(); err != nil {
		t.Error(err)
	}
	<-cl.Closed()
	if c.Err() != nil {
		t.Errorf("Err() = %v after LOGOUT", c.Err())
	}
	if !has(c.Notices(), wire.NoticeBye, "BYE", "see you") {
		t.Error("the farewell is not kept")
	}
}

func TestSilenceAfterCommand(t *testing.T) {
	c := dial(t, "", func(s *server) { s.untilClosed() }, func(o *wire.Options) { o.Timeout = time.Second })
	cl := client(t, c, nil)
	if err := cl.Noop().Wait(); err == nil {
		t.Error("NOOP succeeded")
	}
	fails(t, c, wire.KindTimeout, "")
}

func TestLimits(t *testing.T) {
	for name, answer := range map[string]string{
		"line":          "* OK " + strings.Repeat("x", 70_000) + "\r\n",
		"endless line":  "* LIST " + strings.Repeat("x", 1<<20),
		"literal":       "* 1 FETCH (UID 1 BODY[] {20000000}\r\n",
		"list literal":  "* LIST () \"/\" {20000000}\r\n",
		"literal 2^63":  "* 1 FETCH (UID 1 BODY[] {9223372036854775807}\r\n",
		"literal 2^99":  "* 1 FETCH (UID 1 BODY[] {633825300114114700748351602688}\r\n",
		"fetch in many": "* 1 FETCH (" + strings.Repeat("X "+strings.Repeat("y", 1000)+" {1}\r\nz ", 100) + ")\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, "", func(s *server) {
				s.expect("NOOP")
				s.write("%s", answer)
				s.untilClosed()
			}, func(o *wire.Options) { o.MaxLine, o.MaxLiteral = 64<<10, 10<<20 })
			cl := client(t, c, nil)
			if err := cl.Noop().Wait(); err == nil {
				t.Error("NOOP succeeded")
			}
			fails(t, c, wire.KindLimit, "more than")
		})
	}
}

func TestAbort(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	c := dial(t, "", func(s *server) {
		s.expect("NOOP")
		cancel(errors.New("enough of this"))
		s.untilClosed()
	})
	defer c.AbortOn(ctx)()
	cl := client(t, c, nil)
	if err := cl.Noop().Wait(); err == nil {
		t.Error("NOOP succeeded")
	}
	fails(t, c, wire.KindAborted, "enough of this")
	c.Abort(errors.New("again"))
	fails(t, c, wire.KindAborted, "enough of this")
}

func TestCloseIsNoFailure(t *testing.T) {
	c := dial(t, "", func(s *server) { s.untilClosed() })
	cl := client(t, c, nil)
	if err := cl.Close(); err != nil {
		t.Error(err)
	}
	if c.Err() != nil {
		t.Error(c.Err())
	}
}

// TestIdle: the continuation, data while idle, DONE, and a late unasked "+".
func TestIdle(t *testing.T) {
	told := make(chan uint32, 1)
	c := dial(t, "IDLE", func(s *server) {
		tag := s.expect("IDLE")
		s.write("+ idling\r\n+ again\r\n* OK Still here\r\n* 4 EXISTS\r\n")
		if got := s.line(); got != "DONE" {
			s.t.Errorf("client sent %q", got)
		}
		s.ok(tag)
		s.noop()
	})
	cl := client(t, c, &imapclient.UnilateralDataHandler{Mailbox: func(d *imapclient.UnilateralDataMailbox) {
		if d.NumMessages != nil {
			told <- *d.NumMessages
		}
	}})
	cmd, err := cl.Idle()
	if err != nil {
		t.Fatal(err)
	}
	if n := <-told; n != 4 {
		t.Errorf("EXISTS %d", n)
	}
	if err := cmd.Close(); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	alive(t, c, cl)
}

// TestNoticesAreBounded: a flood keeps the latest.
func TestNoticesAreBounded(t *testing.T) {
	c := dial(t, "", func(s *server) {
		tag := s.expect("NOOP")
		for i := range 5000 {
			s.write("* X%d data\r\n", i)
		}
		s.ok(tag)
		s.noop()
	})
	cl := client(t, c, nil)
	if err := cl.Noop().Wait(); err != nil {
		t.Fatal(err)
	}
	notices := c.Notices()
	if len(notices) != 1024 || notices[1023].Name != "X4999" {
		t.Errorf("%d notices, the last %+v", len(notices), notices[len(notices)-1])
	}
	alive(t, c, cl)
}

func TestStatsAndTrace(t *testing.T) {
	var trace []string
	c := dial(t, "", func(s *server) {
		s.ok(s.expect("NOOP"))
		s.noop()
	}, func(o *wire.Options) {
		o.Trace = func(fromServer bool, line string) { trace = append(trace, fmt.Sprintf("%v %s", fromServer, line)) }
	})
	before := c.Stats()
	if before.Commands != 2 || before.Turnarounds != 2 {
		t.Errorf("after login %+v", before)
	}
	cl := client(t, c, nil)
	cl.Noop().Wait()
	alive(t, c, cl)
	after := c.Stats()
	if after.Commands != 4 || after.Turnarounds != 4 || after.BytesOut-before.BytesOut != int64(len("T1 NOOP\r\nT2 NOOP\r\n")) ||
		after.BytesIn-before.BytesIn != int64(len("T1 OK done\r\nT2 OK done\r\n")) {
		t.Errorf("before %+v, after %+v", before, after)
	}
	c.Abort(errors.New("no more"))
	<-cl.Closed()
	text := strings.Join(trace, "\n")
	noSecret(t, text)
	for _, want := range []string{"true * OK [CAPABILITY", "false A1 AUTHENTICATE [redacted]", "false T1 NOOP", "true T1 OK done"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the trace:\n%s", want, text)
		}
	}
}

// bytewise delivers and accepts single bytes.
type bytewise struct{ net.Conn }

func (b bytewise) Read(p []byte) (int, error) { return b.Conn.Read(p[:min(1, len(p))]) }

func (b bytewise) Write(p []byte) (int, error) {
	for i := range p {
		if n, err := b.Conn.Write(p[i : i+1]); err != nil {
			return i + n, err
		}
	}
	return len(p), nil
}

// TestCutAnywhere plays a session whose every byte travels alone.
func TestCutAnywhere(t *testing.T) {
	c := dial(t, "LITERAL+ ID", session, func(o *wire.Options) {
		o.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			return bytewise{conn}, err
		}
		o.AllowPlain = true
	})
	playSession(t, c)
}

func session(s *server) {
	tag := s.expect("SELECT INBOX")
	s.write("* FLAGS (\\Seen a]b)\r\n* 2 EXISTS\r\n* OK [UIDNEXT 9] x\r\n%s OK [READ-WRITE] done\r\n", tag)
	tag = s.expect("UID FETCH")
	s.write("* 1 FETCH (UID 1 EMAILID ({2}\r\n)( x) BODY[] {7}\r\nab)\r\nc) FLAGS (\\Seen))\r\n* 2 FETCH (BODY[] {2}\r\nxy UID 2)\r\n%s OK done\r\n", tag)
	tag = s.expect("APPEND INBOX {5000+}")
	if got := s.octets(5002); got != strings.Repeat("m", 5000)+"\r\n" {
		s.t.Errorf("message of %d octets arrived wrong", len(got))
	}
	s.write("%s OK [APPENDUID 5 9] done\r\n", tag)
	s.noop()
}

func playSession(t *testing.T, c *wire.Conn) {
	t.Helper()
	cl := client(t, c, nil)
	if data, err := cl.Select("INBOX", nil).Wait(); err != nil || data.NumMessages != 2 || data.UIDNext != 9 {
		t.Errorf("SELECT: %+v, %v", data, err)
	}
	msgs, err := cl.Fetch(imap.UIDSetNum(1, 2), wholeBody).Collect()
	if err != nil || len(msgs) != 2 || string(msgs[0].BodySection[0].Bytes) != "ab)\r\nc)" || string(msgs[1].BodySection[0].Bytes) != "xy" {
		t.Errorf("FETCH: %+v, %v", msgs, err)
	}
	if data, err := appendMessage(cl, strings.Repeat("m", 5000)); err != nil || data.UID != 9 {
		t.Errorf("APPEND: %+v, %v", data, err)
	}
	alive(t, c, cl)
}

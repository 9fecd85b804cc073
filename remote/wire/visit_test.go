package wire_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"imapsync/remote/wire"
)

// commands reads so many commands, before any of them is answered.
func (s *server) commands(n int) (tags, texts []string) {
	for range n {
		tag, text, _ := strings.Cut(s.line(), " ")
		tags, texts = append(tags, tag), append(texts, text)
	}
	return tags, texts
}

// lines writes lines; $n stands for the n-th tag.
func (s *server) lines(tags []string, lines ...string) {
	text := strings.Join(lines, "\r\n") + "\r\n"
	for i, tag := range tags {
		text = strings.ReplaceAll(text, fmt.Sprint("$", i), tag)
	}
	s.write("%s", text)
}

// visit sends a visit. What it is told is complete once Wait has returned.
func visit(c *wire.Conn, mailbox string, ask ...string) (*wire.Visit, *[]wire.Message) {
	var told []wire.Message
	v := &wire.Visit{Mailbox: mailbox, Ask: ask, Told: func(m wire.Message) { told = append(told, m) }}
	c.Visit(v)
	return v, &told
}

func mustWait(t *testing.T, visits ...*wire.Visit) {
	t.Helper()
	for _, v := range visits {
		if err := v.Wait(); err != nil {
			t.Fatalf("%s: %v", v.Mailbox, err)
		}
	}
}

// flagsTold writes what was told as "1:a 2:b".
func flagsTold(told *[]wire.Message) string {
	var all []string
	for _, m := range *told {
		all = append(all, fmt.Sprint(m.UID, ":", strings.Join(m.Flags, ",")))
	}
	return strings.Join(all, " ")
}

const fetchFlags = "UID FETCH 1:3 (UID FLAGS)"

// TestVisitsApart: what a server says of one mailbox, asked for or not, never
// counts for the one visited before or after it, whenever it says so.
func TestVisitsApart(t *testing.T) {
	ofB := []string{"* 2 EXISTS", "* FLAGS (b)", "* OK [PERMANENTFLAGS (b)] ok", "* OK [UIDVALIDITY 2] ok", "* OK [UIDNEXT 3] ok", "* OK [HIGHESTMODSEQ 20] ok"}
	for name, c := range map[string]struct {
		selects []string // B's answer
		want    wire.Box
	}{
		"no CLOSED": {ofB, wire.Box{Flags: []string{"b"}, Permanent: []string{"b"}, AnyPermanent: true, UIDValidity: 2, UIDNext: 3, Messages: 2, Exists: 1, HighestModSeq: 20}},
		"CLOSED": {[]string{"* OK [CLOSED] left", "* 2 EXISTS", "* OK [UIDVALIDITY 2] ok"},
			wire.Box{UIDValidity: 2, Messages: 2, Exists: 1}},
		"CLOSED late": {append(slices.Clone(ofB), "* 3 FETCH (UID 3 FLAGS (early))"),
			wire.Box{Flags: []string{"b"}, Permanent: []string{"b"}, AnyPermanent: true, UIDValidity: 2, UIDNext: 3, Messages: 2, Exists: 1, HighestModSeq: 20}},
	} {
		t.Run(name, func(t *testing.T) {
			wc := dial(t, "", func(s *server) {
				tags, _ := s.commands(4)
				s.lines(tags, "* 2 FETCH (UID 2 FLAGS (of-none))", "* 7 EXISTS", "* 3 EXISTS", "* FLAGS (a)", "* OK [PERMANENTFLAGS (a)] ok",
					"* OK [UIDVALIDITY 1] ok", "* OK [UIDNEXT 4] ok", "* OK [HIGHESTMODSEQ 10] ok", "$0 OK [READ-WRITE] in",
					"* 1 FETCH (UID 1 FLAGS (a1))", "* 2 FETCH (UID 2 FLAGS (a2))", "* 4 EXISTS", "* FLAGS (grown)", "* 2 FETCH (UID 2 FLAGS (unasked))", "$1 OK done",
					"* 2 FETCH (UID 2 FLAGS (late))", "* 9 EXISTS", "* 1 EXPUNGE", "* FLAGS (late)", "* OK [PERMANENTFLAGS (late)] ok",
					"* OK [UIDNEXT 77] ok", "* OK [HIGHESTMODSEQ 99] ok")
				s.lines(tags, append(c.selects, "* 1 FETCH (UID 1 FLAGS (later))", "$2 OK [READ-WRITE] in",
					"* 1 FETCH (UID 1 FLAGS (b1))", "* 2 FETCH (UID 2 FLAGS (b2))", "* 1 EXPUNGE", "$3 OK done")...)
				s.noop()
			})
			cl := client(t, wc, nil)
			a, toldA := visit(wc, "A", fetchFlags)
			b, toldB := visit(wc, "B", fetchFlags)
			mustWait(t, a, b)
			if got, want := flagsTold(toldA), "1:a1 2:a2 2:unasked"; got != want {
				t.Errorf("A was told %q, want %q", got, want)
			}
			if got, want := flagsTold(toldB), "1:b1 2:b2"; got != want {
				t.Errorf("B was told %q, want %q", got, want)
			}
			in := wire.Answer{Status: "OK", Code: "READ-WRITE", Text: "in"}
			want := wire.Box{Answer: in, Flags: []string{"a"}, Permanent: []string{"a"}, AnyPermanent: true, UIDValidity: 1, UIDNext: 4, Messages: 3, Exists: 4, HighestModSeq: 10}
			if got := a.Box(); !reflect.DeepEqual(got, want) {
				t.Errorf("A: %+v", got)
			}
			c.want.Answer = in
			if got := b.Box(); !reflect.DeepEqual(got, c.want) {
				t.Errorf("B: %+v\nwant %+v", got, c.want)
			}
			if a.Reply(0).Status != "OK" || b.Reply(0).Status != "OK" {
				t.Errorf("replies %+v, %+v", a.Reply(0), b.Reply(0))
			}
			alive(t, wc, cl)
		})
	}
}

// TestVisitRefused: a server may stay where it was after a SELECT that it refused,
// and answer from there.
func TestVisitRefused(t *testing.T) {
	c := dial(t, "", func(s *server) {
		tags, _ := s.commands(7)
		s.lines(tags, "* 1 EXISTS", "$0 OK in", "* 1 FETCH (UID 1 FLAGS (a))", "$1 OK done",
			"$2 NO [INUSE] not now", "* 1 FETCH (UID 1 FLAGS (of-A))", "$3 OK done", "* SEARCH 1", "* 2 EXISTS", "$4 OK done",
			"* 5 EXISTS", "$5 OK in", "* 1 FETCH (UID 1 FLAGS (c))", "$6 OK done")
		s.noop()
	})
	cl := client(t, c, nil)
	one, toldOne := visit(c, "A", fetchFlags)
	two, toldTwo := visit(c, "B", fetchFlags, "UID SEARCH ALL")
	three, toldThree := visit(c, "C", fetchFlags)
	mustWait(t, one, two, three)
	if got := flagsTold(toldTwo); got != "" {
		t.Errorf("of the mailbox that was refused %q was told", got)
	}
	if got := two.Box().Answer; got.Status != "NO" || got.Code != "INUSE" || got.Text != "not now" {
		t.Errorf("answer %+v", got)
	}
	if a, b := flagsTold(toldOne), flagsTold(toldThree); a != "1:a" || b != "1:c" || one.Box().Exists != 1 || three.Box().Exists != 5 {
		t.Errorf("told %q, %q, boxes %+v, %+v", a, b, one.Box(), three.Box())
	}
	alive(t, c, cl)
}

// TestVisitsCutShort: whatever ends the connection ends every visit that has not
// all its answers, and no other.
func TestVisitsCutShort(t *testing.T) {
	for name, end := range map[string]func(s *server, c *wire.Conn){
		"lost":             func(s *server, c *wire.Conn) { s.conn.Close() },
		"BYE":              func(s *server, c *wire.Conn) { s.write("* BYE going down\r\n"); s.untilClosed() },
		"BAD":              func(s *server, c *wire.Conn) { s.write("* BAD what\r\n"); s.untilClosed() },
		"aborted":          func(s *server, c *wire.Conn) { c.Abort(context.Canceled); s.untilClosed() },
		"closed":           func(s *server, c *wire.Conn) { c.Close(); s.untilClosed() },
		"lost in a FETCH":  func(s *server, c *wire.Conn) { s.write("* 2 FETCH (UID 2 FL"); s.conn.Close() },
		"BYE in a literal": func(s *server, c *wire.Conn) { s.write("* 2 FETCH (UID 2 BODY[] {100}\r\n* BYE\r\n"); s.conn.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			ready := make(chan *wire.Conn, 1)
			c := dial(t, "", func(s *server) {
				tags, _ := s.commands(6)
				s.lines(tags, "* 1 EXISTS", "$0 OK in", "* 1 FETCH (UID 1 FLAGS (a))", "$1 OK done", "* 1 EXISTS", "$2 OK in", "* 1 FETCH (UID 1 FLAGS (b))")
				end(s, <-ready)
			})
			client(t, c, nil)
			one, told := visit(c, "A", fetchFlags)
			two, _ := visit(c, "B", fetchFlags)
			three, _ := visit(c, "C", fetchFlags)
			mustWait(t, one)
			errs := make(chan error)
			for _, v := range []*wire.Visit{two, three} {
				go func() { errs <- v.Wait() }()
			}
			ready <- c
			for range 2 {
				if err := <-errs; err == nil {
					t.Error("a visit without its answers ended well")
				}
			}
			if err := one.Wait(); err != nil || flagsTold(told) != "1:a" {
				t.Errorf("the visit that was answered: %v, told %q", err, flagsTold(told))
			}
			late, _ := visit(c, "D")
			if err := late.Wait(); err == nil {
				t.Error("a visit over a connection that has ended ended well")
			}
		})
	}
}

// TestVisitorsSearch: each search gets its own answer, in whatever form, and one
// that could not be understood is no OK.
func TestVisitorsSearch(t *testing.T) {
	const first, second = "1-3", "5-5 7-9"
	for name, c := range map[string]struct {
		answer []string
		a, b   string // "" where the answer must not count
	}{
		"SEARCH":                {[]string{"* SEARCH 3 1 2", "$1 OK a", "$2 OK in", "* SEARCH 7 9 8 5", "$3 OK b"}, first, second},
		"SEARCH in pieces":      {[]string{"* SEARCH 3", "* SEARCH 1 2", "$1 OK a", "$2 OK in", "* SEARCH 5", "* SEARCH", "* SEARCH 7 8 9", "$3 OK b"}, first, second},
		"by tag":                {[]string{`* ESEARCH (TAG "$1") UID ALL 1:3`, "$1 OK a", "$2 OK in", `* ESEARCH (TAG "$3") UID ALL 5,7:9`, "$3 OK b"}, first, second},
		"by tag, the other way": {[]string{"$2 OK in", `* ESEARCH (TAG "$3") UID ALL 5,7:9`, "$3 OK b", `* ESEARCH (TAG "$1") UID ALL 1:3`, "$1 OK a"}, first, second},
		"without a tag":         {[]string{"* ESEARCH UID ALL 1:3", "$1 OK a", "$2 OK in", "* ESEARCH UID ALL 5,7:9", "$3 OK b"}, first, second},
		"nothing":               {[]string{"$1 OK a", "$2 OK in", `* ESEARCH (TAG "$3") UID`, "$3 OK b"}, "none", "none"},
		"refused":               {[]string{"$1 NO a", "$2 OK in", "* SEARCH 5 7 8 9", "$3 OK b"}, "", second},
		"no number":             {[]string{"* SEARCH 1 2 x", "$1 OK a", "$2 OK in", "$3 OK b"}, "", ""},
		"a star":                {[]string{`* ESEARCH (TAG "$1") UID ALL 1:*`, "$1 OK a", "$2 OK in", "$3 OK b"}, "", ""},
		"absurdly many":         {[]string{`* ESEARCH (TAG "$1") UID ALL 1:4000000000`, "$1 OK a", "$2 OK in", "$3 OK b"}, "", ""},
		"nobody's tag":          {[]string{`* ESEARCH (TAG "zz") UID ALL 1:3`, "$1 OK a", "$2 OK in", "$3 OK b"}, "", ""},
		"too many in pieces": {[]string{`* ESEARCH (TAG "$1") UID ALL 1:10000000`, `* ESEARCH (TAG "$1") UID ALL 20000000:30000000`, "$1 OK a",
			"$2 OK in", "* SEARCH 5 7 8 9", "$3 OK b"}, "", second},
		"no UIDs": {[]string{`* ESEARCH (TAG "$1") ALL 1:3`, "$1 OK a", "$2 OK in", "$3 OK b"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			wc := dial(t, "ESEARCH", func(s *server) {
				tags, _ := s.commands(4)
				s.lines(tags, append([]string{"$0 OK in"}, c.answer...)...)
				s.noop()
			})
			cl := client(t, wc, nil)
			a, _ := visit(wc, "A", "UID SEARCH ALL")
			b, _ := visit(wc, "B", "UID SEARCH ALL")
			mustWait(t, a, b)
			for want, r := range map[*string]wire.Reply{&c.a: a.Reply(0), &c.b: b.Reply(0)} {
				if got := foundBy(r); got != *want {
					t.Errorf("found %q (%+v), want %q", got, r, *want)
				}
			}
			alive(t, wc, cl)
		})
	}
}

func foundBy(r wire.Reply) string {
	if r.Status != "OK" {
		return ""
	}
	var all []string
	n := uint64(0)
	for _, found := range r.Found {
		all = append(all, fmt.Sprintf("%d-%d", found.From, found.To))
		n += uint64(found.To-found.From) + 1
	}
	switch {
	case n != r.Count:
		return fmt.Sprint("wrong count ", r.Count)
	case n == 0:
		return "none"
	}
	return strings.Join(all, " ")
}

// TestVisitBox: what a SELECT tells of the mailbox.
func TestVisitBox(t *testing.T) {
	for name, c := range map[string]struct {
		answer   []string
		readOnly bool
		want     wire.Box
	}{
		"writable": {[]string{`* FLAGS (\Seen \Answered work)`, `* OK [PERMANENTFLAGS (\Seen \*)] x`, "* OK [UNSEEN 3] x", "* 0 RECENT", "$0 OK [READ-WRITE] in"}, false,
			wire.Box{Answer: wire.Answer{Code: "READ-WRITE"}, Flags: []string{`\Seen`, `\Answered`, "work"}, Permanent: []string{`\Seen`, `\*`}, AnyPermanent: true}},
		"no flag to store": {[]string{"* OK [PERMANENTFLAGS ()] x", "$0 OK in"}, false, wire.Box{Permanent: []string{}, AnyPermanent: true}},
		"read-only":        {[]string{"$0 OK [READ-ONLY] in"}, false, wire.Box{Answer: wire.Answer{Code: "READ-ONLY"}, ReadOnly: true}},
		"examined":         {[]string{"$0 OK [READ-ONLY] in"}, true, wire.Box{Answer: wire.Answer{Code: "READ-ONLY"}}},
		"NOMODSEQ":         {[]string{"* OK [HIGHESTMODSEQ 5] of what was left", "* OK [NOMODSEQ] x", "$0 OK in"}, false, wire.Box{}},
		"numbers":          {[]string{"* 4294967295 EXISTS", "* OK [UIDVALIDITY 4294967295] x", "* OK [UIDNEXT 4294967295] x", "* OK [HIGHESTMODSEQ 9223372036854775807] x", "$0 OK in"}, false, wire.Box{UIDValidity: 1<<32 - 1, UIDNext: 1<<32 - 1, Messages: 1<<32 - 1, Exists: 1<<32 - 1, HighestModSeq: 1<<63 - 1}},
		"no numbers":       {[]string{"* -1 EXISTS", "* OK [UIDVALIDITY 4294967296] x", "* OK [UIDNEXT x] x", "* OK [HIGHESTMODSEQ] x", "$0 OK in"}, false, wire.Box{}},
		"odd flags":        {[]string{`* FLAGS (a] "b" ok)`, `* OK [PERMANENTFLAGS (a] ok)] x`, "$0 OK in"}, false, wire.Box{Flags: []string{"ok"}, Permanent: []string{"ok"}, AnyPermanent: true}},
		"gone meanwhile":   {[]string{"* 1 EXISTS", "$0 OK in", "* 1 EXPUNGE", "* 1 EXPUNGE"}, false, wire.Box{Messages: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			wc := dial(t, "", func(s *server) {
				tags, _ := s.commands(2)
				s.lines(tags, append(c.answer, "$1 OK done")...)
				s.noop()
			})
			cl := client(t, wc, nil)
			v := &wire.Visit{Mailbox: "A", ReadOnly: c.readOnly, Ask: []string{fetchFlags}, Told: func(wire.Message) {}}
			wc.Visit(v)
			mustWait(t, v)
			got := v.Box()
			c.want.Status, c.want.Text = "OK", "in"
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v\nwant %+v", got, c.want)
			}
			alive(t, wc, cl)
		})
	}
}

// TestVisitNames: how the mailbox is named in the SELECT.
func TestVisitNames(t *testing.T) {
	for _, c := range []struct {
		visit wire.Visit
		want  string
	}{
		{wire.Visit{Mailbox: "inbox"}, `SELECT "INBOX"`},
		{wire.Visit{Mailbox: "Entwürfe", CondStore: true}, `SELECT "Entw&APw-rfe" (CONDSTORE)`},
		{wire.Visit{Mailbox: `a "b" \c`, ReadOnly: true}, `EXAMINE "a \"b\" \\c"`},
		{wire.Visit{Mailbox: "R&D/日本語", ReadOnly: true, CondStore: true}, `EXAMINE "R&-D/&ZeVnLIqe-" (CONDSTORE)`},
	} {
		sent := make(chan string, 1)
		wc := dial(t, "", func(s *server) {
			tags, texts := s.commands(1)
			sent <- texts[0]
			s.ok(tags[0])
			s.noop()
		})
		cl := client(t, wc, nil)
		wc.Visit(&c.visit)
		mustWait(t, &c.visit)
		if got := <-sent; got != c.want {
			t.Errorf("sent %q, want %q", got, c.want)
		}
		alive(t, wc, cl)
	}
}

// TestVisitMessages: what a FETCH tells is read from amid what was not asked for,
// and what is inside a literal is no response.
func TestVisitMessages(t *testing.T) {
	literal := func(text string) string { return fmt.Sprintf("{%d}\r\n%s", len(text), text) }
	evil := ")\r\n* 9 FETCH (UID 9 FLAGS (evil))\r\n$1 OK done\r\n* BYE\r\n"
	c := dial(t, "", func(s *server) {
		tags, _ := s.commands(2)
		s.lines(tags, "* 8 EXISTS", "$0 OK in",
			`* 1 FETCH (MODSEQ (12) RFC822.SIZE 7 INTERNALDATE " 1-Feb-2024 10:00:00 +0000" FLAGS (\Seen work) UID 1)`,
			`* 2 FETCH (UID 2 BODY[HEADER] `+literal(evil)+` FLAGS (after))`,
			`* 3 FETCH (BODY[] `+literal("x")+` ENVELOPE ("d" `+literal(evil)+` ("a" NIL)) FLAGS () UID 3)`,
			`* 4 FETCH (FLAGS (nobody))`,
			`* 5 FETCH (UID 5 FLAGS (\Seen)`,
			`* 6 FETCH (UID 6 BODY[] "short" RFC822.SIZE 5)`,
			`* 0 FETCH (UID 7 FLAGS (zero))`,
			"$1 OK done")
		s.noop()
	})
	cl := client(t, c, nil)
	v, told := visit(c, "A", fetchFlags)
	mustWait(t, v)
	got := *told
	for i := range got {
		if !got[i].Date.IsZero() {
			if text := got[i].Date.UTC().Format("2006-01-02 15:04"); text != "2024-02-01 10:00" {
				t.Errorf("date %s", text)
			}
			got[i].Date = got[0].Date
		}
	}
	want := []wire.Message{
		{UID: 1, Flags: []string{`\Seen`, "work"}, HasFlags: true, Size: 7, HasSize: true, Date: got[0].Date},
		{UID: 2, Flags: []string{"after"}, HasFlags: true},
		{UID: 3, Flags: []string{}, HasFlags: true},
		{UID: 6, Size: 5, HasSize: true},
	}
	if got[0].Date.IsZero() || !reflect.DeepEqual(got, want) {
		t.Errorf("told %+v\nwant %+v", got, want)
	}
	if v.Reply(0).Status != "OK" || v.Box().Exists != 8 {
		t.Errorf("%+v, %+v", v.Box(), v.Reply(0))
	}
	alive(t, c, cl)
}

// TestVisitBehindChanges: commands of imapclient that a visit follows get their
// answers, and the visit nothing of what belongs to them.
func TestVisitBehindChanges(t *testing.T) {
	c := dial(t, "UIDPLUS MOVE", func(s *server) {
		tags, _ := s.commands(1)
		s.lines(tags, "* 5 EXISTS", "* OK [UIDVALIDITY 1] ok", "$0 OK in")
		tags, texts := s.commands(5)
		for i, want := range []string{"UID STORE", "UID MOVE", "UID EXPUNGE", "SELECT", "UID FETCH"} {
			if !strings.HasPrefix(texts[i], want) {
				s.t.Errorf("command %d is %q", i, texts[i])
			}
		}
		s.lines(tags, "* 1 FETCH (UID 1 FLAGS (stored))", "$0 OK stored",
			"* OK [COPYUID 7 2:3 12:13] moved", "* 3 EXPUNGE", "* 2 EXPUNGE", "* 3 FETCH (UID 3 FLAGS (of-A))", "* 3 EXISTS", "$1 OK moved",
			"* 2 EXPUNGE", "$2 OK [HIGHESTMODSEQ 88] expunged",
			"* 2 FETCH (UID 2 FLAGS (of-A))", "* OK [CLOSED] left", "* 4 EXISTS", "* OK [UIDVALIDITY 2] ok", "$3 OK in", "* 1 FETCH (UID 1 FLAGS (of-B))", "$4 OK done")
		s.noop()
	})
	cl := client(t, c, nil)
	if _, err := cl.Select("A", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	store := cl.Store(imap.UIDSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{"stored"}}, nil)
	move := cl.Move(imap.UIDSetNum(2, 3), "Trash")
	expunge := cl.UIDExpunge(imap.UIDSetNum(4))
	v, told := visit(c, "B", fetchFlags)
	stored, err := store.Collect()
	if err != nil || len(stored) != 1 || stored[0].UID != 1 || !slices.Equal(stored[0].Flags, []imap.Flag{"stored"}) {
		t.Errorf("STORE: %v, %+v", err, stored)
	}
	if data, err := move.Wait(); err != nil || data.UIDValidity != 7 || data.SourceUIDs.String() != "2:3" || data.DestUIDs.String() != "12:13" {
		t.Errorf("MOVE: %v, %+v", err, data)
	}
	if err := expunge.Close(); err != nil {
		t.Errorf("UID EXPUNGE: %v", err)
	}
	mustWait(t, v)
	if box := v.Box(); flagsTold(told) != "1:of-B" || box.Messages != 4 || box.Exists != 4 || box.UIDValidity != 2 || box.HighestModSeq != 0 {
		t.Errorf("told %q, %+v", flagsTold(told), box)
	}
	if !has(c.Notices(), wire.NoticeStatus, "COPYUID", "7 2:3 12:13") {
		t.Error("the order of the COPYUID is lost")
	}
	alive(t, c, cl)
}

// TestVisitHoldsCompressionBack: what is on its way cannot be compressed from its
// middle on.
func TestVisitHoldsCompressionBack(t *testing.T) {
	asked := make(chan struct{})
	c := dial(t, "COMPRESS=DEFLATE", func(s *server) {
		tags, _ := s.commands(1)
		<-asked
		s.ok(tags[0])
		s.noop()
	}, func(o *wire.Options) { o.Compress = wire.CompressAlways })
	cl := client(t, c, nil)
	v, _ := visit(c, "A")
	c.Compress(t.Context())
	close(asked)
	mustWait(t, v)
	if c.Compressed() {
		t.Error("compressed")
	}
	alive(t, c, cl)
}

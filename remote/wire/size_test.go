package wire_test

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"imapsync/remote/wire"
)

// held watches how much memory is in use while a server floods the client.
type held struct {
	before uint64
	most   atomic.Uint64
}

func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// look takes the least of three measurements: what others allocate in between
// is not held.
func (h *held) look() {
	if now := min(inUse(), inUse(), inUse()); now > h.before+h.most.Load() {
		h.most.Store(now - h.before)
	}
}

// endless writes the block for ever, looking at the memory now and then.
func (h *held) endless(s *server, block string) {
	for written := 0; ; written += len(block) {
		if written >= 3<<20 {
			h.look()
			written = 0
		}
		if _, err := io.WriteString(s.conn, block); err != nil {
			return
		}
	}
}

// ask sends the command whose answer has no end.
func ask(cl *imapclient.Client, command string) error {
	switch command {
	case "LIST":
		_, err := cl.List("", "*", nil).Collect()
		return err
	case "SELECT":
		_, err := cl.Select("INBOX", nil).Wait()
		return err
	case "UID SEARCH":
		_, err := cl.UIDSearch(&imap.SearchCriteria{}, nil).Wait()
		return err
	case "UID FETCH":
		cmd := cl.Fetch(imap.UIDSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{UID: true, Flags: true})
		for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
			for msg.Next() != nil {
			}
		}
		return cmd.Close()
	}
	return cl.Noop().Wait()
}

// TestEndlessAnswers: no stream that never ends is gathered beyond its bound.
// The whole text is bounded at a few MiB here, at 1 GiB otherwise; what is kept
// must be less, but for what imapclient gathers: mailboxes.
func TestEndlessAnswers(t *testing.T) {
	const mib = 1 << 20
	var numbers, flags strings.Builder
	for i := range 9000 {
		fmt.Fprintf(&numbers, " %d", 2*i+1)
		fmt.Fprintf(&flags, " k%d", i)
	}
	for _, c := range []struct {
		name, command, block string
		most                 uint64
	}{
		{"blank lines", "NOOP", "\r\n", 28 * mib},
		{"unknown", "NOOP", "* XFOO " + strings.Repeat("x", 2000) + "\r\n", 28 * mib},
		{"copyuid", "NOOP", "* OK [COPYUID 1 " + strings.TrimSuffix(strings.Repeat("1,", 20000), ",") + " " + strings.TrimSuffix(strings.Repeat("1,", 20000), ",") + "] x\r\n", 28 * mib},
		{"words", "NOOP", "* OK Still here\r\n", 28 * mib},
		{"alerts", "NOOP", "* NO [ALERT] " + strings.Repeat("w", 3000) + "\r\n", 28 * mib},
		{"exists", "NOOP", "* 5 EXISTS\r\n", 28 * mib},
		{"plus", "NOOP", "+ go\r\n", 28 * mib},
		{"tags", "NOOP", "X1 OK x\r\n", 28 * mib},
		{"flags", "SELECT", "* FLAGS (" + flags.String() + ")\r\n", 28 * mib},
		{"permanent flags", "SELECT", "* OK [PERMANENTFLAGS (" + flags.String() + ")] x\r\n", 28 * mib},
		{"values", "NOOP", "* FLAGS (" + strings.Repeat("a ", 500_000) + ")\r\n", 40 * mib},
		{"lists", "NOOP", "* NAMESPACE (" + strings.Repeat("()", 500_000) + ")\r\n", 40 * mib},
		{"values of esearch", "UID SEARCH", "* ESEARCH UID" + strings.Repeat(" a", 3<<20) + "\r\n", 64 * mib},
		{"status", "LIST", "* STATUS a (MESSAGES 1)\r\n", 28 * mib},
		{"fetch", "UID FETCH", "* 1 FETCH (UID 1 FLAGS (a b c d))\r\n", 28 * mib},
		{"fetch of many flags", "UID FETCH", "* 1 FETCH (UID 1 FLAGS (" + flags.String() + "))\r\n", 28 * mib},
		{"fetch unasked", "NOOP", "* 1 FETCH (UID 1 FLAGS (a b c d))\r\n", 28 * mib},
		{"search", "UID SEARCH", "* SEARCH" + numbers.String() + "\r\n", 28 * mib},
		{"esearch", "UID SEARCH", "* ESEARCH UID ALL" + strings.ReplaceAll(numbers.String(), " ", ",")[1:] + "\r\n", 28 * mib},
		{"list", "LIST", "* LIST (\\HasNoChildren) \"/\" \"" + strings.Repeat("n", 60) + "\"\r\n", 128 * mib},
		{"list of attributes", "LIST", "* LIST (" + strings.Repeat(` \A`, 9000) + ") \"/\" a\r\n", 64 * mib},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &held{before: inUse()}
			o := func(o *wire.Options) {
				if o.MaxAnswer = endlessText; len(c.block) < 80 { // whoever kept short ones would need many times their length
					o.MaxAnswer /= 8
				}
			}
			conn := dial(t, "ESEARCH", func(s *server) {
				s.line()
				h.endless(s, strings.Repeat(c.block, 1+(64<<10)/len(c.block)))
			}, o)
			if err := ask(client(t, conn, nil), c.command); err == nil {
				t.Error("the command succeeded")
			}
			fails(t, conn, wire.KindLimit, "more than")
			if most := h.most.Load(); most > c.most {
				t.Errorf("%d MiB were held, more than %d", most/mib, c.most/mib)
			}
		})
	}
}

// TestHugeLiterals: a literal of 2^40 bytes is refused by its announcement,
// wherever it stands.
func TestHugeLiterals(t *testing.T) {
	for _, answer := range []string{
		"* 1 FETCH (UID 1 BODY[] {1099511627776}\r\n", "* 1 FETCH (BODY[] {1099511627776}\r\n", "* 1 FETCH (UID 1 BODY[] ~{1099511627776}\r\n",
		"* 1 FETCH (UID 1 FLAGS ({1099511627776}\r\n", "* 1 FETCH (UID {1099511627776}\r\n", "* 1 FETCH (UID 1 X-GM-LABELS ({1099511627776}\r\n",
		"* LIST () \"/\" {1099511627776}\r\n", "* LIST ({1099511627776}\r\n", "* STATUS {1099511627776}\r\n", "* FLAGS ({1099511627776}\r\n",
		"* SEARCH {1099511627776}\r\n", "* ESEARCH (TAG {1099511627776}\r\n", "* XFOO {1099511627776}\r\n", "* NAMESPACE ((({1099511627776}\r\n",
		"* 1 FETCH {99999999999999999999999999}\r\n",
	} {
		before := inUse()
		c := dial(t, "", func(s *server) {
			s.expect("NOOP")
			s.write("%s", answer)
			s.untilClosed()
		})
		if err := client(t, c, nil).Noop().Wait(); err == nil {
			t.Errorf("%q: NOOP succeeded", answer)
		}
		fails(t, c, wire.KindLimit, "a literal of")
		if now := inUse(); now > before+8<<20 {
			t.Errorf("%q: %d bytes held", answer, now-before)
		}
	}
	for _, early := range []string{"* OK hello {1099511627776}\r\n", "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] {1099511627776}\r\n"} {
		c, err := wire.Dial(t.Context(), options(listen(t, func(s *server) { // text, not a literal
			s.write("%s", early)
			if !strings.Contains(early, "CAPABILITY") {
				s.write("* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN\r\n%s OK\r\n", s.expect("CAPABILITY"))
			}
			s.ok(s.expect("AUTHENTICATE"))
			s.ok(s.expect("CAPABILITY"))
			s.untilClosed()
		})))
		if err != nil {
			t.Errorf("%q: %v", early, err)
			continue
		}
		c.Close()
	}
	dialError(t, wire.KindLimit, func(s *server) {
		s.write("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\r\n")
		s.expect("AUTHENTICATE")
		s.write("* ID (\"a\" {1099511627776}\r\n")
		s.untilClosed()
	})
}

// TestMillions: what a very large account may well have.
func TestMillions(t *testing.T) {
	const n = million
	t.Run("SEARCH", func(t *testing.T) {
		millionFound(t, n, func(s *server, all string) { s.write("%s", "* SEARCH "+strings.ReplaceAll(all, ",", " ")+"\r\n") })
	})
	t.Run("SEARCH in parts", func(t *testing.T) {
		millionFound(t, n, func(s *server, all string) {
			for len(all) > 0 {
				at := strings.IndexByte(all[min(len(all)-1, 5000):], ',')
				end := len(all)
				if at >= 0 {
					end = 5000 + at
				}
				s.write("%s", "* SEARCH "+strings.ReplaceAll(all[:end], ",", " ")+"\r\n")
				all = strings.TrimPrefix(all[end:], ",")
			}
		})
	})
	t.Run("ESEARCH", func(t *testing.T) {
		millionFound(t, n, func(s *server, all string) { s.write("%s", "* ESEARCH UID ALL "+all+"\r\n") })
	})
	t.Run("FETCH", func(t *testing.T) {
		c := dial(t, "", func(s *server) {
			tag := s.expect("UID FETCH")
			var b strings.Builder
			for i := 1; i <= n/10; i++ {
				fmt.Fprintf(&b, "* %d FETCH (UID %d FLAGS (\\Seen $Label1) RFC822.SIZE 1234)\r\n", i, i)
			}
			for range 10 {
				s.write("%s", b.String())
			}
			s.ok(tag)
			s.noop()
		})
		cl := client(t, c, nil)
		if err := ask(cl, "UID FETCH"); err != nil {
			t.Error(err)
		}
		alive(t, c, cl)
	})
	t.Run("flags", func(t *testing.T) { // beyond the length of a line
		c := dial(t, "", func(s *server) {
			s.expect("NOOP")
			s.write("%s", "* FLAGS ("+strings.Repeat("k ", 1_000_000)+")\r\n")
			s.untilClosed()
		})
		if err := client(t, c, nil).Noop().Wait(); err == nil {
			t.Error("NOOP succeeded")
		}
		fails(t, c, wire.KindLimit, "a line of")
	})
}

// millionFound searches for n odd numbers, the largest first.
func millionFound(t *testing.T, n int, answer func(s *server, all string)) {
	t.Helper()
	var b strings.Builder
	for i := n; i > 0; i-- {
		fmt.Fprintf(&b, ",%d", 2*i-1)
	}
	c := dial(t, "ESEARCH", func(s *server) {
		tag := s.expect("UID SEARCH")
		answer(s, b.String()[1:])
		s.ok(tag)
		s.noop()
	})
	cl := client(t, c, nil)
	found, err := cl.UIDSearch(&imap.SearchCriteria{}, nil).Wait()
	if err != nil {
		t.Fatal(err, errors.Unwrap(c.Err()))
	}
	if uids := found.AllUIDs(); len(uids) != n || uids[0] != 1 || uids[n-1] != imap.UID(2*n-1) {
		t.Errorf("%d UIDs", len(uids))
	}
	alive(t, c, cl)
}

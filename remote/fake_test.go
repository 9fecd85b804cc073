package remote

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// fake is a server that answers as the test says. What the test says nothing
// about it answers as a small, honest server would: INBOX with the messages
// 1, 2 and 3.
type fake struct {
	t    testing.TB
	ln   net.Listener
	caps string
	on   map[string]answer // by command name: "SELECT", "UID FETCH"
	wrap func(net.Conn) net.Conn

	mu   sync.Mutex
	log  []string
	data []string // literals received
}

// answer handles one command; it must send the tagged response.
type answer func(c *fakeConn, tag, args string)

type fakeConn struct {
	net.Conn
	f *fake
	r *bufio.Reader
	n int // how many connections came before

	refused bool // "before literal" answered the command
}

const allCaps = "IMAP4rev1 UIDPLUS MOVE LITERAL+ CONDSTORE ESEARCH LIST-STATUS LIST-EXTENDED NAMESPACE UNSELECT QUOTA"

func newFake(t testing.TB, caps string, on map[string]answer) *fake {
	t.Helper()
	return newFakeBehind(t, caps, on, nil)
}

// newFakeBehind is newFake with every connection wrapped.
func newFakeBehind(t testing.TB, caps string, on map[string]answer, wrap func(net.Conn) net.Conn) *fake {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{t: t, ln: ln, caps: caps, on: on, wrap: wrap}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for n := 0; ; n++ {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if f.wrap != nil {
				conn = f.wrap(conn)
			}
			wg.Go(func() {
				defer conn.Close()
				(&fakeConn{Conn: conn, f: f, r: bufio.NewReader(conn), n: n}).serve()
			})
		}
	})
	return f
}

func (f *fake) account(change ...func(*Config)) *Account {
	return accountAt(f.t, f.ln.Addr().String(), "user", "secret", change...)
}

// sent returns the commands received whose name is one of names, in order.
func (f *fake) sent(names ...string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []string
	for _, line := range f.log {
		for _, name := range names {
			if strings.HasPrefix(line, name+" ") || line == name {
				list = append(list, line)
			}
		}
	}
	return list
}

func (f *fake) literals() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.data...)
}

// send writes lines; the last line end is added.
func (c *fakeConn) send(format string, args ...any) {
	_, _ = io.WriteString(c, strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\r\n")+"\r\n")
}

// raw writes exactly this.
func (c *fakeConn) raw(s string) { _, _ = io.WriteString(c, s) }

var literalEnd = regexp.MustCompile(`\{(\d+)(\+?)\}$`)

func (c *fakeConn) serve() {
	if greet, ok := c.f.on["greeting"]; ok {
		greet(c, "*", "")
	} else {
		c.send("* OK [CAPABILITY %s] fake", c.f.caps)
	}
	for {
		line, tag, name, ok := c.command()
		if !ok {
			return
		}
		args := strings.TrimSpace(strings.TrimPrefix(line, name))
		if on, ok := c.f.on[name]; ok {
			on(c, tag, args)
			continue
		}
		c.honest(tag, name, args)
	}
}

// command reads one command with its literals. An answer scripted as "before
// literal" may refuse in the place of the continuation.
func (c *fakeConn) command() (line, tag, name string, ok bool) {
	for {
		part, err := c.r.ReadString('\n')
		if err != nil {
			return "", "", "", false
		}
		part = strings.TrimRight(part, "\r\n")
		line += part
		if tag == "" {
			tag, line, _ = strings.Cut(line, " ")
			name = strings.ToUpper(strings.Join(strings.Fields(line)[:1], ""))
			if name == "UID" {
				name = "UID " + strings.ToUpper(strings.Fields(line)[1])
			}
		}
		m := literalEnd.FindStringSubmatch(part)
		if m == nil {
			c.f.mu.Lock()
			c.f.log = append(c.f.log, line)
			c.f.mu.Unlock()
			return line, tag, name, true
		}
		if m[2] == "" {
			if on, ok := c.f.on["before literal"]; ok {
				if on(c, tag, line); c.refused {
					line, tag, c.refused = "", "", false
					continue
				}
			}
			c.send("+ go")
		}
		n, _ := strconv.Atoi(m[1])
		data := make([]byte, n)
		if _, err := io.ReadFull(c.r, data); err != nil {
			return "", "", "", false
		}
		c.f.mu.Lock()
		c.f.data = append(c.f.data, string(data))
		c.f.mu.Unlock()
	}
}

// selected is what the honest server tells of INBOX.
const selected = `* 3 EXISTS
* FLAGS (\Seen \Answered \Flagged \Deleted \Draft)
* OK [PERMANENTFLAGS (\Seen \Answered \Flagged \Deleted \Draft \*)] ok
* OK [UIDVALIDITY 9] ok
* OK [UIDNEXT 4] ok
* OK [HIGHESTMODSEQ 50] ok`

var listItem = `* %d FETCH (UID %d FLAGS (\Seen) RFC822.SIZE 20 INTERNALDATE "01-Feb-2024 10:00:00 +0000")`

// honest answers as the messages 1 to 3 and one mailbox would have it.
func (c *fakeConn) honest(tag, name, args string) {
	switch name {
	case "CAPABILITY":
		c.send("* CAPABILITY %s", c.f.caps)
	case "LIST":
		c.send(`* LIST () "/" INBOX`)
	case "NAMESPACE":
		c.send(`* NAMESPACE (("" "/")) NIL NIL`)
	case "STATUS":
		box, _, _ := strings.Cut(args, " ")
		c.send("* STATUS %s (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 9 HIGHESTMODSEQ 50)", box)
	case "SELECT", "EXAMINE":
		c.send(selected)
	case "UID SEARCH":
		if strings.Contains(args, "RETURN") {
			c.send(`* ESEARCH (TAG "%s") UID ALL 1:3`, tag)
		} else {
			c.send("* SEARCH 3 1 2")
		}
	case "FETCH", "UID FETCH":
		for _, uid := range asked(args, 3) {
			if strings.Contains(args, "BODY.PEEK") {
				c.body(uid, message(uid))
			} else {
				c.send(listItem, uid, uid)
			}
		}
	}
	c.send("%s OK done", tag)
}

// body sends a FETCH answer with a whole body, or its header where that was
// asked for last.
func (c *fakeConn) body(uid int, text string) {
	section := ""
	if log := c.f.sent("UID FETCH"); strings.Contains(log[len(log)-1], "HEADER") {
		section = "HEADER"
		text = text[:strings.Index(text, "\r\n\r\n")+4]
	}
	c.raw(fmt.Sprintf("* %d FETCH (UID %d BODY[%s] {%d}\r\n%s)\r\n", uid, uid, section, len(text), text))
}

// asked reads the set at the beginning of a command's arguments: which of the
// UIDs 1 to last it names.
func asked(args string, last int) (uids []int) {
	set, _, _ := strings.Cut(args, " ")
	for part := range strings.SplitSeq(set, ",") {
		from, to, ranged := strings.Cut(part, ":")
		if !ranged {
			to = from
		}
		a, _ := strconv.Atoi(from)
		b, err := strconv.Atoi(to)
		if err != nil {
			b = max(last, a)
			a = min(a, last)
			b = min(b, last)
		}
		for uid := a; uid <= min(b, last); uid++ {
			uids = append(uids, uid)
		}
	}
	return uids
}

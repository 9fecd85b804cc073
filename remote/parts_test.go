package remote

import (
	"fmt"
	"io"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"imapsync/mail"
)

var askedSection = regexp.MustCompile(`BODY\.PEEK\[([0-9A-Z.]*)\](?:<0\.(\d+)>)?`)

// ofParts is a server of messages whose sections are what has says. An honest one
// gives as much of them as was asked for; another gives all, and says so.
func ofParts(t testing.TB, honest bool, has func(section string) string) *fake {
	return newFake(t, allCaps, map[string]answer{"UID FETCH": func(c *fakeConn, tag, args string) {
		for _, uid := range asked(args, 100) {
			fmt.Fprintf(c, "* %d FETCH (UID %d", uid, uid)
			for _, s := range askedSection.FindAllStringSubmatch(args, -1) {
				text, origin := has(s[1]), ""
				if most, err := strconv.Atoi(s[2]); err == nil && honest {
					text, origin = text[:min(len(text), most)], "<0>"
				}
				fmt.Fprintf(c, " BODY[%s]%s {%d}\r\n%s", s[1], origin, len(text), text)
			}
			c.send(")")
		}
		c.send("%s OK done", tag)
	}})
}

// fetchStubs fetches stubs with text.
func fetchStubs(t testing.TB, f *fake, messages int, got func(stub string)) {
	t.Helper()
	sizes := map[mail.UID]int64{}
	var uids []mail.UID
	for uid := range mail.UID(messages) {
		uids, sizes[uid+1] = append(uids, uid+1), 1<<20
	}
	n := 0
	err := open(t, f.account(), mail.Inbox).FetchParts(t.Context(), uids, sizes, true, func(uid mail.UID, body io.Reader, err error) error {
		if n++; err != nil {
			t.Errorf("UID %d: %v", uid, err)
			return nil
		}
		text, err := io.ReadAll(body)
		got(string(text))
		return err
	})
	if err != nil || n != messages {
		t.Errorf("%d stubs, %v", n, err)
	}
}

const topHeader = "From: a@example.org\r\nContent-Type: multipart/mixed; boundary=top\r\n\r\n"

// A message with a text and an attachment takes three commands for all that the
// stub has of it, and one for the sizes of what it has not, also at a server that does not keep to the length asked for.
func TestPartsOfAMessage(t *testing.T) {
	long := strings.Repeat("x", textBytes)
	for _, honest := range []bool{true, false} {
		f := ofParts(t, honest, func(section string) string {
			return map[string]string{
				"HEADER": topHeader, "1.MIME": "Content-Type: text/plain\r\n\r\n", "2.MIME": "Content-Type: text/html\r\n\r\n",
				"3.MIME": "Content-Type: application/pdf; name=a.pdf\r\n\r\n", "1": "Hello.", "2": "<" + long + long,
			}[section]
		})
		fetchStubs(t, f, 3, func(stub string) {
			if !strings.Contains(stub, "\r\n\r\nHello.\r\n--top") || !strings.Contains(stub, `application/pdf "a.pdf"`) ||
				!strings.Contains(stub, "the rest of text/html") || strings.Count(stub, "x") < textBytes-1 || strings.Count(stub, "x") > textBytes+50 {
				t.Errorf("honest %v: %.300q", honest, stub)
			}
		})
		sent := f.sent("UID FETCH")
		if len(sent) != 5 { // the texts have one each
			t.Errorf("commands %q", sent)
		}
		if n := strings.Count(strings.Join(sent, ""), ".MIME]<0.8192>"); n != maxParts {
			t.Errorf("%d MIME headers are asked for with a limit: %q", n, sent)
		}
	}
}

// A server says everything twice. What it says the second time finds no command, and
// comes beside the end of the one that was answered the first time.
func TestPartsToldTwice(t *testing.T) {
	f := newFake(t, allCaps, map[string]answer{"UID FETCH": func(c *fakeConn, tag, args string) {
		for range 2 {
			for _, uid := range asked(args, 100) {
				fmt.Fprintf(c, "* %d FETCH (UID %d", uid, uid)
				for _, s := range askedSection.FindAllStringSubmatch(args, -1) {
					text, origin := map[string]string{"HEADER": "From: a@example.org\r\n\r\n", "TEXT": "Hello."}[s[1]], ""
					if s[2] != "" {
						origin = "<0>"
					}
					fmt.Fprintf(c, " BODY[%s]%s {%d}\r\n%s", s[1], origin, len(text), text)
				}
				c.send(")")
			}
		}
		c.send("%s OK done", tag)
	}})
	fetchStubs(t, f, 20, func(stub string) {
		if !strings.Contains(stub, "From: a@example.org\r\n") || !strings.Contains(stub, "\r\n\r\nHello.") {
			t.Errorf("%q", stub)
		}
	})
}

// A part whose MIME header has no end in sight is named, and its text left out.
func TestPartWithALongHeader(t *testing.T) {
	f := ofParts(t, true, func(section string) string {
		return map[string]string{
			"HEADER": topHeader, "1.MIME": "Content-Type: text/plain\r\n" + strings.Repeat("X-Filler: x\r\n", 10_000) + "Content-Transfer-Encoding: base64\r\n\r\n",
			"2.MIME": "Content-Type: text/html\r\n\r\n", "1": "SGVsbG8=", "2": "Hello.",
		}[section]
	})
	fetchStubs(t, f, 1, func(stub string) {
		if strings.Contains(stub, "SGVsbG8=") || strings.Contains(stub, "Filler") || !strings.Contains(stub, "text/plain") || !strings.Contains(stub, "Hello.") {
			t.Errorf("%.500q", stub)
		}
	})
}

// Of a server that has multiparts in multiparts without end, with headers without
// end, no more is held than fits the limits, and it is not asked for more.
func TestPartsWithoutEnd(t *testing.T) {
	const messages = 20
	endless := "Content-Type: multipart/mixed; boundary=more\r\n" + strings.Repeat("X-Filler: "+strings.Repeat("x", 990)+"\r\n", 60) + "\r\n"
	f := ofParts(t, false, func(section string) string {
		if section == "HEADER" {
			return topHeader
		}
		return endless
	})
	held := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most := held(), uint64(0)
	fetchStubs(t, f, messages, func(stub string) {
		most = max(most, held())
		if len(stub) > 4000 {
			t.Errorf("a stub of %d bytes", len(stub))
		}
	})
	if n := len(f.sent("UID FETCH")); n > 7 {
		t.Errorf("%d commands", n)
	}
	if limit := before + messages*(mostParts*mimeBytes*3/2); most > limit {
		t.Errorf("%d bytes are held, more than %d", most-before, limit-before)
	}
}

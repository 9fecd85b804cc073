package wire_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"imapsync/remote/wire"
)

// sizesTold writes sizes as "1 text/plain 5".
func sizesTold(parts map[string]wire.PartSize) string {
	var all []string
	for path, p := range parts {
		all = append(all, fmt.Sprint(path, " ", p.Kind, " ", p.Octets))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func TestPartSizes(t *testing.T) {
	const text = `("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "8BIT" 1152 23)`
	const pdf = `("application" "PDF" ("name" "a \"b\".pdf") NIL NIL "base64" 4554 NIL ("attachment" NIL) NIL)`
	const forwarded = `("message" "rfc822" NIL NIL NIL "7bit" 342 ("d" "s" NIL NIL NIL NIL NIL NIL NIL NIL) ` + text + ` 9)`
	for structure, want := range map[string]string{
		text:                     "1 text/plain 1152",
		"(" + text + ` "MIXED")`: "1 text/plain 1152",
		"((" + text + text + ` "alternative")` + pdf + forwarded + ` "mixed" ("boundary" "x"))`: "1.1 text/plain 1152, 1.2 text/plain 1152, 2 application/pdf 4554, 3 message/rfc822 342",
		`(("text" "plain" NIL NIL NIL "7bit" x 1)` + pdf + ` "mixed")`:                          "2 application/pdf 4554",
		`(("text" "plain" NIL NIL NIL "7bit" -5 1)` + pdf + ` "mixed")`:                         "2 application/pdf 4554",
		`(("text" "plain")("a")()` + pdf + ` "mixed")`:                                          "4 application/pdf 4554",
		"NIL": "", "()": "", "(())": "", `"x"`: "",
		`("text" "plain" ("name" "a"b") NIL NIL "7bit" 5 1)`:                                          "none",
		"(\"text\" \"plain\" (\"name\" {3}\r\na)b) NIL NIL \"7bit\" 5 1)":                             "none",
		"((" + strings.Repeat("(", 100) + `"a" "b"` + strings.Repeat(")", 100) + ` "mixed") "mixed")`: "none",
	} {
		conn := dial(t, "IMAP4rev1", func(s *server) {
			tag := s.expect("UID FETCH 3,5 (UID BODYSTRUCTURE)")
			s.write("* 1 FETCH (UID 3 FLAGS (\\Seen) BODYSTRUCTURE %s)\r\n", structure)
			s.write("* 2 FETCH (BODYSTRUCTURE %s UID 5)\r\n* 7 EXISTS\r\n", pdf)
			s.ok(tag)
			s.noop()
		})
		cl := client(t, conn, nil)
		told := map[uint32]string{3: "none"}
		answer, err := conn.PartSizes("3,5", func(uid uint32, parts map[string]wire.PartSize) { told[uid] = sizesTold(parts) })()
		if err != nil || answer.Status != "OK" {
			t.Fatalf("%s: %+v, %v", structure, answer, err)
		}
		if got := strings.TrimSpace(told[3]); got != want && !(want == "none" && got == "") {
			t.Errorf("%s: %q, want %q", structure, got, want)
		}
		if told[5] != "1 application/pdf 4554" {
			t.Errorf("after %s: %q", structure, told[5])
		}
		alive(t, conn, cl)
	}
}

// What imapclient asked for meanwhile it is told, and of sizes nothing.
func TestPartSizesAmongOthers(t *testing.T) {
	conn := dial(t, "IMAP4rev1", func(s *server) {
		tags, _ := s.commands(2)
		s.lines(tags, `* 1 FETCH (UID 3 BODYSTRUCTURE ("a" "b" NIL NIL NIL "7bit" 5))`, "* 1 FETCH (UID 3)", "* 1 FETCH (UID 3 BODY[] {1}", "x)", "$0 NO not today", "$1 OK done")
		s.noop()
	})
	cl := client(t, conn, nil)
	told := ""
	wait := conn.PartSizes("3", func(uid uint32, parts map[string]wire.PartSize) { told = sizesTold(parts) })
	msgs, err := cl.Fetch(imap.UIDSetNum(3), wholeBody).Collect()
	if err != nil || len(msgs) != 1 || len(msgs[0].BodySection) != 1 || string(msgs[0].BodySection[0].Bytes) != "x" {
		t.Errorf("%+v, %v", msgs, err)
	}
	if answer, err := wait(); err != nil || answer.Status != "NO" || told != "1 a/b 5" {
		t.Errorf("%+v, %v, %q", answer, err, told)
	}
	alive(t, conn, cl)
}

func TestPartSizesCutShort(t *testing.T) {
	conn := dial(t, "IMAP4rev1", func(s *server) { s.line() })
	client(t, conn, nil)
	if _, err := conn.PartSizes("3", func(uint32, map[string]wire.PartSize) {})(); err == nil {
		t.Error("the connection has ended")
	}
	if _, err := conn.PartSizes("3", func(uint32, map[string]wire.PartSize) {})(); err == nil {
		t.Error("nothing can be asked any more")
	}
}

package wire_test

import (
	"bufio"
	"fmt"
	"strings"
	"testing"

	"imapsync/remote/wire"
)

// trap is a thing servers send, in answer to a command, that would end
// imapclient or mislead it.
type trap struct {
	name    string
	command string // NOOP where it does not matter
	send    string // \n stands for CRLF
	pass    string // what imapclient is shown before the tagged response
	notice  wire.NoticeKind
	what    string // the notice's name
	text    string // and a part of its text
}

var traps = []trap{
	// Unknown and misplaced responses.
	{name: "vanished", send: "* VANISHED (EARLIER) 1:26183,26185\n", notice: wire.NoticeData, what: "VANISHED", text: "(EARLIER) 1:26183,26185"},
	{name: "lsub", send: "* LSUB () \"/\" INBOX\n", notice: wire.NoticeData, what: "LSUB"},
	{name: "myrights", send: "* MYRIGHTS {4}\nA&-b \"lr s\"\n", pass: "* MYRIGHTS \"A&-b\" \"lr s\"\n"},
	{name: "myrights broken", send: "* MYRIGHTS A (l r)\n", notice: wire.NoticeDropped, what: "MYRIGHTS"},
	{name: "xlist after its end", send: "* XLIST (\\Inbox) \"/\" Inbox\n", notice: wire.NoticeData, what: "XLIST"},
	{name: "uidfetch", send: "* 7 UIDFETCH (FLAGS ())\n", notice: wire.NoticeData, what: "7", text: "UIDFETCH"},
	{name: "id", send: "* ID (\"name\" NIL)\n", notice: wire.NoticeData, what: "ID"},
	{name: "enabled", send: "* ENABLED UTF8=ACCEPT\n", notice: wire.NoticeData, what: "ENABLED", text: "UTF8=ACCEPT"},
	{name: "recent", send: "* 3 RECENT\n"},
	{name: "blank lines", send: "\n\n"},
	{name: "bare line feeds", send: "* 3 EXISTS\x0a", pass: "* 3 EXISTS\n"},
	{name: "unknown tag", send: "X9 OK what\n", notice: wire.NoticeDropped, what: "X9"},
	{name: "copyuid without a tag", send: "[COPYUID 1 2 3] moved\n", notice: wire.NoticeDropped, what: "[COPYUID"},
	{name: "unasked continuation", send: "+ go\n+\n+go\n", notice: wire.NoticeDropped, what: "+", text: "go"},
	{name: "star alone", send: "*\n* \n", notice: wire.NoticeData},
	{name: "type alone", send: "* LIST\n", notice: wire.NoticeDropped, what: "LIST"},
	{name: "huge number", send: "* 99999999999 EXISTS\n", notice: wire.NoticeData, what: "99999999999"},
	{name: "expunge 0", send: "* 0 EXPUNGE\n", notice: wire.NoticeData, what: "0"},
	{name: "lower case", send: "* 3 exists\n* 2 expunge\n", pass: "* 3 EXISTS\n* 2 EXPUNGE\n"},
	{name: "unknown with literal", send: "* XFOO {9}\n* BYE no\n\n", notice: wire.NoticeData, what: "XFOO"},
	{name: "capability later", send: "* CAPABILITY IMAP4rev2 UTF8=ACCEPT FOO\n", pass: "* CAPABILITY IMAP4rev1 UIDPLUS\n"},

	// Response codes.
	{name: "space in bracket", send: "* OK [ UIDNEXT 5 ] x\n", pass: "* OK [UIDNEXT 5] x\n", notice: wire.NoticeStatus, what: "UIDNEXT", text: "5"},
	{name: "no bracket end", send: "* OK [UIDNEXT 5\n", pass: "* OK - [UIDNEXT 5\n"},
	{name: "no text", send: "* OK [HIGHESTMODSEQ 99]\n", pass: "* OK [HIGHESTMODSEQ 99] -\n", notice: wire.NoticeStatus, what: "HIGHESTMODSEQ"},
	{name: "uidvalidity 64 bit", send: "* OK [UIDVALIDITY 4294967296] x\n", pass: "* OK x\n", notice: wire.NoticeDropped, what: "UIDVALIDITY", text: "4294967296"},
	{name: "permanentflags with bracket", send: "* OK [PERMANENTFLAGS (\\Seen a]b \\ \\*)] ok\n", pass: "* OK [PERMANENTFLAGS (\\Seen \\*)] ok\n", notice: wire.NoticeDropped, what: "FLAGS", text: "a]b"},
	{name: "permanentflags broken", send: "* OK [PERMANENTFLAGS \\Seen] ok\n", pass: "* OK ok\n", notice: wire.NoticeDropped, what: "PERMANENTFLAGS"},
	{name: "alert", send: "* NO [ALERT] disk\x1b[31m full\n", pass: "* NO [ALERT] disk[31m full\n", notice: wire.NoticeAlert, what: "ALERT", text: "disk[31m full"},
	{name: "literal-like text", send: "* OK see {5}\n", pass: "* OK see {5}\n"},
	{name: "copyuid unbounded", send: "* OK [COPYUID 1 1:4294967295 1:4294967295] x\n", pass: "* OK x\n", notice: wire.NoticeDropped, what: "COPYUID"},
	{name: "copyuid uneven", send: "* OK [COPYUID 1 1:3 7] x\n", pass: "* OK x\n", notice: wire.NoticeDropped, what: "COPYUID"},
	{name: "copyuid", send: "* OK [COPYUID 1 1:3 9,7:8] x\n", pass: "* OK [COPYUID 1 1:3 9,7:8] x\n", notice: wire.NoticeStatus, what: "COPYUID", text: "1 1:3 9,7:8"},
	{name: "read-only", send: "* OK [READ-ONLY] x\n", pass: "* OK [READ-ONLY] x\n", notice: wire.NoticeStatus, what: "READ-ONLY"},
	{name: "preauth again", send: "* PREAUTH hello\n"},

	// Flags.
	{name: "flags", send: "* FLAGS (\\Seen $Label1 a]b \xc3\x89t\xc3\xa9 \\ x(y) \"q\" \\*)\n", pass: "* FLAGS (\\Seen $Label1 x)\n", notice: wire.NoticeDropped, what: "FLAGS", text: "Été"},
	{name: "flags leading space", send: "* FLAGS ( \\Seen  \\Draft )\n", pass: "* FLAGS (\\Seen \\Draft)\n"},
	{name: "flags not a list", send: "* FLAGS \\Seen\n", notice: wire.NoticeDropped, what: "FLAGS"},

	// LIST.
	{name: "list", send: "* list (\\HasNoChildren) \"/\" \"A b\"\n", pass: "* LIST (\\HasNoChildren) \"/\" \"A b\"\n"},
	{name: "list atom", send: "* LIST () \".\" INBOX.[Gmail]\n", pass: "* LIST () \".\" \"INBOX.[Gmail]\"\n"},
	{name: "list unescaped ampersand", send: "* LIST () \"/\" \"R&D\"\n", notice: wire.NoticeDropped, what: "LIST", text: "R&D"},
	{name: "list null shift", send: "* LIST () \"/\" \"&AOk-&AOk-\"\n", notice: wire.NoticeDropped, what: "LIST", text: "&AOk-&AOk-"},
	{name: "list not canonical", send: "* LIST () \"/\" \"&AOl-\"\n", notice: wire.NoticeDropped, what: "LIST"},
	{name: "list latin-1", send: "* LIST () \"/\" \"Entw\xfcrfe\"\n", notice: wire.NoticeDropped, what: "LIST", text: "Entw"},
	{name: "list raw utf-8", send: "* LIST () \"/\" \"Entwürfe\"\n", notice: wire.NoticeDropped, what: "LIST", text: "Entwürfe"},
	{name: "list utf-7", send: "* LIST () \"/\" \"Entw&APw-rfe &- &2D3eCg-\"\n", pass: "* LIST () \"/\" \"Entw&APw-rfe &- &2D3eCg-\"\n"},
	{name: "list empty delimiter", send: "* LIST () \"\" \"a\"\n", pass: "* LIST () NIL \"a\"\n"},
	{name: "list nil delimiter", send: "* LIST () nil \"a\"\n", pass: "* LIST () NIL \"a\"\n"},
	{name: "list long delimiter", send: "* LIST () \"//\" \"a\"\n", notice: wire.NoticeDropped, what: "LIST"},
	{name: "list backslash delimiter", send: "* LIST () \"\\\\\" \"a\\\\b\"\n", pass: "* LIST () \"\\\\\" \"a\\\\b\"\n"},
	{name: "list lone backslash", send: "* LIST (\\ \\HasChildren) \"/\" \"a\"\n", pass: "* LIST (\\HasChildren) \"/\" \"a\"\n"},
	{name: "list literal", send: "* LIST (\\X) \"/\" {3}\na\"b\n", pass: "* LIST (\\X) \"/\" \"a\\\"b\"\n"},
	{name: "list literal with line end", send: "* LIST () \"/\" {4}\na\nb\n", notice: wire.NoticeDropped, what: "LIST"},
	{name: "list extended", send: "* LIST () \"/\" \"a\" (\"CHILDINFO\" (\"SUBSCRIBED\"))\n", pass: "* LIST () \"/\" \"a\"\n"},
	{name: "list large literal", send: "* LIST () \"/\" {70000}\n" + strings.Repeat("x", 70000) + "\n", notice: wire.NoticeDropped, what: "LIST"},
	{name: "list nested for ever", send: "* LIST " + strings.Repeat("(", 5000) + "\n", notice: wire.NoticeDropped, what: "LIST"},

	// STATUS, NAMESPACE, QUOTA.
	{name: "status odd items", send: "* STATUS a (MESSAGES 3 MAILBOXID (F12) UIDVALIDITY 99999999999 X-FOO \"y\" UIDNEXT 4)\n", pass: "* STATUS \"a\" (MESSAGES 3 UIDNEXT 4)\n", notice: wire.NoticeDropped, what: "STATUS", text: "UIDVALIDITY 99999999999"},
	{name: "status empty list", send: "* STATUS \"a\" ()\n", pass: "* STATUS \"a\" ()\n"},
	{name: "status without list", send: "* STATUS \"a\"\n", notice: wire.NoticeDropped, what: "STATUS"},
	{name: "status appendlimit nil", send: "* STATUS a (APPENDLIMIT NIL HIGHESTMODSEQ 9223372036854775807)\n", pass: "* STATUS \"a\" (APPENDLIMIT NIL HIGHESTMODSEQ 9223372036854775807)\n"},
	{name: "status negative", send: "* STATUS a (MESSAGES -1)\n", pass: "* STATUS \"a\" ()\n", notice: wire.NoticeDropped, what: "STATUS", text: "MESSAGES -1"},
	{name: "namespace", send: "* NAMESPACE ((\"INBOX.\" \"\")(\"\" \"/\" \"X-PARAM\" (\"a\"))) nil ((\"R&D/\" \"/\"))\n", pass: "* NAMESPACE ((\"INBOX.\" NIL)(\"\" \"/\")) NIL NIL\n", notice: wire.NoticeDropped, what: "NAMESPACE", text: "R&D"},
	{name: "namespace short", send: "* NAMESPACE NIL\n", notice: wire.NoticeDropped, what: "NAMESPACE"},
	{name: "quota", send: "* QUOTAROOT INBOX \"User quota\"\n* QUOTA \"User quota\" (STORAGE 10 100)\n", pass: "* QUOTAROOT \"INBOX\" \"User quota\"\n* QUOTA \"User quota\" (STORAGE 10 100)\n"},
	{name: "quota odd", send: "* QUOTA a (STORAGE 10)\n* QUOTA a (STORAGE -1 2)\n", notice: wire.NoticeDropped, what: "QUOTA"},

	// SEARCH.
	{name: "search", command: "UID SEARCH ALL", send: "* SEARCH 5 3 3  1 (MODSEQ 9)\n", pass: "* ESEARCH (TAG \"T1\") UID ALL 1,3,5 MODSEQ 9\n"},
	{name: "search in parts", command: "UID SEARCH ALL", send: "* SEARCH\n* SEARCH 5 4 7\n* SEARCH 9 2 (MODSEQ 3)\n", pass: "* ESEARCH (TAG \"T1\") UID ALL 2,4:5,7,9 MODSEQ 3\n"},
	{name: "search by number", command: "SEARCH ALL", send: "* SEARCH 5 4\n", pass: "* ESEARCH (TAG \"T1\") ALL 4:5\n"},
	{name: "search empty", command: "UID SEARCH ALL", send: "* SEARCH\n* SEARCH \n", pass: "* ESEARCH (TAG \"T1\") UID\n"},
	{name: "search unasked", send: "* SEARCH 1 2 3\n", notice: wire.NoticeDropped, what: "SEARCH"},
	{name: "esearch in parts", command: "UID SEARCH ALL", send: "* ESEARCH (TAG \"T1\") UID ALL 1:3\n* SEARCH 9\n* ESEARCH UID ALL 5 COUNT 5\n", pass: "* ESEARCH (TAG \"T1\") UID ALL 1:3,5,9 COUNT 5\n"},
	{name: "esearch", command: "UID SEARCH ALL", send: "* ESEARCH (tag \"T1\") uid all 9,4:2,5 count 5 x-foo (1 2)\n", pass: "* ESEARCH (TAG \"T1\") UID ALL 2:5,9 COUNT 5\n", notice: wire.NoticeData, what: "ESEARCH", text: "X-FOO"},
	{name: "esearch nothing", command: "UID SEARCH ALL", send: "* ESEARCH (TAG \"T1\") UID\n", pass: "* ESEARCH (TAG \"T1\") UID\n"},
	{name: "esearch without tag", command: "UID SEARCH ALL", send: "* ESEARCH UID ALL 1:3\n", pass: "* ESEARCH (TAG \"T1\") UID ALL 1:3\n"},
	{name: "esearch unasked", send: "* ESEARCH\n* ESEARCH (TAG \"X\") UID ALL 1\n", notice: wire.NoticeDropped, what: "ESEARCH"},

	// FETCH.
	{name: "fetch alien items", send: "* 1 FETCH (EMAILID (M1) X-GM-LABELS (\"a)\" {3}\nx)y (b)) UID 7 X-GM-MSGID 12 FLAGS (\\Seen))\n", pass: "* 1 FETCH (UID 7 FLAGS (\\Seen))\n", notice: wire.NoticeData, what: "EMAILID", text: "UID 7 (M1)"},
	{name: "fetch an origin without end", send: "* 1 FETCH (X[]< UID 7 FLAGS (\\Seen) X-GM-LABELS (the end>))\n", pass: "* 1 FETCH (UID 7 FLAGS (\\Seen))\n", notice: wire.NoticeData, what: "X[]", text: "UID 7 <"},
	{name: "fetch only alien", send: "* 1 FETCH (EMAILID (M1))\n", notice: wire.NoticeData, what: "EMAILID"},
	{name: "fetch envelope", send: "* 1 FETCH (UID 7 ENVELOPE (NIL {1}\na \"b\" ((NIL NIL \"x\" \"y\"))) BODYSTRUCTURE ((\"a\" {1}\n))()) FLAGS ())\n", pass: "* 1 FETCH (UID 7 FLAGS ())\n", notice: wire.NoticeData, what: "ENVELOPE"},
	{name: "fetch date nil", send: "* 1 FETCH (UID 7 INTERNALDATE NIL RFC822.SIZE 5)\n", pass: "* 1 FETCH (UID 7 RFC822.SIZE 5)\n", notice: wire.NoticeDropped, what: "FETCH", text: "INTERNALDATE"},
	{name: "fetch date bad zone", send: "* 1 FETCH (UID 7 INTERNALDATE \" 1-Feb-2020 10:00:00 GMT\")\n", pass: "* 1 FETCH (UID 7 INTERNALDATE \" 1-Feb-2020 10:00:00 +0000\")\n"},
	{name: "fetch date no zone", send: "* 1 FETCH (UID 7 INTERNALDATE \"11-Feb-2020 10:00:00\")\n", pass: "* 1 FETCH (UID 7 INTERNALDATE \"11-Feb-2020 10:00:00 +0000\")\n"},
	{name: "fetch date zero", send: "* 1 FETCH (UID 7 INTERNALDATE \" 1-Jan-0001 00:00:00 +0000\")\n", pass: "* 1 FETCH (UID 7)\n", notice: wire.NoticeDropped, what: "FETCH", text: "INTERNALDATE"},
	{name: "fetch size", send: "* 1 FETCH (RFC822.SIZE -1 UID 7)\n* 2 FETCH (RFC822.SIZE 99999999999999999999 UID 8)\n", pass: "* 1 FETCH (UID 7)\n* 2 FETCH (UID 8)\n", notice: wire.NoticeDropped, what: "FETCH", text: "RFC822.SIZE -1"},
	{name: "fetch modseq", send: "* 1 FETCH (UID 7 MODSEQ (12))\n* 2 FETCH (MODSEQ 13 UID 8)\n", pass: "* 1 FETCH (UID 7 MODSEQ (12))\n* 2 FETCH (UID 8 MODSEQ (13))\n"},
	{name: "fetch uid 64 bit", send: "* 1 FETCH (UID 4294967296 FLAGS ())\n", notice: wire.NoticeDropped, what: "FETCH", text: "4294967296"},
	{name: "fetch two uids", send: "* 1 FETCH (UID 1 FLAGS () UID 2)\n", notice: wire.NoticeDropped, what: "FETCH"},
	{name: "fetch uid last", send: "* 1 FETCH (FLAGS (\\Seen) BODY[] {3}\nabc UID 7)\n", pass: "* 1 FETCH (UID 7 FLAGS (\\Seen) BODY[] {3}\nabc)\n"},
	{name: "fetch large uid last", send: "* 1 FETCH (BODY[] {70000}\n" + strings.Repeat("x", 70000) + " UID 7 FLAGS ())\n", pass: "* 1 FETCH (UID 7 FLAGS ())\n", notice: wire.NoticeDropped, what: "FETCH", text: "BODY[] of 70000 octets before the UID"},
	{name: "fetch literal8", send: "* 1 FETCH (UID 7 BODY[] ~{3}\na\x00b)\n", pass: "* 1 FETCH (UID 7 BODY[] {3}\na\x00b)\n"},
	{name: "fetch body nil", send: "* 1 FETCH (UID 7 BODY[] NIL)\n", pass: "* 1 FETCH (UID 7)\n", notice: wire.NoticeDropped, what: "FETCH", text: "UID 7: BODY[]"},
	{name: "fetch body quoted", send: "* 1 FETCH (UID 7 BODY[TEXT] \"a\\\"b\")\n", pass: "* 1 FETCH (UID 7 BODY[TEXT] {3}\na\"b)\n"},
	{name: "fetch body empty", send: "* 1 FETCH (UID 7 BODY[] {0}\n FLAGS ())\n", pass: "* 1 FETCH (UID 7 BODY[] {0}\n FLAGS ())\n"},
	{name: "fetch body looks like imap", send: "* 1 FETCH (UID 7 BODY[] {21}\n)\n* BYE {9}\nT1 OK\n)\n", pass: "* 1 FETCH (UID 7 BODY[] {21}\n)\n* BYE {9}\nT1 OK\n)\n"},
	{name: "fetch header fields", send: "* 1 FETCH (UID 7 body[header.fields (\"Message-Id\" From)]<0> {2}\nab)\n", pass: "* 1 FETCH (UID 7 BODY[header.fields (\"Message-Id\" From)]<0> {2}\nab)\n"},
	{name: "fetch odd section", send: "* 1 FETCH (UID 7 BODY[FOO BAR] {2}\nab RFC822 {1}\na FLAGS ())\n", pass: "* 1 FETCH (UID 7 FLAGS ())\n", notice: wire.NoticeData, what: "RFC822"},
	{name: "fetch without end", send: "* 1 FETCH (UID 7 FLAGS (\\Seen)\n", notice: wire.NoticeDropped, what: "FETCH", text: "no closing parenthesis"},
	{name: "fetch garbage after body", send: "* 1 FETCH (UID 7 BODY[] {2}\nab \x01\x02 ( {4}\nabcd)\n", pass: "* 1 FETCH (UID 7 BODY[] {2}\nab)\n", notice: wire.NoticeDropped, what: "FETCH"},
	{name: "fetch number", send: "* 0 FETCH (UID 7)\n* 99999999999 FETCH (UID 7 BODY[] {1}\na)\n", notice: wire.NoticeDropped, what: "FETCH"},
	{name: "fetch no space", send: "* 1 FETCH(UID 7 FLAGS(\\Seen))\n", pass: "* 1 FETCH (UID 7 FLAGS (\\Seen))\n"},
	{name: "fetch flags", send: "* 1 FETCH (UID 7 FLAGS (\\Seen a]b \\ ))\n", pass: "* 1 FETCH (UID 7 FLAGS (\\Seen))\n", notice: wire.NoticeDropped, what: "FLAGS", text: "a]b"},
	{name: "fetch by number streams", command: "FETCH 1 BODY[]", send: "* 1 FETCH (BODY[] {70000}\n" + strings.Repeat("x", 70000) + ")\n", pass: "* 1 FETCH (BODY[] {70000}\n" + strings.Repeat("x", 70000) + ")\n"},
}

// TestTraps compares what is passed on byte by byte.
func TestTraps(t *testing.T) {
	for _, trap := range traps {
		t.Run(trap.name, func(t *testing.T) {
			if trap.command == "" {
				trap.command = "NOOP"
			}
			c := dial(t, "UIDPLUS", func(s *server) {
				tag := s.expect(trap.command)
				s.write("%s", crlf(trap.send))
				s.ok(tag)
				s.untilClosed()
			})
			fmt.Fprintf(c, "T1 %s\r\n", trap.command)
			got := untilTagged(t, c, "T1 OK done\r\n")
			if want := crlf(trap.pass); got != want {
				t.Errorf("passed on\n%q, want\n%q", got, want)
			}
			checkNotice(t, c, trap)
		})
	}
}

func checkNotice(t *testing.T, c *wire.Conn, trap trap) {
	t.Helper()
	notices := c.Notices()
	if trap.notice != "" && !has(notices, trap.notice, trap.what, trap.text) {
		t.Errorf("no notice %s %s %q in %+v", trap.notice, trap.what, trap.text, notices)
	}
	if trap.notice == "" && len(notices) > 0 {
		t.Errorf("notices %+v", notices)
	}
}

// TestTrapsLibrary lets the real imapclient meet each of them.
func TestTrapsLibrary(t *testing.T) {
	for _, trap := range traps {
		t.Run(trap.name, func(t *testing.T) {
			c := dial(t, "UIDPLUS", func(s *server) {
				tag := s.expect("SELECT INBOX")
				s.write("%s", crlf(trap.send))
				s.ok(tag)
				s.noop()
			})
			cl := client(t, c, nil)
			if _, err := cl.Select("INBOX", nil).Wait(); err != nil {
				t.Errorf("SELECT: %v (wire: %v)", err, c.Err())
			}
			alive(t, c, cl)
		})
	}
}

// crlf turns \n into CRLF, except one written as a bare line feed.
func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// untilTagged reads what the connection passes on between its greeting and the
// tagged response.
func untilTagged(t *testing.T, c *wire.Conn, end string) string {
	t.Helper()
	br := bufio.NewReader(c)
	if greeting, err := br.ReadString('\n'); err != nil || !strings.HasPrefix(greeting, "* PREAUTH [CAPABILITY IMAP4rev1") {
		t.Fatalf("greeting %q, %v", greeting, err)
	}
	var b strings.Builder
	for !strings.HasSuffix(b.String(), end) {
		ch, err := br.ReadByte()
		if err != nil {
			t.Fatalf("after %q: %v", b.String(), err)
		}
		b.WriteByte(ch)
	}
	return strings.TrimSuffix(b.String(), end)
}

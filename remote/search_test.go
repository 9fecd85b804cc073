package remote

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"imapsync/mail"
	"imapsync/query"
)

func parsed(t testing.TB, text string) query.Query {
	t.Helper()
	q, err := query.Parse(text, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// searchable are messages to be found; their UIDs are 1, 2, 3.
func searchable() []mail.Outgoing {
	text := func(from, to, cc, subject, body string) string {
		return fmt.Sprintf("From: %s\r\nTo: %s\r\nCc: %s\r\nSubject: %s\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n",
			from, to, cc, subject, body)
	}
	m := []mail.Outgoing{
		outgoing(text("anna@example.org", "bob@example.net", "carl@example.com", "The annual report", "Numbers in the appendix"), ":S todo"),
		outgoing(text("carl@example.com", "anna@example.org", "dora@example.net", "=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Schöne Grüße aus Köln"), ":FS"),
		outgoing(text("dora@example.net", "bob@example.net", "eve@example.net", `a "quoted" \ word`, strings.Repeat("long line of text\r\n", 5000)), ":"),
	}
	m[2].Date = time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)
	return m
}

func TestDovecotSearch(t *testing.T) {
	onVariants(t, func(t *testing.T, a *Account) {
		writable := open(t, a, "INBOX")
		mustAppend(t, writable, searchable()...)
		writable.Close()
		m, err := a.Open(t.Context(), "INBOX", true)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		for text, want := range map[string][]mail.UID{
			`from:example`:                  {1, 2, 3},
			`from:anna`:                     {1},
			`to:anna`:                       {2},
			`to:carl`:                       {1},
			`subject:"annual report"`:       {1},
			`subject:"report annual"`:       nil,
			`annual appendix`:               {1},
			`Grüße`:                         {2},
			`subject:Grüße from:carl`:       {2},
			`-köln`:                         {1, 3},
			`not from:carl -from:dora`:      {1},
			`subject:"\"quoted\" \\ word"`:  {3},
			`since:2026-02-28`:              {3},
			`since:1d`:                      {3},
			`before:2026-02-28`:             {1, 2},
			`since:2026-02-28 before:today`: {3},
			`larger:50k`:                    {3},
			`-larger:50k`:                   {1, 2},
			`flag:seen`:                     {1, 2},
			`-flag:flagged flag:seen`:       {1},
			`flag:todo`:                     {1},
			`-flag:todo`:                    {2, 3},
			`-to:bob`:                       {2},
			`nowhere`:                       nil,
		} {
			got, err := m.Search(t.Context(), parsed(t, text))
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: found %v, %v; want %v", text, got, err, want)
			}
		}
	})
}

// TestSearchRefused: a search that is refused costs this search alone.
func TestSearchRefused(t *testing.T) {
	for _, caps := range []string{allCaps, "IMAP4rev1"} {
		refuse := func(c *fakeConn, tag, args string) {
			if strings.Contains(args, "CHARSET") {
				c.send("%s NO [BADCHARSET (US-ASCII)] not that one", tag)
				return
			}
			c.send("* SEARCH 3 1\n%s OK done", tag)
		}
		f := newFake(t, caps, map[string]answer{"UID SEARCH": refuse, "before literal": func(c *fakeConn, tag, line string) {
			c.refused = true
			refuse(c, tag, line)
		}})
		m, err := f.account().Open(t.Context(), "INBOX", true)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if _, err := m.Search(t.Context(), parsed(t, "Grüße")); err == nil || !strings.Contains(err.Error(), "ASCII letters only") {
			t.Errorf("%s: %v", caps, err)
		}
		got, err := m.Search(t.Context(), parsed(t, "from:x"))
		if want := []mail.UID{1, 3}; err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: found %v, %v; want %v", caps, got, err, want)
		}
	}
}

// TestSearchAbsurd: a server that finds more than there can be is not believed.
func TestSearchAbsurd(t *testing.T) {
	f := newFake(t, allCaps, map[string]answer{"UID SEARCH": func(c *fakeConn, tag, _ string) {
		c.send("* ESEARCH (TAG %q) UID ALL 1:4294967295\n%s OK done", tag, tag)
	}})
	m, err := f.account().Open(t.Context(), "INBOX", true)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if got, err := m.Search(t.Context(), parsed(t, "x")); err == nil {
		t.Errorf("found %d messages", len(got))
	}
}

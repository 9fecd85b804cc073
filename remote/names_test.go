package remote

import (
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"imapsync/mail"
)

func TestNames(t *testing.T) {
	for _, c := range []struct {
		prefix, delim, server string
		ours                  mail.FolderName
	}{
		{"", "/", "INBOX", "INBOX"},
		{"", "/", "inbox", "INBOX"},
		{"", "/", "A/B", "A/B"},
		{"", "/", "A.B", "A.B"},
		{"", "/", "100%2F", "100%252F"},
		{"", ".", "A.B", "A/B"},
		{"", ".", "A/x.B", "A%2Fx/B"},
		{"", ".", "a%2Fb", "a%252Fb"},
		{"", ".", "a%252Fb/c", "a%25252Fb%2Fc"},
		{"", "", "flat/name", "flat%2Fname"},
		{"INBOX.", ".", "INBOX", "INBOX"},
		{"INBOX.", ".", "INBOX.Sent.2024", "Sent/2024"},
		{"INBOX.", ".", "Inbox.Sent", "Sent"},
		{"INBOX.", ".", "INBOX.inbox", "INBOX"},
		{"INBOX.", ".", "user.bob", "user/bob"},
		{"#mh/", "/", "#mh/x", "x"},
		{"", "/", "Entwürfe", "Entwürfe"},
	} {
		n := names{prefix: c.prefix, delim: c.delim}
		got, err := n.ours(c.server)
		if err != nil || got != c.ours {
			t.Errorf("%+v.ours(%q) = %q, %v, want %q", n, c.server, got, err, c.ours)
		}
		back, err := n.server(got)
		if err != nil {
			t.Errorf("%+v.server(%q): %v", n, got, err)
		}
		if !strings.EqualFold(back, c.server) && c.ours != mail.Inbox && c.server != "user.bob" {
			t.Errorf("%q became %q and then %q", c.server, got, back)
		}
	}
	for _, bad := range []string{"", "a//b", "/a", "a\x00b", "\xff", strings.Repeat("x", 2000)} {
		if got, err := (names{delim: "/"}).ours(bad); err == nil {
			t.Errorf("the unfit name %q became %q", bad, got)
		}
	}
	for _, c := range []struct {
		delim  string
		folder mail.FolderName
	}{{".", "v1.2"}, {"/", "a%2Fb"}, {"", "a/b"}, {"/", ""}} {
		if got, err := (names{delim: c.delim}).server(c.folder); err == nil {
			t.Errorf("delimiter %q: %q became %q", c.delim, c.folder, got)
		}
	}
}

// TestEscapeIsReversible tries every short string over the alphabet that
// matters.
func TestEscapeIsReversible(t *testing.T) {
	words := []string{""}
	seen := map[string]string{}
	for range 5 {
		var longer []string
		for _, w := range words {
			for _, c := range []string{"%", "2", "5", "F", "/", "%2F", "%25"} {
				longer = append(longer, w+c)
			}
		}
		for _, w := range longer {
			e := escapeComponent(w)
			if strings.Contains(e, "/") {
				t.Fatalf("%q is escaped as %q", w, e)
			}
			if back := unescapeComponent(e); back != w {
				t.Fatalf("%q is escaped as %q, which is %q again", w, e, back)
			}
			if other, ok := seen[e]; ok && other != w {
				t.Fatalf("%q and %q are both escaped as %q", w, other, e)
			}
			seen[e] = w
		}
		words = longer
	}
}

func TestSets(t *testing.T) {
	var uids []mail.UID
	for i := range 20_000 {
		uids = append(uids, mail.UID(4_000_000_000+2*i))
	}
	total := uint64(0)
	for _, set := range sets(uids) {
		if n := len(set.String()); n > maxSet {
			t.Errorf("a set of %d bytes", n)
		}
		total += count(set)
	}
	if total != uint64(len(uids)) {
		t.Errorf("the sets hold %d UIDs of %d", total, len(uids))
	}
	if got := sets(sorted([]mail.UID{5, 3, 4, 0, 9, 3})); len(got) != 1 || got[0].String() != "3:5,9" {
		t.Errorf("sets %v", got)
	}
	if got := sets(nil); got != nil {
		t.Errorf("sets of nothing: %v", got)
	}
}

// TestInboxBesideItsAlias: where a server has INBOX and, below its prefix, another
// INBOX, the first is the folder whatever is listed first, and is not left out.
func TestInboxBesideItsAlias(t *testing.T) {
	for _, order := range [][]string{{"INBOX", "INBOX.INBOX"}, {"INBOX.INBOX", "INBOX"}} {
		a := New(Config{})
		a.names = &names{prefix: "INBOX.", delim: "."}
		var list []*imap.ListData
		for _, name := range order {
			list = append(list, &imap.ListData{Mailbox: name, Delim: '.'})
		}
		folders, _ := a.translate(list)
		if len(folders) != 1 || a.learnt[mail.Inbox] != "INBOX" {
			t.Errorf("%q: folders %v, INBOX is %q", order, folders, a.learnt[mail.Inbox])
		}
		if why, err := a.LeftOut(mail.Inbox, folders[0].ServerName()); why != "" || err != nil {
			t.Errorf("%q: left out, %s, %v", order, why, err)
		}
	}
}

// TestNoFolderIsInboxOnTheServer: a name that would be INBOX to the server is no
// other folder's.
func TestNoFolderIsInboxOnTheServer(t *testing.T) {
	m := mail.Mapping{{Server: "", Local: "Work/"}}
	for _, name := range []mail.FolderName{"Work/inbox", "Work/INBOX"} {
		if got := m.Server(name); len(got) != 0 {
			t.Errorf("%s is %q on the server", name, got)
		}
	}
}

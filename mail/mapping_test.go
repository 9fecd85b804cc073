package mail

import (
	"slices"
	"testing"
)

var (
	gmail   = Mapping{{"[Gmail]/Sent Mail", "Sent"}, {"[Gmail]/", ""}, {"Lists", "Archive/Lists"}}
	below0  = Mapping{{"", "Work/"}, {"Sent", "Sent"}}
	courier = Mapping{{"INBOX/", ""}}
)

func TestMapping(t *testing.T) {
	for _, c := range []struct {
		m             Mapping
		server, local FolderName
		back          []FolderName
	}{
		{nil, "A/B", "A/B", []FolderName{"A/B"}},
		{gmail, "[Gmail]/Sent Mail", "Sent", []FolderName{"[Gmail]/Sent Mail", "[Gmail]/Sent", "Sent"}},
		{gmail, "[Gmail]/Sent Mail/2020", "Sent/2020", []FolderName{"[Gmail]/Sent Mail/2020", "[Gmail]/Sent/2020", "Sent/2020"}},
		{gmail, "[Gmail]/Sent Mailer", "Sent Mailer", []FolderName{"[Gmail]/Sent Mailer", "Sent Mailer"}},
		{gmail, "[Gmail]", "[Gmail]", []FolderName{"[Gmail]/[Gmail]", "[Gmail]"}},
		{gmail, "Lists/go", "Archive/Lists/go", []FolderName{"Lists/go", "[Gmail]/Archive/Lists/go", "Archive/Lists/go"}},
		{gmail, "Mine", "Mine", []FolderName{"[Gmail]/Mine", "Mine"}},
		{gmail, "INBOX", "INBOX", []FolderName{"INBOX"}},
		{courier, "INBOX", "INBOX", []FolderName{"INBOX"}},
		{courier, "INBOX/A/B", "A/B", []FolderName{"INBOX/A/B", "A/B"}},
		{below0, "A/B", "Work/A/B", []FolderName{"A/B"}},
		{below0, "INBOX", "INBOX", []FolderName{"INBOX"}},
		{below0, "Sent/x", "Sent/x", []FolderName{"Sent/x"}},
	} {
		if got := c.m.Local(c.server); got != c.local {
			t.Errorf("%v: %q is %q here, want %q", c.m, c.server, got, c.local)
		}
		if got := c.m.Server(c.local); !slices.Equal(got, c.back) {
			t.Errorf("%v: %q can be %q there, want %q", c.m, c.local, got, c.back)
		}
	}
	if got := below0.Server("Elsewhere"); got != nil {
		t.Errorf("%q is called Elsewhere", got)
	}
}

// What the server may call a folder is called so here.
func FuzzMapping(f *testing.F) {
	f.Add("A", "B", "A/", "", "B/c")
	f.Fuzz(func(t *testing.T, s1, l1, s2, l2, name string) {
		m := Mapping{{FolderName(s1), FolderName(l1)}, {FolderName(s2), FolderName(l2)}}
		for _, server := range m.Server(FolderName(name)) {
			if got := m.Local(server); got != FolderName(name) {
				t.Errorf("%v: %q can be %q, which is %q", m, name, server, got)
			}
		}
	})
}

package e2e

import (
	"slices"
	"strings"
	"testing"

	"imapsync/internal/proxy"
	"imapsync/mail"
)

// TestSearch: what is in the Maildir is found as a file, the rest by folder and
// UID, over many folders, whatever the server has of extensions.
func TestSearch(t *testing.T) {
	for name, without := range map[string]string{
		"all": "[]", "none": `["ESEARCH", "LITERAL+", "LITERAL-", "LIST-STATUS", "LIST-EXTENDED", "CONDSTORE"]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := single(t)
			a.configure("disable_extensions = "+without, `folders = ["*", "!Spam"]`)
			text := func(subject string) []byte {
				return []byte("From: anna@example.org\r\nSubject: " + subject + "\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nSchöne Grüße\r\n")
			}
			folders := []string{"INBOX", "A", "A/B", "Entwürfe", "Leer", "Spam"}
			for _, f := range folders {
				if f != "INBOX" {
					a.phone.Create(f)
				}
				if f != "Leer" {
					a.seedRemote(uint64(len(f)), f, 5)
					a.phone.Append(f, noFlags, small(1, 1)[0].Date, text("needle in "+f))
				}
			}
			a.sync(0)
			a.phone.Append("A/B", mail.NewFlags(mail.Flagged), small(1, 1)[0].Date, text("another needle"))
			a.proxy.Reset()

			found := func(args ...string) []string {
				t.Helper()
				r := a.run(append([]string{"search"}, args...)...)
				if r.code != 0 || r.stderr != "" {
					t.Fatalf("search %q: %v", args, r)
				}
				return strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
			}
			got := found("subject:needle", "Grüße")
			want := []string{a.fileWith("A", "needle"), a.fileWith("A/B", "needle"), "A/B:7", a.fileWith("Entwürfe", "needle"), a.fileWith("INBOX", "needle")}
			if !slices.Equal(got, want) {
				t.Errorf("found %q, want %q", got, want)
			}
			if got := found("flag:flagged subject:needle"); !slices.Equal(got, []string{"A/B:7"}) {
				t.Errorf("found %q", got)
			}
			if changing := proxy.Changing(a.proxy.Commands()); len(changing) > 0 {
				t.Errorf("a search sent %q", changing)
			}
			for _, c := range a.proxy.Commands() {
				if strings.HasPrefix(strings.ToUpper(c), "SELECT") {
					t.Errorf("a search sent %q", c)
				}
			}
		})
	}
}

// fileWith is the path of the one message of a folder that holds the text.
func (a *account) fileWith(folder, text string) string {
	a.t.Helper()
	path := ""
	for _, f := range a.files(folder) {
		if strings.Contains(string(f.body()), text) {
			if path != "" {
				a.t.Errorf("%s: several messages with %q", folder, text)
			}
			path = f.path
		}
	}
	return path
}

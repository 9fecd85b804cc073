package config

import (
	"regexp"
	"strings"
	"testing"

	"imapsync/mail"
)

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		patterns string
		yes, no  string
	}{
		{"*", "INBOX A A/B", ""},
		{"%", "INBOX A", "A/B"},
		{"* !Spam", "A A/B Spam/Old", "Spam"},
		{"* !Spam* Spam/Keep", "A Spam/Keep", "Spam Spam/Old Spammy"},
		{"!Spam", "INBOX A/B", "Spam"},
		{"!Spam A", "INBOX A", "Spam"},
		{"inbox", "INBOX Inbox inbox", "INBOXES INBOX/A A/inbox"},
		{"Inbox/%", "INBOX/A inbox/A", "INBOX INBOX/A/B"},
		{"INBOX*", "inbox Inbox/A INBOXES", "Inboxes"},
		{"archive/*", "archive/A archive/A/B", "Archive/A archive"},
		{"A/%/C", "A/B/C", "A/B/B/C A/C"},
		{"*/%/x%", "a/b/x a/b/c/xyz", "b/x a/b/x/y"},
		{"%a/%b*c", "xa/ybzc a/bc", "xa/y/bc"},
	} {
		p := NewPatterns(strings.Fields(c.patterns)...)
		for _, name := range strings.Fields(c.yes) {
			if !p.Match(mail.FolderName(name)) {
				t.Errorf("%s does not match %s", c.patterns, name)
			}
		}
		for _, name := range strings.Fields(c.no) {
			if p.Match(mail.FolderName(name)) {
				t.Errorf("%s matches %s", c.patterns, name)
			}
		}
	}
}

// FuzzPattern compares the matcher with a regular expression of the same
// meaning.
func FuzzPattern(f *testing.F) {
	f.Add("%a%/b*c", "xa/ybzc")
	f.Add("*%*/%", "a/b/c")
	f.Fuzz(func(t *testing.T, glob, name string) {
		if strings.EqualFold(strings.Split(name, "/")[0], "INBOX") || len(glob)+len(name) > 200 {
			return
		}
		var re strings.Builder
		for _, b := range []byte(glob) {
			switch b {
			case '*':
				re.WriteString(`.*`)
			case '%':
				re.WriteString(`[^/]*`)
			default:
				re.WriteString(regexp.QuoteMeta(latin1(string([]byte{b}))))
			}
		}
		want := regexp.MustCompile(`(?s)\A` + re.String() + `\z`).MatchString(latin1(name))
		if got := (pattern{glob: glob}).match(mail.FolderName(name)); got != want {
			t.Errorf("%q on %q: %v, want %v", glob, name, got, want)
		}
	})
}

// latin1 makes each byte a character.
func latin1(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

func TestSuggest(t *testing.T) {
	known := []string{"sync", "status", "plan", "folders"}
	for word, want := range map[string]string{
		"snyc": `; did you mean "sync"?`, "stat": `; did you mean "status"?`, "folder": `; did you mean "folders"?`, "xyzzy": "", "": "",
	} {
		if got := Suggest(word, known); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", word, got, want)
		}
	}
}

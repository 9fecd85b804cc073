package remote

import (
	"strings"
	"testing"

	"imapsync/mail"
)

func TestDeniedBy(t *testing.T) {
	for rights, want := range map[string]mail.Denied{
		"lr":          mail.ReadOnly,
		"lrs":         {Insert: true, Delete: true},
		"lri":         {Flags: true, Delete: true},
		"lrswi":       {Delete: true},
		"lrswit":      {Delete: true},
		"lrswipkxtea": {},
		"lrswipcda":   {},
	} {
		if got := deniedBy(rights); got != want {
			t.Errorf("%s: %+v, want %+v", rights, got, want)
		}
	}
}

// The rights in mailboxes that are not our own are asked for, and of those alone;
// what the server does not tell of is not denied.
func TestMyRights(t *testing.T) {
	on := boxes(`() "/" INBOX`, `() "/" Mine`, `() "/" "user/b/R&AOk-"`, `() "/" user/b/Mute`, `() "/" user/b/Bad`)
	on["NAMESPACE"] = func(c *fakeConn, tag, _ string) {
		c.send(`* NAMESPACE (("" "/")) (("user/" "/")) NIL`)
		c.send("%s OK done", tag)
	}
	on["MYRIGHTS"] = func(c *fakeConn, tag, args string) {
		switch {
		case strings.Contains(args, "Mute"):
		case strings.Contains(args, "Bad"):
			c.send("* MYRIGHTS (x) y z")
		default:
			c.send("* MYRIGHTS %s lrs", args)
		}
		c.send("%s OK done", tag)
	}
	f := newFake(t, allCaps+" ACL", on)
	list, err := f.account(func(c *Config) { c.Namespaces = []string{Personal, Other} }).Folders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range list {
		want := mail.Denied{}
		if folder.Name == "user/b/Ré" {
			want = mail.Denied{Insert: true, Delete: true}
		}
		if folder.Denied != want {
			t.Errorf("%s: %+v, want %+v", folder.Name, folder.Denied, want)
		}
	}
	if got := f.sent("MYRIGHTS"); len(got) != 3 {
		t.Errorf("sent %q", got)
	}
	if _, err = f.account().Folders(t.Context()); err != nil || len(f.sent("MYRIGHTS")) != 3 {
		t.Errorf("%v, sent %q", err, f.sent("MYRIGHTS"))
	}
}

// A purpose is given where the server knows of none with it, and not insisted on.
func TestCreateSpecialUse(t *testing.T) {
	on := boxes(`() "/" INBOX`, `(\Drafts) "/" Entwuerfe`)
	refuse := false
	on["CREATE"] = func(c *fakeConn, tag, args string) {
		if refuse && strings.Contains(args, "USE") {
			c.send("%s NO [USEATTR] not wanted", tag)
			return
		}
		c.send("%s OK done", tag)
	}
	for _, c := range []struct {
		caps   string
		refuse bool
		want   string
	}{
		{"LIST-EXTENDED SPECIAL-USE CREATE-SPECIAL-USE", false, `CREATE Sent (USE (\Sent)); CREATE Drafts; CREATE Other; CREATE archive (USE (\Archive)); CREATE Sub/Sent`},
		{"LIST-EXTENDED SPECIAL-USE CREATE-SPECIAL-USE", true, `CREATE Sent (USE (\Sent)); CREATE Sent; CREATE Drafts; CREATE Other; CREATE archive (USE (\Archive)); CREATE archive; CREATE Sub/Sent`},
		{"LIST-EXTENDED SPECIAL-USE", false, "CREATE Sent; CREATE Drafts; CREATE Other; CREATE archive; CREATE Sub/Sent"},
		{"CREATE-SPECIAL-USE", false, "CREATE Sent; CREATE Drafts; CREATE Other; CREATE archive; CREATE Sub/Sent"},
	} {
		refuse = c.refuse
		f := newFake(t, "IMAP4rev1 "+c.caps, on)
		a := f.account()
		if _, err := a.Folders(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, folder := range []mail.FolderName{"Sent", "Drafts", "Other", "archive", "Sub/Sent"} {
			if err := a.CreateFolder(t.Context(), folder); err != nil {
				t.Error(err)
			}
		}
		if got := strings.ReplaceAll(strings.Join(f.sent("CREATE"), "; "), `"`, ""); got != c.want {
			t.Errorf("%s: sent %s, want %s", c.caps, got, c.want)
		}
	}
}

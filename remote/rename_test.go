package remote

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"imapsync/internal/dovecot"
	"imapsync/mail"
)

// A renamed mailbox keeps its messages, their UIDs and its marks, and takes along
// what is below it, though it was selected; subscriptions follow.
func TestDovecotRenameFolder(t *testing.T) {
	onVariants(t, func(t *testing.T, a *Account) {
		ctx := t.Context()
		for _, f := range []mail.FolderName{"Old", "Old/Süb", "Old/Süb/Deep & low", "Older"} {
			if err := a.CreateFolder(ctx, f); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := a.Folders(ctx); err != nil {
			t.Fatal(err)
		}
		var before mail.RemoteSnapshot
		for _, f := range []mail.FolderName{"Old/Süb", "Old"} { // selected, on as many connections
			m, err := a.Open(ctx, f, false)
			if err != nil {
				t.Fatal(err)
			}
			mustAppend(t, m, outgoing(message(1), ":FS todo"), outgoing(message(2), ""))
			before = snapshot(t, m, mail.Known{}, true)
			m.Close()
		}
		if err := a.RenameFolder(ctx, "Old", "New/Näme"); err != nil {
			t.Fatal(err)
		}
		m := open(t, a, "New/Näme")
		after := snapshot(t, m, mail.Known{}, true)
		if after.Mark != before.Mark || fmt.Sprint(after.Messages) != fmt.Sprint(before.Messages) {
			t.Errorf("it was\n%+v, is\n%+v", before, after)
		}
		folders, err := a.Folders(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range folders {
			if !f.Selectable {
				continue
			}
			names = append(names, string(f.Name))
			if f.Name != mail.Inbox && a.hasCap("LIST-EXTENDED") && !f.Subscribed {
				t.Errorf("%q is not subscribed", f.Name)
			}
		}
		slices.Sort(names)
		if got, want := strings.Join(names, ", "), "INBOX, New/Näme, New/Näme/Süb, New/Näme/Süb/Deep & low, Older"; got != want {
			t.Errorf("folders %s, want %s", got, want)
		}
		if w := a.Warnings(); len(w) > 0 {
			t.Errorf("warnings %q", w)
		}
	})
}

// A name that is taken, a folder that is not there, and INBOX on either end are
// errors of the folder, and nothing is changed.
func TestDovecotRenameFolderRefused(t *testing.T) {
	srv := dovecot.Start(t)
	a := accountAt(t, srv.Addr(), "user", srv.Password)
	ctx := context.Background()
	for _, f := range []mail.FolderName{"A", "B"} {
		if err := a.CreateFolder(ctx, f); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range [][2]mail.FolderName{{"A", "B"}, {"None", "C"}, {mail.Inbox, "C"}, {"A", mail.Inbox}} {
		err := a.RenameFolder(ctx, c[0], c[1])
		if mail.ScopeOf(err) != mail.ScopeFolder || mail.ClassOf(err) != mail.ClassFailed || err == nil {
			t.Errorf("%s to %s: %v", c[0], c[1], err)
		}
	}
	folders, err := a.Folders(ctx)
	if err != nil || len(folders) != 3 {
		t.Errorf("%+v, %v", folders, err)
	}
}

// What was subscribed under the old name is not any more.
func TestRenameFolderCommands(t *testing.T) {
	f := newFake(t, "IMAP4rev1 UNSELECT", map[string]answer{
		"LIST": func(c *fakeConn, tag, _ string) {
			c.send(`* LIST () "." Old`)
			c.send(`* LIST () "." Old.Sub`)
			c.send(`* LIST () "." Older`)
			c.send("%s OK done", tag)
		},
		"RENAME":      func(c *fakeConn, tag, _ string) { c.send("%s OK done", tag) },
		"SUBSCRIBE":   func(c *fakeConn, tag, _ string) { c.send("%s OK done", tag) },
		"UNSUBSCRIBE": func(c *fakeConn, tag, _ string) { c.send("%s NO not subscribed", tag) },
	})
	a := f.account()
	if _, err := a.Folders(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.RenameFolder(t.Context(), "Old", "New"); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(f.sent("RENAME", "SUBSCRIBE", "UNSUBSCRIBE"), "; ")
	want := "RENAME Old New; SUBSCRIBE New; UNSUBSCRIBE Old; SUBSCRIBE New.Sub; UNSUBSCRIBE Old.Sub"
	if strings.ReplaceAll(got, `"`, "") != want {
		t.Errorf("sent %s, want %s", got, want)
	}
}

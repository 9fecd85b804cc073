package remote

import (
	"fmt"
	"strings"
	"testing"

	"imapsync/mail"
)

// to is a message for another mailbox than the one it is appended in.
func to(folder mail.FolderName, m mail.Outgoing) mail.Outgoing {
	m.Folder = folder
	return m
}

// TestDovecotAppendToSeveral: messages for several mailboxes go over one
// connection, each to its own, with its flags and its UID; also into one of which
// nothing was told, and back.
func TestDovecotAppendToSeveral(t *testing.T) {
	onVariants(t, func(t *testing.T, a *Account) {
		for _, folder := range []mail.FolderName{"A", "B"} {
			if err := a.CreateFolder(t.Context(), folder); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := a.Folders(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := a.CreateFolder(t.Context(), "C"); err != nil {
			t.Fatal(err)
		}
		m := open(t, a, mail.Inbox)
		messages := []mail.Outgoing{outgoing(message(1), ":S"), to("A", outgoing(message(2), ":F word")), to("B", outgoing(message(3), ":")),
			to("C", outgoing(message(4), ":S")), to("A", outgoing(message(5), ":")), outgoing(message(6), ":"),
			to("B", outgoing("Subject: big\r\n\r\n"+strings.Repeat("x", 2*wholeUpload)+"\r\n", ":S"))}
		got, err := appendAll(t, m, messages...)
		if err != nil || len(got) != len(messages) {
			t.Fatal(len(got), err)
		}
		for i, g := range got {
			folder := messages[i].Folder
			if folder == "" {
				folder = mail.Inbox
			}
			if g.err != nil {
				t.Fatalf("message %d: %v", i, g.err)
			}
			box := m
			if folder != mail.Inbox {
				box = open(t, a, folder)
			}
			found := 0
			for uid, r := range snapshot(t, box, mail.Known{}, true).Messages {
				if r.Size == messages[i].Size && r.Flags.Equal(messages[i].Flags) && (g.uid == 0 || g.uid == uid) {
					found++
				}
			}
			if found == 0 {
				t.Errorf("message %d is not in %s as %d", i, folder, g.uid)
			}
			if folder != mail.Inbox {
				box.Close()
			}
		}
		m.Close()
	})
}

// TestBatchToSeveral: a batch ends where another mailbox begins, and none is
// selected; a refusal by one mailbox is not one by the others.
func TestBatchToSeveral(t *testing.T) {
	full := func(messages int, args string) string {
		if strings.HasPrefix(args, "Full") || strings.HasPrefix(args, `"Full"`) {
			return "NO [OVERQUOTA] full"
		}
		return ""
	}
	on := taking(full)
	on["UID SEARCH"] = func(c *fakeConn, tag, args string) { c.send("* ESEARCH (TAG \"%s\") UID\n%s OK done", tag, tag) }
	f := newFake(t, multiCaps, on)
	a := f.account()
	m := open(t, a, mail.Inbox)
	for _, folder := range []mail.FolderName{"Full", "Other"} {
		a.boxes[folder] = selection{folder: folder, mark: mail.Mark{UIDValidity: 9, UIDNext: 4}, space: mail.FullSpace(), seen: 4, next: 4}
	}
	selects := len(f.sent("SELECT"))
	got, err := appendAll(t, m, outgoing(message(1), ":S"), outgoing(message(2), ":S"), to("Other", outgoing(message(3), ":S")),
		to("Full", outgoing(message(4), ":S")), to("Full", outgoing(message(5), ":S")), to("Other", outgoing(message(6), ":S")))
	if err != nil || len(got) != 6 {
		t.Fatal(len(got), err)
	}
	for i, g := range got {
		if refused := i == 3 || i == 4; refused != (g.err != nil) {
			t.Errorf("message %d: %+v", i, g)
		}
	}
	if sizes := fmt.Sprint(f.sizes()); !strings.HasPrefix(sizes, "[2 1 2 1") {
		t.Errorf("batches of %s", sizes)
	}
	if n := len(f.sent("SELECT")) - selects; n > 1 { // to see that the refused batch left nothing
		t.Errorf("%d mailboxes were selected", n)
	}
}

package realworld

import (
	"bytes"
	"slices"
	"testing"

	"imapsync/internal/dovecot"
	"imapsync/internal/imaptest"
	"imapsync/internal/phone"
	"imapsync/internal/simworld"
	"imapsync/mail"
)

// client is another mail client of the account.
type client struct {
	*imaptest.Client
	t      testing.TB
	server *dovecot.Server
	user   string
}

func newClient(t testing.TB, s *dovecot.Server, user string) *client {
	return &client{imaptest.Dial(t, s, user), t, s, user}
}

// rest leaves INBOX selected: the server cuts off whoever has a mailbox selected
// that another client deletes.
func (c *client) rest() {
	c.t.Helper()
	c.UIDs(string(mail.Inbox))
}

// list tells what the server holds.
func (c *client) list() []simworld.Entry {
	list, _ := c.look()
	return list
}

// look tells what the server holds, and in detail.
func (c *client) look() ([]simworld.Entry, map[mail.FolderName][]phone.Message) {
	c.t.Helper()
	defer c.rest()
	var list []simworld.Entry
	found := map[mail.FolderName][]phone.Message{}
	for _, name := range c.Folders() {
		folder := mail.FolderName(name)
		list = append(list, simworld.Entry{Folder: folder})
		found[folder] = c.Messages(name)
		for _, m := range found[folder] {
			list = append(list, simworld.Entry{Folder: folder, Name: simworld.NameOf(m.Body), Flags: m.Flags})
		}
	}
	return simworld.Tidy(list), found
}

func (c *client) ensure(folder mail.FolderName) {
	c.t.Helper()
	if !slices.Contains(c.Folders(), string(folder)) {
		c.Create(string(folder))
	}
}

// edit does what a scenario says happens on the server.
func (c *client) edit(e simworld.Edit) {
	c.t.Helper()
	defer c.rest()
	folder := string(e.Folder)
	switch e.Verb {
	case simworld.Create:
		c.ensure(e.Folder)
	case simworld.Add:
		c.ensure(e.Folder)
		c.Append(folder, e.Flags, epoch, bytes.ReplaceAll(simworld.Content(e.Name), []byte("\n"), []byte("\r\n")))
	case simworld.Remove:
		c.Delete(folder)
	case simworld.Rename:
		c.Rename(folder, string(e.To))
	case simworld.Renumber:
		c.renumber(e.Folder)
	default:
		c.editMessage(e)
	}
}

func (c *client) editMessage(e simworld.Edit) {
	c.t.Helper()
	folder := string(e.Folder)
	messages := c.Messages(folder)
	i := slices.IndexFunc(messages, func(m phone.Message) bool { return simworld.NameOf(m.Body) == e.Name })
	if i < 0 {
		c.t.Fatalf("remote %s: no such message", e)
	}
	switch uid := messages[i].UID; e.Verb {
	case simworld.Change:
		c.Store(folder, e.Flags, e.Minus, uid)
	case simworld.Delete:
		c.Expunge(folder, uid)
	case simworld.Move:
		c.ensure(e.To)
		c.Move(folder, string(e.To), uid)
	case simworld.Copy:
		c.ensure(e.To)
		c.Copy(folder, string(e.To), uid)
	default:
		c.t.Fatalf("remote %s: no such edit", e)
	}
}

// renumber gives a mailbox a new UIDVALIDITY. INBOX cannot be deleted, but
// renaming it leaves a new one behind (RFC 3501 section 6.3.5).
func (c *client) renumber(folder mail.FolderName) {
	c.t.Helper()
	if folder != mail.Inbox {
		c.ResetUIDValidity(string(folder))
		return
	}
	before := c.uidValidity(folder)
	messages := c.Messages(string(folder))
	const aside = "Renumbered"
	c.Rename(string(folder), aside)
	c.Delete(aside)
	for _, m := range slices.Backward(messages) { // no UID stands for the same message as before
		c.Append(string(folder), m.Flags, m.Date, m.Body)
	}
	if after := c.uidValidity(folder); after == before {
		c.t.Fatalf("UIDVALIDITY of %q is still %d", folder, before)
	}
}

func (c *client) uidValidity(folder mail.FolderName) uint32 {
	c.t.Helper()
	p, err := phone.Dial(c.server.Addr(), c.user, c.server.Password)
	if err != nil {
		c.t.Fatal(err)
	}
	defer p.Close()
	validity, err := p.UIDValidity(string(folder))
	if err != nil {
		c.t.Fatal(err)
	}
	return validity
}

// Package imaptest gives tests another client of the account, which ends the
// test where something fails, and a proxy that keeps and disturbs what passes
// between the program and a server.
package imaptest

import (
	"testing"
	"time"

	"imapsync/internal/dovecot"
	"imapsync/internal/phone"
	"imapsync/mail"
)

// Client is a phone.Client whose failures end the test.
type Client struct {
	t     testing.TB
	phone *phone.Client
}

// Dial logs in to a test server until the test ends.
func Dial(t testing.TB, s *dovecot.Server, user string) *Client {
	t.Helper()
	return DialAddr(t, s.Addr(), user, s.Password)
}

// DialAddr logs in to any server until the test ends.
func DialAddr(t testing.TB, addr, user, password string) *Client {
	t.Helper()
	c, err := phone.Dial(addr, user, password)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &Client{t: t, phone: c}
}

func (c *Client) check(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// Folders lists the mailboxes that can be selected.
func (c *Client) Folders() []string {
	c.t.Helper()
	names, err := c.phone.Folders()
	c.check(err)
	return names
}

// Create makes mailboxes.
func (c *Client) Create(folders ...string) {
	c.t.Helper()
	for _, folder := range folders {
		c.check(c.phone.Create(folder))
	}
}

// TryCreate makes a mailbox, or tells why the server would not.
func (c *Client) TryCreate(folder string) error { return c.phone.Create(folder) }

// Subscribe subscribes mailboxes.
func (c *Client) Subscribe(folders ...string) {
	c.t.Helper()
	for _, folder := range folders {
		c.check(c.phone.Subscribe(folder, true))
	}
}

// Unsubscribe ends that.
func (c *Client) Unsubscribe(folder string) {
	c.t.Helper()
	c.check(c.phone.Subscribe(folder, false))
}

// Share lets another user do in a mailbox what the rights say.
func (c *Client) Share(folder, user, rights string) {
	c.t.Helper()
	c.check(c.phone.Share(folder, user, rights))
}

// Delete deletes a mailbox with all that is in it.
func (c *Client) Delete(folder string) {
	c.t.Helper()
	c.check(c.phone.Delete(folder))
}

// Rename renames a mailbox.
func (c *Client) Rename(folder, to string) {
	c.t.Helper()
	c.check(c.phone.Rename(folder, to))
}

// Append stores a message, given with CR LF line ends.
func (c *Client) Append(folder string, flags mail.Flags, date time.Time, body []byte) mail.UID {
	c.t.Helper()
	uid, err := c.phone.Append(folder, flags, date, body)
	c.check(err)
	return uid
}

// Messages returns everything a mailbox holds.
func (c *Client) Messages(folder string) []phone.Message {
	c.t.Helper()
	messages, err := c.phone.Messages(folder)
	c.check(err)
	return messages
}

// UIDs returns the UIDs a mailbox holds, ascending.
func (c *Client) UIDs(folder string) []mail.UID {
	c.t.Helper()
	messages, err := c.phone.List(folder)
	c.check(err)
	uids := make([]mail.UID, len(messages))
	for i, m := range messages {
		uids[i] = m.UID
	}
	return uids
}

// Store adds and removes flags.
func (c *Client) Store(folder string, add, remove mail.Flags, uids ...mail.UID) {
	c.t.Helper()
	c.check(c.phone.Store(folder, uids, add, remove))
}

// Move moves messages.
func (c *Client) Move(folder, to string, uids ...mail.UID) {
	c.t.Helper()
	c.check(c.phone.Move(folder, uids, to))
}

// Copy copies messages.
func (c *Client) Copy(folder, to string, uids ...mail.UID) {
	c.t.Helper()
	c.check(c.phone.Copy(folder, uids, to))
}

// Expunge removes messages for good.
func (c *Client) Expunge(folder string, uids ...mail.UID) {
	c.t.Helper()
	c.check(c.phone.Expunge(folder, uids))
}

// ResetUIDValidity gives the mailbox a new UIDVALIDITY and every message in it
// a new UID, by making it anew. INBOX cannot be treated so.
func (c *Client) ResetUIDValidity(folder string) {
	c.t.Helper()
	before, err := c.phone.UIDValidity(folder)
	c.check(err)
	messages := c.Messages(folder)
	c.Delete(folder)
	c.Create(folder)
	// In another order, so that no UID stands for the same message as before.
	for i := len(messages) - 1; i >= 0; i-- {
		c.Append(folder, messages[i].Flags, messages[i].Date, messages[i].Body)
	}
	after, err := c.phone.UIDValidity(folder)
	c.check(err)
	if before == after {
		c.t.Fatalf("UIDVALIDITY of %q is still %d", folder, before)
	}
}

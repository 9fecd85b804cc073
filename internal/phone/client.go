package phone

import (
	"fmt"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"imapsync/mail"
)

// Client is a plain, unencrypted connection to a server on this machine. It is
// not for concurrent use.
type Client struct {
	imap *imapclient.Client
}

// Message is a message as the server has it.
type Message struct {
	UID   mail.UID
	Flags mail.Flags
	Date  time.Time // INTERNALDATE
	Body  []byte    // as on the wire, with CR LF; nil when only listed
	Size  int64     // RFC822.SIZE
}

// Dial connects to addr ("host:port") and logs in.
func Dial(addr, user, password string) (*Client, error) {
	c, err := imapclient.DialInsecure(addr, nil)
	if err != nil {
		return nil, err
	}
	if err := c.Login(user, password).Wait(); err != nil {
		_ = c.Close()
		return nil, err
	}
	return &Client{imap: c}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.imap.Close() }

// Folders lists the mailboxes that can be selected.
func (c *Client) Folders() ([]string, error) {
	boxes, err := c.imap.List("", "*", nil).Collect()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, box := range boxes {
		selectable := true
		for _, attr := range box.Attrs {
			selectable = selectable && attr != imap.MailboxAttrNoSelect && attr != imap.MailboxAttrNonExistent
		}
		if selectable {
			names = append(names, box.Mailbox)
		}
	}
	return names, nil
}

// Create makes a mailbox.
func (c *Client) Create(folder string) error { return c.imap.Create(folder, nil).Wait() }

// Subscribe subscribes a mailbox, or ends that.
func (c *Client) Subscribe(folder string, on bool) error {
	if on {
		return c.imap.Subscribe(folder).Wait()
	}
	return c.imap.Unsubscribe(folder).Wait()
}

// Share lets another user do in a mailbox what the rights say (RFC 4314).
func (c *Client) Share(folder, user, rights string) error {
	return c.imap.SetACL(folder, imap.RightsIdentifier(user), imap.RightModificationReplace, imap.RightSet(rights)).Wait()
}

// Delete deletes a mailbox with all that is in it.
func (c *Client) Delete(folder string) error {
	if err := c.unselect(); err != nil {
		return err
	}
	return c.imap.Delete(folder).Wait()
}

// Rename renames a mailbox.
func (c *Client) Rename(folder, to string) error {
	if err := c.unselect(); err != nil {
		return err
	}
	return c.imap.Rename(folder, to, nil).Wait()
}

// unselect leaves the mailbox: servers disconnect whoever has a mailbox
// selected when it is deleted.
func (c *Client) unselect() error {
	if c.imap.State() != imap.ConnStateSelected {
		return nil
	}
	return c.imap.Unselect().Wait()
}

// Append stores a message, given with CR LF line ends, and returns its UID.
func (c *Client) Append(folder string, flags mail.Flags, date time.Time, body []byte) (mail.UID, error) {
	cmd := c.imap.Append(folder, int64(len(body)), &imap.AppendOptions{Flags: wireFlags(flags), Time: date})
	if _, err := cmd.Write(body); err != nil {
		return 0, err
	}
	if err := cmd.Close(); err != nil {
		return 0, err
	}
	data, err := cmd.Wait()
	if err != nil {
		return 0, fmt.Errorf("append to %q: %w", folder, err)
	}
	return mail.UID(data.UID), nil
}

// Messages returns everything a mailbox holds, by ascending UID.
func (c *Client) Messages(folder string) ([]Message, error) { return c.fetch(folder, true) }

// List returns everything a mailbox holds but for the bodies.
func (c *Client) List(folder string) ([]Message, error) { return c.fetch(folder, false) }

func (c *Client) fetch(folder string, bodies bool) ([]Message, error) {
	selected, err := c.imap.Select(folder, &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil {
		return nil, fmt.Errorf("select %q: %w", folder, err)
	}
	if selected.NumMessages == 0 {
		return nil, nil
	}
	section := &imap.FetchItemBodySection{Peek: true}
	options := &imap.FetchOptions{UID: true, Flags: true, InternalDate: true, RFC822Size: true}
	if bodies {
		options.BodySection = []*imap.FetchItemBodySection{section}
	}
	var all imap.UIDSet
	all.AddRange(1, 0)
	found, err := c.imap.Fetch(all, options).Collect()
	if err != nil {
		return nil, err
	}
	messages := make([]Message, 0, len(found))
	for _, m := range found {
		message := Message{UID: mail.UID(m.UID), Flags: ourFlags(m.Flags), Date: m.InternalDate, Size: m.RFC822Size}
		if bodies {
			message.Body = m.FindBodySection(section)
		}
		messages = append(messages, message)
	}
	return messages, nil
}

// Store adds and removes flags.
func (c *Client) Store(folder string, uids []mail.UID, add, remove mail.Flags) error {
	if _, err := c.imap.Select(folder, nil).Wait(); err != nil {
		return err
	}
	for _, change := range []struct {
		op    imap.StoreFlagsOp
		flags mail.Flags
	}{{imap.StoreFlagsAdd, add}, {imap.StoreFlagsDel, remove}} {
		if change.flags.IsEmpty() {
			continue
		}
		store := &imap.StoreFlags{Op: change.op, Silent: true, Flags: wireFlags(change.flags)}
		if err := c.imap.Store(uidSet(uids), store, nil).Close(); err != nil {
			return err
		}
	}
	return nil
}

// Move moves messages to another mailbox.
func (c *Client) Move(folder string, uids []mail.UID, to string) error {
	if _, err := c.imap.Select(folder, nil).Wait(); err != nil {
		return err
	}
	_, err := c.imap.Move(uidSet(uids), to).Wait()
	return err
}

// Copy copies messages to another mailbox.
func (c *Client) Copy(folder string, uids []mail.UID, to string) error {
	if _, err := c.imap.Select(folder, nil).Wait(); err != nil {
		return err
	}
	_, err := c.imap.Copy(uidSet(uids), to).Wait()
	return err
}

// Expunge removes messages for good.
func (c *Client) Expunge(folder string, uids []mail.UID) error {
	if err := c.Store(folder, uids, mail.NewFlags(mail.Deleted), mail.Flags{}); err != nil {
		return err
	}
	return c.imap.UIDExpunge(uidSet(uids)).Close()
}

// BySubject returns the UIDs of the messages whose Subject holds the text.
func (c *Client) BySubject(folder, text string) ([]mail.UID, error) {
	if _, err := c.imap.Select(folder, &imap.SelectOptions{ReadOnly: true}).Wait(); err != nil {
		return nil, err
	}
	found, err := c.imap.UIDSearch(&imap.SearchCriteria{
		Header: []imap.SearchCriteriaHeaderField{{Key: "Subject", Value: text}},
	}, nil).Wait()
	if err != nil {
		return nil, err
	}
	var uids []mail.UID
	for _, uid := range found.AllUIDs() {
		uids = append(uids, mail.UID(uid))
	}
	return uids, nil
}

// UIDValidity returns what the server says of the mailbox.
func (c *Client) UIDValidity(folder string) (uint32, error) {
	status, err := c.imap.Status(folder, &imap.StatusOptions{UIDValidity: true}).Wait()
	if err != nil {
		return 0, err
	}
	return status.UIDValidity, nil
}

func uidSet(uids []mail.UID) imap.UIDSet {
	var set imap.UIDSet
	for _, uid := range uids {
		set.AddNum(imap.UID(uid))
	}
	return set
}

func wireFlags(flags mail.Flags) []imap.Flag {
	var names []imap.Flag
	for _, name := range flags.IMAP() {
		names = append(names, imap.Flag(name))
	}
	return names
}

func ourFlags(flags []imap.Flag) mail.Flags {
	var names []string
	for _, flag := range flags {
		names = append(names, string(flag))
	}
	return mail.NewFlags(0, names...)
}

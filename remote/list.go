package remote

import (
	"strings"

	"github.com/emersion/go-imap/v2"

	"imapsync/mail"
)

// list lists all mailboxes and learns how their names are to be translated. Those
// of namespaces to be looked at that "*" does not show are asked for by their
// prefix, and where LIST cannot tell which are subscribed LSUB is, if it matters.
func (a *Account) list(c *conn) ([]*imap.ListData, error) {
	namespace := a.askNamespace(c)
	cmd := c.client.List("", "*", c.listOptions())
	var subscribed func() ([]string, error)
	if a.cfg.Subscribed && !c.has("LIST-EXTENDED") {
		subscribed = c.wire.Subscriptions()
	}
	list, err := cmd.Collect()
	if err != nil {
		return nil, err
	}
	a.settleNames(namespace, list)
	if list, err = a.listOthers(c, list); err != nil || subscribed == nil {
		return list, err
	}
	boxes, err := subscribed()
	if err != nil {
		return nil, err
	}
	markSubscribed(list, boxes)
	return list, nil
}

// listOthers adds the mailboxes of the other namespaces.
func (a *Account) listOthers(c *conn, list []*imap.ListData) ([]*imap.ListData, error) {
	shown := make(map[string]bool, len(list))
	for _, box := range list {
		shown[box.Mailbox] = true
	}
	a.mu.Lock()
	names := *a.names
	a.mu.Unlock()
	for _, s := range names.others {
		if s.prefix == "" || !a.chosen(s.kind) {
			continue
		}
		more, err := c.client.List("", s.prefix+"*", c.listOptions()).Collect()
		if err != nil && !refused(err) {
			return nil, err
		}
		for _, box := range more {
			if !shown[box.Mailbox] {
				shown[box.Mailbox] = true
				list = append(list, box)
			}
		}
	}
	return list, nil
}

// markSubscribed has the list say which mailboxes LSUB told of.
func markSubscribed(list []*imap.ListData, subscribed []string) {
	names := make(map[string]bool, len(subscribed))
	for _, name := range subscribed {
		names[name] = true
	}
	for _, box := range list {
		if names[box.Mailbox] || strings.EqualFold(box.Mailbox, string(mail.Inbox)) && names[string(mail.Inbox)] {
			box.Attrs = append(box.Attrs, imap.MailboxAttrSubscribed)
		}
	}
}

package remote

import (
	"context"
	"fmt"
	"strings"

	"github.com/emersion/go-imap/v2"

	"imapsync/mail"
	"imapsync/remote/wire"
)

// list lists all mailboxes and learns how their names are to be translated. Those
// of namespaces to be looked at that "*" does not show are asked for by their
// prefix, and where LIST cannot tell which are subscribed LSUB is, if it matters.
// Whatever of this is refused, the run ends: folders would seem to be missing, or
// to be called otherwise. behind is called when the first LIST is on its way.
func (a *Account) list(ctx context.Context, c *conn, behind func()) ([]*imap.ListData, error) {
	namespace := a.askNamespace(c)
	cmd := c.client.List("", "*", c.listOptions())
	var subscribed func() ([]string, wire.Answer, error)
	if a.cfg.Subscribed && !c.has("LIST-EXTENDED") {
		subscribed = c.wire.Subscriptions()
	}
	behind()
	list, err := cmd.Collect()
	if err != nil {
		return nil, c.grade(ctx, err, mail.Fault{Scope: mail.ScopeAccount, Doing: "list folders"})
	}
	if err := a.settleNames(namespace, list); err != nil {
		return nil, c.grade(ctx, err, mail.Fault{Scope: mail.ScopeAccount, Doing: "ask how folders are called (NAMESPACE)", Hint: withoutNamespace})
	}
	if list, err = a.listOthers(ctx, c, list); err != nil || subscribed == nil {
		return list, err
	}
	boxes, answer, err := subscribed()
	if err == nil && answer.Status != "OK" {
		err = refusalOf(answer)
	}
	if err != nil {
		return nil, c.grade(ctx, err, mail.Fault{Scope: mail.ScopeAccount, Doing: "ask which folders are subscribed (LSUB)"})
	}
	markSubscribed(list, boxes)
	return list, nil
}

const withoutNamespace = `disable_extensions = ["NAMESPACE"] does without it`

// listOthers adds the mailboxes of the other namespaces.
func (a *Account) listOthers(ctx context.Context, c *conn, list []*imap.ListData) ([]*imap.ListData, error) {
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
		if err != nil {
			return nil, c.grade(ctx, err, mail.Fault{
				Scope: mail.ScopeAccount, Doing: fmt.Sprintf("list the folders of the namespace %q", s.prefix),
				Hint: fmt.Sprintf("leave %q out of namespaces to do without them", s.kind),
			})
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

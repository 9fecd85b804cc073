package remote

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"imapsync/mail"
	"imapsync/remote/wire"
)

// Folders lists the mailboxes, also those that LeftOut tells of, with their marks in the same round trip where
// the server has LIST-STATUS (RFC 5819), else by one STATUS each, pipelined. A
// mailbox whose name is unfit, or stands for a folder another one stands for,
// is skipped with a warning; where the configuration gives two one name, LeftOut
// tells. Folders begins a run: a UIDVALIDITY that it does not
// confirm is unknown again, those told from here on are compared, and as many
// connections as configured are tried again.
func (a *Account) Folders(ctx context.Context) ([]mail.RemoteFolder, error) {
	c, err := a.acquire(ctx, "")
	if err != nil {
		return nil, err
	}
	defer a.release(c)
	defer c.guard(ctx)()
	return a.folders(ctx, c, func() {})
}

// folders lists them; behind is called when the LIST is on its way.
func (a *Account) folders(ctx context.Context, c *conn, behind func()) ([]mail.RemoteFolder, error) {
	a.hear(c)
	list, err := a.list(ctx, c, behind)
	if err != nil {
		return nil, err
	}
	folders, unmarked := a.translate(list)
	if err := c.status(unmarked); err != nil {
		return nil, c.grade(ctx, err, mail.Fault{Scope: mail.ScopeAccount, Doing: "ask for the state of folders"})
	}
	if err := a.askRights(c, folders); err != nil {
		return nil, c.grade(ctx, err, mail.Fault{Scope: mail.ScopeAccount, Doing: "ask what may be done in folders"})
	}
	a.hear(c)
	a.beginRun(folders)
	return folders, nil
}

// beginRun keeps the marks just told, and of the SELECTs of earlier what they
// confirm.
func (a *Account) beginRun(folders []mail.RemoteFolder) {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.marks)
	for _, f := range folders {
		if f.Mark != nil {
			a.marks[f.Name] = *f.Mark
		}
	}
	maps.DeleteFunc(a.boxes, func(name mail.FolderName, box selection) bool {
		return a.marks[name].UIDValidity != box.mark.UIDValidity
	})
}

// markItems are the STATUS items that make a mail.Mark.
func (c *conn) markItems() *imap.StatusOptions {
	return &imap.StatusOptions{NumMessages: true, UIDNext: true, UIDValidity: true, HighestModSeq: c.condstore()}
}

// listOptions asks for as much in one LIST as the server can say (RFC 5258,
// RFC 5819, RFC 6154).
func (c *conn) listOptions() *imap.ListOptions {
	var o imap.ListOptions
	if c.has("LIST-EXTENDED") {
		o.ReturnSubscribed = true
		o.ReturnSpecialUse = c.listsUses()
	}
	if c.has("LIST-STATUS") {
		o.ReturnStatus = c.markItems()
	}
	return &o
}

// listsUses reports whether the list tells what mailboxes are for (RFC 6154).
func (c *conn) listsUses() bool { return c.has("LIST-EXTENDED") && c.has("SPECIAL-USE") }

// askNamespace sends NAMESPACE ahead of the LIST, to cost no round trip; nil
// when the answer is known or the server has none.
func (a *Account) askNamespace(c *conn) *imapclient.NamespaceCommand {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.names != nil || !c.has("NAMESPACE") {
		return nil
	}
	return c.client.Namespace()
}

// settleNames learns how names are to be translated from NAMESPACE, or from the
// delimiter LIST shows.
func (a *Account) settleNames(cmd *imapclient.NamespaceCommand, list []*imap.ListData) error {
	var n names
	for _, box := range list {
		if box.Delim != 0 {
			n.delim = string(box.Delim)
			break
		}
	}
	if cmd != nil {
		data, err := cmd.Wait()
		if err != nil {
			return err
		}
		n.add(Personal, data.Personal)
		n.add(Other, data.Other)
		n.add(Shared, data.Shared)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.names == nil {
		a.names, a.rename = &n, n.stripped(a.cfg.Rename)
	}
	return nil
}

// add adds the namespaces of a kind; the first personal one is ours.
func (n *names) add(kind string, told []imap.NamespaceDescriptor) {
	for i, d := range told {
		s := space{kind: kind, prefix: d.Prefix, delim: n.delim}
		if d.Delim != 0 {
			s.delim = string(d.Delim)
		}
		if kind == Personal && i == 0 {
			n.prefix, n.delim = s.prefix, s.delim
			continue
		}
		n.others = append(n.others, s)
	}
}

// unmarked is a mailbox whose state LIST did not tell.
type unmarked struct {
	name   string
	folder *mail.RemoteFolder
}

// translate turns LIST's answer into folders, remembers how the server wrote
// their names, and which are left out.
func (a *Account) translate(list []*imap.ListData) ([]mail.RemoteFolder, []unmarked) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.limit = a.cfg.Connections
	a.learnt = make(map[mail.FolderName]string, len(list))
	a.leftOut, a.uses = map[mail.FolderName]leftOut{}, map[string]bool{}
	a.unnamed, a.nameless = nil, map[mail.FolderName]bool{}
	folders := make([]mail.RemoteFolder, 0, len(list)) // never grown: unmarked points into it
	at := map[mail.FolderName]int{}
	var rest []unmarked
	for _, box := range inboxFirst(list) {
		for _, attr := range box.Attrs {
			a.uses[strings.ToLower(string(attr))] = true
		}
		server, err := a.names.ours(box.Mailbox)
		folder := a.rename.Local(server)
		if err == nil && folder != server {
			err = fitsRenamed(folder)
		}
		if err != nil {
			a.unnamed, a.nameless[server] = append(a.unnamed, box.Mailbox), true
			a.addWarning(fmt.Sprintf("mailbox %q skipped: %v", box.Mailbox, err))
			continue
		}
		f, why := remoteFolder(folder, server, box), a.excluded(folder, box)
		if i, taken := at[folder]; !taken {
			at[folder] = len(folders)
			folders = append(folders, f)
		} else if out := a.leftOut[folder]; why == "" && out.why != "" && out.err == nil {
			a.unnamed = append(a.unnamed, a.learnt[folder])
			folders[i] = f
			delete(a.leftOut, folder)
		} else {
			if why == "" {
				a.collide(box.Mailbox, a.learnt[folder], f, folders[i])
			}
			continue
		}
		if a.learnt[folder] = box.Mailbox; why != "" {
			a.leftOut[folder] = leftOut{why: why}
		}
	}
	for i, f := range folders {
		if _, out := a.leftOut[f.Name]; !out && f.Selectable && f.Mark == nil {
			rest = append(rest, unmarked{a.learnt[f.Name], &folders[i]})
		}
	}
	return folders, rest
}

// inboxFirst has the one mailbox called INBOX stand for that folder, and not one that
// is called so once the prefix of the namespace is off, whatever the server lists first.
func inboxFirst(list []*imap.ListData) []*imap.ListData {
	i := slices.IndexFunc(list, func(box *imap.ListData) bool { return strings.EqualFold(box.Mailbox, string(mail.Inbox)) })
	if i <= 0 {
		return list
	}
	return slices.Concat(list[i:i+1], list[:i], list[i+1:])
}

// remoteFolder is what LIST told of a mailbox.
func remoteFolder(folder, server mail.FolderName, box *imap.ListData) mail.RemoteFolder {
	f := mail.RemoteFolder{
		Name:       folder,
		Selectable: !slices.Contains(box.Attrs, imap.MailboxAttrNoSelect) && !slices.Contains(box.Attrs, imap.MailboxAttrNonExistent),
		Mark:       markOf(box.Status),
		Subscribed: slices.Contains(box.Attrs, imap.MailboxAttrSubscribed),
		Server:     server,
	}
	for _, attr := range box.Attrs {
		f.Attrs = append(f.Attrs, string(attr))
	}
	return f
}

// markOf reads a STATUS; nil where it does not tell everything.
func markOf(s *imap.StatusData) *mail.Mark {
	if s == nil || s.NumMessages == nil || s.UIDNext == 0 || s.UIDValidity == 0 {
		return nil
	}
	return &mail.Mark{
		UIDValidity:   s.UIDValidity,
		UIDNext:       mail.UID(s.UIDNext),
		Messages:      *s.NumMessages,
		HighestModSeq: s.HighestModSeq,
	}
}

// statusInFlight is how many STATUS are sent before their answers are waited
// for: what a command costs grows with how many are unanswered.
const statusInFlight = 500

// status asks for the marks that LIST did not bring. A mailbox the server does
// not tell about stays without.
func (c *conn) status(boxes []unmarked) error {
	for batch := range slices.Chunk(boxes, statusInFlight) {
		if err := c.statusOf(batch); err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) statusOf(boxes []unmarked) error {
	cmds := make([]*imapclient.StatusCommand, len(boxes))
	for i, box := range boxes {
		cmds[i] = c.client.Status(box.name, c.markItems())
	}
	for i, cmd := range cmds {
		data, err := cmd.Wait()
		switch {
		case err == nil:
			boxes[i].folder.Mark = markOf(data)
		case !refused(err):
			return err
		}
	}
	return nil
}

// serverName tells what the server calls a folder: as its LIST wrote it, else
// by the rules of its namespace and the configuration.
func (a *Account) serverName(ctx context.Context, c *conn, folder mail.FolderName) (string, error) {
	names, err := a.serverNames(ctx, c, folder)
	if err != nil {
		return "", err
	}
	return names[0], nil
}

// serverNames tells what the server may call a folder, the likeliest first; where
// LIST wrote it that alone.
func (a *Account) serverNames(ctx context.Context, c *conn, folder mail.FolderName) ([]string, error) {
	fault := mail.Fault{Scope: mail.ScopeFolder, Folder: folder, Doing: "translate the folder's name"}
	a.mu.Lock()
	name, learnt := a.learnt[folder]
	known := a.names != nil
	a.mu.Unlock()
	if learnt {
		return []string{name}, nil
	}
	if !known {
		namespace := a.askNamespace(c)
		list, err := c.client.List("", "", nil).Collect() // tells the delimiter (RFC 3501 section 6.3.8)
		if err != nil {
			return nil, c.grade(ctx, err, fault)
		}
		if err := a.settleNames(namespace, list); err != nil {
			return nil, c.grade(ctx, err, fault)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	names, err := a.namesFor(folder)
	if err != nil {
		fault.Err = err
		fault.Hint = "rename the folder, or leave it out by the folders patterns"
		return nil, &fault
	}
	return names, nil
}

// Missing reports whether the server, asked for this mailbox by name, says that
// it does not exist: STATUS with NO [NONEXISTENT] (RFC 5530), or with NO and the
// words for that of Dovecot, which lists some such mailboxes all the same; or STATUS with NO
// and a LIST of exactly this name that ends with OK and shows nothing, or a
// mere place in the hierarchy, as is left of a deleted mailbox with children
// (RFC 3501 section 6.3.4).
func (a *Account) Missing(ctx context.Context, folder mail.FolderName) (bool, error) {
	c, err := a.acquire(ctx, "")
	if err != nil {
		return false, err
	}
	defer a.release(c)
	defer c.guard(ctx)()
	fault := mail.Fault{Scope: mail.ScopeFolder, Folder: folder, Doing: "ask whether the folder exists"}
	names, err := a.serverNames(ctx, c, folder)
	if errors.Is(err, errUnnamed) { // the mailbox that had the name without the configuration
		names, err = a.ownName(folder)
	}
	if err != nil {
		return false, err
	}
	for _, name := range names {
		if gone, err := a.missing(c, name); !gone || err != nil {
			return false, c.grade(ctx, err, fault)
		}
	}
	return true, nil
}

// ownName is what a folder is called on the server without the configuration.
func (a *Account) ownName(folder mail.FolderName) ([]string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name, err := a.names.server(folder)
	return []string{name}, err
}

func (a *Account) missing(c *conn, name string) (bool, error) {
	_, err := c.client.Status(name, &imap.StatusOptions{UIDValidity: true}).Wait()
	switch {
	case err == nil:
		return false, nil
	case hasCode(err, imap.ResponseCodeNonExistent), saysGone(err):
		return true, nil
	case !refused(err) || temporary(err):
		return false, err
	}
	box, err := a.lookUp(c, name)
	gone := box == nil || slices.ContainsFunc(box.Attrs, func(attr imap.MailboxAttr) bool {
		return attr == imap.MailboxAttrNoSelect || attr == imap.MailboxAttrNonExistent
	})
	return err == nil && gone, err
}

// saysGone knows the words in which Dovecot says without a code that a mailbox does
// not exist: of a Maildir that was deleted while it had others below it.
func saysGone(err error) bool {
	r := asRefusal(err)
	return r != nil && r.err.Code == "" && strings.HasPrefix(r.err.Text, "Mailbox doesn't exist: ")
}

// lookUp lists one mailbox by its exact name, nil if there is none. What the
// server lists instead, spelling the name its own way, counts as found.
func (a *Account) lookUp(c *conn, name string) (*imap.ListData, error) {
	a.hear(c)
	list, err := c.client.List("", name, nil).Collect()
	if err != nil {
		return nil, err
	}
	for _, box := range list {
		if strings.EqualFold(box.Mailbox, name) || !strings.ContainsAny(name, "*%") {
			return box, nil
		}
	}
	for _, n := range a.hear(c) {
		if n.Kind == wire.NoticeDropped {
			return nil, fmt.Errorf("the server's answer was not understood: %s %s", n.Name, n.Text)
		}
	}
	return nil, nil
}

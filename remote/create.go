package remote

import (
	"context"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"imapsync/mail"
)

// CreateFolder creates a mailbox and subscribes it. One that exists is no
// error (ALREADYEXISTS, RFC 5530 section 3). Where the configuration leaves several
// names for it, the next is tried if the server takes one not.
func (a *Account) CreateFolder(ctx context.Context, folder mail.FolderName) error {
	c, err := a.acquire(ctx, "")
	if err != nil {
		return err
	}
	defer a.release(c)
	defer c.guard(ctx)()
	fault := mail.Fault{Scope: mail.ScopeFolder, Folder: folder, Doing: "create the folder"}
	names, err := a.serverNames(ctx, c, folder)
	if err != nil {
		return err
	}
	name, err := a.createOne(c, folder, names)
	if err != nil {
		return c.grade(ctx, err, fault)
	}
	a.mu.Lock()
	a.learnt[folder] = name
	delete(a.marks, folder) // it is none that was listed
	a.mu.Unlock()
	if err := c.client.Subscribe(name).Wait(); err != nil {
		if !refused(err) {
			return c.grade(ctx, err, fault)
		}
		a.warn("folder " + string(folder) + " was created but not subscribed: " + err.Error())
	}
	return nil
}

// ServerName is what the server calls a folder, as of the last Folders or
// CreateFolder, in our spelling but by its own name where the configuration gives it
// another.
func (a *Account) ServerName(folder mail.FolderName) mail.FolderName {
	a.mu.Lock()
	defer a.mu.Unlock()
	if name, ok := a.learnt[folder]; ok && a.names != nil {
		if server, err := a.names.ours(name); err == nil {
			return server
		}
	}
	return folder
}

// createOne creates the mailbox under the first of the names that the server takes,
// and tells which.
func (a *Account) createOne(c *conn, folder mail.FolderName, names []string) (name string, err error) {
	var first error
	for _, name := range names {
		err := a.create(c, folder, name)
		if err == nil || hasCode(err, imap.ResponseCodeAlreadyExists) || refused(err) && a.isThere(c, name) {
			return name, nil
		}
		if first == nil {
			first = err
		}
		if !refused(err) || temporary(err) {
			return "", err
		}
	}
	return "", first
}

// create tells the server what a folder with a well-known name is for (RFC 6154
// section 3), unless another one is for that already or it does not want to know.
func (a *Account) create(c *conn, folder mail.FolderName, name string) error {
	use := a.useOf(c, folder)
	if use == "" {
		return c.client.Create(name, nil).Wait()
	}
	err := c.client.Create(name, &imap.CreateOptions{SpecialUse: []imap.MailboxAttr{use}}).Wait()
	if refused(err) && !temporary(err) && !hasCode(err, imap.ResponseCodeAlreadyExists) {
		return c.client.Create(name, nil).Wait()
	}
	if err == nil {
		a.mu.Lock()
		a.uses[strings.ToLower(string(use))] = true
		a.mu.Unlock()
	}
	return err
}

// wellKnown are the names by which mail programs find folders with a purpose.
var wellKnown = []imap.MailboxAttr{imap.MailboxAttrSent, imap.MailboxAttrDrafts, imap.MailboxAttrTrash, imap.MailboxAttrJunk, imap.MailboxAttrArchive}

// useOf is the purpose to create a folder for, "" for none.
func (a *Account) useOf(c *conn, folder mail.FolderName) imap.MailboxAttr {
	if !c.has("CREATE-SPECIAL-USE") || !c.listsUses() {
		return ""
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, use := range wellKnown {
		if strings.EqualFold(string(use), `\`+string(folder)) && a.uses != nil && !a.uses[strings.ToLower(string(use))] {
			return use
		}
	}
	return ""
}

// isThere asks whether a mailbox exists that a server would not create: older
// ones say no more than NO.
func (a *Account) isThere(c *conn, name string) bool {
	box, err := a.lookUp(c, name)
	return err == nil && box != nil && box.Mailbox == name && !slices.Contains(box.Attrs, imap.MailboxAttrNoSelect)
}

// DeleteFolder deletes the mailbox if it is empty at this moment, and
// unsubscribes it; else mail.ErrChanged.
func (a *Account) DeleteFolder(ctx context.Context, folder mail.FolderName) error {
	fault := mail.Fault{Scope: mail.ScopeFolder, Folder: folder, Doing: "delete the folder"}
	if err := a.deselect(ctx, folder); err != nil {
		return err
	}
	c, err := a.acquire(ctx, folder)
	if err != nil {
		return err
	}
	defer a.release(c)
	defer c.guard(ctx)()
	name, err := a.serverName(ctx, c, folder)
	if err != nil {
		return err
	}
	if err := c.leave(folder); err != nil {
		return c.grade(ctx, err, fault)
	}
	status, err := c.client.Status(name, &imap.StatusOptions{NumMessages: true}).Wait()
	if err != nil {
		return c.grade(ctx, err, fault)
	}
	if status.NumMessages == nil || *status.NumMessages != 0 {
		return mail.ErrChanged
	}
	if err := c.client.Delete(name).Wait(); err != nil {
		return c.grade(ctx, err, fault)
	}
	a.mu.Lock()
	delete(a.learnt, folder)
	delete(a.marks, folder)
	delete(a.boxes, folder)
	a.mu.Unlock()
	if err := c.client.Unsubscribe(name).Wait(); err != nil && !refused(err) {
		return c.grade(ctx, err, fault)
	}
	return nil
}

// deselect leaves the mailbox on every idle connection: a server need not
// delete what is selected, or cuts off those who have it selected.
func (a *Account) deselect(ctx context.Context, folder mail.FolderName) error {
	for {
		c := a.takeIdle(folder)
		if c == nil {
			return nil
		}
		stop := c.guard(ctx)
		c.arrive(ctx, "")
		err := c.leave(folder)
		stop()
		if err != nil {
			c.kill(err)
		}
		a.release(c)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// takeIdle lends out an idle connection that has the folder selected.
func (a *Account) takeIdle(folder mail.FolderName) *conn {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.IndexFunc(a.idle, func(c *conn) bool { return c.at() == folder })
	if i < 0 {
		return nil
	}
	c := a.idle[i]
	a.idle = slices.Delete(a.idle, i, i+1)
	a.busy++
	return c
}

// leave deselects the folder if it is selected: by UNSELECT (RFC 3691), else by
// looking at INBOX instead. CLOSE would expunge.
func (c *conn) leave(folder mail.FolderName) error {
	if c.box.folder != folder {
		return nil
	}
	c.box = selection{}
	if c.has("UNSELECT") {
		return c.client.Unselect().Wait()
	}
	_, err := c.client.Select(string(mail.Inbox), &imap.SelectOptions{ReadOnly: true}).Wait()
	return err
}

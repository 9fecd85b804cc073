package remote

import (
	"context"
	"errors"
	"slices"

	"imapsync/mail"
)

// RenameFolder renames the mailbox and all below it (RFC 3501 section 6.3.5),
// and has the subscriptions follow. INBOX is never renamed: that would move its
// messages and leave it there.
func (a *Account) RenameFolder(ctx context.Context, folder, to mail.FolderName) error {
	fault := mail.Fault{Scope: mail.ScopeFolder, Folder: folder, Doing: "rename the folder to " + string(to)}
	if folder == mail.Inbox || to == mail.Inbox {
		fault.Err = errInboxName
		return &fault
	}
	names := a.below(folder)
	for _, n := range names {
		if err := a.deselect(ctx, n); err != nil {
			return err
		}
	}
	c, err := a.acquire(ctx, "")
	if err != nil {
		return err
	}
	defer a.release(c)
	defer c.guard(ctx)()
	old, err := a.serverName(ctx, c, folder)
	if err != nil {
		return err
	}
	name, err := a.serverName(ctx, c, to)
	if err != nil {
		return err
	}
	if err := c.client.Rename(old, name, nil).Wait(); err != nil {
		return c.grade(ctx, err, fault)
	}
	return c.grade(ctx, a.resubscribe(ctx, c, names, folder, to), fault)
}

var errInboxName = errors.New("INBOX has its name for ever")

// below are the folder and those that LIST showed below it.
func (a *Account) below(folder mail.FolderName) []mail.FolderName {
	a.mu.Lock()
	defer a.mu.Unlock()
	names := []mail.FolderName{folder}
	for n := range a.learnt {
		if n.Within(folder) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

// resubscribe takes the folders' old names for forgotten and subscribes the new
// ones in place of them. What the server refuses of that is no error.
func (a *Account) resubscribe(ctx context.Context, c *conn, names []mail.FolderName, folder, to mail.FolderName) error {
	for _, n := range names {
		renamed := to + n[len(folder):]
		old, err := a.serverName(ctx, c, n)
		if err != nil {
			return err
		}
		name, err := a.serverName(ctx, c, renamed)
		if err != nil {
			return err
		}
		a.mu.Lock()
		a.learnt[renamed], a.sizes[renamed] = name, a.sizes[n]
		delete(a.learnt, n)
		delete(a.boxes, n)
		delete(a.marks, n)
		delete(a.sizes, n)
		a.mu.Unlock()
		if err := c.client.Subscribe(name).Wait(); err != nil && !refused(err) {
			return err
		}
		if err := c.client.Unsubscribe(old).Wait(); err != nil && !refused(err) {
			return err
		}
	}
	return nil
}

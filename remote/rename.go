package remote

import (
	"context"
	"errors"
	"slices"
	"strings"

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
	candidates, err := a.serverNames(ctx, c, to)
	if err != nil {
		return err
	}
	name, ok := a.comingAlong(folder, to, old, candidates)
	if !ok {
		fault.Err = errBelow
		return &fault
	}
	if err := c.client.Rename(old, name, nil).Wait(); err != nil {
		return c.grade(ctx, err, fault)
	}
	return c.grade(ctx, a.resubscribe(c, names, rename{folder, to, old, name}), fault)
}

// rename is a folder with its old and its new name, here and on the server.
type rename struct {
	folder, to mail.FolderName
	old, name  string
}

// comingAlong finds the name under which the folders below have the names here
// that they should have when the server has renamed all that lies below there.
func (a *Account) comingAlong(folder, to mail.FolderName, old string, candidates []string) (name string, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delim := a.names.spaceOf(old).delim
	lies := func(box string) bool { return delim != "" && strings.HasPrefix(box, old+delim) }
	if slices.ContainsFunc(a.unnamed, lies) {
		return "", false
	}
	fits := func(name string) bool {
		for n, box := range a.learnt {
			if lies(box) != n.Within(folder) {
				return false
			}
			if !lies(box) {
				continue
			}
			server, err := a.names.ours(name + box[len(old):])
			if err != nil || a.rename.Local(server) != to+n[len(folder):] {
				return false
			}
		}
		return true
	}
	for _, name := range candidates {
		if fits(name) {
			return name, true
		}
	}
	return "", false
}

var errBelow = errors.New("the server would rename other folders with it than those below it here")

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
func (a *Account) resubscribe(c *conn, names []mail.FolderName, r rename) error {
	for _, n := range names {
		old := a.listedAs(n)
		if n == r.folder {
			old = r.old
		}
		renamed, name := r.to+n[len(r.folder):], r.name+old[len(r.old):]
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

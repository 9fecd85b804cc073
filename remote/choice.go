package remote

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"imapsync/mail"
)

// leftOut is why a folder is not looked at; err is what to tell of it, nil where
// it is as configured.
type leftOut struct {
	why string
	err error
}

// LeftOut tells why nothing of a folder is to be touched, be it on the server or
// not, as of the last Folders; "" where there is no reason. was is what the server
// called it when it was last synchronised, "" if it never was. The error is one that
// the user must know of.
func (a *Account) LeftOut(folder, was mail.FolderName) (why string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if out, listed := a.leftOut[folder]; listed {
		return out.why, out.err
	}
	if a.nameless[was] {
		return "its mailbox can have no name here", nil
	}
	if _, listed := a.learnt[folder]; listed || a.names == nil {
		return "", nil
	}
	for _, server := range a.rename.Server(folder) {
		if s, ok := a.names.spaceFor(server); ok && !a.chosen(s.kind) {
			return outsideText(s.kind), nil
		}
	}
	return "", nil
}

// excluded tells why a mailbox is left out by the configuration; a.mu is held.
func (a *Account) excluded(folder mail.FolderName, box *imap.ListData) (why string) {
	in := a.names.spaceOf(box.Mailbox)
	switch {
	case !a.chosen(in.kind):
		return outsideText(in.kind)
	case a.cfg.Subscribed && folder != mail.Inbox && !slices.Contains(box.Attrs, imap.MailboxAttrSubscribed):
		return "not subscribed"
	}
	return ""
}

func (a *Account) chosen(kind string) bool {
	if a.cfg.Namespaces == nil {
		return kind == Personal
	}
	return slices.Contains(a.cfg.Namespaces, kind)
}

func outsideText(kind string) string { return "in the " + kind + " namespace" }

// collide deals with a second mailbox of one folder name; a.mu is held. Where the
// configuration gives it that name, neither is touched: which of the two is meant
// nothing tells.
func (a *Account) collide(box, other string, second, first mail.RemoteFolder) {
	if other == box {
		return
	}
	a.unnamed = append(a.unnamed, box)
	folder := first.Name
	if second.Server == first.Server { // no name of its own, by which the folder would be left out
		a.addWarning(fmt.Sprintf("mailbox %q skipped: %q stands for folder %q already", box, other, folder))
		return
	}
	a.nameless[second.Server] = true
	a.leftOut[folder] = leftOut{"two mailboxes would have this name", &mail.Fault{Scope: mail.ScopeFolder, Folder: folder, Doing: "translate the names of folders",
		Err:  fmt.Errorf("the mailboxes %q and %q would both be this folder", other, box),
		Hint: "give one of them another name by the key rename; until then neither is synchronised"}}
}

// fitsRenamed reports why a name that the configuration gives a mailbox cannot be
// a folder's.
func fitsRenamed(folder mail.FolderName) error {
	if strings.EqualFold(folder.Components()[0], string(mail.Inbox)) {
		return fmt.Errorf("by the key rename it would be %q, which is INBOX or would lie in it", folder)
	}
	return folder.Check()
}

// namesFor lists the names that the server may be asked for a folder by, or told
// to create it by; a.mu is held. One that puts it into the mailbox of the folder
// it lies in comes first.
func (a *Account) namesFor(folder mail.FolderName) ([]string, error) {
	var names []string
	var unfit error
	for _, server := range a.rename.Server(folder) {
		name, err := a.names.server(server)
		if err != nil {
			unfit = errors.Join(unfit, err)
			continue
		}
		names = append(names, name)
	}
	if names == nil && unfit == nil {
		unfit = errUnnamed
	}
	if names == nil {
		return nil, unfit
	}
	if parent, listed := a.learnt[folder.Parent()]; listed {
		slices.SortStableFunc(names, func(x, y string) int {
			return boolToInt(strings.HasPrefix(y, parent+a.names.delim)) - boolToInt(strings.HasPrefix(x, parent+a.names.delim))
		})
	}
	return names, nil
}

var errUnnamed = errors.New("no mailbox can be this folder: the key rename gives the one of its name another")

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

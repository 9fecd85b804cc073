package remote

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2/imapclient"

	"imapsync/mail"
)

// askRights asks what may be done in the mailboxes that are not our own (MYRIGHTS,
// RFC 4314 section 3.5), where the server can tell. In our own a SELECT that finds
// the mailbox read-only tells it.
func (a *Account) askRights(c *conn, folders []mail.RemoteFolder) error {
	denied := map[mail.FolderName]mail.Denied{}
	if c.has("ACL") {
		asked := a.foreign(folders)
		for batch := range slices.Chunk(asked, statusInFlight) {
			cmds := make([]*imapclient.MyRightsCommand, len(batch))
			for i, f := range batch {
				cmds[i] = c.client.MyRights(a.listedAs(f.Name))
			}
			for i, cmd := range cmds {
				data, err := cmd.Wait()
				switch {
				case err == nil && data.Mailbox == a.listedAs(batch[i].Name):
					batch[i].Denied = deniedBy(string(data.Rights))
					denied[batch[i].Name] = batch[i].Denied
				case err != nil && !refused(err):
					return err
				}
			}
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.denied = denied
	return nil
}

// foreign are the mailboxes outside of the personal namespace.
func (a *Account) foreign(folders []mail.RemoteFolder) (list []*mail.RemoteFolder) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, f := range folders {
		if _, out := a.leftOut[f.Name]; !out && f.Selectable && a.names.spaceOf(a.learnt[f.Name]).kind != Personal {
			list = append(list, &folders[i])
		}
	}
	return list
}

func (a *Account) listedAs(folder mail.FolderName) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.learnt[folder]
}

// deniedBy is what rights (RFC 4314 section 2.1) leave out; "d" is that of RFC 2086
// for what is now "t", "e" and "x".
func deniedBy(rights string) mail.Denied {
	has := func(any string) bool { return strings.ContainsAny(rights, any) }
	return mail.Denied{
		Flags:  !has("swtd"),
		Insert: !has("i"),
		Delete: !(has("t") && has("e")) && !has("d"),
	}
}

// restrict adds to what a SELECT told what is known not to be allowed.
func (a *Account) restrict(folder mail.FolderName, space mail.FlagSpace) (mail.FlagSpace, mail.Denied) {
	a.mu.Lock()
	denied := a.denied[folder]
	a.mu.Unlock()
	if space.ReadOnly {
		denied = mail.ReadOnly
	}
	space.ReadOnly = space.ReadOnly || denied.Flags
	return space, denied
}

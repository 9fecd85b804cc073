package remote

import (
	"context"
	"maps"
	"slices"

	"github.com/emersion/go-imap/v2"

	"imapsync/mail"
)

// mailboxesAtOnce is how many mailboxes StillThere asks in one flight.
const mailboxesAtOnce = 32

// StillThere asks for messages by their numbers, each mailbox in a new session
// (SELECT), and tells of each which exist. Many mailboxes share a flight, for all
// that can go wrong when imapclient gives an answer of one mailbox to the command
// for another is that a message seems to be there: what told gets besides those
// asked for means nothing. The error is for the mailboxes without a call to told.
func (a *Account) StillThere(ctx context.Context, absent []mail.Sought, readOnly bool, told func(folder mail.FolderName, there []mail.UID, err error)) error {
	for batch := range slices.Chunk(absent, mailboxesAtOnce) {
		if err := a.stillThere(ctx, batch, readOnly, told); err != nil {
			return err
		}
	}
	return nil
}

// sighting is the question to one mailbox.
type sighting struct {
	folder mail.FolderName
	after  *selecting
	flight flight
	list   *listing
	err    error // why it could not be asked
}

func (a *Account) stillThere(ctx context.Context, absent []mail.Sought, readOnly bool, told func(mail.FolderName, []mail.UID, error)) error {
	c, err := a.acquire(ctx, "")
	if err != nil {
		return err
	}
	defer a.release(c)
	defer c.guard(ctx)()
	asked := make([]*sighting, len(absent))
	for i, gone := range absent {
		m := &Mailbox{a: a, c: c, folder: gone.Folder, readOnly: readOnly}
		s := &sighting{folder: gone.Folder, list: newListing(c)}
		asked[i] = s
		if s.after, s.err = m.begin(ctx); s.err != nil {
			continue
		}
		s.after.passing = gone.UIDValidity
		s.flight = flight{take: s.list.take, after: s.after}
		for _, set := range sets(sorted(gone.UIDs)) {
			s.flight.add(c.client.Fetch(set, flagItems))
		}
	}
	defer c.leaveUnknown()()
	for _, s := range asked {
		answer := s.flight.wait()
		if s.err == nil {
			s.err = s.after.wait()
		}
		if s.err == nil {
			fault := mail.Fault{Scope: mail.ScopeFolder, Folder: s.folder, Doing: "look for missing messages"}
			s.err = c.grade(ctx, answer, fault)
		}
		told(s.folder, slices.Sorted(maps.Keys(s.list.records)), s.err)
	}
	return nil
}

// leaveUnknown sends the command that deselects whatever mailbox is selected, so
// that nobody deletes it under this connection; the returned function waits for
// the answer.
func (c *conn) leaveUnknown() (wait func()) {
	if c.has("UNSELECT") {
		cmd := c.client.Unselect()
		return func() { _ = cmd.Wait() } // refused where the last SELECT was
	}
	cmd := c.client.Select(string(mail.Inbox), &imap.SelectOptions{ReadOnly: true})
	return func() { _, _ = cmd.Wait() }
}

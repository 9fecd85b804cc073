package remote

import (
	"context"
	"maps"
	"slices"

	"github.com/emersion/go-imap/v2"

	"imapsync/mail"
)

// mailboxesAtOnce is how many mailboxes are asked for messages in one flight.
const mailboxesAtOnce = 32

// StillThere asks for messages by their numbers, each mailbox in a new session
// (SELECT), and tells of each which exist. Many mailboxes share a flight, for all
// that can go wrong when imapclient gives an answer of one mailbox to the command
// for another is that a message seems to be there: what told gets besides those
// asked for means nothing. The error is for the mailboxes without a call to told.
func (a *Account) StillThere(ctx context.Context, absent []mail.Sought, readOnly bool, told func(folder mail.FolderName, there []mail.UID, err error)) error {
	if len(absent) == 0 {
		return nil
	}
	c, err := a.acquire(ctx, "")
	if err != nil {
		return err
	}
	defer a.release(c)
	defer c.guard(ctx)()
	a.stillThere(ctx, c, absent, readOnly, told)
	return nil
}

func (a *Account) stillThere(ctx context.Context, c *conn, absent []mail.Sought, readOnly bool, told func(mail.FolderName, []mail.UID, error)) {
	for batch := range slices.Chunk(absent, mailboxesAtOnce) {
		s := a.seek(ctx, c, batch, readOnly)
		s.wait(ctx)
		s.tell(told)
	}
}

// LookAgain is Folders, and StillThere behind it: in the same flight where the LIST
// brings the marks, for a STATUS is not meant for a mailbox that is selected
// (RFC 3501 section 6.3.10).
func (a *Account) LookAgain(ctx context.Context, absent []mail.Sought, readOnly bool, told func(folder mail.FolderName, there []mail.UID, err error)) ([]mail.RemoteFolder, error) {
	c, err := a.acquire(ctx, "")
	if err != nil {
		return nil, err
	}
	defer a.release(c)
	defer c.guard(ctx)()
	var along *sightings
	folders, err := a.folders(ctx, c, func() {
		if c.has("LIST-STATUS") && len(absent) > 0 {
			n := min(len(absent), mailboxesAtOnce)
			along, absent = a.seek(ctx, c, absent[:n], readOnly), absent[n:]
		}
	})
	if along != nil {
		along.wait(ctx) // also where the LIST failed, for it is under way
	}
	if err != nil {
		return nil, err
	}
	if along != nil {
		along.tell(told)
	}
	a.stillThere(ctx, c, absent, readOnly, told)
	return folders, nil
}

// sightings are the questions of one flight.
type sightings struct {
	c     *conn
	asked []*sighting
	left  func() // waits until no mailbox is selected
}

// sighting is the question to one mailbox.
type sighting struct {
	folder mail.FolderName
	after  *selecting
	flight flight
	list   *listing
	err    error // why it could not be asked, or was not answered
}

// seek sends the questions.
func (a *Account) seek(ctx context.Context, c *conn, absent []mail.Sought, readOnly bool) *sightings {
	all := &sightings{c: c}
	for _, gone := range absent {
		m := &Mailbox{a: a, c: c, folder: gone.Folder, readOnly: readOnly}
		s := &sighting{folder: gone.Folder, list: newListing(c)}
		all.asked = append(all.asked, s)
		if s.after, s.err = m.begin(ctx); s.err != nil {
			continue
		}
		s.after.passing = gone.UIDValidity
		s.flight = flight{take: s.list.take, after: s.after}
		for _, set := range sets(sorted(gone.UIDs)) {
			s.flight.add(c.client.Fetch(set, flagItems))
		}
	}
	all.left = c.leaveUnknown()
	return all
}

// wait waits for all answers.
func (all *sightings) wait(ctx context.Context) {
	for _, s := range all.asked {
		answer := s.flight.wait()
		if s.err == nil {
			s.err = s.after.wait()
		}
		if s.err == nil {
			fault := mail.Fault{Scope: mail.ScopeFolder, Folder: s.folder, Doing: "look for missing messages"}
			s.err = all.c.grade(ctx, answer, fault)
		}
	}
	all.left()
}

func (all *sightings) tell(told func(mail.FolderName, []mail.UID, error)) {
	for _, s := range all.asked {
		told(s.folder, slices.Sorted(maps.Keys(s.list.records)), s.err)
	}
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

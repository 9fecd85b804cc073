package remote

import (
	"context"
	"slices"

	"github.com/emersion/go-imap/v2"

	"imapsync/mail"
	"imapsync/remote/wire"
)

// Mailbox is a mailbox on a connection that is the caller's until Close. Not for
// concurrent use.
type Mailbox struct {
	a        *Account
	c        *conn
	folder   mail.FolderName
	readOnly bool
	was      selection // what a SELECT or Folders told earlier, where this connection has not sent one
	next     *coming   // what the caller opens after this one
	returned bool      // the connection was given back
}

// Open gives a mailbox on a connection of its own, waiting for a free one if
// need be. It is selected at once, unless a SELECT of this run or the last Folders
// told of it before: then the SELECT goes with the first question, or ahead of the
// first change, and everything fails if its UIDVALIDITY is another by then. Mark is
// older than now in that case, which is safe for changes; who only looks has the
// mailbox selected at once unless it was before.
//
// A mailbox opened read-only (EXAMINE, RFC 3501 section 6.3.2) does not tell
// which flags could be stored; its snapshot's Space is mail.FullSpace.
func (a *Account) Open(ctx context.Context, folder mail.FolderName, readOnly bool) (*Mailbox, error) {
	for {
		c, err := a.acquire(ctx, folder)
		if err != nil {
			return nil, err
		}
		reused := !c.used.IsZero()
		m := &Mailbox{a: a, c: c, folder: folder, readOnly: readOnly}
		if m.selected() {
			c.box.fresh = false
			return m, nil
		}
		if m.was = a.told(folder, readOnly); m.was.folder == folder {
			return m, nil
		}
		if err = m.selectNow(ctx); err == nil {
			c.box.fresh = true
			return m, nil
		}
		broken := !c.alive()
		a.release(c)
		if !broken || !reused || ctx.Err() != nil {
			return nil, err
		}
	}
}

// Mark is what the last SELECT said of the mailbox.
func (m *Mailbox) Mark() mail.Mark { return m.box().mark }

// Space is what the last SELECT said of the flags that can be stored.
func (m *Mailbox) Space() mail.FlagSpace { return m.box().space }

// Close gives the connection back, still selected. A second call does nothing.
func (m *Mailbox) Close() {
	if !m.returned {
		m.returned = true
		m.a.release(m.c)
	}
}

// reopen puts a new connection in the place of one that broke or had to be cut.
func (m *Mailbox) reopen(ctx context.Context) error {
	m.c.kill(errClosed)
	m.Close()
	again, err := m.a.Open(ctx, m.folder, m.readOnly)
	if err != nil {
		return err
	}
	m.c, m.was, m.returned = again.c, again.was, false
	return nil
}

// use begins an operation: the SELECT is no longer news, the connection may
// begin to compress, and the end of ctx cuts it off until the returned function
// is called.
func (m *Mailbox) use(ctx context.Context) (stop func()) {
	m.c.box.fresh, m.c.foretold = false, nil
	m.c.drain()
	stop = m.c.guard(ctx)
	m.c.wire.Compress(ctx)
	return stop
}

// see makes sure that the session knows of the messages. One that selected the
// mailbox before another connection put them there need not be told before it
// asks (RFC 3501 section 6.1.2, NOOP), and until then a command on them does
// nothing and is OK.
func (m *Mailbox) see(uids []mail.UID) error {
	if len(uids) == 0 || slices.Max(uids) < m.c.box.seen {
		return nil
	}
	if err := m.c.client.Noop().Wait(); err != nil {
		return err
	}
	m.c.box.seen = slices.Max(uids) + 1
	return nil
}

// fault begins the description of an error in this mailbox.
func (m *Mailbox) fault(doing string) mail.Fault {
	return mail.Fault{Scope: mail.ScopeFolder, Folder: m.folder, Doing: doing}
}

// spaceOf reads PERMANENTFLAGS (RFC 3501 section 7.1). A server that does not
// send it stores every flag. With \*, which lets keywords be made, a system
// flag counts as stored unless FLAGS lists it and PERMANENTFLAGS does not: some
// servers list only the flags in use. A mailbox that a SELECT found read-only
// stores none.
func spaceOf(data *imap.SelectData, notices []wire.Notice, examined bool) mail.FlagSpace {
	box := wire.Box{Flags: words(data.Flags), Permanent: words(data.PermanentFlags), AnyPermanent: data.PermanentFlags != nil}
	for _, n := range notices {
		switch {
		case n.Kind != wire.NoticeStatus:
		case n.Name == "READ-ONLY":
			box.ReadOnly = true
		case n.Name == "PERMANENTFLAGS": // an empty list is nil to imapclient
			box.AnyPermanent = true
		}
	}
	return spaceIn(box, examined)
}

// spaceIn is spaceOf for what a visit told.
func spaceIn(box wire.Box, examined bool) mail.FlagSpace {
	switch {
	case examined:
		return mail.FullSpace()
	case box.ReadOnly:
		return mail.FlagSpace{ReadOnly: true}
	case !box.AnyPermanent:
		return mail.FullSpace()
	}
	permanent := mail.NewFlags(0, box.Permanent...)
	space := mail.FlagSpace{System: permanent.System, AnyKeyword: slices.Contains(box.Permanent, string(imap.FlagWildcard))}
	if space.AnyKeyword {
		passing := mail.NewFlags(0, box.Flags...).System &^ permanent.System
		space.System = mail.AllSystem &^ (passing &^ mail.Forwarded) // $Forwarded is a keyword to the server
	}
	permanent.System = 0
	space.Keywords = permanent
	return space
}

// flagsOf translates flags; \Recent and \* are left out.
func flagsOf(flags []imap.Flag) mail.Flags {
	if len(flags) == 0 {
		return mail.Flags{}
	}
	return mail.NewFlags(0, words(flags)...)
}

func words(flags []imap.Flag) []string {
	words := make([]string, len(flags))
	for i, f := range flags {
		words[i] = string(f)
	}
	return words
}

// imapFlags translates the other way.
func imapFlags(flags mail.Flags) []imap.Flag {
	var list []imap.Flag
	for _, name := range flags.IMAP() {
		list = append(list, imap.Flag(name))
	}
	return list
}

// hear collects what the server said that imapclient does not pass on.
func (a *Account) hear(c *conn) []wire.Notice {
	notices := c.wire.Notices()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keepWarnings(notices)
	return notices
}

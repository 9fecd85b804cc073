package remote

import (
	"context"
	"fmt"
	"time"

	"imapsync/mail"
	"imapsync/remote/wire"
)

// coming is the mailbox a connection goes on to by itself.
type coming struct {
	folder   mail.FolderName
	flags    []mail.UID // of which messages they are asked for at once
	contents []mail.UID // which messages are fetched at once
	m        *Mailbox   // it
	visit    *wire.Visit
	sent     time.Time
	list     *listing
	fetching *fetching
}

// foretold is what came of the flags asked for ahead; no use once anything else
// was said on the connection, or when they are not of this moment any more.
type foretold struct {
	flags []mail.UID
	list  *listing
}

const foretoldFor = 2 * time.Second

// Ahead tells which mailbox the caller opens next, and of which messages it asks
// the flags first there. Its SELECT and that question then travel behind the last
// change in this one, of which nothing more can be asked until it is selected
// again. It is a hint: whoever gets the connection may open another. Of this very
// mailbox the flags are asked for by StoreAndLook, which selects it once more.
func (m *Mailbox) Ahead(folder mail.FolderName, flags []mail.UID) {
	m.next = &coming{folder: folder, flags: sorted(flags)}
}

// goOn sends what Ahead told of, behind what was sent; nothing that changes a
// mailbox goes before the answer to its SELECT was judged.
func (m *Mailbox) goOn() {
	next := m.next
	m.next = nil
	if next == nil || next.folder == m.folder {
		return
	}
	m.a.mu.Lock()
	name, learnt := m.a.learnt[next.folder]
	wanted := m.a.waiting > 0 // by somebody who would have to wait for those contents
	m.a.mu.Unlock()
	asked := sets(next.flags)
	if !learnt || wanted && len(next.contents) > 0 || len(asked) > inFlight {
		return
	}
	c := m.c
	next.list = newListing(c)
	next.visit = &wire.Visit{Mailbox: name, ReadOnly: m.readOnly, CondStore: c.condstore(), Told: next.list.told}
	for _, set := range asked {
		next.visit.Ask = append(next.visit.Ask, fmt.Sprintf("UID FETCH %s (UID FLAGS)", set.String()))
	}
	m.was, c.box, c.coming = *m.box(), selection{}, next
	next.m = &Mailbox{a: m.a, c: c, folder: next.folder, readOnly: m.readOnly, was: m.a.told(next.folder, m.readOnly)}
	next.sent = time.Now()
	c.wire.Visit(next.visit)
	if len(next.contents) == 0 {
		c.straysBehind(next.visit, nil)
		return
	}
	next.fetching = next.m.toFetch(next)
	c.straysBehind(next.visit, next.fetching.b.take)
	next.fetching.send(next.m)
}

// arrive waits for the mailbox that the connection goes on to, folder being what
// it is wanted for. Where anything is wrong with it none is selected, and who asks
// for it is told.
func (c *conn) arrive(ctx context.Context, folder mail.FolderName) {
	if c.coming == nil && c.fetching == nil {
		return
	}
	defer c.guard(ctx)()
	if c.at() != folder {
		defer c.drain()
	}
	next := c.coming
	if next == nil {
		return
	}
	c.coming, c.fetching = nil, next.fetching
	if next.visit.Wait() != nil {
		c.drain()
		return
	}
	box, err := next.m.visited(ctx, next.visit)
	if err != nil {
		c.drain()
		return
	}
	c.box = box
	for i := range next.visit.Ask {
		if next.visit.Reply(i).Status != "OK" {
			return
		}
	}
	if time.Since(next.sent) < foretoldFor {
		c.foretold = &foretold{next.flags, next.list}
	}
}

// at is the mailbox a connection has selected, or will have.
func (c *conn) at() mail.FolderName {
	if c.coming != nil {
		return c.coming.folder
	}
	return c.box.folder
}

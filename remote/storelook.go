package remote

import (
	"context"
	"fmt"
	"slices"
	"time"

	"imapsync/mail"
	"imapsync/remote/wire"
)

// StoreAndLook is StoreAll, and tells which of the messages are there afterwards:
// as StillThere does, and in the same flight, for the mailbox is selected once more
// behind the last change. A session need not know what others have taken away
// before it is told, and calls a STORE on that OK (RFC 2180 section 4.2).
func (m *Mailbox) StoreAndLook(ctx context.Context, changes []mail.FlagChange, refused func(i int, err error)) (there []mail.UID, err error) {
	uids := sorted(uidsIn(changes))
	var back *lookingBack
	err = m.storeAll(ctx, changes, refused, func() {
		if back = m.lookBack(uids); back != nil {
			m.goOn()
		}
	})
	defer m.c.guard(ctx)()
	if back != nil {
		there, lookErr := back.wait(ctx) // also where the changes failed, for it is under way
		if err == nil {
			return there, lookErr
		}
	}
	if err != nil {
		return nil, err
	}
	return m.lookNow(ctx, uids)
}

// lookingBack is a SELECT of the mailbox that is selected, with the question for
// messages.
type lookingBack struct {
	m     *Mailbox
	uids  []mail.UID
	visit *wire.Visit
	list  *listing
}

// lookBack sends them behind what was sent; nil where that takes more than a flight.
// Flags that Ahead asks for in this very mailbox are asked for with them.
func (m *Mailbox) lookBack(uids []mail.UID) *lookingBack {
	m.a.mu.Lock()
	name, learnt := m.a.learnt[m.folder]
	m.a.mu.Unlock()
	next := m.next
	if next != nil && next.folder != m.folder {
		next = nil
	}
	asked := sets(uids)
	if next != nil {
		asked = sets(sorted(slices.Concat(uids, next.flags)))
	}
	if !learnt || len(asked) > inFlight {
		return nil
	}
	c := m.c
	b := &lookingBack{m: m, uids: uids, list: newListing(c)}
	b.visit = &wire.Visit{Mailbox: name, CondStore: c.condstore(), Told: b.list.told}
	for _, set := range asked {
		b.visit.Ask = append(b.visit.Ask, fmt.Sprintf("UID FETCH %s (UID FLAGS)", set.String()))
	}
	m.was, c.box = *m.box(), selection{}
	if next != nil {
		next.m = &Mailbox{a: m.a, c: c, folder: m.folder, readOnly: m.readOnly, was: m.was}
		next.visit, next.list, next.sent = b.visit, b.list, time.Now()
		c.coming = next
	}
	c.wire.Visit(b.visit)
	return b
}

// wait leaves the mailbox selected, if the connection does not go on to another.
func (b *lookingBack) wait(ctx context.Context) (there []mail.UID, err error) {
	m := b.m
	fault := m.fault("look for messages with other flags")
	if err := b.visit.Wait(); err != nil {
		return nil, m.c.grade(ctx, err, fault)
	}
	box, err := m.visited(ctx, b.visit)
	if err != nil {
		return nil, err
	}
	for i := range b.visit.Ask {
		if answer := b.visit.Reply(i).Answer; answer.Status != "OK" {
			return nil, m.c.grade(ctx, refusalOf(answer), fault)
		}
	}
	if m.c.coming == nil {
		m.c.box = box
	}
	return b.list.those(b.uids), nil
}

// lookNow asks in a new session.
func (m *Mailbox) lookNow(ctx context.Context, uids []mail.UID) ([]mail.UID, error) {
	after, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	list := newListing(m.c)
	if err := list.fetch(m.c, uids, flagItems, after); err != nil {
		return nil, m.c.grade(ctx, err, m.fault("look for messages with other flags"))
	}
	if err := after.wait(); err != nil {
		return nil, err
	}
	return list.those(uids), nil
}

// those returns which of the messages were told of.
func (l *listing) those(uids []mail.UID) (told []mail.UID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, uid := range uids {
		if _, is := l.records[uid]; is {
			told = append(told, uid)
		}
	}
	return told
}

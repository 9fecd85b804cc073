package remote

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/emersion/go-imap/v2"

	"imapsync/mail"
	"imapsync/remote/wire"
)

// Look selects a mailbox and lists it as Snapshot does: in one flight where what
// to ask can be told from the marks of the last Folders. While no connection is
// free, mailboxes that are looked at at the same time share one, each asked behind
// the other without waiting. An answer that leaves anything open counts for
// nothing: the mailbox is looked at once more on a connection of its own.
func (a *Account) Look(ctx context.Context, folder mail.FolderName, readOnly bool, known mail.Known, full bool) (mail.RemoteSnapshot, error) {
	snap, settled, err := a.glance(ctx, folder, readOnly, known, full)
	if settled || err != nil {
		return snap, err
	}
	for {
		c, err := a.acquire(ctx, folder)
		if err != nil {
			return mail.RemoteSnapshot{}, err
		}
		reused := !c.used.IsZero()
		m := &Mailbox{a: a, c: c, folder: folder, readOnly: readOnly}
		snap, err := m.Snapshot(ctx, known, full)
		broken := !c.alive()
		m.Close()
		if err == nil || !broken || !reused || ctx.Err() != nil {
			return snap, err
		}
	}
}

// lookedAtOnce is how many mailboxes share a connection.
const lookedAtOnce = 32

// tour is a connection on which several mailboxes are visited.
type tour struct {
	c *conn

	mu   sync.Mutex // held while a visit is sent
	sent int        // visits so far
	last selection  // the mailbox of the last one, if it was selected

	visitors int // guarded by the account's mu
}

// board takes a place on a connection that others look at mailboxes with, or takes
// a free one.
func (a *Account) board(ctx context.Context) (*tour, error) {
	select { // who comes at the same time shares what the first is given
	case a.boarding <- struct{}{}:
		defer func() { <-a.boarding }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	a.mu.Lock()
	if t := a.touring; t != nil && t.visitors > 0 && t.visitors < lookedAtOnce && len(a.idle) == 0 && t.c.alive() {
		t.visitors++
		a.mu.Unlock()
		return t, nil
	}
	a.mu.Unlock()
	c, err := a.acquire(ctx, "")
	if err != nil {
		return nil, err
	}
	stop := c.guard(ctx)
	c.wire.Compress(ctx)
	stop()
	c.box = selection{}
	t := &tour{c: c, visitors: 1}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.touring = t
	return t, nil
}

// alight leaves; the last visitor gives the connection back.
func (a *Account) alight(t *tour) {
	a.mu.Lock()
	t.visitors--
	last := t.visitors == 0
	a.mu.Unlock()
	if last {
		t.c.box = t.last
		a.release(t.c)
	}
}

// glance looks at a mailbox beside others; settled is false where the answer leaves
// something open.
func (a *Account) glance(ctx context.Context, folder mail.FolderName, readOnly bool, known mail.Known, full bool) (snap mail.RemoteSnapshot, settled bool, err error) {
	t, err := a.board(ctx)
	if err != nil {
		return snap, false, err
	}
	defer a.alight(t)
	defer t.c.guard(ctx)()
	m := &Mailbox{a: a, c: t.c, folder: folder, readOnly: readOnly}
	name, err := a.serverName(ctx, t.c, folder)
	if err != nil {
		return snap, false, err
	}
	s := &survey{m: m, given: known, full: full, listing: newListing(t.c)}
	s.assume(m.foreseen(known))
	v := &wire.Visit{Mailbox: name, ReadOnly: readOnly, CondStore: t.c.condstore(), Ask: s.questions(), Told: s.listing.told}
	number := t.send(v)
	if v.Wait() != nil {
		return snap, false, ctx.Err() // and nothing else: another connection may serve
	}
	box, err := m.visited(ctx, v)
	if err != nil {
		return snap, false, err
	}
	t.mu.Lock()
	if number == t.sent {
		t.last = box
	}
	t.mu.Unlock()
	s.exists = func() uint32 { return v.Box().Exists }
	if !s.settles(v, box.mark) {
		return snap, false, nil
	}
	return s.result(box), true, nil
}

// send sends a visit and tells which one it is.
func (t *tour) send(v *wire.Visit) (number int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.c.wire.Visit(v)
	t.sent++
	t.last = selection{}
	return t.sent
}

// visited judges the SELECT of a visit.
func (m *Mailbox) visited(ctx context.Context, v *wire.Visit) (selection, error) {
	told := v.Box()
	if told.Status != "OK" {
		return selection{}, m.notSelected(ctx, refusalOf(told.Answer))
	}
	f := m.fault("select")
	mark := mail.Mark{UIDValidity: told.UIDValidity, UIDNext: mail.UID(told.UIDNext), Messages: told.Messages, HighestModSeq: told.HighestModSeq}
	box := m.selection(mark, spaceIn(told, m.readOnly))
	if m.was.listed {
		f.Err = sameValidity(m.was.mark.UIDValidity, box.mark.UIDValidity)
	}
	if f.Err == nil {
		f.Err = m.a.remember(box)
	}
	if f.Err != nil {
		return selection{}, &f
	}
	return box, nil
}

// refusalOf is a NO or BAD as an error.
func refusalOf(a wire.Answer) error {
	return &imap.Error{Type: imap.StatusResponseType(a.Status), Code: imap.ResponseCode(a.Code), Text: a.Text}
}

// questions is what list asks, and what search does where the listing will not
// tell what exists.
func (s *survey) questions() []string {
	if s.mark.Messages == 0 { // some servers call 1:* a bad set in an empty mailbox
		return nil
	}
	next := s.firstNew()
	var ask []string
	if next > 1 {
		question := fmt.Sprintf("UID FETCH 1:%d (UID FLAGS)", next-1)
		if s.delta {
			question += fmt.Sprintf(" (CHANGEDSINCE %d)", s.known.Mark.HighestModSeq)
		}
		ask = append(ask, question)
	}
	ask = append(ask, fmt.Sprintf("UID FETCH %d:* (UID FLAGS INTERNALDATE RFC822.SIZE)", next))
	if s.loses() {
		if s.m.c.has("ESEARCH") {
			return append(ask, "UID SEARCH RETURN (ALL) ALL")
		}
		return append(ask, "UID SEARCH ALL")
	}
	return ask
}

// settles reports whether the answers leave nothing open, and what exists.
func (s *survey) settles(v *wire.Visit, mark mail.Mark) bool {
	served := s.assume(mark)
	if mark.Messages == 0 {
		return len(s.known.UIDs) == 0 && s.exists() == 0
	}
	if !served || len(v.Ask) == 0 {
		return false
	}
	for i := range v.Ask {
		if v.Reply(i).Status != "OK" {
			return false
		}
	}
	last := len(v.Ask) - 1
	found := v.Reply(last)
	switch searched := strings.HasPrefix(v.Ask[last], "UID SEARCH"); {
	case s.adds():
	case searched && found.Count == uint64(s.exists()) && found.Count <= uint64(s.mostSeen()+maxAbsurd):
		s.present = make([]mail.UID, 0, found.Count)
		for _, r := range found.Found {
			for uid := r.From; uid <= r.To; uid++ {
				s.present = append(s.present, mail.UID(uid))
			}
		}
		slices.Sort(s.present)
	default:
		return false
	}
	return len(s.lacking()) == 0
}

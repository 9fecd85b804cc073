package remote

import (
	"context"
	"slices"
	"sync"

	"github.com/emersion/go-imap/v2"

	"imapsync/mail"
)

// fetching are messages asked for behind the SELECT of a mailbox that nobody has
// opened yet. Their contents wait on the link until Fetch takes them.
type fetching struct {
	uids  []mail.UID
	sets  []imap.NumSet
	sent  []*flight // the commands for the first of them
	b     *bodies
	taken func() // says that somebody takes them, or that nobody will
}

// FetchAhead is Ahead where the caller fetches messages next: these.
func (m *Mailbox) FetchAhead(folder mail.FolderName, uids []mail.UID) {
	m.next = &coming{folder: folder, contents: sorted(uids)}
}

// toFetch makes the commands that Fetch would send.
func (m *Mailbox) toFetch(next *coming) *fetching {
	fit, _ := m.withoutHuge(next.contents, wholeMessage, func(mail.UID, error) error { return nil })
	taken := make(chan struct{})
	f := &fetching{uids: next.contents, sets: m.fetchSetsOf(fit, wholeMessage), taken: sync.OnceFunc(func() { close(taken) })}
	// What is told here is told to who opens the mailbox; nobody else is concerned.
	after := &selecting{m: m, ctx: context.Background(), visit: next.visit}
	f.b = &bodies{c: m.c, section: wholeMessage, after: after, taken: taken}
	return f
}

// send sends the first of them.
func (f *fetching) send(m *Mailbox) {
	for _, set := range f.sets[:min(fetchInFlight, len(f.sets))] {
		f.sent = append(f.sent, m.askContents(set, f.b))
	}
}

// abandon lets go of what was fetched ahead over a connection that ends.
func (c *conn) abandon() {
	for _, f := range []*fetching{c.fetching, c.coming.fetches()} {
		if f != nil {
			f.taken()
		}
	}
}

func (n *coming) fetches() *fetching {
	if n == nil {
		return nil
	}
	return n.fetching
}

// drain throws away what was fetched ahead and nobody wants.
func (c *conn) drain() {
	f := c.fetching
	c.fetching = nil
	f.drop()
}

// drop has the contents read and thrown away: what nobody reads blocks the
// connection.
func (f *fetching) drop() {
	if f == nil {
		return
	}
	f.taken()
	for _, sent := range f.sent {
		_ = sent.wait()
	}
}

// takeAhead takes what was fetched ahead, if it is these messages.
func (m *Mailbox) takeAhead(uids []mail.UID) *fetching {
	f := m.c.fetching
	if f == nil || !m.selected() || !slices.Equal(f.uids, uids) {
		return nil
	}
	m.c.fetching = nil
	return f
}

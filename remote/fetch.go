package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/emersion/go-imap/v2"

	"imapsync/mail"
)

// A FETCH asks for so many messages or bytes; two of them in flight keep a link
// full.
const (
	fetchMessages = 500
	fetchBytes    = 10 << 20
	fetchInFlight = 2
)

var (
	wholeMessage = &imap.FetchItemBodySection{Peek: true}
	headerBlock  = &imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, Peek: true}
)

var errNoBody = errors.New("the server does not give its content")

// Fetch streams whole messages in any order, calling got from one goroutine at
// a time, once for each UID: with a body, or with an error that costs this
// message, mail.ErrChanged when it is gone. got must read the body before it
// returns; an error of got ends the Fetch, and the connection with it. The body
// ends with io.ErrUnexpectedEOF when the connection broke in it. An error of
// Fetch itself is for the messages without a call to got.
func (m *Mailbox) Fetch(ctx context.Context, uids []mail.UID, got func(uid mail.UID, body io.Reader, err error) error) error {
	uids = sorted(uids)
	ahead := m.takeAhead(uids)
	defer m.use(ctx)()
	b := &bodies{c: m.c, section: wholeMessage}
	if ahead != nil {
		b = ahead.b
	} else {
		var err error
		if b.after, err = m.ask(ctx, uids); err != nil {
			return m.c.grade(ctx, err, m.fault("fetch"))
		}
	}
	var gotErr error
	b.got = func(uid mail.UID, body io.Reader) error {
		gotErr = got(uid, body, nil)
		return gotErr
	}
	err := m.fetch(ctx, uids, b, ahead, func(uid mail.UID, err error) error {
		gotErr = got(uid, nil, err)
		return gotErr
	})
	if gotErr != nil && ctx.Err() == nil && !errors.Is(gotErr, io.ErrUnexpectedEOF) { // which is the connection's
		return gotErr
	}
	return m.c.grade(ctx, err, m.fault("fetch messages"))
}

// Headers fetches the header blocks and tells their contents (Content as of
// Hasher.HeaderOnly); those that no longer exist are missing. A message whose
// header block the server does not give has the zero Content.
func (m *Mailbox) Headers(ctx context.Context, uids []mail.UID) (map[mail.UID]mail.Content, error) {
	defer m.use(ctx)()
	after, err := m.ask(ctx, uids)
	if err != nil {
		return nil, m.c.grade(ctx, err, m.fault("fetch headers"))
	}
	headers := make(map[mail.UID]mail.Content, len(uids))
	b := &bodies{c: m.c, section: headerBlock, after: after, got: func(uid mail.UID, body io.Reader) error {
		h := mail.NewHasher()
		_, err := io.Copy(h, body)
		if err == nil {
			headers[uid] = h.HeaderOnly()
		}
		return err
	}}
	err = m.fetch(ctx, sorted(uids), b, nil, func(uid mail.UID, err error) error {
		if !errors.Is(err, mail.ErrChanged) {
			headers[uid] = mail.Content{}
		}
		return nil
	})
	if err != nil {
		return nil, m.c.grade(ctx, err, m.fault("fetch headers"))
	}
	return headers, nil
}

// ask makes a question about messages possible: by a SELECT sent ahead of it, or
// by making sure that the session knows of them.
func (m *Mailbox) ask(ctx context.Context, uids []mail.UID) (*selecting, error) {
	after, err := m.ready(ctx)
	if after != nil || err != nil {
		return after, err
	}
	return nil, m.see(uids)
}

// fetch gets one section of each message: first in large commands, of which some
// may be on their way already, then one by one what did not come. without is told
// of those that cannot be had.
func (m *Mailbox) fetch(ctx context.Context, uids []mail.UID, b *bodies, ahead *fetching, without func(mail.UID, error) error) error {
	uids, err := m.withoutHuge(uids, b.section, without)
	if err != nil {
		_ = b.after.wait()
		ahead.drop()
		return err
	}
	b.want = make(map[mail.UID]bool, len(uids))
	for _, uid := range uids {
		b.want[uid] = true
	}
	defer b.end()
	defer m.c.catchStrays(b.take)()
	if ahead != nil {
		ahead.taken()
		err = m.fetchSets(ahead.sets, ahead.sent, b)
	} else {
		err = m.fetchSets(m.fetchSetsOf(uids, b.section), nil, b)
	}
	if err := b.after.wait(); err != nil {
		return err
	}
	if err != nil && (!refused(err) || temporary(err)) {
		return err
	}
	missing := b.missing(uids)
	if len(missing) == 0 {
		return nil
	}
	if !m.selected() {
		if err := m.comeBack(ctx, b); err != nil {
			return err
		}
		defer m.use(ctx)()
		defer m.c.catchStrays(b.take)()
	}
	exist := newListing(m.c)
	if err := exist.fetch(m.c, missing, flagItems, nil); err != nil {
		return err
	}
	for _, uid := range missing {
		r, ok := exist.records[uid]
		if !ok {
			err = without(uid, mail.ErrChanged)
		} else {
			err = m.fetchOne(ctx, uid, r.seq, b, without)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// withoutHuge leaves out messages that the connection would have to be given up
// for, as far as the last snapshot told their sizes.
func (m *Mailbox) withoutHuge(uids []mail.UID, section *imap.FetchItemBodySection, without func(mail.UID, error) error) ([]mail.UID, error) {
	sizes, most := m.sizesFor(section), m.c.wire.MaxLiteral()
	fit := make([]mail.UID, 0, len(uids))
	for _, uid := range uids {
		if sizes[uid] <= most {
			fit = append(fit, uid)
			continue
		}
		f := m.fault("fetch message")
		f.Scope, f.Message = mail.ScopeMessage, fmt.Sprintf("UID %d", uid)
		f.Err = fmt.Errorf("its %d bytes are more than %d, the most that is taken", sizes[uid], most)
		if err := without(uid, &f); err != nil {
			return nil, err
		}
	}
	return fit, nil
}

// sizesFor are the sizes of new messages as the last snapshot told them, for
// whole messages only.
func (m *Mailbox) sizesFor(section *imap.FetchItemBodySection) map[mail.UID]int64 {
	if section != wholeMessage {
		return nil
	}
	m.a.mu.Lock()
	defer m.a.mu.Unlock()
	return m.a.sizes[m.folder]
}

// fetchOne asks for a message by itself: by its UID, and then by its sequence
// number, because a large body that comes before its UID can only be told to be
// the one asked for that way.
func (m *Mailbox) fetchOne(ctx context.Context, uid mail.UID, seq uint32, b *bodies, without func(mail.UID, error) error) error {
	b.mu.Lock()
	b.single = uid
	b.mu.Unlock()
	var err error
	for _, set := range []imap.NumSet{imap.UIDSetNum(imap.UID(uid)), imap.SeqSetNum(seq)} {
		err = m.fetchSets([]imap.NumSet{set}, nil, b)
		if err != nil && !refused(err) {
			return err
		}
		if len(b.missing([]mail.UID{uid})) == 0 {
			return nil
		}
	}
	f := m.fault("fetch message")
	f.Scope, f.Message, f.Err = mail.ScopeMessage, fmt.Sprintf("UID %d", uid), errNoBody
	if err != nil {
		return without(uid, m.c.grade(ctx, err, f))
	}
	return without(uid, &f)
}

// missing returns those of uids that were not handed on; it waits for a body
// that is being handed on.
func (b *bodies) missing(uids []mail.UID) []mail.UID {
	b.mu.Lock()
	defer b.mu.Unlock()
	var missing []mail.UID
	for _, uid := range uids {
		if b.want[uid] {
			missing = append(missing, uid)
		}
	}
	return missing
}

// end has nothing more handed on.
func (b *bodies) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.want = nil
}

// fetchSets sends a command for each set, two in flight, but for the first ones
// that were sent before, and returns the error of got or of a broken connection,
// else the first refusal. Behind the last one the connection goes on to what was
// said to come after this mailbox.
func (m *Mailbox) fetchSets(all []imap.NumSet, sent []*flight, b *bodies) error {
	type question struct {
		set    imap.NumSet
		flight *flight
	}
	queue := make(chan question, len(all))
	for i, set := range all {
		q := question{set: set}
		if i < len(sent) {
			q.flight = sent[i]
		}
		queue <- q
	}
	close(queue)
	errs := make([]error, fetchInFlight)
	var unsent atomic.Int32
	unsent.Store(int32(len(all)))
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			for q := range queue {
				if q.flight == nil {
					q.flight = m.askContents(q.set, b)
				}
				if unsent.Add(-1) == 0 && b.after.wait() == nil { // which would take this mailbox for the selected one
					m.goOn()
				}
				err := q.flight.wait()
				errs[i] = worst([]error{errs[i], err})
				if err != nil && (!refused(err) || temporary(err)) {
					return
				}
			}
		})
	}
	wg.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	return worst(errs)
}

func (m *Mailbox) askContents(set imap.NumSet, b *bodies) *flight {
	f := &flight{take: b.take}
	f.add(m.c.client.Fetch(set, &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{b.section}}))
	return f
}

// comeBack selects the mailbox again where the connection went on to another. What
// comes of that one is not waited for: it may be large, and nobody takes it yet.
func (m *Mailbox) comeBack(ctx context.Context, b *bodies) error {
	if err := m.reopen(ctx); err != nil {
		return err
	}
	b.c, b.after = m.c, nil
	return m.selectNow(ctx)
}

// fetchSetsOf divides messages into sets of the right number and, where the
// last snapshot told their sizes, of the right number of bytes.
func (m *Mailbox) fetchSetsOf(uids []mail.UID, section *imap.FetchItemBodySection) []imap.NumSet {
	sizes := m.sizesFor(section)
	var all []imap.NumSet
	start, bytes := 0, int64(0)
	for i, uid := range uids {
		if i > start && (i-start == fetchMessages || bytes+sizes[uid] > fetchBytes) {
			all = appendSets(all, uids[start:i])
			start, bytes = i, 0
		}
		bytes += sizes[uid]
	}
	return appendSets(all, uids[start:])
}

func appendSets(all []imap.NumSet, uids []mail.UID) []imap.NumSet {
	for _, set := range sets(uids) {
		all = append(all, set)
	}
	return all
}

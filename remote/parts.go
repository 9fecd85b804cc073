package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"imapsync/mail"
)

// A stub is put together from sections of the message (RFC 3501 section 6.4.5),
// never by its BODYSTRUCTURE, which many servers get wrong and which is believed
// for nothing but the sizes that the list of what was left out shows. Which parts
// there are, their MIME headers tell, asked for by their numbers until there is
// none; of a text part its beginning is fetched.
//
// What is beyond the limits the stub lacks. So whatever a server sends, one message
// takes no more than maxStubHeader, mostParts times mimeBytes and maxTextParts times
// textBytes, and there are partsAtOnce of them.
const (
	partsAtOnce   = 50 // messages
	maxLevels     = 3  // of multipart in multipart
	maxParts      = 12 // looked at in each multipart
	mostParts     = 40 // known of a message
	maxTextParts  = 4  // of which text is taken
	mimeBytes     = 8 << 10
	textBytes     = 64 << 10
	maxStubHeader = 512 << 10
)

// FetchParts is Fetch for stubs: what got is given is the field that marks a stub
// (mail.StubField), the header block and, with text, the beginning of the text
// parts, then the list of what is left out. sizes are the announced ones.
func (m *Mailbox) FetchParts(ctx context.Context, uids []mail.UID, sizes map[mail.UID]int64, text bool, got func(uid mail.UID, body io.Reader, err error) error) error {
	validity := m.Mark().UIDValidity
	give := func(s *stub) error { return got(s.uid, bytes.NewReader(s.bytes(m.folder, validity)), nil) }
	without := func(uid mail.UID, err error) error { return got(uid, nil, err) }
	if !text { // as they come: nothing else is asked of them
		return m.stubHeaders(ctx, sorted(uids), sizes, give, without)
	}
	for some := range slices.Chunk(sorted(uids), partsAtOnce) {
		if err := m.fetchTexts(ctx, some, sizes, give, without); err != nil {
			return err
		}
	}
	return nil
}

func (m *Mailbox) fetchTexts(ctx context.Context, uids []mail.UID, sizes map[mail.UID]int64, give func(*stub) error, without func(mail.UID, error) error) error {
	stubs := make(map[mail.UID]*stub, len(uids))
	err := m.stubHeaders(ctx, uids, sizes, func(s *stub) error {
		stubs[s.uid] = s
		return nil
	}, without)
	if err != nil {
		return err
	}
	for level, more := 0, true; more && level < maxLevels; level++ {
		if more, err = m.askParts(ctx, stubs); err != nil {
			return err
		}
	}
	awaitSizes := m.askSizes(ctx, stubs)
	if err := m.askTexts(ctx, stubs); err != nil {
		return err
	}
	if err := awaitSizes(); err != nil {
		return err
	}
	for _, uid := range uids {
		if s := stubs[uid]; s != nil {
			if err := give(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// stubHeaders fetches the header blocks.
func (m *Mailbox) stubHeaders(ctx context.Context, uids []mail.UID, sizes map[mail.UID]int64, take func(*stub) error, without func(mail.UID, error) error) error {
	defer m.use(ctx)()
	after, err := m.ask(ctx, uids)
	if err != nil {
		return m.c.grade(ctx, err, m.fault("fetch headers"))
	}
	var taken error
	b := &bodies{c: m.c, section: headerBlock, after: after, got: func(uid mail.UID, body io.Reader) error {
		header, err := io.ReadAll(io.LimitReader(body, maxStubHeader+1))
		if err != nil {
			return err
		}
		if len(header) > maxStubHeader {
			f := m.fault("fetch header")
			f.Scope, f.Message, f.Err = mail.ScopeMessage, fmt.Sprintf("UID %d", uid), errLongHeader
			taken = without(uid, &f)
			return taken
		}
		taken = take(newStub(uid, sizes[uid], header))
		return taken
	}}
	err = m.fetch(ctx, uids, b, nil, func(uid mail.UID, err error) error {
		taken = without(uid, err)
		return taken
	})
	if taken != nil && ctx.Err() == nil && !errors.Is(taken, io.ErrUnexpectedEOF) {
		return taken
	}
	return m.c.grade(ctx, err, m.fault("fetch headers"))
}

var errLongHeader = errors.New("its header block is longer than half a megabyte")

// sectionsAsked are messages of which the same sections are asked for.
type sectionsAsked struct {
	path []int
	uids []mail.UID
}

// group adds a message to those of which the same is asked.
func group(groups map[string]*sectionsAsked, path []int, uid mail.UID) {
	key := fmt.Sprint(path)
	if groups[key] == nil {
		groups[key] = &sectionsAsked{path: path}
	}
	groups[key].uids = append(groups[key].uids, uid)
}

// askParts asks for the MIME headers of the parts of the multiparts found last, and
// reports whether there are multiparts among those.
func (m *Mailbox) askParts(ctx context.Context, stubs map[mail.UID]*stub) (more bool, err error) {
	groups := map[string]*sectionsAsked{}
	for uid, s := range stubs {
		for _, p := range s.parts {
			if p.multipart() && !p.opened {
				p.opened = true
				group(groups, p.path, uid)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		found, err := m.openParts(ctx, groups[key], stubs)
		if err != nil {
			return false, err
		}
		more = more || found
	}
	return more, nil
}

// openParts looks into the multiparts of one number, of messages of which there is
// room for more parts, and reports whether there are multiparts in them.
func (m *Mailbox) openParts(ctx context.Context, g *sectionsAsked, stubs map[mail.UID]*stub) (more bool, err error) {
	full := func(uid mail.UID) bool { return len(stubs[uid].parts) >= mostParts }
	uids := slices.DeleteFunc(g.uids, full)
	if len(uids) == 0 {
		return false, nil
	}
	sections := make([]*imap.FetchItemBodySection, maxParts)
	for i := range sections {
		sections[i] = &imap.FetchItemBodySection{Specifier: imap.PartSpecifierMIME, Part: append(slices.Clone(g.path), i+1), Peek: true,
			Partial: &imap.SectionPartial{Size: mimeBytes}}
	}
	answers, err := m.sections(ctx, uids, sections)
	if err != nil {
		return false, err
	}
	for uid, found := range answers {
		for i, header := range found {
			if len(bytes.TrimSpace(header)) == 0 || full(uid) {
				break
			}
			p := newPart(sections[i].Part, header)
			p.opaque = len(header) >= mimeBytes
			stubs[uid].parts = append(stubs[uid].parts, p)
			more = more || p.multipart()
		}
	}
	return more, nil
}

// askTexts asks for the beginning of the text parts.
func (m *Mailbox) askTexts(ctx context.Context, stubs map[mail.UID]*stub) error {
	groups := map[string]*sectionsAsked{}
	for uid, s := range stubs {
		n := 0
		for _, p := range s.parts {
			if p.text() && n < maxTextParts {
				n++
				group(groups, p.path, uid)
			}
		}
	}
	for _, g := range groups {
		section := &imap.FetchItemBodySection{Part: g.path, Peek: true, Partial: &imap.SectionPartial{Size: textBytes}}
		if len(g.path) == 0 { // a message of one part
			section.Specifier = imap.PartSpecifierText
		}
		answers, err := m.sections(ctx, g.uids, []*imap.FetchItemBodySection{section})
		if err != nil {
			return err
		}
		for uid, found := range answers {
			for _, p := range stubs[uid].parts {
				if slices.Equal(p.path, g.path) && len(found[0]) > 0 {
					p.body, p.fetched, p.cut = found[0], true, len(found[0]) >= textBytes
				}
			}
		}
	}
	return nil
}

// sections fetches the beginnings of sections of messages, in the order asked; what
// the server does not give is nil, and where it gives more than was asked for the rest
// is not kept. What it refuses is as if it gave nothing: a stub lacks it then.
func (m *Mailbox) sections(ctx context.Context, uids []mail.UID, sections []*imap.FetchItemBodySection) (map[mail.UID][][]byte, error) {
	defer m.use(ctx)()
	after, err := m.ask(ctx, uids)
	if err != nil {
		return nil, m.c.grade(ctx, err, m.fault("fetch parts"))
	}
	a := &answers{wanted: map[mail.UID]bool{}, found: map[mail.UID][][]byte{}, sections: sections}
	for _, uid := range uids {
		a.wanted[uid] = true
	}
	defer m.c.catchStrays(a.take)()
	f := &flight{take: a.take, after: after}
	for _, set := range sets(sorted(uids)) {
		f.add(m.c.client.Fetch(set, &imap.FetchOptions{UID: true, BodySection: sections}))
	}
	err = f.wait()
	found, broken := a.end()
	if err == nil {
		err = broken
	}
	if err != nil && (!refused(err) || temporary(err)) {
		return nil, m.c.grade(ctx, err, m.fault("fetch parts"))
	}
	return found, nil
}

// answers gathers sections from FETCH answers, of which those that found no command
// come beside the others, and beside the end of the last command.
type answers struct {
	sections []*imap.FetchItemBodySection

	mu     sync.Mutex // held while an answer is read
	wanted map[mail.UID]bool
	found  map[mail.UID][][]byte
	err    error
}

// end hands over what was found; what comes later is not taken.
func (a *answers) end() (map[mail.UID][][]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wanted = nil
	return a.found, a.err
}

func (a *answers) take(msg *imapclient.FetchMessageData) (goOn bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var uid mail.UID
	got := make([][]byte, len(a.sections))
	for item := msg.Next(); item != nil; item = msg.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataUID:
			uid = mail.UID(item.UID)
		case imapclient.FetchItemDataBodySection:
			if item.Literal == nil {
				continue
			}
			i := slices.IndexFunc(a.sections, func(s *imap.FetchItemBodySection) bool { return isBeginning(item.Section, s) })
			body := &literal{from: item.Literal, left: item.Literal.Size()}
			var err error
			if i >= 0 {
				got[i], err = io.ReadAll(io.LimitReader(body, a.sections[i].Partial.Size))
			}
			if err == nil {
				_, err = io.Copy(io.Discard, body)
			}
			if err != nil {
				a.err = err
				return !body.broken
			}
		}
	}
	if a.wanted[uid] && (a.found[uid] == nil || len(got[0]) > 0) {
		a.found[uid] = got
	}
	return true
}

// isBeginning reports whether got is the beginning of a section, or all of it: not
// every server says where a part of it begins.
func isBeginning(got, asked *imap.FetchItemBodySection) bool {
	return got.Specifier == asked.Specifier && slices.Equal(got.Part, asked.Part) && (got.Partial == nil || got.Partial.Offset == 0)
}

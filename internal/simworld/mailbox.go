package simworld

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"slices"

	"imapsync/mail"
	"imapsync/syncer"
)

// Mailbox is a mailbox selected on one simulated connection. A lost connection
// breaks it: every later call fails.
type Mailbox struct {
	s        *Server
	name     mail.FolderName
	validity uint32
	mark     mail.Mark
	readOnly bool
	broken   bool
	closed   bool
	busy     bool // in a call with callbacks
}

var _ syncer.Mailbox = (*Mailbox)(nil)

// do makes one call on the connection; effect gets the mailbox as it is now.
func (m *Mailbox) do(ctx context.Context, name, detail string, changes bool, effect func(b *box) error) error {
	c := Call{Side: Remote, Name: name, Folder: m.name, Detail: detail, Effect: changes}
	if err := m.usable(changes, c); err != nil {
		return err
	}
	err := m.s.w.do(ctx, c, func() error {
		b := m.s.boxes[m.name]
		if b == nil || b.validity != m.validity {
			return fmt.Errorf("%w: mailbox deleted under the connection", m.s.w.fault(LostBefore, c))
		}
		return effect(b)
	})
	if isLost(err) || err == error(ErrCrash) {
		m.broken = true
	}
	return err
}

func (m *Mailbox) usable(changes bool, c Call) error {
	w := m.s.w
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case m.closed:
		w.wrongf("%s after Close", c)
	case m.broken:
		return w.fault(LostBefore, c)
	case m.readOnly && changes:
		w.wrongf("%s on a mailbox opened read-only", c)
		return refusal(m.name, c.Name, "NO [READ-ONLY]")
	}
	return nil
}

// Mark implements syncer.Mailbox.
func (m *Mailbox) Mark() mail.Mark { return m.mark }

// Space implements syncer.Mailbox.
func (m *Mailbox) Space() mail.FlagSpace {
	m.s.w.mu.Lock()
	defer m.s.w.mu.Unlock()
	if b := m.s.boxes[m.name]; b != nil {
		return b.space
	}
	return mail.FullSpace()
}

// Ahead implements syncer.Mailbox; nothing travels here.
func (m *Mailbox) Ahead(mail.FolderName, []mail.UID) {}

// FetchAhead implements syncer.Mailbox; nothing travels here.
func (m *Mailbox) FetchAhead(mail.FolderName, []mail.UID) {}

// Close implements syncer.Mailbox.
func (m *Mailbox) Close() {
	m.s.w.mu.Lock()
	defer m.s.w.mu.Unlock()
	if !m.closed {
		m.closed = true
		m.s.w.open--
	}
}

// Snapshot implements syncer.Mailbox. A delta believes the flags of the known
// messages that did not change since the known mark, as a real one does: a mark
// that was recorded too early shows as flags that never arrive.
func (m *Mailbox) Snapshot(ctx context.Context, known mail.Known, full bool) (snap mail.RemoteSnapshot, err error) {
	detail := ""
	if full {
		detail = "full"
	}
	err = m.do(ctx, "snapshot", detail, false, func(b *box) error {
		snap = mail.RemoteSnapshot{Folder: m.name, Exists: true, Mark: m.mark, Messages: map[mail.UID]mail.Remote{}, Space: b.space}
		if b.space.ReadOnly {
			snap.Denied = mail.ReadOnly
		}
		same := known.Mark.UIDValidity == b.validity
		delta := same && !full && known.Mark.HighestModSeq != 0 && !m.s.NoModSeq
		snap.Delta = delta
		if delta && known.Mark.HighestModSeq > b.modseq && !b.rewound {
			m.s.w.wrongf("%s: delta from the future", m.name)
		}
		for _, msg := range b.messages {
			if b.unlisted(msg, delta) {
				snap.Doubt = b.doubt()
				if b.view == Vanish {
					snap.Mark.Messages--
				}
				continue
			}
			r := mail.Remote{UID: msg.uid, Flags: msg.flags}
			_, isKnown := slices.BinarySearch(known.UIDs, msg.uid)
			if !same || !isKnown {
				r.Size, r.Date = int64(len(wire(msg.content))), msg.date
			}
			if delta && isKnown && msg.uid < known.Mark.UIDNext && msg.modseq <= known.Mark.HighestModSeq {
				snap.Same = append(snap.Same, msg.uid)
				continue
			}
			snap.Messages[msg.uid] = r
		}
		slices.Sort(snap.Same)
		return nil
	})
	return snap, err
}

// Flags implements syncer.Mailbox.
func (m *Mailbox) Flags(ctx context.Context, uids []mail.UID) (map[mail.UID]mail.Flags, error) {
	flags := map[mail.UID]mail.Flags{}
	err := m.do(ctx, "fetch flags", uidWords(uids), false, func(b *box) error {
		for _, msg := range m.found(b, uids) {
			flags[msg.uid] = msg.flags
		}
		return nil
	})
	return flags, err
}

// Headers implements syncer.Mailbox.
func (m *Mailbox) Headers(ctx context.Context, uids []mail.UID) (map[mail.UID]mail.Content, error) {
	headers := map[mail.UID]mail.Content{}
	err := m.do(ctx, "fetch headers", uidWords(uids), false, func(b *box) error {
		for _, msg := range m.found(b, uids) {
			h := mail.NewHasher()
			h.Write(headerOf(msg.content))
			headers[msg.uid] = h.HeaderOnly()
		}
		return nil
	})
	return headers, err
}

func (m *Mailbox) found(b *box, uids []mail.UID) (found []*message) {
	seen := map[mail.UID]bool{}
	for _, uid := range uids {
		if uid == 0 || seen[uid] {
			m.s.w.wrongf("%s: UID %d asked for twice or zero", m.name, uid)
		}
		seen[uid] = true
		if msg := b.sees(uid); msg != nil {
			found = append(found, msg)
		}
	}
	return found
}

// Fetch implements syncer.Mailbox. Messages come in an order the seed decides;
// a lost connection cuts the body it happens on.
func (m *Mailbox) Fetch(ctx context.Context, uids []mail.UID, got func(uid mail.UID, body io.Reader, err error) error) error {
	defer m.alone()()
	if len(uids) > 0 {
		m.s.w.mu.Lock()
		turn := m.s.w.pick("fetch order", len(uids))
		m.s.w.mu.Unlock()
		uids = append(append([]mail.UID(nil), uids[turn:]...), uids[:turn]...)
	}
	for _, uid := range uids {
		var body []byte
		gone := false
		err := m.do(ctx, "fetch", uidWords([]mail.UID{uid}), false, func(b *box) error {
			msg := b.sees(uid)
			if gone = msg == nil; !gone {
				body = wire(msg.content)
			}
			return nil
		})
		switch {
		case isLost(err):
			m.s.w.mu.Lock()
			if b := m.s.boxes[m.name]; b != nil && b.find(uid) != nil {
				body = wire(b.find(uid).content)
			}
			m.s.w.mu.Unlock()
			if gerr := got(uid, &cutReader{bytes.NewReader(body[:len(body)/2])}, nil); gerr != nil {
				return gerr
			}
			return err
		case err != nil && !m.broken:
			err = got(uid, nil, messageFault(m.name, uid, err))
		case err != nil:
			return err
		case gone:
			err = got(uid, nil, mail.ErrChanged)
		default:
			err = got(uid, bytes.NewReader(body), nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// cutReader ends as a body does whose connection broke.
type cutReader struct{ r io.Reader }

func (c *cutReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// alone notes a second call while one with callbacks is under way.
func (m *Mailbox) alone() (done func()) {
	m.s.w.mu.Lock()
	defer m.s.w.mu.Unlock()
	if m.busy {
		m.s.w.wrongf("%s: two calls at once on one connection", m.name)
	}
	m.busy = true
	return func() {
		m.s.w.mu.Lock()
		defer m.s.w.mu.Unlock()
		m.busy = false
	}
}

func messageFault(folder mail.FolderName, uid mail.UID, err error) error {
	f := &mail.Fault{Scope: mail.ScopeMessage, Class: mail.ClassFailed, Folder: folder, Doing: "fetch", Err: err}
	if uid != 0 {
		f.Message = uidWords([]mail.UID{uid})
	}
	return f
}

// answersBehind is how many messages an Append is ahead of the answers.
const answersBehind = 3

// Append implements syncer.Mailbox. Each message is a step of its own. Some are
// sent before earlier ones are answered: when an answer is lost, some of the next
// have arrived too.
func (m *Mailbox) Append(ctx context.Context, messages iter.Seq[mail.Outgoing], done func(i int, uid mail.UID, err error)) error {
	defer m.alone()()
	var answers []func()
	answer := func(behind int) {
		for ; len(answers) > behind; answers = answers[1:] {
			answers[0]()
		}
	}
	i, ahead := 0, 0
	var lost error
	for out := range messages {
		if lost != nil {
			if ahead--; ahead < 0 || !m.toward(out.Folder).sentAhead(out) {
				break
			}
			continue
		}
		to := m.toward(out.Folder)
		uid, err := to.append(ctx, out)
		m.broken = to.broken
		if err != nil && m.broken && mail.ScopeOf(err) != mail.ScopeMessage {
			if lost = err; uid == 0 || !isLost(err) {
				break
			}
			ahead = m.s.w.pick("sent ahead", 2*answersBehind)
			continue
		}
		if m.s.NoUIDPlus {
			uid = 0
		}
		at := i
		answers = append(answers, func() { done(at, uid, err) })
		if i++; m.broken {
			lost = m.s.w.fault(LostBefore, Call{Side: Remote, Name: "append", Folder: m.name})
			break
		}
		answer(answersBehind)
	}
	answer(0)
	return lost
}

// append sends one message; with an error there may be a UID all the same.
// toward is another mailbox on the same connection, which is not selected for an
// APPEND.
func (m *Mailbox) toward(folder mail.FolderName) *Mailbox {
	if folder == "" || folder == m.name {
		return m
	}
	m.s.w.mu.Lock()
	defer m.s.w.mu.Unlock()
	to := *m
	to.name = folder
	if b := m.s.boxes[folder]; b != nil {
		to.validity = b.validity
	}
	return &to
}

func (m *Mailbox) append(ctx context.Context, out mail.Outgoing) (uid mail.UID, err error) {
	content, err := m.readOutgoing(out)
	if err != nil {
		return 0, err
	}
	err = m.do(ctx, "append", NameOf(content), true, func(b *box) error {
		if b.space.ReadOnly {
			return refusal(m.name, "append", "NO [READ-ONLY]")
		}
		uid = b.add(content, out.Flags, out.Date)
		return nil
	})
	if err != nil && !m.broken {
		err = messageFault(m.name, 0, err)
	}
	return uid, err
}

// sentAhead stores a message that went out while the answer to an earlier one was
// awaited. Nobody learns of it.
func (m *Mailbox) sentAhead(out mail.Outgoing) bool {
	content, err := m.readOutgoing(out)
	if err != nil {
		return false
	}
	w := m.s.w
	w.mu.Lock()
	defer w.mu.Unlock()
	b := m.s.boxes[m.name]
	if b == nil || b.validity != m.validity {
		return false
	}
	b.add(content, out.Flags, out.Date)
	return true
}

func (m *Mailbox) readOutgoing(out mail.Outgoing) ([]byte, error) {
	r, err := out.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	if int64(len(b)) != out.Size { // rewritten meanwhile; a literal cannot be taken back
		m.broken = true
		return nil, &mail.Fault{Scope: mail.ScopeMessage, Folder: m.name, Doing: "append", Err: mail.ErrChanged}
	}
	return unwire(b), nil
}

// StoreAll implements syncer.Mailbox, one change after the other.
func (m *Mailbox) StoreAll(ctx context.Context, changes []mail.FlagChange, refused func(i int, err error)) error {
	for i, change := range changes {
		err := m.Store(ctx, change.UIDs, change.Add, change.Remove)
		switch {
		case err != nil && mail.ScopeOf(err) == mail.ScopeMessage:
			refused(i, err)
		case err != nil:
			return err
		}
	}
	return nil
}

// StoreAndLook implements syncer.Mailbox.
func (m *Mailbox) StoreAndLook(ctx context.Context, changes []mail.FlagChange, refused func(i int, err error)) ([]mail.UID, error) {
	return StoreAndLook(ctx, m, m.s, mail.Sought{Folder: m.name, UIDValidity: m.validity}, changes, refused)
}

// StoreAndLook stores and asks afterwards, by Flags.
func StoreAndLook(ctx context.Context, m syncer.Mailbox, r syncer.Remote, in mail.Sought, changes []mail.FlagChange, refused func(i int, err error)) ([]mail.UID, error) {
	if err := m.StoreAll(ctx, changes, refused); err != nil {
		return nil, err
	}
	for _, change := range changes {
		in.UIDs = append(in.UIDs, change.UIDs...)
	}
	return stillThere(ctx, r, in, false)
}

// Store makes one change of flags. Each message is a step of its own.
func (m *Mailbox) Store(ctx context.Context, uids []mail.UID, add, remove mail.Flags) error {
	if !add.Intersect(remove).IsEmpty() {
		m.s.w.mu.Lock()
		m.s.w.wrongf("store in %s adds and removes %s", m.name, add.Intersect(remove))
		m.s.w.mu.Unlock()
	}
	for _, uid := range uids {
		detail := fmt.Sprintf("%d +%s -%s", uid, add, remove)
		err := m.do(ctx, "store", detail, true, func(b *box) error {
			if b.space.ReadOnly {
				return refusal(m.name, "store", "NO [READ-ONLY]")
			}
			for _, msg := range m.found(b, []mail.UID{uid}) {
				b.store(msg, add, remove)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Copy implements syncer.Mailbox; it is all or nothing (RFC 3501 section
// 6.4.7).
func (m *Mailbox) Copy(ctx context.Context, uids []mail.UID, to mail.FolderName, validity uint32) (map[mail.UID]mail.UID, error) {
	uidOf := map[mail.UID]mail.UID{}
	err := m.do(ctx, "copy", uidWords(uids)+" to "+string(to), true, func(b *box) error {
		target := m.s.boxes[to]
		if target == nil {
			return refusal(to, "copy", "NO [TRYCREATE] no such mailbox")
		}
		for _, msg := range m.found(b, uids) {
			uidOf[msg.uid] = target.add(msg.content, msg.flags, msg.date)
		}
		return nil
	})
	return m.copyUID(uidOf, to, validity), err
}

// Move implements syncer.Mailbox. Each message is a step of its own: the
// command is atomic for each message only (RFC 6851 section 3.3).
func (m *Mailbox) Move(ctx context.Context, uids []mail.UID, to mail.FolderName, validity uint32) (map[mail.UID]mail.UID, error) {
	uidOf := map[mail.UID]mail.UID{}
	for _, uid := range uids {
		err := m.do(ctx, "move", fmt.Sprintf("%d to %s", uid, to), true, func(b *box) error {
			target := m.s.boxes[to]
			switch {
			case m.s.NoMove:
				m.s.w.wrongf("MOVE on a server without it")
				return refusal(m.name, "move", "BAD unknown command")
			case target == nil:
				return refusal(to, "move", "NO [TRYCREATE] no such mailbox")
			}
			for _, msg := range m.found(b, []mail.UID{uid}) {
				uidOf[uid] = target.add(msg.content, msg.flags, msg.date)
				b.remove(uid)
			}
			return nil
		})
		if err != nil {
			return m.copyUID(uidOf, to, validity), err
		}
	}
	return m.copyUID(uidOf, to, validity), nil
}

func (m *Mailbox) copyUID(uidOf map[mail.UID]mail.UID, to mail.FolderName, validity uint32) map[mail.UID]mail.UID {
	if b := m.s.boxes[to]; m.s.NoUIDPlus || b == nil || validity != 0 && validity != b.validity {
		return nil
	}
	return uidOf
}

// Expunge implements syncer.Mailbox. Each message is a step of its own.
func (m *Mailbox) Expunge(ctx context.Context, uids []mail.UID) error {
	for _, uid := range uids {
		err := m.do(ctx, "expunge", uidWords([]mail.UID{uid}), true, func(b *box) error {
			for _, msg := range m.found(b, []mail.UID{uid}) {
				b.remove(msg.uid)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

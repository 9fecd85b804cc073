package simworld

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"imapsync/mail"
	"imapsync/syncer"
)

// Server is the simulated IMAP server; it is a syncer.Remote. The exported
// fields take features away and are set before a run.
type Server struct {
	NoMove    bool // no MOVE (RFC 6851)
	NoUIDPlus bool // APPEND, COPY and MOVE tell no UIDs (RFC 4315)
	NoModSeq  bool // no CONDSTORE (RFC 7162)
	NoMarks   bool // no LIST-STATUS (RFC 5819)
	NoObjects bool // no OBJECTID (RFC 8474)

	w          *World
	boxes      map[mail.FolderName]*box
	validity   uint32 // the last UIDVALIDITY given out
	noKeywords bool   // PERMANENTFLAGS without keywords
	saved      map[mail.FolderName]*box
}

// box is a mailbox.
type box struct {
	validity uint32
	next     mail.UID
	modseq   uint64
	messages []*message // by UID
	space    mail.FlagSpace
	view     Verb              // how listings are wrong; "" when they are right
	hidden   map[mail.UID]bool // what they leave out
	restored bool              // put back to a backup, and nobody has settled it since
	rewound  bool              // likewise, ever: a state may be put back to before that
}

type message struct {
	uid     mail.UID
	flags   mail.Flags
	content []byte // LF line ends
	date    time.Time
	modseq  uint64
}

var _ syncer.Remote = (*Server)(nil)

func newServer(w *World) *Server {
	s := &Server{w: w, boxes: map[mail.FolderName]*box{}, validity: 1000}
	s.create(mail.Inbox)
	return s
}

// The model: what the server does, whoever asks. The lock is held.

func (s *Server) create(name mail.FolderName) {
	s.validity++
	s.boxes[name] = &box{validity: s.validity, next: 1, modseq: 1, space: s.space()}
}

func (s *Server) space() mail.FlagSpace {
	if s.noKeywords {
		return mail.FlagSpace{System: mail.AllSystem}
	}
	return mail.FullSpace()
}

// RefuseKeywords makes a server that stores no keyword in any mailbox.
func (s *Server) RefuseKeywords() {
	s.noKeywords = true
	for _, b := range s.boxes {
		b.space = s.space()
	}
}

func (s *Server) names() []mail.FolderName {
	var names []mail.FolderName
	for n := range s.boxes {
		names = append(names, n)
	}
	sort.Slice(names, func(i, j int) bool { return names[i] < names[j] })
	return names
}

// add puts a message into the mailbox; flags it cannot store are dropped.
func (b *box) add(content []byte, flags mail.Flags, date time.Time) mail.UID {
	b.modseq++
	m := &message{uid: b.next, flags: b.space.Storable(flags), content: content, date: date, modseq: b.modseq}
	b.next++
	b.messages = append(b.messages, m)
	return m.uid
}

func (b *box) find(uid mail.UID) *message {
	for _, m := range b.messages {
		if m.uid == uid {
			return m
		}
	}
	return nil
}

func (b *box) remove(uid mail.UID) {
	for i, m := range b.messages {
		if m.uid == uid {
			b.modseq++
			b.messages = append(b.messages[:i:i], b.messages[i+1:]...)
			return
		}
	}
}

func (b *box) store(m *message, add, remove mail.Flags) {
	flags := m.flags.Minus(remove).Union(b.space.Storable(add))
	if !flags.Equal(m.flags) {
		b.modseq++
		m.flags, m.modseq = flags, b.modseq
	}
}

// renumber gives the mailbox a new UIDVALIDITY and every message a new UID.
func (s *Server) renumber(b *box) {
	s.validity++
	b.validity, b.modseq = s.validity, 1
	for i, m := range b.messages {
		m.uid, m.modseq = mail.UID(i+1), 1
	}
	b.next = mail.UID(len(b.messages) + 1)
}

func (s *Server) mark(b *box) mail.Mark {
	m := mail.Mark{UIDValidity: b.validity, UIDNext: b.next, Messages: uint32(b.exists()), HighestModSeq: b.modseq}
	if s.NoModSeq {
		m.HighestModSeq = 0
	}
	return m
}

// The port.

// Expect implements syncer.Remote.
func (s *Server) Expect(int) {}

// Folders implements syncer.Remote.
func (s *Server) Folders(ctx context.Context) (list []mail.RemoteFolder, err error) {
	err = s.w.do(ctx, Call{Side: Remote, Name: "list"}, func() error {
		for _, n := range s.names() {
			if s.boxes[n].view == Hide {
				continue
			}
			f := mail.RemoteFolder{Name: n, Selectable: true, Subscribed: true}
			if !s.NoMarks {
				m := s.mark(s.boxes[n])
				f.Mark = &m
			}
			list = append(list, f)
		}
		return nil
	})
	return list, err
}

// LeftOut implements syncer.Remote.
func (s *Server) LeftOut(_, _ mail.FolderName) (string, error) { return "", nil }

// Missing implements syncer.Remote.
func (s *Server) Missing(ctx context.Context, folder mail.FolderName) (missing bool, err error) {
	err = s.w.do(ctx, Call{Side: Remote, Name: "status", Folder: folder}, func() error {
		missing = s.boxes[folder] == nil
		return nil
	})
	return missing, err
}

// CreateFolder implements syncer.Remote.
func (s *Server) CreateFolder(ctx context.Context, folder mail.FolderName) error {
	return s.w.do(ctx, Call{Side: Remote, Name: "create", Folder: folder, Effect: true}, func() error {
		if s.boxes[folder] != nil {
			return refusal(folder, "create", "NO [ALREADYEXISTS] mailbox exists")
		}
		s.create(folder)
		return nil
	})
}

// ServerName implements syncer.Remote.
func (s *Server) ServerName(folder mail.FolderName) mail.FolderName { return folder }

// RenameFolder implements syncer.Remote.
func (s *Server) RenameFolder(ctx context.Context, folder, to mail.FolderName) error {
	return s.w.do(ctx, Call{Side: Remote, Name: "rename folder", Folder: folder, Detail: "to " + string(to), Effect: true}, func() error {
		switch {
		case folder == mail.Inbox:
			s.w.wrongf("rename of INBOX")
			return refusal(folder, "rename folder", "NO INBOX is not renamed")
		case s.boxes[folder] == nil:
			return refusal(folder, "rename folder", "NO [NONEXISTENT] no such mailbox")
		}
		if err := rename(s.boxes, folder, to); err != nil {
			return refusal(folder, "rename folder", "NO [ALREADYEXISTS] "+err.Error())
		}
		return nil
	})
}

// rename gives a folder and those below it another name, as servers (RFC 3501
// section 6.3.5) and file systems do; not below itself or where there is any.
func rename[F any](folders map[mail.FolderName]F, from, to mail.FolderName) error {
	if to.Within(from) || from.Within(to) {
		return errors.New("a folder cannot become a part of itself")
	}
	var names []mail.FolderName
	for n := range folders {
		switch {
		case n == to || n.Within(to):
			return errors.New("the target exists")
		case n == from || n.Within(from):
			names = append(names, n)
		}
	}
	for _, n := range names {
		folders[to+n[len(from):]] = folders[n]
		delete(folders, n)
	}
	return nil
}

// DeleteFolder implements syncer.Remote.
func (s *Server) DeleteFolder(ctx context.Context, folder mail.FolderName) error {
	return s.w.do(ctx, Call{Side: Remote, Name: "delete folder", Folder: folder, Effect: true}, func() error {
		b := s.boxes[folder]
		switch {
		case folder == mail.Inbox:
			s.w.wrongf("delete of INBOX")
			return refusal(folder, "delete folder", "NO INBOX cannot be deleted")
		case b == nil:
			return refusal(folder, "delete folder", "NO [NONEXISTENT] no such mailbox")
		case len(b.messages) > 0:
			return mail.ErrChanged
		}
		delete(s.boxes, folder)
		return nil
	})
}

// Look implements syncer.Remote.
func (s *Server) Look(ctx context.Context, folder mail.FolderName, readOnly bool, known mail.Known, full bool) (mail.RemoteSnapshot, error) {
	m, err := s.Open(ctx, folder, readOnly)
	if err != nil {
		return mail.RemoteSnapshot{}, err
	}
	defer m.Close()
	return m.Snapshot(ctx, known, full)
}

// StillThere implements syncer.Remote.
func (s *Server) StillThere(ctx context.Context, absent []mail.Sought, readOnly bool, told func(mail.FolderName, []mail.UID, error)) error {
	return StillThere(ctx, s, absent, readOnly, told)
}

// StillThere asks one mailbox after the other, by Flags.
func StillThere(ctx context.Context, r syncer.Remote, absent []mail.Sought, readOnly bool, told func(mail.FolderName, []mail.UID, error)) error {
	for _, gone := range absent {
		there, err := stillThere(ctx, r, gone, readOnly)
		told(gone.Folder, there, err)
	}
	return nil
}

// LookAgain implements syncer.Remote.
func (s *Server) LookAgain(ctx context.Context, absent []mail.Sought, readOnly bool, told func(mail.FolderName, []mail.UID, error)) ([]mail.RemoteFolder, error) {
	return LookAgain(ctx, s, absent, readOnly, told)
}

// LookAgain lists the mailboxes, then asks for the messages.
func LookAgain(ctx context.Context, r syncer.Remote, absent []mail.Sought, readOnly bool, told func(mail.FolderName, []mail.UID, error)) ([]mail.RemoteFolder, error) {
	folders, err := r.Folders(ctx)
	if err != nil {
		return nil, err
	}
	return folders, r.StillThere(ctx, absent, readOnly, told)
}

func stillThere(ctx context.Context, r syncer.Remote, gone mail.Sought, readOnly bool) ([]mail.UID, error) {
	m, err := r.Open(ctx, gone.Folder, readOnly)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if m.Mark().UIDValidity != gone.UIDValidity {
		return nil, refusal(gone.Folder, "select", "the UIDVALIDITY is another")
	}
	flags, err := m.Flags(ctx, gone.UIDs)
	return slices.Sorted(maps.Keys(flags)), err
}

// Open implements syncer.Remote.
func (s *Server) Open(ctx context.Context, folder mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	detail := ""
	if readOnly {
		detail = "read-only"
	}
	var m *Mailbox
	err := s.w.do(ctx, Call{Side: Remote, Name: "select", Folder: folder, Detail: detail}, func() error {
		b := s.boxes[folder]
		if b == nil {
			return refusal(folder, "select", "NO [NONEXISTENT] no such mailbox")
		}
		m = &Mailbox{s: s, name: folder, validity: b.validity, mark: s.mark(b), readOnly: readOnly}
		s.w.open++
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Features implements syncer.Remote.
func (s *Server) Features(ctx context.Context) (f mail.Features, err error) {
	err = s.w.do(ctx, Call{Side: Remote, Name: "capability"}, func() error {
		f.Move, f.ObjectIDs = !s.NoMove, !s.NoObjects
		return nil
	})
	return f, err
}

func refusal(folder mail.FolderName, doing, text string) error {
	return &mail.Fault{Scope: mail.ScopeFolder, Class: mail.ClassFailed, Folder: folder, Doing: doing, Err: errors.New(text)}
}

func uidWords(uids []mail.UID) string {
	words := make([]string, len(uids))
	for i, u := range uids {
		words[i] = strconv.Itoa(int(u))
	}
	return strings.Join(words, ",")
}

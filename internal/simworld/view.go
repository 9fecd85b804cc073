package simworld

import (
	"fmt"

	"imapsync/mail"
)

// Views are ways in which a side shows less than it holds until Complete,
// Readable or Mount. What a mailbox leaves out is settled when the view begins:
// every second message, or all of them; what comes later is shown.

// setView begins a view of the mailbox, or ends it with Complete.
func (b *box) setView(v Verb) {
	b.view, b.hidden = v, map[mail.UID]bool{}
	if v == Complete {
		b.view = ""
	}
	for i, m := range b.messages {
		if v == Empty || i%2 == 1 && (v == Partial || v == Fewer || v == Vanish) {
			b.hidden[m.uid] = true
		}
	}
}

// exists is what the mailbox says of its size.
func (b *box) exists() int {
	n := len(b.messages)
	if b.view == Empty || b.view == Fewer {
		for _, m := range b.messages {
			if b.hidden[m.uid] {
				n--
			}
		}
	}
	return n
}

// unlisted tells whether a listing leaves the message out.
func (b *box) unlisted(m *message, delta bool) bool {
	return b.hidden[m.uid] && (b.view != Vanish || delta)
}

// doubt is what a listing says of the messages it leaves out.
func (b *box) doubt() string {
	if b.view == Partial {
		return "the server lists fewer messages than it says it has"
	}
	return ""
}

// sees finds a message that commands on UIDs reach.
func (b *box) sees(uid mail.UID) *message {
	if b.hidden[uid] && (b.view == Empty || b.view == Fewer) {
		return nil
	}
	return b.find(uid)
}

// endViews has both sides show all they hold again.
func (w *World) endViews() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range w.Server.boxes {
		b.setView(Complete)
	}
	for _, f := range w.Disk.folders {
		f.unreadable = false
	}
	w.Disk.Unmounted = false
}

// endRestored says that the mailboxes put back to a backup have been settled.
func (w *World) endRestored() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range w.Server.boxes {
		b.restored = false
	}
}

func (s *Server) backup() {
	s.saved = map[mail.FolderName]*box{}
	for name, b := range s.boxes {
		s.saved[name] = b.clone()
	}
}

func (b *box) clone() *box {
	c := *b
	c.messages = nil
	for _, m := range b.messages {
		copied := *m
		c.messages = append(c.messages, &copied)
	}
	return &c
}

// restore puts a mailbox back to what it was at the last backup, counters
// included; its UIDVALIDITY stays.
func (s *Server) restore(name mail.FolderName) error {
	b, was := s.boxes[name], s.saved[name]
	if was == nil || was.validity != b.validity {
		return fmt.Errorf("no backup of this folder")
	}
	was = was.clone()
	b.messages, b.next, b.modseq, b.restored, b.rewound = was.messages, was.next, was.modseq, true, true
	b.setView(Complete)
	return nil
}

func (r *Record) backup() { r.saved = r.clone() }

// restore puts the state back to what it was at the last backup.
func (r *Record) restore() error {
	if r.saved == nil {
		return fmt.Errorf("no backup of the state")
	}
	saved := r.saved
	r.recorded = saved.clone().recorded
	r.saved = saved
	return nil
}

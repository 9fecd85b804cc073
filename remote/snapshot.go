package remote

import (
	"context"
	"fmt"

	"github.com/emersion/go-imap/v2"

	"imapsync/mail"
)

// Snapshot lists the mailbox. Where known has a mark of the same UIDVALIDITY
// and the server keeps modification sequences, only changes are asked for (RFC
// 7162 section 3.1.4.1), unless full; the result is the same.
//
// A message is absent from the result only when the server's numbers prove it:
// the listing and EXISTS agree, or UID SEARCH ALL and EXISTS do. Else Doubt
// says what does not add up.
func (m *Mailbox) Snapshot(ctx context.Context, known mail.Known, full bool) (mail.RemoteSnapshot, error) {
	if !m.c.box.fresh {
		if err := m.selectAgain(ctx); err != nil {
			return mail.RemoteSnapshot{}, err
		}
	}
	defer m.use(ctx)()
	mark := m.Mark()
	if known.Mark.UIDValidity != mark.UIDValidity {
		known = mail.Known{}
	}
	s := survey{m: m, known: known, listing: newListing(m.c)}
	s.delta = !full && canDelta(known.Mark, mark)
	if err := s.run(); err != nil {
		return mail.RemoteSnapshot{}, m.c.grade(ctx, err, m.fault("list messages"))
	}
	return s.result(), nil
}

// canDelta reports whether changes since base can be asked for. A counter that
// went backwards makes all of them worthless.
func canDelta(base, now mail.Mark) bool {
	return base.HighestModSeq != 0 && base.UIDNext != 0 &&
		now.HighestModSeq >= base.HighestModSeq && now.UIDNext >= base.UIDNext
}

// survey is one Snapshot being made.
type survey struct {
	m       *Mailbox
	known   mail.Known
	delta   bool
	listing *listing

	present map[mail.UID]bool // what exists, once it was settled
	doubt   string
}

func (s *survey) run() error {
	if s.m.Mark().Messages == 0 { // some servers call 1:* a bad set then
		if len(s.known.Messages) == 0 {
			return nil
		}
		return s.search() // that all are gone takes a second look to believe
	}
	refusal := s.list()
	if refusal != nil && (!refused(refusal) || temporary(refusal)) {
		return refusal
	}
	if refusal == nil && s.adds() {
		s.present = s.seen()
	} else if err := s.search(); err != nil {
		return err
	}
	return s.fill()
}

// list asks for all messages, or for those that changed or are new.
func (s *survey) list() error {
	c, next := s.m.c, s.firstNew()
	f := flight{take: s.listing.take}
	if next > 1 {
		old := *flagItems
		if s.delta {
			old.ChangedSince = s.known.Mark.HighestModSeq
		}
		f.add(c.client.Fetch(imap.UIDSet{{Start: 1, Stop: imap.UID(next - 1)}}, &old))
	}
	f.add(c.client.Fetch(from(next), listItems))
	return f.wait()
}

// firstNew is the UID from which on messages are listed as new.
func (s *survey) firstNew() mail.UID {
	if s.known.Mark.UIDNext != 0 && len(s.known.Messages) > 0 {
		return s.known.Mark.UIDNext
	}
	return 1
}

// seen is what exists by the listing: in a delta also what was known and has
// not changed.
func (s *survey) seen() map[mail.UID]bool {
	seen := make(map[mail.UID]bool, len(s.listing.records)+len(s.known.Messages))
	for uid := range s.listing.records {
		seen[uid] = true
	}
	if s.delta {
		for uid := range s.known.Messages {
			if uid < s.firstNew() {
				seen[uid] = true
			}
		}
	}
	return seen
}

// adds reports whether the listing proves what is absent: as many messages
// were seen as exist now. In a delta the base must also have had as many rows
// as the mailbox had messages, lest an unknown message stand for a known one
// that is gone.
func (s *survey) adds() bool {
	if s.delta {
		old := uint32(0)
		for uid := range s.known.Messages {
			if uid < s.firstNew() {
				old++
			}
		}
		if old != s.known.Mark.Messages {
			return false
		}
	}
	return uint32(len(s.seen())) == s.m.exists()
}

// exists is the number of messages as the server last told it. imapclient has it
// right once a command sent after the SELECT was answered.
func (m *Mailbox) exists() uint32 {
	box := m.c.client.Mailbox()
	if box == nil {
		return m.Mark().Messages
	}
	return box.NumMessages
}

// searches is how often UID SEARCH is asked when mail comes and goes meanwhile.
const searches = 3

// search settles what exists by UID SEARCH ALL, if that agrees with EXISTS.
func (s *survey) search() error {
	for try := 1; ; try++ {
		set, err := s.m.searchUIDs(&imap.SearchCriteria{})
		if refused(err) && !temporary(err) {
			s.present = s.seen()
			s.doubt = "the counts do not add up, and " + asRefusal(err).Error()
			return nil
		} else if err != nil {
			return err
		}
		found, exists := count(set), uint64(s.m.exists())
		if found != exists && try < searches {
			continue
		}
		s.present = map[mail.UID]bool{}
		if found <= uint64(len(s.seen()))+maxAbsurd {
			each(set, func(uid mail.UID) { s.present[uid] = true })
		}
		if found != exists {
			s.doubt = fmt.Sprintf("the server says that %d messages exist, lists %d and finds %d", exists, len(s.seen()), found)
			for uid := range s.listing.records {
				s.present[uid] = true
			}
		}
		return nil
	}
}

// maxAbsurd bounds how many UIDs more than EXISTS a SEARCH may claim before it
// is not even looked at.
const maxAbsurd = 1 << 20

// searchUIDs sends a UID SEARCH, with ESEARCH (RFC 4731) where offered.
func (m *Mailbox) searchUIDs(criteria *imap.SearchCriteria) (imap.UIDSet, error) {
	var options *imap.SearchOptions
	if m.c.has("ESEARCH") {
		options = &imap.SearchOptions{ReturnAll: true}
	}
	data, err := m.c.client.UIDSearch(criteria, options).Wait()
	if err != nil {
		return nil, err
	}
	set, _ := data.All.(imap.UIDSet)
	return set, nil
}

// fill asks once more for what is still needed of messages that exist: those
// only a SEARCH found, and those whose answer was taken by an unasked FETCH.
func (s *survey) fill() error {
	var lacking []mail.UID
	for uid := range s.present {
		_, known := s.known.Messages[uid]
		r := s.listing.records[uid]
		unchanged := s.delta && known && uid < s.firstNew() // and so not listed
		if !r.hasFlags && !unchanged || !r.hasSize && !known {
			lacking = append(lacking, uid)
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	err := s.listing.fetch(s.m.c, sorted(lacking), listItems)
	if refused(err) && !temporary(err) {
		return nil // what is known of those stands
	}
	return err
}

func (s *survey) result() mail.RemoteSnapshot {
	m := s.m
	snap := mail.RemoteSnapshot{
		Folder: m.folder, Exists: true, Mark: m.Mark(), Space: m.c.box.space, Doubt: s.doubt,
		Messages: make(map[mail.UID]mail.Remote, len(s.present)),
	}
	sizes := map[mail.UID]int64{}
	for uid := range s.present {
		flags, known := s.known.Messages[uid]
		r, seen := s.listing.records[uid]
		if !known && !seen {
			continue // gone between the SEARCH and the FETCH, and nobody's loss
		}
		if r.hasFlags {
			flags = r.flags
		}
		message := mail.Remote{UID: uid, Flags: flags}
		if !known {
			message.Size, message.Date = r.size, r.date
			sizes[uid] = r.size
		}
		snap.Messages[uid] = message
	}
	m.a.mu.Lock()
	m.a.sizes[m.folder] = sizes
	m.a.mu.Unlock()
	return snap
}

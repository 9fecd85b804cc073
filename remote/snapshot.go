package remote

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"imapsync/mail"
)

// Snapshot lists the mailbox. Where known has a mark of the same UIDVALIDITY
// and the server keeps modification sequences, only changes are asked for (RFC
// 7162 section 3.1.4.1), unless full. Known messages of which nothing was told are
// in Same.
//
// A message is absent from the result only when the server's numbers prove it:
// the listing and EXISTS agree, or UID SEARCH ALL and EXISTS do. Else Doubt
// says what does not add up.
func (m *Mailbox) Snapshot(ctx context.Context, known mail.Known, full bool) (mail.RemoteSnapshot, error) {
	defer m.c.guard(ctx)()
	s := survey{m: m, given: known, full: full, exists: m.exists}
	var err error
	if m.selected() && m.c.box.fresh {
		s.assume(m.Mark())
	} else if s.after, err = m.begin(ctx); err != nil {
		return mail.RemoteSnapshot{}, err
	} else {
		s.assume(m.foreseen(known))
	}
	m.c.box.fresh = false
	if err := s.run(); err != nil {
		return mail.RemoteSnapshot{}, m.c.grade(ctx, err, m.fault("list messages"))
	}
	return s.result(*m.box()), nil
}

// foreseen is what the SELECT will most likely tell: what Folders did, else what
// is known.
func (m *Mailbox) foreseen(known mail.Known) mail.Mark {
	m.a.mu.Lock()
	defer m.a.mu.Unlock()
	mark, told := m.a.marks[m.folder]
	if !told {
		mark = known.Mark
		mark.Messages = max(mark.Messages, 1)
	}
	if !m.c.condstore() {
		mark.HighestModSeq = 0
	}
	return mark
}

// canDelta reports whether changes since base can be asked for. A counter that
// went backwards makes all of them worthless.
func canDelta(base, now mail.Mark) bool {
	return base.HighestModSeq != 0 && base.UIDNext != 0 &&
		now.HighestModSeq >= base.HighestModSeq && now.UIDNext >= base.UIDNext
}

// survey is one Snapshot being made.
type survey struct {
	m     *Mailbox
	given mail.Known
	full  bool
	after *selecting // the SELECT it is sent with; nil when that was answered

	way
	exists  func() uint32 // the number of messages as the server last told it
	listing *listing
	ahead   *imapclient.SearchCommand // sent with the listing

	present []mail.UID // what exists, once it was settled; sorted
	doubt   string
}

// way is how to ask, which depends on the mark of the mailbox.
type way struct {
	mark  mail.Mark
	known mail.Known // given, or nothing where its UIDs mean nothing
	delta bool
}

// assume settles how to ask and reports whether an answer to what was asked
// before still serves.
func (s *survey) assume(mark mail.Mark) (same bool) {
	before := s.way
	s.way = way{mark: mark, known: s.given}
	if s.known.Mark.UIDValidity != mark.UIDValidity {
		s.known = mail.Known{}
	}
	s.delta = !s.full && canDelta(s.known.Mark, mark)
	return s.delta == before.delta && s.known.Mark == before.known.Mark
}

func (s *survey) run() error {
	var refusal error
	asked := s.mark.Messages > 0 // some servers call 1:* a bad set in an empty mailbox
	if asked {
		refusal = s.list()
	}
	if err := s.after.wait(); err != nil {
		return err
	}
	served := s.assume(s.m.Mark()) && asked
	s.after = nil
	if s.mark.Messages == 0 {
		if s.listing = newListing(s.m.c); len(s.known.UIDs) == 0 {
			return nil
		}
		return s.search() // that all are gone takes a second look to believe
	}
	if !served && (refusal == nil || refused(refusal)) {
		refusal = s.list()
	}
	if refusal != nil && (!refused(refusal) || temporary(refusal)) {
		return refusal
	}
	if refusal != nil || !s.adds() {
		if err := s.search(); err != nil {
			return err
		}
	}
	return s.fill()
}

// list asks for all messages, or for those that changed or are new, and for
// what exists where the listing will not tell.
func (s *survey) list() error {
	c, next := s.m.c, s.firstNew()
	s.listing = newListing(c)
	f := flight{take: s.listing.take, after: s.after}
	if next > 1 {
		old := *flagItems
		if s.delta {
			old.ChangedSince = s.known.Mark.HighestModSeq
		}
		f.add(c.client.Fetch(imap.UIDSet{{Start: 1, Stop: imap.UID(next - 1)}}, &old))
	}
	f.add(c.client.Fetch(from(next), listItems))
	var search *imapclient.SearchCommand
	if s.loses() {
		search = s.m.sendSearch(&imap.SearchCriteria{})
	}
	err := f.wait()
	if search != nil {
		_, _ = search.Wait() // it is asked for its error when its answer is needed
	}
	s.ahead = search
	return err
}

// loses reports whether the mark shows that messages are gone, which a delta
// does not tell, or the delta can prove nothing: see adds. That is so after a run
// that deleted messages itself.
func (s *survey) loses() bool {
	return s.delta && (!s.knewAll() || s.mark.Messages != s.known.Mark.Messages+uint32(s.mark.UIDNext-s.firstNew()))
}

// firstNew is the UID from which on messages are listed as new.
func (s *survey) firstNew() mail.UID {
	if s.known.Mark.UIDNext != 0 && len(s.known.UIDs) > 0 {
		return s.known.Mark.UIDNext
	}
	return 1
}

// seen is what exists by the listing, sorted: in a delta also what was known and
// has not changed.
func (s *survey) seen() []mail.UID {
	listed := slices.Sorted(maps.Keys(s.listing.records))
	if !s.delta {
		return listed
	}
	return union(listed, s.known.UIDs[:s.old()])
}

// union merges two sorted lists.
func union(a, b []mail.UID) []mail.UID {
	both := make([]mail.UID, 0, len(a)+len(b))
	for _, uid := range b {
		for len(a) > 0 && a[0] <= uid {
			if a[0] < uid {
				both = append(both, a[0])
			}
			a = a[1:]
		}
		both = append(both, uid)
	}
	return append(both, a...)
}

// mostSeen is how many messages seen can give.
func (s *survey) mostSeen() int {
	if s.delta {
		return len(s.listing.records) + len(s.known.UIDs)
	}
	return len(s.listing.records)
}

// adds reports whether the listing proves what is absent: as many messages
// were seen as exist now. Then that is what is present. In a delta the base must
// also have had as many rows as the mailbox had messages, lest an unknown message
// stand for a known one that is gone.
func (s *survey) adds() bool {
	if s.delta && !s.knewAll() {
		return false
	}
	seen := s.seen()
	if uint32(len(seen)) != s.exists() {
		return false
	}
	s.present = seen
	return true
}

// old is how many of the known messages were there when the known mark was taken.
func (s *survey) old() int {
	n, _ := slices.BinarySearch(s.known.UIDs, s.firstNew())
	return n
}

// knewAll reports whether those are as many as the mailbox had.
func (s *survey) knewAll() bool { return uint32(s.old()) == s.known.Mark.Messages }

// exists is the number of messages as the server last told it. imapclient has it
// right once a command sent after its own SELECT was answered; of a mailbox that was
// visited it knows nothing.
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
		cmd := s.ahead
		if s.ahead = nil; cmd == nil {
			cmd = s.m.sendSearch(&imap.SearchCriteria{})
		}
		set, err := found(cmd)
		if refused(err) && !temporary(err) {
			s.present = s.seen()
			s.doubt = "the counts do not add up, and " + asRefusal(err).Error()
			return nil
		} else if err != nil {
			return err
		}
		found, exists := count(set), uint64(s.exists())
		if found != exists && try < searches {
			continue
		}
		s.present = nil
		if found <= uint64(s.mostSeen())+maxAbsurd {
			each(set, func(uid mail.UID) { s.present = append(s.present, uid) })
			slices.Sort(s.present)
		}
		if found != exists {
			s.doubt = fmt.Sprintf("the server says that %d messages exist, lists %d and finds %d", exists, len(s.seen()), found)
			s.present = union(s.present, slices.Sorted(maps.Keys(s.listing.records)))
		}
		return nil
	}
}

// maxAbsurd bounds how many UIDs more than EXISTS a SEARCH may claim before it
// is not even looked at.
const maxAbsurd = 1 << 20

// sendSearch sends a UID SEARCH, with ESEARCH (RFC 4731) where offered.
func (m *Mailbox) sendSearch(criteria *imap.SearchCriteria) *imapclient.SearchCommand {
	var options *imap.SearchOptions
	if m.c.has("ESEARCH") {
		options = &imap.SearchOptions{ReturnAll: true}
	}
	return m.c.client.UIDSearch(criteria, options)
}

func found(cmd *imapclient.SearchCommand) (imap.UIDSet, error) {
	data, err := cmd.Wait()
	if err != nil {
		return nil, err
	}
	set, _ := data.All.(imap.UIDSet)
	return set, nil
}

// fill asks once more for what is still needed of messages that exist: those
// only a SEARCH found, and those whose answer was taken by an unasked FETCH.
func (s *survey) fill() error {
	lacking := s.lacking()
	if len(lacking) == 0 {
		return nil
	}
	err := s.listing.fetch(s.m.c, sorted(lacking), listItems, nil)
	if refused(err) && !temporary(err) {
		return nil // what is known of those stands
	}
	return err
}

// eachPresent calls do for each message that exists.
func (s *survey) eachPresent(do func(uid mail.UID, known bool)) {
	known := s.known.UIDs
	for _, uid := range s.present {
		for len(known) > 0 && known[0] < uid {
			known = known[1:]
		}
		do(uid, len(known) > 0 && known[0] == uid)
	}
}

// lacking are the messages that exist of which something is not known yet.
func (s *survey) lacking() (lacking []mail.UID) {
	s.eachPresent(func(uid mail.UID, known bool) {
		r := s.listing.records[uid]
		unchanged := s.delta && known && uid < s.firstNew() // and so not listed
		if !r.hasFlags && !unchanged || !r.hasSize && !known {
			lacking = append(lacking, uid)
		}
	})
	return lacking
}

func (s *survey) result(box selection) mail.RemoteSnapshot {
	m := s.m
	space, denied := m.a.restrict(m.folder, box.space)
	snap := mail.RemoteSnapshot{
		Folder: m.folder, Exists: true, Mark: box.mark, Delta: s.delta, Space: space, Denied: denied, Doubt: s.doubt,
		Messages: make(map[mail.UID]mail.Remote, len(s.listing.records)),
	}
	sizes := map[mail.UID]int64{}
	s.eachPresent(func(uid mail.UID, known bool) {
		r, told := s.listing.records[uid]
		switch {
		case known && !r.hasFlags:
			snap.Same = append(snap.Same, uid)
		case known:
			snap.Messages[uid] = mail.Remote{UID: uid, Flags: r.flags}
		case told: // else gone between the SEARCH and the FETCH, and nobody's loss
			snap.Messages[uid] = mail.Remote{UID: uid, Flags: r.flags, Size: r.size, Date: r.date}
			sizes[uid] = r.size
		}
	})
	m.a.mu.Lock()
	m.a.sizes[m.folder] = sizes
	m.a.mu.Unlock()
	return snap
}

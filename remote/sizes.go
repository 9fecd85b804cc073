package remote

import (
	"context"
	"strconv"
	"strings"
	"sync"

	"imapsync/mail"
	"imapsync/remote/wire"
)

// partSizes are the sizes of the parts of messages, as far as the server tells.
type partSizes struct {
	mu     sync.Mutex
	known  map[mail.UID]map[string]wire.PartSize
	answer []func() (wire.Answer, error)
}

// askSizes asks for the sizes of the parts of those messages that have several, to
// be answered with what is asked next.
func (m *Mailbox) askSizes(stubs map[mail.UID]*stub) *partSizes {
	s := &partSizes{known: map[mail.UID]map[string]wire.PartSize{}}
	var uids []mail.UID
	for uid, of := range stubs {
		if len(of.parts) > 1 {
			uids = append(uids, uid)
		}
	}
	if len(uids) == 0 || !m.selected() {
		return s
	}
	for _, set := range sets(sorted(uids)) {
		s.answer = append(s.answer, m.c.wire.PartSizes(set.String(), s.told))
	}
	return s
}

func (s *partSizes) told(uid uint32, parts map[string]wire.PartSize) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[mail.UID(uid)] = parts
}

// settle waits for the answers and has the stubs know the sizes. That the server
// refuses to tell them costs nothing else.
func (s *partSizes) settle(ctx context.Context, m *Mailbox, stubs map[mail.UID]*stub) error {
	defer m.c.guard(ctx)()
	for _, wait := range s.answer {
		if _, err := wait(); err != nil {
			return m.c.grade(ctx, err, m.fault("fetch parts"))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for uid, of := range stubs {
		for _, p := range of.parts {
			// One of another type is none that the headers told of.
			if told, ok := s.known[uid][number(p.path)]; ok && told.Kind == p.kind {
				p.size = told.Octets
			}
		}
	}
	return nil
}

// number is how a part is called (RFC 3501 section 6.4.5).
func number(path []int) string {
	var b strings.Builder
	for i, n := range path {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(strconv.Itoa(n))
	}
	return b.String()
}

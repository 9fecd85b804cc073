package remote

import (
	"context"
	"strconv"
	"strings"

	"imapsync/mail"
	"imapsync/remote/wire"
)

// askSizes asks for the sizes of the parts of those messages that have several, to
// be answered with what is asked next; the stubs know them once the returned
// function has waited. That the server refuses to tell them costs nothing else.
func (m *Mailbox) askSizes(ctx context.Context, stubs map[mail.UID]*stub) (wait func() error) {
	var uids []mail.UID
	for uid, s := range stubs {
		if len(s.parts) > 1 {
			uids = append(uids, uid)
		}
	}
	if len(uids) == 0 || !m.selected() {
		return func() error { return nil }
	}
	var answers []func() (wire.Answer, error)
	for _, set := range sets(sorted(uids)) {
		answers = append(answers, m.c.wire.PartSizes(set.String(), func(uid uint32, sizes map[string]wire.PartSize) {
			if s := stubs[mail.UID(uid)]; s != nil {
				s.takeSizes(sizes)
			}
		}))
	}
	return func() error {
		defer m.c.guard(ctx)()
		for _, answer := range answers {
			if _, err := answer(); err != nil {
				return m.c.grade(ctx, err, m.fault("fetch parts"))
			}
		}
		return nil
	}
}

// takeSizes takes those of parts that the headers told of, too.
func (s *stub) takeSizes(sizes map[string]wire.PartSize) {
	for _, p := range s.parts {
		if told, ok := sizes[number(p.path)]; ok && told.Kind == p.kind {
			p.size = told.Octets
		}
	}
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

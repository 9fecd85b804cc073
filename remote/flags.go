package remote

import (
	"context"
	"errors"
	"slices"

	"imapsync/mail"
)

// Flags fetches the flags of these messages as they are now; those that no
// longer exist are missing from the answer.
func (m *Mailbox) Flags(ctx context.Context, uids []mail.UID) (map[mail.UID]mail.Flags, error) {
	if flags, told := m.foretold(uids); told {
		return flags, nil
	}
	again := !m.box().fresh // what a session has not been told yet, its FETCH need not show
	defer m.use(ctx)()
	var after *selecting
	if again {
		var err error
		if after, err = m.begin(ctx); err != nil {
			return nil, err
		}
	}
	flags, err := m.flags(sorted(uids), after)
	if selectErr := after.wait(); selectErr != nil {
		return nil, selectErr
	}
	if err != nil {
		return nil, m.c.grade(ctx, err, m.fault("fetch flags"))
	}
	return flags, nil
}

// foretold are the flags, where they were asked for with the SELECT of Ahead.
func (m *Mailbox) foretold(uids []mail.UID) (flags map[mail.UID]mail.Flags, told bool) {
	f := m.c.foretold
	m.c.foretold = nil
	if f == nil || !m.selected() || !slices.Equal(f.flags, sorted(uids)) {
		return nil, false
	}
	flags = make(map[mail.UID]mail.Flags, len(f.flags))
	for _, uid := range f.flags {
		switch r, there := f.list.records[uid]; {
		case !there:
		case !r.hasFlags:
			return nil, false
		default:
			flags[uid] = r.flags
		}
	}
	return flags, true
}

// errNoFlags is a server that names a message and will not tell its flags.
var errNoFlags = errors.New("the server tells of a message without its flags")

func (m *Mailbox) flags(uids []mail.UID, after *selecting) (map[mail.UID]mail.Flags, error) {
	l := newListing(m.c)
	if err := l.fetch(m.c, uids, flagItems, after); err != nil {
		return nil, err
	}
	var lacking []mail.UID // an unasked FETCH took the place of the answer
	for uid, r := range l.records {
		if !r.hasFlags {
			lacking = append(lacking, uid)
		}
	}
	if err := l.fetch(m.c, sorted(lacking), flagItems, nil); err != nil {
		return nil, err
	}
	flags := make(map[mail.UID]mail.Flags, len(l.records))
	for uid, r := range l.records {
		if !r.hasFlags {
			return nil, errNoFlags
		}
		flags[uid] = r.flags
	}
	return flags, nil
}

package remote

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"imapsync/mail"
)

var onlyDeleted = mail.Flags{System: mail.Deleted}

// Expunge removes exactly these messages, never others marked \Deleted: by UID
// EXPUNGE (UIDPLUS, RFC 4315 section 2.1), else by an EXPUNGE during which the
// others' marks are taken off. Messages that are gone are no error.
func (m *Mailbox) Expunge(ctx context.Context, uids []mail.UID) error {
	uids = sorted(uids)
	if len(uids) == 0 {
		return nil
	}
	doing := m.fault("expunge")
	if err := m.selectNow(ctx); err != nil {
		return err
	}
	if !m.c.box.space.Storable(onlyDeleted).Equal(onlyDeleted) {
		doing.Err = errors.New(`the mailbox cannot store \Deleted`)
		return &doing
	}
	c := m.c
	defer m.use(ctx)()
	if err := m.see(uids); err != nil {
		return c.grade(ctx, err, doing)
	}
	if c.has("UIDPLUS") {
		return c.grade(ctx, m.expungeThese(uids), doing)
	}
	err := m.mark(uids, onlyDeleted, mail.Flags{})
	if err == nil {
		err = m.expungeAlone(ctx, uids)
	}
	return c.grade(ctx, err, doing)
}

// expungeThese marks messages and expunges them in one flight: a server carries
// out in order what depends on what came before (RFC 3501 section 5.5), and UID
// EXPUNGE takes none but those named.
func (m *Mailbox) expungeThese(uids []mail.UID) error {
	all := sets(uids)
	for i, set := range all {
		f := flight{take: func(*imapclient.FetchMessageData) bool { return true }}
		f.add(m.c.client.Store(set, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: imapFlags(onlyDeleted)}, nil))
		cmd := m.c.client.UIDExpunge(set)
		if i == len(all)-1 {
			m.goOn()
		}
		expunged := cmd.Close() // read at once: imapclient gives it what others expunge, too
		if err := worst([]error{f.wait(), expunged}); err != nil {
			return err
		}
	}
	return nil
}

// unmarkings is how often messages that others mark meanwhile are unmarked
// before the EXPUNGE is given up.
const unmarkings = 3

// expungeAlone expunges without UIDPLUS what is marked \Deleted already.
func (m *Mailbox) expungeAlone(ctx context.Context, uids []mail.UID) (err error) {
	ours := make(map[mail.UID]bool, len(uids))
	for _, uid := range uids {
		ours[uid] = true
	}
	var unmarked []mail.UID
	defer func() {
		if restoreErr := m.markAgain(ctx, unmarked); restoreErr != nil {
			err = errors.Join(err, restoreErr)
		}
	}()
	for try := 0; ; try++ {
		others, err := m.deletedBut(ours)
		if err != nil {
			return err
		}
		if len(others) == 0 {
			break
		}
		if try == unmarkings {
			return errors.New(`other messages keep being marked \Deleted meanwhile`)
		}
		unmarked = append(unmarked, others...)
		if err := m.mark(others, mail.Flags{}, onlyDeleted); err != nil {
			return err
		}
	}
	if err := m.c.client.Expunge().Close(); err != nil {
		return err
	}
	for _, set := range sets(uids) {
		left, err := found(m.sendSearch(&imap.SearchCriteria{UID: []imap.UIDSet{set}}))
		if err != nil {
			return err
		}
		if n := count(left); n > 0 {
			return fmt.Errorf("the server expunged, yet %d of %d messages are still there", n, len(uids))
		}
	}
	return nil
}

// deletedBut finds the messages marked \Deleted that are not ours.
func (m *Mailbox) deletedBut(ours map[mail.UID]bool) ([]mail.UID, error) {
	set, err := found(m.sendSearch(&imap.SearchCriteria{Flag: []imap.Flag{imap.FlagDeleted}}))
	if err != nil {
		return nil, err
	}
	if n := count(set); n > uint64(maxAbsurd) {
		return nil, fmt.Errorf(`the server finds %d messages marked \Deleted`, n)
	}
	var others []mail.UID
	each(set, func(uid mail.UID) {
		if !ours[uid] {
			others = append(others, uid)
		}
	})
	return others, nil
}

// markAgain puts \Deleted back on the messages of others, over a new connection
// if this one broke or was cut off.
func (m *Mailbox) markAgain(ctx context.Context, uids []mail.UID) error {
	if len(uids) == 0 {
		return nil
	}
	uids = sorted(uids)
	err := m.mark(uids, onlyDeleted, mail.Flags{})
	if err != nil && !refused(err) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), restoreTime)
		defer cancel()
		if err = m.reopen(ctx); err == nil {
			err = m.selectNow(ctx)
		}
		if err == nil {
			defer m.use(ctx)()
			err = m.mark(uids, onlyDeleted, mail.Flags{})
		}
	}
	if err != nil {
		return fmt.Errorf(`could not mark others' messages \Deleted again (UIDs %v): %w`, uids, err)
	}
	return nil
}

// restoreTime bounds how long a run that was interrupted still works to put
// back what it took away.
const restoreTime = 30 * time.Second

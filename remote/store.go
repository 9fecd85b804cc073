package remote

import (
	"context"
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"imapsync/mail"
)

// StoreAll adds and removes flags, all changes in one flight; flags the mailbox
// cannot store are left out. A STORE on a message that is gone is OK and does
// nothing, so a UID SEARCH behind tells which are: for those it is not known
// whether the change was made. refused is called for each change the server does
// not make; the error returned is for all others, of which that is not known either.
func (m *Mailbox) StoreAll(ctx context.Context, changes []mail.FlagChange, refused func(i int, err error)) (gone []mail.UID, err error) {
	if err := m.selectNow(ctx); err != nil {
		return nil, err
	}
	defer m.use(ctx)()
	var uids []mail.UID
	storable := slices.Clone(changes)
	for i, change := range changes {
		uids = append(uids, change.UIDs...)
		storable[i].Add, storable[i].Remove = m.c.box.space.Storable(change.Add), m.c.box.space.Storable(change.Remove)
	}
	if err := m.see(uids); err != nil {
		return nil, m.c.grade(ctx, err, m.fault("change flags"))
	}
	var searches []*imapclient.SearchCommand
	errs, err := m.store(storable, func() { searches = m.sendSearches(uids) })
	gone, serr := absent(uids, searches)
	err = worst([]error{err, serr})
	for i, refusal := range errs {
		if refusal == nil {
			continue
		}
		if temporary(refusal) {
			err = worst([]error{err, refusal})
			continue
		}
		fault := m.fault("change flags")
		fault.Scope = mail.ScopeMessage // other flags and other work on the folder are not concerned
		refused(i, m.c.grade(ctx, refusal, fault))
	}
	return gone, m.c.grade(ctx, err, m.fault("change flags"))
}

// sendSearches asks which of the messages exist.
func (m *Mailbox) sendSearches(uids []mail.UID) (searches []*imapclient.SearchCommand) {
	for _, set := range sets(sorted(uids)) {
		searches = append(searches, m.sendSearch(&imap.SearchCriteria{UID: []imap.UIDSet{set}}))
	}
	return searches
}

// absent are the messages that none of the searches for them found; none where
// the server refuses to tell.
func absent(uids []mail.UID, searches []*imapclient.SearchCommand) (gone []mail.UID, err error) {
	there := map[mail.UID]bool{}
	var errs []error
	for _, cmd := range searches {
		set, err := found(cmd)
		errs = append(errs, err)
		if count(set) <= uint64(len(uids))+maxAbsurd {
			each(set, func(uid mail.UID) { there[uid] = true })
		}
	}
	if err := worst(errs); err != nil {
		if refused(err) && !temporary(err) {
			err = nil
		}
		return nil, err
	}
	if len(searches) == 0 {
		return nil, nil
	}
	return slices.DeleteFunc(slices.Clone(uids), func(uid mail.UID) bool { return there[uid] }), nil
}

// store sends STORE .SILENT (RFC 3501 section 6.4.6) in sets, pipelined, and
// returns the refusal of each change, and why the connection broke. behind is
// called when the last is sent, if there was any, to send something behind it.
func (m *Mailbox) store(changes []mail.FlagChange, behind func()) (refusals []error, err error) {
	type command struct {
		change int
		set    imap.UIDSet
		flags  imap.StoreFlags
	}
	var all []command
	for i, change := range changes {
		add := imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: imapFlags(change.Add)}
		remove := imap.StoreFlags{Op: imap.StoreFlagsDel, Silent: true, Flags: imapFlags(change.Remove)}
		for _, set := range sets(sorted(change.UIDs)) {
			for _, flags := range []imap.StoreFlags{add, remove} {
				if len(flags.Flags) > 0 {
					all = append(all, command{i, set, flags})
				}
			}
		}
	}
	refusals = make([]error, len(changes))
	for left := all; len(left) > 0; {
		batch := left[:min(len(left), inFlight)]
		left = left[len(batch):]
		flights := make([]flight, len(batch))
		for i, cmd := range batch {
			// With CONDSTORE a silent STORE is answered too, by the new MODSEQ.
			flights[i].take = func(*imapclient.FetchMessageData) bool { return true }
			flights[i].add(m.c.client.Store(cmd.set, &cmd.flags, nil))
		}
		if len(left) == 0 {
			behind()
		}
		for i, cmd := range batch {
			answer := flights[i].wait()
			if answer != nil && !refused(answer) {
				err = answer
			} else {
				refusals[cmd.change] = worst([]error{refusals[cmd.change], answer})
			}
		}
		if err != nil {
			return refusals, err
		}
	}
	return refusals, nil
}

// mark sets or takes off \Deleted.
func (m *Mailbox) mark(uids []mail.UID, add, remove mail.Flags) error {
	refusals, err := m.store([]mail.FlagChange{{UIDs: uids, Add: add, Remove: remove}}, func() {})
	return worst(append(refusals, err))
}

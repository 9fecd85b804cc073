package remote

import (
	"context"
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"imapsync/mail"
)

// StoreAll adds and removes flags, all changes in one flight; flags the mailbox
// cannot store are left out. Messages that are gone are no error. refused is
// called for each change the server does not make; the error returned is for all
// others, of which it is not known whether they were made.
func (m *Mailbox) StoreAll(ctx context.Context, changes []mail.FlagChange, refused func(i int, err error)) error {
	return m.storeAll(ctx, changes, refused, m.goOn)
}

func (m *Mailbox) storeAll(ctx context.Context, changes []mail.FlagChange, refused func(i int, err error), sent func()) error {
	if err := m.selectNow(ctx); err != nil {
		return err
	}
	defer m.use(ctx)()
	storable := slices.Clone(changes)
	for i, change := range changes {
		storable[i].Add, storable[i].Remove = m.c.box.space.Storable(change.Add), m.c.box.space.Storable(change.Remove)
	}
	if err := m.see(uidsIn(changes)); err != nil {
		return m.c.grade(ctx, err, m.fault("change flags"))
	}
	errs, err := m.store(storable, sent)
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
	return m.c.grade(ctx, err, m.fault("change flags"))
}

func uidsIn(changes []mail.FlagChange) (uids []mail.UID) {
	for _, change := range changes {
		uids = append(uids, change.UIDs...)
	}
	return uids
}

// store sends STORE .SILENT (RFC 3501 section 6.4.6) in sets, pipelined, and
// returns the refusal of each change, and why the connection broke. sent is called
// when the last one is on its way.
func (m *Mailbox) store(changes []mail.FlagChange, sent func()) (refusals []error, err error) {
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
	for len(all) > 0 {
		batch := all[:min(inFlight, len(all))]
		all = all[len(batch):]
		flights := make([]flight, len(batch))
		for i, cmd := range batch {
			// With CONDSTORE a silent STORE is answered too, by the new MODSEQ.
			flights[i].take = func(*imapclient.FetchMessageData) bool { return true }
			flights[i].add(m.c.client.Store(cmd.set, &cmd.flags, nil))
		}
		if len(all) == 0 {
			sent()
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

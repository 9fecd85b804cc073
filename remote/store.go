package remote

import (
	"context"
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"imapsync/mail"
)

// Store adds and removes flags; those the mailbox cannot store are left out.
// Messages that are gone are no error.
func (m *Mailbox) Store(ctx context.Context, uids []mail.UID, add, remove mail.Flags) error {
	if err := m.selectNow(ctx); err != nil {
		return err
	}
	defer m.use(ctx)()
	space := m.c.box.space
	err := m.see(uids)
	if err == nil {
		err = m.store(sorted(uids), space.Storable(add), space.Storable(remove))
	}
	fault := m.fault("change flags")
	if refused(err) && !temporary(err) { // other flags and other work on the folder are not concerned
		fault.Scope = mail.ScopeMessage
	}
	return m.c.grade(ctx, err, fault)
}

// store sends STORE .SILENT (RFC 3501 section 6.4.6) in sets, pipelined.
func (m *Mailbox) store(uids []mail.UID, add, remove mail.Flags) error {
	changes := []imap.StoreFlags{
		{Op: imap.StoreFlagsAdd, Silent: true, Flags: imapFlags(add)},
		{Op: imap.StoreFlagsDel, Silent: true, Flags: imapFlags(remove)},
	}
	// With CONDSTORE a silent STORE is answered too, by the new MODSEQ.
	f := flight{take: func(*imapclient.FetchMessageData) bool { return true }}
	var errs []error
	for batch := range slices.Chunk(sets(uids), inFlight) {
		for _, set := range batch {
			for _, change := range changes {
				if len(change.Flags) > 0 {
					f.add(m.c.client.Store(set, &change, nil))
				}
			}
		}
		err := f.wait()
		if err != nil && !refused(err) {
			return err
		}
		errs = append(errs, err)
	}
	return worst(errs)
}

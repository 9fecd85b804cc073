package remote

import (
	"github.com/emersion/go-imap/v2"

	"imapsync/mail"
)

// target is a mailbox into which messages are uploaded.
type target struct {
	m       *Mailbox // on the upload's connection
	name    string
	told    imap.UIDSet // of the messages uploaded
	refused error       // a refusal that concerns the folder
}

// turnTo makes the mailbox the one that the next messages go to. It is not
// selected, for an APPEND does not need that, unless nothing is known of it; what
// is on its way to others stays so.
func (u *upload) turnTo(folder mail.FolderName) error {
	u.closeBatch()
	if t := u.targets[folder]; t != nil {
		u.at = t
		return nil
	}
	t := &target{m: u.m}
	if folder != u.m.folder {
		t.m = &Mailbox{a: u.m.a, c: u.m.c, folder: folder}
		t.m.was = u.m.a.told(folder, false)
	}
	var err error
	if t.name, err = u.m.a.serverName(u.ctx, u.m.c, folder); err != nil {
		return err
	}
	u.targets[folder], u.at = t, t
	if t.m.box().folder != folder {
		return u.selectNow()
	}
	return nil
}

// selectNow selects the mailbox that messages go to, when nothing is on its way:
// the SELECT tells anew which messages are old. That it is refused costs what goes
// there, unless it is the caller's own.
func (u *upload) selectNow() error {
	if err := u.settleAll(); err != nil {
		return err
	}
	err := u.selectBox(u.at.m)
	if err != nil && u.at.m != u.m && u.m.c.alive() && mail.ScopeOf(err) != mail.ScopeAccount {
		u.at.refused = err
		return nil
	}
	return err
}

// selectBox selects a mailbox. What is known of the one it takes the place of is
// kept.
func (u *upload) selectBox(m *Mailbox) error {
	for _, t := range u.targets {
		if t.m.selected() {
			t.m.was = t.m.c.box
		}
	}
	return m.selectNow(u.ctx)
}

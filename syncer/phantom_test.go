package syncer_test

import (
	"context"
	"errors"
	"testing"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/plan"
	"imapsync/syncer"
)

// phantoms is a server that goes on listing mailboxes which were deleted while they
// had others below them, as Dovecot does where they are Maildirs.
type phantoms struct {
	syncer.Remote
	names map[mail.FolderName]bool
}

func (p phantoms) Folders(ctx context.Context) ([]mail.RemoteFolder, error) {
	list, err := p.Remote.Folders(ctx)
	for name := range p.names {
		if gone, _ := p.Remote.Missing(ctx, name); gone {
			list = append(list, mail.RemoteFolder{Name: name, Selectable: true})
		}
	}
	return list, err
}

func (p phantoms) Look(ctx context.Context, folder mail.FolderName, readOnly bool, known mail.Known, full bool) (mail.RemoteSnapshot, error) {
	if gone, _ := p.Remote.Missing(ctx, folder); gone {
		return mail.RemoteSnapshot{}, &mail.Fault{Scope: mail.ScopeFolder, Folder: folder, Doing: "select", Err: errors.New("NO Mailbox doesn't exist")}
	}
	return p.Remote.Look(ctx, folder, readOnly, known, full)
}

func (p phantoms) LookAgain(ctx context.Context, absent []mail.Sought, readOnly bool, told func(mail.FolderName, []mail.UID, error)) ([]mail.RemoteFolder, error) {
	return simworld.LookAgain(ctx, p, absent, readOnly, told)
}

// A mailbox that is listed and does not exist is gone, and keeps no deletion waiting
// in others; once it is made again it is looked into.
func TestListedAndGone(t *testing.T) {
	b := newBench(t)
	b.remote = phantoms{b.Server, map[mail.FolderName]bool{"A": true, "P": true}}
	for _, m := range []string{"M", "N", "O"} {
		b.edit(simworld.Remote, simworld.Add, mail.Inbox, m)
		b.edit(simworld.Remote, simworld.Add, "A", m+m)
		b.edit(simworld.Remote, simworld.Add, "A/B", m+m+m)
	}
	b.settled()
	b.edit(simworld.Remote, simworld.Delete, mail.Inbox, "N")
	if r := b.run(syncer.Options{}); len(r.Failures) > 0 || kinds(r) != "delete local" {
		t.Errorf("%v, %v", r.Failures, r.Plan.Ops)
	}
	b.edit(simworld.Remote, simworld.Move, "A", "OO", to(mail.Inbox))
	for _, m := range []string{"MM", "NN"} {
		b.edit(simworld.Remote, simworld.Delete, "A", m)
	}
	b.edit(simworld.Remote, simworld.Remove, "A", "")
	r := b.run(syncer.Options{})
	if len(r.Failures) > 0 || r.Counts[plan.MoveLocal] != 1 || r.Counts[plan.DeleteLocal] != 2 {
		t.Errorf("%v, %v", r.Failures, r.Plan.Ops)
	}
	b.settled()
	b.want("M O OO A/B/MMM A/B/NNN A/B/OOO")
	b.edit(simworld.Remote, simworld.Add, "A", "New")
	b.settled()
	b.want("M O OO A/New A/B/MMM A/B/NNN A/B/OOO")
}

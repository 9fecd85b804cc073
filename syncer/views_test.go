package syncer_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/syncer"
)

// partial is a server whose listing of INBOX lacks messages without saying so.
type partial struct {
	syncer.Remote
	hides   map[mail.UID]bool // left out of listings
	forgets bool              // and unknown when asked for by number, but counted by STATUS
	lists   bool              // LIST leaves out the folder the second time
	listed  int
}

type partialBox struct {
	syncer.Mailbox
	p *partial
}

func (p *partial) Open(ctx context.Context, folder mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	mb, err := p.Remote.Open(ctx, folder, readOnly)
	if err != nil || folder != mail.Inbox {
		return mb, err
	}
	return &partialBox{mb, p}, nil
}

func (p *partial) Look(ctx context.Context, folder mail.FolderName, readOnly bool, known mail.Known, full bool) (mail.RemoteSnapshot, error) {
	return look(ctx, p, folder, readOnly, known, full)
}

// look makes a Look of what a server's Open gives.
func look(ctx context.Context, r syncer.Remote, folder mail.FolderName, readOnly bool, known mail.Known, full bool) (mail.RemoteSnapshot, error) {
	mb, err := r.Open(ctx, folder, readOnly)
	if err != nil {
		return mail.RemoteSnapshot{}, err
	}
	defer mb.Close()
	return mb.Snapshot(ctx, known, full)
}

func (p *partial) StillThere(ctx context.Context, absent []mail.Sought, readOnly bool, told func(mail.FolderName, []mail.UID, error)) error {
	return simworld.StillThere(ctx, p, absent, readOnly, told)
}

func (p *partial) Folders(ctx context.Context) ([]mail.RemoteFolder, error) {
	list, err := p.Remote.Folders(ctx)
	if p.listed++; p.lists && p.listed == 2 {
		list = nil
	}
	return list, err
}

func (p *partial) LookAgain(ctx context.Context, absent []mail.Sought, readOnly bool, told func(mail.FolderName, []mail.UID, error)) ([]mail.RemoteFolder, error) {
	return simworld.LookAgain(ctx, p, absent, readOnly, told)
}

func (m *partialBox) Mark() mail.Mark {
	mark := m.Mailbox.Mark()
	mark.Messages -= uint32(len(m.p.hides))
	return mark
}

func (m *partialBox) Snapshot(ctx context.Context, known mail.Known, full bool) (mail.RemoteSnapshot, error) {
	s, err := m.Mailbox.Snapshot(ctx, known, full)
	for uid := range m.p.hides {
		delete(s.Messages, uid)
		s.Same = slices.DeleteFunc(s.Same, func(same mail.UID) bool { return same == uid })
	}
	s.Mark = m.Mark()
	return s, err
}

func (m *partialBox) Flags(ctx context.Context, uids []mail.UID) (map[mail.UID]mail.Flags, error) {
	flags, err := m.Mailbox.Flags(ctx, uids)
	if m.p.forgets {
		for uid := range m.p.hides {
			delete(flags, uid)
		}
	}
	return flags, err
}

// unmarked is a server that tells no STATUS.
type unmarked struct{ syncer.Remote }

func (u unmarked) Folders(ctx context.Context) ([]mail.RemoteFolder, error) {
	list, err := u.Remote.Folders(ctx)
	for i := range list {
		list[i].Mark = nil
	}
	return list, err
}

func (u unmarked) LookAgain(ctx context.Context, absent []mail.Sought, readOnly bool, told func(mail.FolderName, []mail.UID, error)) ([]mail.RemoteFolder, error) {
	return simworld.LookAgain(ctx, u, absent, readOnly, told)
}

// A server that shows a part of a mailbox, or none of it, without saying so, is
// found out by a second question of another kind; nothing is deleted, and the
// run says how it was noticed.
func TestPartialViewDeletesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		view partial
		said string
	}{
		"some, shown when asked for": {partial{hides: map[mail.UID]bool{2: true}}, "1 of 1 when asked for by number"},
		"all, shown when asked for":  {partial{hides: map[mail.UID]bool{1: true, 2: true, 3: true}}, "3 of 3 when asked for by number"},
		"some, counted by STATUS":    {partial{hides: map[mail.UID]bool{1: true}, forgets: true}, "showed 2 messages and says that there are 3"},
		"all, counted by STATUS":     {partial{hides: map[mail.UID]bool{1: true, 2: true, 3: true}, forgets: true}, "showed 0 messages and says that there are 3"},
		"the folder comes and goes":  {partial{hides: map[mail.UID]bool{2: true}, forgets: true, lists: true}, "listed the folder and then did not"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			for _, m := range []string{"A", "B", "C"} {
				b.edit(simworld.Remote, simworld.Add, mail.Inbox, m)
			}
			b.settled()
			view := c.view
			if view.Remote = b.Server; !view.forgets {
				view.Remote = unmarked{b.Server}
			}
			b.remote = &view
			b.edit(simworld.Local, simworld.Change, mail.Inbox, "C", with(mail.Flagged)) // so that the folder is looked into
			var notes strings.Builder
			b.Begin(time.Hour)
			report, err := syncer.Run(context.Background(), syncer.Account{Name: "sim", Identity: mail.Identity{Server: b.server, User: "me"},
				Local: b.local, Remote: b.remote, State: b.Record, Now: b.Now}, syncer.Options{Full: true, Lanes: 1}, func(e syncer.Event) {
				if e.Kind == syncer.EventNote {
					fmt.Fprintln(&notes, e.Text)
				}
			})
			if err != nil || deletes(report) != 0 {
				t.Errorf("%v, deletions in %v", err, report.Plan.Ops)
			}
			if !strings.Contains(notes.String(), c.said) {
				t.Errorf("said %q, not %q", notes.String(), c.said)
			}
			b.remote = b.Server
			b.settled()
			b.want("A B C=F")
		})
	}
}

// What is really gone is gone in the same run, second look or not.
func TestSecondLookBelievesDeletions(t *testing.T) {
	b := newBench(t)
	for _, m := range []string{"A", "B", "C"} {
		b.edit(simworld.Remote, simworld.Add, mail.Inbox, m)
	}
	b.settled()
	b.edit(simworld.Remote, simworld.Delete, mail.Inbox, "B")
	if r := b.run(syncer.Options{}); deletes(r) != 1 {
		t.Errorf("planned %v", r.Plan.Ops)
	}
	b.want("A C")
}

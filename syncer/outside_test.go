package syncer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/plan"
	"imapsync/syncer"
)

// mapping gives mailboxes of a server other names.
type mapping struct {
	syncer.Remote
	mail.Mapping
	out map[mail.FolderName]error // left out, nil where that is no error
}

func (m *mapping) there(folder mail.FolderName) mail.FolderName {
	if names := m.Mapping.Server(folder); len(names) > 0 {
		return names[0]
	}
	return "no such mailbox"
}

func (m *mapping) Folders(ctx context.Context) ([]mail.RemoteFolder, error) {
	list, err := m.Remote.Folders(ctx)
	for i := range list {
		list[i].Server, list[i].Name = list[i].Name, m.Mapping.Local(list[i].Name)
	}
	return list, err
}

func (m *mapping) LookAgain(ctx context.Context, absent []mail.Sought, readOnly bool, told func(mail.FolderName, []mail.UID, error)) ([]mail.RemoteFolder, error) {
	return simworld.LookAgain(ctx, m, absent, readOnly, told)
}

func (m *mapping) LeftOut(folder, _ mail.FolderName) (string, error) {
	if err, out := m.out[folder]; out {
		return "out of here", err
	}
	return "", nil
}

func (m *mapping) Missing(ctx context.Context, folder mail.FolderName) (bool, error) {
	return m.Remote.Missing(ctx, m.there(folder))
}

func (m *mapping) Open(ctx context.Context, folder mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	mb, err := m.Remote.Open(ctx, m.there(folder), readOnly)
	if err != nil {
		return nil, err
	}
	return mappedBox{mb, folder}, nil
}

func (m *mapping) Look(ctx context.Context, folder mail.FolderName, readOnly bool, known mail.Known, full bool) (mail.RemoteSnapshot, error) {
	return look(ctx, m, folder, readOnly, known, full)
}

func (m *mapping) StillThere(ctx context.Context, absent []mail.Sought, readOnly bool, told func(mail.FolderName, []mail.UID, error)) error {
	return simworld.StillThere(ctx, m, absent, readOnly, told)
}

type mappedBox struct {
	syncer.Mailbox
	name mail.FolderName
}

func (b mappedBox) Snapshot(ctx context.Context, known mail.Known, full bool) (mail.RemoteSnapshot, error) {
	s, err := b.Mailbox.Snapshot(ctx, known, full)
	s.Folder = b.name
	return s, err
}

// mappedBench is a settled world with the mailboxes A and B, of n messages each.
func mappedBench(t *testing.T, sameSecondly bool, n int) (*bench, *mapping) {
	b := newBench(t)
	for i := range n {
		b.edit(simworld.Remote, simworld.Add, "A", fmt.Sprint("M", i))
		b.edit(simworld.Remote, simworld.Add, "B", fmt.Sprint("N", i))
	}
	if sameSecondly {
		b.remote = sameSecond{b.remote}
	}
	m := &mapping{Remote: b.remote}
	b.remote = m
	b.settled()
	return b, m
}

// changes counts what was changed on the server.
func changes(r *syncer.Report) (n int) {
	for kind, count := range r.Counts {
		switch kind {
		case plan.Upload, plan.Download, plan.DeleteRemote, plan.DeleteLocal, plan.MoveRemote, plan.CopyRemote, plan.CreateRemote, plan.RemoveRemote, plan.RenameRemote:
			n += count
		}
	}
	return n
}

// Numbers recorded of one mailbox are not believed of another that got its name,
// also where nothing tells them apart: the files change places.
func TestExchangedNames(t *testing.T) {
	b, m := mappedBench(t, true, 3)
	m.Mapping = mail.Mapping{{Server: "A", Local: "B"}, {Server: "B", Local: "A"}}
	r := b.run(syncer.Options{})
	if len(r.Failures) > 0 || changes(r) != 0 {
		t.Errorf("%v, %v", r.Failures, r.Plan.Ops)
	}
	local := simworld.EntriesText(b.List(simworld.Local))
	if want := "A/N0..N2 B/M0..M2"; local != want {
		t.Errorf("%s, want %s", local, want)
	}
	if r = b.run(syncer.Options{Full: true}); len(r.Plan.Ops) != 0 {
		t.Errorf("%v", r.Plan.Ops)
	}
}

// Messages are not sent to the mailbox that a folder stands for now while they may
// be in the one it stood for.
func TestRemappedAlone(t *testing.T) {
	b, m := mappedBench(t, true, 3)
	m.Mapping = mail.Mapping{{Server: "A", Local: "B"}, {Server: "B", Local: "A"}}
	r := b.run(syncer.Options{Folders: []mail.FolderName{"A", "B"}}) // both: they change places
	if changes(r) != 0 || len(r.Failures) != 0 {
		t.Errorf("%v, %v", r.Failures, r.Plan.Ops)
	}
	m.Mapping = nil
	b.Begin(time.Hour)
	if _, err := syncer.Run(t.Context(), b.account(), syncer.Options{Lanes: 1, Folders: []mail.FolderName{"A"}}, nil); err == nil || !strings.Contains(err.Error(), "which is not part of this run") {
		t.Errorf("%v", err)
	}
	b.settled()
	m.Mapping, m.out = mail.Mapping{{Server: "A", Local: "Far"}, {Server: "B", Local: "A"}}, map[mail.FolderName]error{"Far": nil}
	r = b.run(syncer.Options{})
	if len(r.Failures) != 1 || !strings.Contains(r.Failures[0].Error(), "which is not part of this run") || changes(r) != 0 {
		t.Errorf("%v, %v", r.Failures, r.Plan.Ops)
	}
	m.Mapping, m.out = nil, nil
	b.settled()
}

// A folder whose mailbox has another name by now is renamed, be it for a purpose.
func TestMappedAnew(t *testing.T) {
	b, m := mappedBench(t, false, 3)
	m.Mapping = mail.Mapping{{Server: "A", Local: "Elsewhere"}}
	if r := b.run(syncer.Options{}); kinds(r) != "rename local folder" {
		t.Errorf("%v", r.Plan.Ops)
	}
	if r := b.run(syncer.Options{}); len(r.Plan.Ops) != 0 || b.calls(simworld.Remote, "select") != 0 {
		t.Errorf("%v", r.Plan.Ops)
	}
	m.Mapping = nil
	if r := b.run(syncer.Options{}); kinds(r) != "rename local folder" {
		t.Errorf("%v", r.Plan.Ops)
	}
	b.settled()
}

// What is left out is not touched, whatever either side has of it, nor is what
// has a name by now that is left out; and nothing that is missing elsewhere waits
// for it.
func TestLeftOut(t *testing.T) {
	b, m := mappedBench(t, false, 3)
	m.out = map[mail.FolderName]error{"A": nil, "New": nil, "Bad": errors.New("two of them")}
	b.edit(simworld.Remote, simworld.Delete, "A", "M0")
	b.edit(simworld.Local, simworld.Delete, "A", "M1")
	b.edit(simworld.Local, simworld.Add, "New", "X")
	b.edit(simworld.Remote, simworld.Add, "Bad", "Y")
	b.edit(simworld.Remote, simworld.Add, "A", "Z")
	b.edit(simworld.Remote, simworld.Delete, "B", "N0")
	r := b.run(syncer.Options{})
	if len(r.Failures) != 1 || !strings.Contains(r.Failures[0].Error(), "two of them") || kinds(r) != "delete local" || r.Counts[plan.DeleteLocal] != 1 {
		t.Errorf("%v, %v", r.Failures, r.Plan.Ops)
	}
	m.out = map[mail.FolderName]error{"Far": nil, "New": nil, "Bad": nil}
	m.Mapping = mail.Mapping{{Server: "A", Local: "Far"}}
	if r = b.run(syncer.Options{Full: true}); len(r.Failures) != 0 || len(r.Plan.Ops) != 0 {
		t.Errorf("%v, %v", r.Failures, r.Plan.Ops)
	}
	m.out, m.Mapping = nil, nil
	b.settled()
}

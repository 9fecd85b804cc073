package syncer_test

import (
	"context"
	"errors"
	"testing"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/syncer"
)

// half is a Maildir with a folder of which a directory is missing until the
// folder is made again.
type half struct {
	syncer.Local
	folder mail.FolderName
	made   *bool
}

func (h half) Scan(ctx context.Context, f mail.FolderName, stat bool) (mail.LocalSnapshot, error) {
	if f == h.folder && !*h.made {
		return mail.LocalSnapshot{}, &mail.Fault{Scope: mail.ScopeFolder, Folder: f, Err: errors.New("no directory cur")}
	}
	return h.Local.Scan(ctx, f, stat)
}

func (h half) Names(ctx context.Context, folder mail.FolderName, _ int) (syncer.Names, error) {
	return simworld.NamesOf(ctx, h, folder)
}

func (h half) CreateFolder(ctx context.Context, f mail.FolderName) error {
	*h.made = *h.made || f == h.folder
	return h.Local.CreateFolder(ctx, f)
}

// TestHalfFolder: one that a run left when it was killed is completed; one of
// which the state knows mail is left as it is, for that mail may be missing.
func TestHalfFolder(t *testing.T) {
	b := newBench(t)
	b.edit(simworld.Remote, simworld.Create, "New", "")
	b.edit(simworld.Remote, simworld.Add, "New", "M")
	b.edit(simworld.Local, simworld.Create, "New", "")
	b.edit(simworld.Local, simworld.Create, "Gone", "")
	b.edit(simworld.Remote, simworld.Add, "Mail", "N")
	b.local = half{b.Disk, "New", new(bool)}
	b.settled()
	b.want("Gone/ Mail/N New/M")

	b.edit(simworld.Remote, simworld.Remove, "Gone", "")
	b.local = half{b.Disk, "Gone", new(bool)}
	b.settled()
	for _, e := range b.List(simworld.Local) {
		if e.Folder == "Gone" {
			t.Error("a folder half removed is not removed")
		}
	}

	b.edit(simworld.Remote, simworld.Add, "Mail", "O")
	made := false
	b.local = half{b.Disk, "Mail", &made}
	if r := b.run(syncer.Options{Full: true}); len(r.Failures) == 0 || made {
		t.Errorf("failures %v, made %v", r.Failures, made)
	}
}

// damaged is a Maildir with a folder that nothing can be done about.
type damaged struct{ syncer.Local }

func (d damaged) Folders(ctx context.Context) ([]mail.LocalFolder, error) {
	list, err := d.Local.Folders(ctx)
	return append(list, mail.LocalFolder{Name: "Broken"}), err
}

func (d damaged) Scan(ctx context.Context, f mail.FolderName, stat bool) (mail.LocalSnapshot, error) {
	if f == "Broken" {
		return mail.LocalSnapshot{}, &mail.Fault{Scope: mail.ScopeFolder, Folder: f, Err: errors.New("damaged")}
	}
	return d.Local.Scan(ctx, f, stat)
}

func (d damaged) Names(ctx context.Context, folder mail.FolderName, _ int) (syncer.Names, error) {
	return simworld.NamesOf(ctx, d, folder)
}

func (d damaged) CreateFolder(ctx context.Context, f mail.FolderName) error {
	if f == "Broken" {
		return errors.New("damaged")
	}
	return d.Local.CreateFolder(ctx, f)
}

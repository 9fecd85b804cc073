package syncer_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/syncer"
)

// unmounted is a Maildir of which the folder U is not to be seen from some listing on.
type unmounted struct {
	syncer.Local
	left *int // listings until then
}

func (u unmounted) hides(f mail.FolderName) bool { return f == "U" && *u.left < 0 }

func (u unmounted) Folders(ctx context.Context) ([]mail.LocalFolder, error) {
	list, err := u.Local.Folders(ctx)
	*u.left--
	return slices.DeleteFunc(list, func(f mail.LocalFolder) bool { return u.hides(f.Name) }), err
}

func (u unmounted) LeftOut(was mail.FolderRecord) error {
	if u.hides(was.Folder) {
		return &mail.Fault{Scope: mail.ScopeFolder, Folder: was.Folder, Err: errors.New("nothing is mounted there")}
	}
	return nil
}

func (u unmounted) Scan(ctx context.Context, f mail.FolderName, stat bool) (mail.LocalSnapshot, error) {
	if f == "U" { // gone as soon as it was listed
		return mail.LocalSnapshot{Folder: f}, nil
	}
	return u.Local.Scan(ctx, f, stat)
}

func (u unmounted) Names(ctx context.Context, folder mail.FolderName, _ int) (syncer.Names, error) {
	return simworld.NamesOf(ctx, u, folder)
}

func (u unmounted) Stat(ctx context.Context, f mail.FolderName, key mail.Key, flags mail.Flags) (mail.FileStamp, error) {
	if f == "U" {
		return mail.FileStamp{}, mail.ErrChanged
	}
	return u.Local.Stat(ctx, f, key, flags)
}

// TestUnmounted: a folder that is not to be seen is not gone, also if that happens
// in the middle of a run; nor is what may have been moved there.
func TestUnmounted(t *testing.T) {
	for left := range 2 {
		b := newBench(t)
		b.edit(simworld.Remote, simworld.Create, "U", "")
		b.edit(simworld.Remote, simworld.Add, "U", "M")
		b.edit(simworld.Remote, simworld.Add, mail.Inbox, "N")
		b.settled()
		b.edit(simworld.Local, simworld.Move, mail.Inbox, "N", to("U"))
		b.local = unmounted{b.Disk, &left}
		if r := b.run(syncer.Options{Full: true}); deletes(r) != 0 || len(r.Failures) == 0 {
			t.Errorf("after %d listings: %v, failures %v", left, r.Plan.Ops, r.Failures)
		}
		b.local = b.Disk
		b.settled()
		b.want("U/M U/N")
	}
}

// TestUnmountedAmidRemovals: a run that was killed while it removed files of the folder
// leaves it to the next that sees the folder to find out which.
func TestUnmountedAmidRemovals(t *testing.T) {
	b := newBench(t)
	b.edit(simworld.Remote, simworld.Create, "U", "")
	b.edit(simworld.Remote, simworld.Add, "U", "M")
	b.settled()
	b.edit(simworld.Remote, simworld.Delete, "U", "M")
	rows, err := b.Record.Rows(t.Context(), "U")
	if err == nil {
		err = b.Record.Commit(t.Context(), mail.Batch{Removing: rows})
	}
	if err != nil {
		t.Fatal(err)
	}
	b.local = unmounted{b.Disk, new(int)}
	if r := b.run(syncer.Options{}); len(r.Failures) == 0 {
		t.Errorf("%v, failures %v", r.Plan.Ops, r.Failures)
	}
	b.local = b.Disk
	b.settled()
	b.want("U/")
}

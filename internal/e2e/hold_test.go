package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

func TestManyDeletionsAreHeldUntilAccepted(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.seedRemote(1, "INBOX", 300)
	a.sync(0)
	for _, f := range a.files("INBOX")[:150] {
		f.remove()
	}
	late := a.seedRemote(2, "INBOX", 1) // everything else is done

	for range 2 {
		mustSay(t, a.sync(5), "150", "--accept-deletions")
		if n := len(a.phone.UIDs("INBOX")); n != 301 {
			t.Fatalf("%d messages on the server, want 301", n)
		}
		if n := len(a.files("INBOX")); n != 150+len(late) {
			t.Fatalf("%d files, want %d", n, 150+len(late))
		}
	}
	a.sync(0, "--accept-deletions")
	a.converged()
	if n := a.local().total(); n != 151 {
		t.Errorf("%d messages are left, want 151", n)
	}
	a.syncQuiet()
}

func TestHeldDeletionsAreAcceptedByFolder(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.phone.Create("A", "B")
	a.seedRemote(1, "A", 25)
	a.seedRemote(2, "B", 25)
	a.sync(0)
	for _, folder := range []string{"A", "B"} {
		for _, f := range a.files(folder) {
			f.remove()
		}
	}
	mustSay(t, a.sync(5), `A`, `B`)
	a.sync(5, "--accept-deletions=A")
	if n := len(a.phone.UIDs("A")); n != 0 {
		t.Errorf("%d messages in A, want none", n)
	}
	if n := len(a.phone.UIDs("B")); n != 25 {
		t.Errorf("%d messages in B, want 25", n)
	}
}

func TestManyDeletionsOnTheServerAreHeld(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.seedRemote(1, "INBOX", 300)
	a.sync(0)
	a.phone.Expunge("INBOX", a.phone.UIDs("INBOX")[:150]...)
	a.sync(5)
	if n := len(a.files("INBOX")); n != 300 {
		t.Errorf("%d files, want 300", n)
	}
	a.sync(0, "--accept-deletions")
	a.converged()
	if n := a.local().total(); n != 150 {
		t.Errorf("%d messages are left, want 150", n)
	}
}

// An empty root where there was mail is a disk that is not mounted.
func TestUnmountedMaildirDeletesNothing(t *testing.T) {
	t.Parallel()
	for name, unmount := range map[string]func(a *account) error{
		"emptied": func(a *account) error {
			if err := os.Rename(a.root, a.root+".away"); err != nil {
				return err
			}
			return os.Mkdir(a.root, 0o700)
		},
		"gone": func(a *account) error { return os.Rename(a.root, a.root+".away") },
		"without its marker": func(a *account) error {
			return os.Rename(filepath.Join(a.root, ".imapsync-id"), filepath.Join(a.dir, "marker"))
		},
		"another account's": func(a *account) error {
			return os.WriteFile(filepath.Join(a.root, ".imapsync-id"), []byte("another\n"), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := single(t)
			a.phone.Create("Work")
			a.seedRemote(1, "INBOX", 5) // too few for any other guard
			a.seedRemote(2, "Work", 3)
			a.sync(0)
			want := a.remote()
			if err := unmount(a); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				r := a.sync(5)
				mustSay(t, r, a.root)
				mustEqual(t, "remote", a.remote(), want)
			}
		})
	}
}

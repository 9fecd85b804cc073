package e2e

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"imapsync/internal/corpus"
	"imapsync/internal/dovecot"
	"imapsync/mail"
)

// changes makes changes on both sides for a run to carry out.
func (a *account) changes() {
	a.t.Helper()
	uids := a.phone.UIDs("INBOX")
	a.seedRemote(11, "INBOX", 3)
	a.seedRemote(12, "Work", 3)
	a.phone.Store("INBOX", mail.NewFlags(mail.Flagged), mail.Flags{}, uids[0])
	a.phone.Expunge("INBOX", uids[1])
	a.phone.Move("INBOX", "Work", uids[2])
}

// sync of an account that has lasted: all seen, flags set, settled.
func lasting(t *testing.T, s *dovecot.Server, user string) *account {
	a := newAccount(t, s, user)
	a.phone.Create("Work")
	a.seedRemote(1, "INBOX", 10)
	a.seedRemote(2, "Work", 10)
	a.sync(0)
	return a
}

// unprivileged runs the program as somebody whom file modes bind.
func (a *account) unprivileged(args ...string) result {
	a.t.Helper()
	if os.Geteuid() != 0 {
		return a.run(args...)
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		a.t.Fatal(err)
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	gid, _ := strconv.Atoi(nobody.Gid)
	if out, err := exec.Command("chown", "-R", nobody.Uid, a.dir).CombinedOutput(); err != nil {
		a.t.Fatalf("%v: %s", err, out)
	}
	a.chmod(0o755, filepath.Dir(a.dir)) // of the test, on the way to its files
	cmd, r := startAs(a.t, &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, append([]string{"-c", a.config}, args...)...)
	return finish(a.t, cmd, r)
}

func (a *account) chmod(mode os.FileMode, dirs ...string) {
	a.t.Helper()
	for _, dir := range dirs {
		if err := os.Chmod(dir, mode); err != nil {
			a.t.Fatal(err)
		}
	}
}

// What cannot be written to or read is said, nothing is deleted on either side
// because of it, and the run after the repair completes the work.
func TestMaildirTrouble(t *testing.T) {
	t.Parallel()
	s := dovecot.Start(t)
	for name, c := range map[string]struct {
		harm, mend func(a *account)
		says       string
	}{
		"the folders cannot be written": {
			func(a *account) { a.chmod(0o500, a.subdirs()...) },
			func(a *account) { a.chmod(0o700, a.subdirs()...) }, "permission denied"},
		"one folder cannot be read": {
			func(a *account) { a.chmod(0, filepath.Join(a.path("INBOX"), "cur")) },
			func(a *account) { a.chmod(0o700, filepath.Join(a.path("INBOX"), "cur")) }, "permission denied"},
		"one folder cannot be entered": {
			func(a *account) { a.chmod(0, a.path("Work")) },
			func(a *account) { a.chmod(0o700, a.path("Work")) }, "permission denied"},
		"a folder has no cur": {
			func(a *account) { a.rename("INBOX/cur", "INBOX/away") },
			func(a *account) { a.rename("INBOX/away", "INBOX/cur") }, `it has no directory "cur"`},
		"a folder has no new": {
			func(a *account) { a.rename("Work/new", "Work/away") },
			func(a *account) { a.rename("Work/away", "Work/new") }, `it has no directory "new"`},
		"the state cannot be written": {
			func(a *account) { a.chmod(0o500, a.state); a.chmod(0o400, a.stateFile()) },
			func(a *account) { a.chmod(0o700, a.state); a.chmod(0o600, a.stateFile()) }, "permission"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := lasting(t, s, strings.ReplaceAll(name, " ", "."))
			a.changes()
			want := a.remote()
			before := a.local().total()
			c.harm(a)
			r := a.unprivileged("sync")
			if r.code != 1 || !strings.Contains(r.stderr, c.says) {
				t.Errorf("want exit 1 and %q, got %v", c.says, r)
			}
			c.mend(a)
			mustEqual(t, "remote in trouble", a.remote(), want)
			if n := a.local().total(); n < before-1 {
				t.Errorf("%d messages in the Maildir, there were %d", n, before)
			}
			if r := a.unprivileged("sync"); r.code != 0 {
				t.Errorf("after the repair: %v", r)
			}
			mustEqual(t, "local", a.local(), want)
			mustEqual(t, "remote", a.remote(), want)
			a.syncQuiet()
		})
	}
}

func (a *account) subdirs() (dirs []string) {
	for _, folder := range a.folders() {
		for _, sub := range []string{"cur", "new", "tmp"} {
			dirs = append(dirs, filepath.Join(a.path(folder), sub))
		}
	}
	return dirs
}

func (a *account) rename(from, to string) {
	a.t.Helper()
	if err := os.Rename(filepath.Join(a.root, from), filepath.Join(a.root, to)); err != nil {
		a.t.Fatal(err)
	}
}

// smallDisk mounts a file system of so many kilobytes and returns how to make it
// larger.
func (a *account) smallDisk(dir string, kilobytes int) (grow func()) {
	a.t.Helper()
	if os.Geteuid() != 0 && !dovecot.Required() {
		a.t.Skip("only root can mount a small file system")
	}
	mount := func(options ...string) {
		if out, err := exec.Command("mount", append(options, "-t", "tmpfs", "tmpfs", dir)...).CombinedOutput(); err != nil {
			a.t.Fatalf("mount: %v: %s", err, out)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		a.t.Fatal(err)
	}
	mount("-o", "size="+strconv.Itoa(kilobytes)+"k,mode=700")
	a.t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			a.t.Errorf("umount: %v: %s", err, out)
		}
	})
	return func() { mount("-o", "remount,size=64m") }
}

// A disk that fills up in the middle of a run loses and doubles nothing.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	s := dovecot.Start(t)
	for name, c := range map[string]struct {
		dir  func(a *account) string
		size int
	}{
		"Maildir": {func(a *account) string { return a.root }, 400},
		"state":   {func(a *account) string { return a.state }, 180},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, s, "full."+name)
			grow := a.smallDisk(c.dir(a), c.size)
			a.seedRemote(1, "INBOX", 300)
			want := a.remote()
			for range 2 {
				r := a.sync(1)
				if !strings.Contains(r.stderr, "full") || !strings.Contains(r.stderr, "make room") {
					t.Errorf("said %v", r)
				}
				mustEqual(t, "remote", a.remote(), want)
			}
			grow()
			a.sync(0)
			mustEqual(t, "local", a.local(), want)
			mustEqual(t, "remote", a.remote(), want)
			a.syncQuiet()
		})
	}
}

// A server that is restarted in the middle of a run costs the run some seconds.
func TestServerRestartInMidRun(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.seedRemote(1, "INBOX", 150)
	a.seedLocal(2, "Work", 150)
	want := a.remote()
	for i, n := range a.local() {
		want[i] += n
	}
	for step, after := range []func(int64, func()){a.proxy.AfterReceived, a.proxy.AfterSent} {
		failed := make(chan error, 1)
		after(100_000, func() {
			a.server.Stop()
			a.proxy.Cut() // with all that is still on its way through
			failed <- a.server.Start()
		})
		r := a.sync(0)
		select {
		case err := <-failed:
			if err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatal("the server was not restarted in the run")
		}
		if len(linesWith(r.stdout, "trying again in 1s")) == 0 {
			t.Errorf("said %v", r)
		}
		a.phone = redial(a)
		mustEqual(t, "local", a.local(), want)
		mustEqual(t, "remote", a.remote(), want)
		if step == 0 { // more to send, for the next restart
			for _, m := range small(3, 100) {
				a.deliver("INBOX", m)
				want.put("INBOX", m)
			}
		}
	}
	a.syncQuiet()
}

// Runs go on while other programs deliver, flag, move and delete on both sides;
// whatever was there in the end is there once on both.
func TestBesideOtherPrograms(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.phone.Create("Work")
	a.seedRemote(1, "INBOX", 40)
	a.sync(0)
	stop, done := make(chan struct{}), make(chan struct{})
	made := map[[32]byte]bool{}
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				a.meddle(i, made)
			}
		}
	}()
	for range 8 {
		if r := a.run("sync"); r.code != 0 {
			t.Errorf("beside other programs: %v", r)
		}
	}
	close(stop)
	<-done
	for range 3 {
		a.sync(0)
	}
	a.converged()
	seen := map[[32]byte]int{}
	for i, n := range a.local() {
		seen[i.sum] += n
	}
	for sum := range made {
		if seen[sum] != 1 {
			t.Errorf("a message is there %d times", seen[sum])
		}
	}
	a.syncQuiet()
}

// meddle does one thing as a mail reader and one as another client.
func (a *account) meddle(i int, made map[[32]byte]bool) {
	for _, m := range small(uint64(1000+2*i), 1) {
		a.deliver([]string{"INBOX", "Work"}[i%2], m)
		made[corpus.Sum(m.Body)] = true
	}
	for _, m := range small(uint64(1001+2*i), 1) {
		a.phone.Append([]string{"Work", "INBOX"}[i%2], m.Flags, m.Date, corpus.Wire(m.Body))
		made[corpus.Sum(m.Body)] = true
	}
	if files := a.files("INBOX"); len(files) > 0 { // may be renamed by a run meanwhile
		f := files[i%len(files)]
		_ = os.Rename(f.path, filepath.Join(a.path("INBOX"), "cur", f.key()+":2,FS"))
	}
	if uids := a.phone.UIDs("INBOX"); len(uids) > 0 {
		a.phone.Store("INBOX", mail.NewFlags(mail.Answered), mail.Flags{}, uids[i%len(uids)])
	}
}

//go:build linux && (amd64 || arm64)

package tracer

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// programEnv makes the test binary the program under trace, working in the
// directory it names.
const programEnv = "IMAPSYNC_TRACER_PROGRAM"

func TestMain(m *testing.M) {
	Launch()
	if dir := os.Getenv(programEnv); dir != "" {
		if err := program(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// program delivers a message as a careful program does, with a careless one
// after it, and removes what was there.
func program(dir string) error {
	at := func(name string) string { return filepath.Join(dir, name) }
	sync := func(name string) error {
		f, err := os.Open(at(name))
		if err != nil {
			return err
		}
		defer f.Close()
		return f.Sync()
	}
	say := func() error {
		conn, err := net.Dial("tcp", os.Getenv("SERVER"))
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = fmt.Fprint(conn, "done")
		return err
	}
	fmt.Println("begun")
	for _, step := range []func() error{
		func() error { return os.WriteFile(at("tmp/a"), []byte("careful"), 0o600) },
		func() error { return sync("tmp/a") },
		func() error { return os.Rename(at("tmp/a"), at("cur/a")) },
		func() error { return sync("cur") },
		func() error { return sync("tmp") },
		func() error { return os.WriteFile(at("tmp/b"), []byte("careless"), 0o600) },
		func() error { return os.Link(at("tmp/b"), at("cur/b")) },
		func() error { return os.Remove(at("tmp/b")) },
		func() error { return os.Remove(at("cur/old")) },
		func() error { return os.Mkdir(at("new"), 0o700) },
		say,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// wantSteps are the program's.
var wantSteps = []Kind{Create, Write, Sync, Rename, Sync, Sync, Create, Write, Link, Unlink, Unlink, Mkdir, Send}

// traced runs the program on a directory of its own.
func traced(t *testing.T, plan Plan) (string, Result) {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "dir")
	plan.Dirs, plan.Scratch, plan.Limit = []string{dir}, filepath.Join(root, "scratch"), time.Minute
	for _, d := range []string{dir + "/tmp", dir + "/cur", plan.Scratch} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(dir+"/cur/old", []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(plan, "/usr/bin/env", programEnv+"="+dir, "SERVER="+server.Addr().String(), self)
	if errors.Is(err, ErrNotPermitted) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if r.Hung || r.Stdout != "begun\n" {
		t.Fatalf("hung %v, said %q %q", r.Hung, r.Stdout, r.Stderr)
	}
	return dir, r
}

// tree tells every file of a directory and what it holds.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var found []string
	for _, sub := range []string{"tmp", "cur", "new"} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		if err == nil {
			found = append(found, sub)
		}
		for _, e := range entries {
			text, err := os.ReadFile(filepath.Join(dir, sub, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, fmt.Sprintf("%s/%s:%s", sub, e.Name(), text))
		}
	}
	return strings.Join(found, " ")
}

func TestCountsStepsInOrder(t *testing.T) {
	dir, r := traced(t, Plan{})
	var kinds []Kind
	for _, c := range r.Steps {
		kinds = append(kinds, c.Kind)
	}
	if r.Code != 0 || !slices.Equal(kinds, wantSteps) {
		t.Errorf("exit %d, steps %v\n%s", r.Code, r.Steps, r.Stderr)
	}
	if want := (Call{Kind: Rename, Path: dir + "/tmp/a", To: dir + "/cur/a"}); r.Steps[3] != want {
		t.Errorf("step 4: %v", r.Steps[3])
	}
	if got := tree(t, dir); got != "tmp cur cur/a:careful cur/b:careless new" {
		t.Errorf("left %s", got)
	}
}

func TestKillsBeforeTheCall(t *testing.T) {
	for at, want := range map[int]string{
		1: "tmp cur cur/old:old",
		2: "tmp tmp/a: cur cur/old:old",
		4: "tmp tmp/a:careful cur cur/old:old",
		5: "tmp cur cur/a:careful cur/old:old",
	} {
		dir, r := traced(t, Plan{At: at, Do: Kill})
		if got := tree(t, dir); r.Code != -1 || len(r.Steps) != at || *r.Struck != r.Steps[at-1] || got != want {
			t.Errorf("step %d: exit %d, struck %v, left %s", at, r.Code, r.Struck, got)
		}
	}
}

func TestFailsOnceOrEverAfter(t *testing.T) {
	links := func(c Call) bool { return c.Kind == Link }
	dir, r := traced(t, Plan{Counts: links, At: 1, Do: Fail, Errno: syscall.ENOSPC})
	if got := tree(t, dir); r.Code != 1 || !strings.Contains(r.Stderr, "no space left") || got != "tmp tmp/b:careless cur cur/a:careful cur/old:old" {
		t.Errorf("exit %d, left %s\n%s", r.Code, got, r.Stderr)
	}
	creates := func(c Call) bool { return c.Kind == Create }
	_, r = traced(t, Plan{Counts: creates, At: 3, Do: Fail, Errno: syscall.EIO, Then: creates})
	if r.Code != 0 || len(r.Steps) != 2 || r.Struck != nil {
		t.Errorf("exit %d, struck %v", r.Code, r.Struck)
	}
	_, r = traced(t, Plan{At: 1, Do: Fail, Errno: syscall.EDQUOT, Then: creates})
	if r.Code != 1 || !strings.Contains(r.Stderr, "quota") {
		t.Errorf("exit %d: %s", r.Code, r.Stderr)
	}
}

func TestPowerCutUndoesWhatWasNotSynced(t *testing.T) {
	for _, cut := range []struct {
		at   int
		loss Loss
		want string
	}{
		{3, All, "tmp cur cur/old:old"},                  // neither the name nor the bytes
		{3, Bytes, "tmp tmp/a: cur cur/old:old"},         // the bytes alone
		{5, All, "tmp cur cur/old:old"},                  // the rename, and the file with it
		{6, All, "tmp cur cur/a:careful cur/old:old"},    // durable in cur
		{13, All, "tmp cur cur/a:careful cur/old:old"},   // all after it
		{13, Names, "tmp cur cur/a:careful cur/old:old"}, //
		{13, Bytes, "tmp cur cur/a:careful cur/b: new"},  // what a rename without fsync comes to
	} {
		dir, r := traced(t, Plan{At: cut.at, Do: Cut, Loss: cut.loss})
		if got := tree(t, dir); r.Code != -1 || got != cut.want {
			t.Errorf("step %d, %s: exit %d, left %s, want %s", cut.at, cut.loss, r.Code, got, cut.want)
		}
	}
}

// A directory that is renamed is carried out whole or not at all, with what was
// done in it under either name.
func TestPowerCutUndoesTheRenamingOfADirectory(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	step := func(d *disk, c Call, do func() error) {
		t.Helper()
		if err := errors.Join(d.before(&c), do()); err != nil {
			t.Fatal(err)
		}
		d.after(c)
	}
	for _, durable := range []bool{false, true} {
		d := newDisk(Plan{Scratch: t.TempDir(), Loss: Names})
		if err := errors.Join(os.RemoveAll(at("new")), os.MkdirAll(at("tmp"), 0o700), os.WriteFile(at("tmp/old"), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		step(d, Call{Kind: Rename, Path: at("tmp"), To: at("new")}, func() error { return os.Rename(at("tmp"), at("new")) })
		if durable {
			step(d, Call{Kind: Sync, Path: dir}, func() error { return nil })
		}
		step(d, Call{Kind: Unlink, Path: at("new/old")}, func() error { return os.Remove(at("new/old")) })
		if err := d.cut(); err != nil {
			t.Fatal(err)
		}
		if got, want := tree(t, dir), map[bool]string{false: "tmp tmp/old:", true: "new new/old:"}[durable]; got != want {
			t.Errorf("durable %v: left %s, want %s", durable, got, want)
		}
	}
}

func TestRunsSideBySide(t *testing.T) {
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, r := traced(t, Plan{}); len(r.Steps) != len(wantSteps) {
				t.Errorf("steps %v", r.Steps)
			}
		})
	}
	all.Wait()
}

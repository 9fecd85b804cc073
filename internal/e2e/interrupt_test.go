package e2e

import (
	"fmt"
	"syscall"
	"testing"

	"imapsync/internal/dovecot"
	"imapsync/internal/proxy"
)

// interruption is something that ends a run in its middle.
type interruption struct {
	name string
	code func(code int) bool // exit codes allowed
	end  func(p *proxy.Proxy, kill func(syscall.Signal))
}

var interruptions = []interruption{
	{"SIGTERM", func(c int) bool { return c == 130 || c == 0 }, func(_ *proxy.Proxy, kill func(syscall.Signal)) { kill(syscall.SIGTERM) }},
	{"SIGKILL", func(c int) bool { return c == -1 || c == 0 }, func(_ *proxy.Proxy, kill func(syscall.Signal)) { kill(syscall.SIGKILL) }},
	{"connection cut", func(c int) bool { return c == 0 || c == 1 || c == 4 }, func(p *proxy.Proxy, _ func(syscall.Signal)) { p.Cut() }},
}

// A run that ends anywhere is completed by the next one, without a double.
func TestInterruptedAnywhereThenCompleted(t *testing.T) {
	t.Parallel()
	s := dovecot.Start(t)
	for i, kind := range interruptions {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			for step := range 6 {
				a := newAccount(t, s, fmt.Sprintf("user%d.%d", i, step))
				a.phone.Create("Down")
				a.seedRemote(1, "Down", 60)
				a.seedLocal(2, "Up", 60)
				want := a.remote()
				for i, n := range a.local() {
					want[i] += n
				}
				code := a.interrupted(kind, step)
				if !kind.code(code) {
					t.Errorf("step %d: exit %d", step, code)
				}
				a.sync(0)
				mustEqual(t, fmt.Sprintf("step %d, local", step), a.local(), want)
				mustEqual(t, fmt.Sprintf("step %d, remote", step), a.remote(), want)
				a.syncQuiet()
			}
		})
	}
}

// interrupted runs a sync that is ended after a part of the transfer that
// grows with step, first while downloading, then while uploading.
func (a *account) interrupted(kind interruption, step int) int {
	a.t.Helper()
	ready := make(chan func(syscall.Signal), 1)
	end := func() { kind.end(a.proxy, <-ready) }
	bytes := int64(3000 + 25_000*(step/2))
	if step%2 == 0 {
		a.proxy.AfterReceived(bytes, end)
	} else {
		a.proxy.AfterSent(bytes, end)
	}
	cmd, r := start(a.t, "-c", a.config, "sync")
	ready <- func(signal syscall.Signal) { _ = cmd.Process.Signal(signal) }
	code := finish(a.t, cmd, r).code
	a.proxy.Reset()
	return code
}

func TestSIGTERMSaysSo(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.seedRemote(1, "INBOX", 200)
	code := a.interrupted(interruptions[0], 0)
	if code != 130 {
		t.Errorf("exit %d, want 130", code)
	}
	a.sync(0)
	a.converged()
}

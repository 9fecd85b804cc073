package e2e

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"imapsync/internal/dovecot"
)

func TestOneFailingAccountDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	s := dovecot.Start(t)
	good, bad, late := newAccount(t, s, "good"), newAccount(t, s, "bad"), newAccount(t, s, "late")
	for _, a := range []*account{good, bad, late} {
		a.seedRemote(1, "INBOX", 5)
	}
	config := filepath.Join(t.TempDir(), "config.toml")
	good.write(config, fmt.Sprintf("state_dir = %q\n", good.state)+good.section("good")+
		strings.Replace(bad.section("bad"), s.Password, "wrong", 1)+late.section("late"))
	r := run(t, "-c", config, "sync")
	if r.code != 3 {
		t.Errorf("want exit 3, got %v", r)
	}
	mustSay(t, r, "bad", "good", "late")
	if strings.Contains(r.output(), s.Password) {
		t.Error("the password is in the output")
	}
	good.converged()
	late.converged()
	if n := len(bad.folders()); n > 0 {
		t.Errorf("the account without access has %d folders here", n)
	}
	// By name, only that account.
	if r := run(t, "-c", config, "sync", "late"); r.code != 0 {
		t.Error(r)
	}
}

func TestUnreachableServerIsTemporary(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.seedRemote(1, "INBOX", 2)
	a.sync(0)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	a.configure()
	a.write(a.config, strings.Replace(fmt.Sprintf("state_dir = %q\n", a.state)+a.section("test"),
		fmt.Sprintf("port = %d", a.proxy.Port()), fmt.Sprintf("port = %d", port), 1))
	a.sync(4)
	if n := len(a.files("INBOX")); n != 2 {
		t.Errorf("%d files, want 2", n)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := dovecot.Start(t, dovecot.WithTLS())
	a := newAccount(t, s, "alice")
	a.seedRemote(1, "INBOX", 3)
	wrong := strings.Repeat("ab", 32)
	for _, c := range []struct {
		name  string
		tls   string
		port  int
		lines string
		code  int
	}{
		{"implicit, CA file", "implicit", s.TLSPort, fmt.Sprintf("ca_file = %q", s.CAFile), 0},
		{"implicit, fingerprint", "implicit", s.TLSPort, fmt.Sprintf("fingerprint = %q", s.Fingerprint), 0},
		{"implicit, wrong fingerprint", "implicit", s.TLSPort, fmt.Sprintf("fingerprint = %q", wrong), 3},
		{"implicit, unknown authority", "implicit", s.TLSPort, "", 3},
		{"starttls, CA file", "starttls", s.Port, fmt.Sprintf("ca_file = %q", s.CAFile), 0},
		{"starttls, wrong fingerprint", "starttls", s.Port, fmt.Sprintf("fingerprint = %q", wrong), 3},
		{"starttls, unknown authority", "starttls", s.Port, "", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			a.t = t
			section := strings.Replace(a.section("test", c.lines), `tls = "none"`, fmt.Sprintf("tls = %q", c.tls), 1)
			section = strings.Replace(section, fmt.Sprintf("port = %d", a.proxy.Port()), fmt.Sprintf("port = %d", c.port), 1)
			a.write(a.config, fmt.Sprintf("state_dir = %q\n%s", a.state, section))
			a.sync(c.code)
		})
	}
	a.t = t
	a.converged()
}

func TestStartTLSIsInsistedUpon(t *testing.T) {
	t.Parallel()
	a := single(t) // offers no STARTTLS
	a.write(a.config, strings.Replace(fmt.Sprintf("state_dir = %q\n", a.state)+a.section("test"), `tls = "none"`, `tls = "starttls"`, 1))
	a.sync(3)
	for _, c := range a.proxy.Commands() {
		if contains(c, "LOGIN", "AUTHENTICATE") {
			t.Errorf("without TLS: sent %q", c)
		}
	}
}

func TestPlaintextBeyondLoopbackIsRefused(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.write(a.config, strings.Replace(fmt.Sprintf("state_dir = %q\n", a.state)+a.section("test"),
		`host = "127.0.0.1"`, `host = "imap.example.org"`, 1))
	mustSay(t, a.sync(2), "insecure", "tls")
}

func TestSecondRunIsBusy(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.seedRemote(1, "INBOX", 5)
	// The second run starts while the first is in the middle of its work.
	second := make(chan result, 1)
	started := false
	a.proxy.AfterReceived(500, func() {
		started = true
		second <- a.run("sync", "--wait", "0s")
	})
	a.sync(0)
	if !started {
		t.Fatal("the first run received too little")
	}
	if r := <-second; r.code != 6 {
		t.Errorf("want exit 6, got %v", r)
	}
	a.converged()
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	system "github.com/zalando/go-keyring"

	"imapsync/internal/demo"
	"imapsync/oauth"
)

// person is a program in this process, so that it has the keyring of the test,
// with somebody at its terminal.
type person struct {
	t              *testing.T
	dir            string
	stdout, stderr bytes.Buffer
	types          string // lines, for shown and hidden questions in turn
	terminal       bool
	change         func(*program) // before it runs, if not nil
}

// run runs a command line and insists on its exit code.
func (h *person) run(code int, args ...string) {
	h.t.Helper()
	h.runIn(h.t.Context(), code, args...)
}

func (h *person) runIn(ctx context.Context, code int, args ...string) {
	h.t.Helper()
	h.stdout.Reset()
	h.stderr.Reset()
	k := &console{in: bufio.NewReader(strings.NewReader(h.types)), out: &h.stderr, terminal: h.terminal}
	k.hidden = k.line
	p := &program{out: newOutput(&h.stdout, &h.stderr), now: time.Now, console: k,
		browse: func(string) error { return errors.New("there is no browser") }}
	if h.change != nil {
		h.change(p)
	}
	if got := p.run(ctx, args); got != code {
		h.t.Fatalf("%q: exit %d, want %d\n%s%s", args, got, code, &h.stdout, &h.stderr)
	}
	for _, secret := range []string{"demo-s3cret", "wr0ng"} {
		if strings.Contains(h.stdout.String()+h.stderr.String(), secret) {
			h.t.Errorf("%q shows a password:\n%s%s", args, &h.stdout, &h.stderr)
		}
	}
}

func (h *person) says(parts ...string) {
	h.t.Helper()
	for _, part := range parts {
		if !strings.Contains(h.stdout.String()+h.stderr.String(), part) {
			h.t.Errorf("it does not say %q:\n%s%s", part, &h.stdout, &h.stderr)
		}
	}
}

// newPerson has a configuration for an embedded server.
func newPerson(t *testing.T, login string) (h *person, config string) {
	t.Helper()
	server, err := demo.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	h = &person{t: t, dir: t.TempDir()}
	config = filepath.Join(h.dir, "c.toml")
	text := fmt.Sprintf("state_dir = %q\n[accounts.work]\nhost = '127.0.0.1'\nport = %d\ntls = 'none'\nuser = %q\nmaildir = %q\n%s\n",
		filepath.Join(h.dir, "state"), server.Port(), server.User, filepath.Join(h.dir, "Mail"), login)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return h, config
}

func TestLoginPassword(t *testing.T) {
	system.MockInit()
	h, config := newPerson(t, "keyring = true")
	h.run(3, "-c", config, "sync")
	h.says("there is no such entry", "what to do: imapsync -c "+config+" login work")
	h.types = "wr0ng\n"
	h.run(3, "-c", config, "login", "work", "--stdin")
	if _, err := system.Get("imapsync", "me@example.org@127.0.0.1"); !errors.Is(err, system.ErrNotFound) {
		t.Errorf("a password that the server refused is kept: %v", err)
	}
	h.types = "\n"
	h.run(2, "-c", config, "login", "work", "--stdin")
	h.terminal, h.types = true, "demo\n"
	h.run(0, "-c", config, "login", "work")
	h.says("Password of me@example.org at 127.0.0.1:", "work: logged in as me@example.org; kept in the system's keyring")
	if kept, err := system.Get("imapsync", "me@example.org@127.0.0.1"); kept != "demo" || err != nil {
		t.Errorf("kept %q, %v", kept, err)
	}
	h.run(0, "-c", config, "-vv", "sync")
	h.run(0, "-c", config, "--json", "login", "work")
	h.says(`"event":"login"`, `"step":"done","place":"the system's keyring"`)
}

// TestLoginInterrupted: nobody has to press a key after Ctrl-C.
func TestLoginInterrupted(t *testing.T) {
	system.MockInit()
	h, config := newPerson(t, "keyring = true")
	h.terminal = true
	ctx, cancel := context.WithCancelCause(t.Context())
	h.change = func(p *program) {
		p.console.hidden = func(ctx context.Context) (string, error) {
			return await(ctx, func() (string, error) {
				cancel(errInterrupted)
				<-t.Context().Done()
				return "", nil
			})
		}
	}
	h.runIn(ctx, exitInterrupted, "-c", config, "login", "work")
}

// TestTokenFaults: what it means for a run that there is no access token.
func TestTokenFaults(t *testing.T) {
	h, config := newPerson(t, "oauth = { provider = 'google', client_id = 'c' }")
	p := &program{out: newOutput(&h.stdout, &h.stderr), configFile: config, now: time.Now}
	lanes, err := p.allLanes()
	if err != nil {
		t.Fatal(err)
	}
	l := lanes[0]
	for _, c := range []struct {
		kind oauth.Kind
		code int
		hint string
	}{
		{oauth.KindLogin, exitAuth, "login work"},
		{oauth.KindRefused, exitAuth, "client_id"},
		{oauth.KindUnavailable, exitTemporary, ""},
		{oauth.KindStore, exitFailed, "state"},
		{oauth.KindKeyring, exitAuth, "unlock"},
	} {
		err := l.tokenFault(&oauth.Error{Kind: c.kind, Err: errors.New("why")})
		if got := exitCode(err); got != c.code || !strings.Contains(l.advice(err), c.hint) {
			t.Errorf("%s: exit %d, advice %q, %v", c.kind, got, l.advice(err), err)
		}
	}
}

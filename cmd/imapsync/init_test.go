package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"imapsync/config"

	system "github.com/zalando/go-keyring"

	"imapsync/discover"
	"imapsync/internal/demo"
)

// nowhere is a network in which nobody answers.
type nowhere struct{}

func (nowhere) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("no network") }

// records makes a program find these servers for any domain.
func records(found ...*net.SRV) func(*program) {
	return func(p *program) {
		p.finder = &discover.Finder{HTTP: &http.Client{Transport: nowhere{}},
			SRV: func(_ context.Context, service, _, _ string) (string, []*net.SRV, error) {
				if service == "imaps" {
					return "", found, nil
				}
				return "", nil, errors.New("no such record")
			}}
	}
}

// newcomer has a home without a configuration, and a server.
func newcomer(t *testing.T) (h *person, server *demo.Server, config string) {
	t.Helper()
	server, err := demo.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_STATE_HOME", filepath.Join(home, "state"))
	return &person{t: t, dir: home, terminal: true, change: records()}, server, filepath.Join(home, "new", "c.toml")
}

// portOf is the server's port as a flag.
func portOf(s *demo.Server) string {
	_, port, _ := net.SplitHostPort(s.Addr)
	return port
}

// TestInitConversation: a person answers, mostly with the enter key.
func TestInitConversation(t *testing.T) {
	system.MockInit()
	h, server, config := newcomer(t)
	if err := server.Create("Archive"); err != nil {
		t.Fatal(err)
	}
	h.types = strings.Join([]string{"me@example.org", "127.0.0.1", "", "what", "keyring", "", "", "demo", ""}, "\n") + "\n"
	h.run(0, "-c", config, "init", "--port", portOf(server), "--tls", "none")
	h.says("IMAP server [imap.example.org]:", "Login name [me@example.org]:", "Give one of command, keyring, file, oauth.", "Name of the account [example]:",
		"Maildir [~/Mail/example]:", "Password of me@example.org at 127.0.0.1:", "# On the server: Archive, INBOX.", "Write this to "+config+"? [yes]:",
		"imapsync -c "+config+" sync example")
	info, err := os.Stat(config)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	h.run(0, "-c", config, "sync")
	if _, err := os.Stat(filepath.Join(h.dir, "Mail", "example", "Archive")); err != nil {
		t.Error(err)
	}
	before, _ := os.ReadFile(config)
	h.types = "no\n"
	h.run(2, "-c", config, "init", "--address", "me@example.org", "--host", "127.0.0.1", "--port", portOf(server), "--tls", "none", "--user", "me@example.org",
		"--password-command", "echo demo", "--name", "other", "--maildir", "~/Mail/other")
	h.says("nothing was written")
	if after, _ := os.ReadFile(config); string(after) != string(before) {
		t.Errorf("it was written:\n%s", after)
	}
	h.types = "me@example.org\n"
	h.run(2, "-c", config, "init")
	h.says(`no answer to "IMAP server"`, "give --host")
}

// TestInitDeclined: nothing is kept of a login, and what was kept before stays, unless
// the account is written.
func TestInitDeclined(t *testing.T) {
	const entry = "me@example.org@127.0.0.1"
	system.MockInit()
	h, server, config := newcomer(t)
	args := []string{"-c", config, "init", "--address", "me@example.org", "--host", "127.0.0.1", "--port", portOf(server), "--tls", "none", "--user", "me@example.org",
		"--keyring", "--name", "work", "--maildir", "~/Mail/work"}
	h.types = "demo\nno\n"
	h.run(2, args...)
	h.says("Write this to "+config, "nothing was written")
	if kept, err := system.Get("imapsync", entry); !errors.Is(err, system.ErrNotFound) {
		t.Errorf("the login is kept: %q, %v", kept, err)
	}
	if err := system.Set("imapsync", entry, "earlier"); err != nil {
		t.Fatal(err)
	}
	h.run(2, args...)
	if kept, err := system.Get("imapsync", entry); kept != "earlier" || err != nil {
		t.Errorf("what was kept is now %q, %v", kept, err)
	}
	h.types = "demo\nyes\n"
	h.run(0, args...)
	h.says("work: logged in as me@example.org; kept in the system's keyring", "work: written to "+config)
	if kept, err := system.Get("imapsync", entry); kept != "demo" || err != nil {
		t.Errorf("kept %q, %v", kept, err)
	}
	h.run(0, "-c", config, "sync")
}

func TestInitInterrupted(t *testing.T) {
	h, _, config := newcomer(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	h.change = func(p *program) {
		p.console.in = bufio.NewReader(readerFunc(func([]byte) (int, error) {
			cancel(errInterrupted)
			<-t.Context().Done()
			return 0, io.EOF
		}))
	}
	h.runIn(ctx, exitInterrupted, "-c", config, "init")
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestInitUnsure: a server that anybody may have named is not told a password
// without somebody's word.
func TestInitUnsure(t *testing.T) {
	h, server, config := newcomer(t)
	h.change = records(&net.SRV{Target: "imap.elsewhere.net.", Port: 993})
	h.run(2, "-c", config, "init", "--address", "me@example.org", "--password-command", "echo demo", "--yes")
	h.says("Found imap.elsewhere.net:993 (implicit) by the SRV record _imaps._tcp.example.org", "--host is missing", "anybody may have made up")
	h.change = records()
	h.run(2, "-c", config, "init", "--address", "me@example.org", "--password-command", "echo demo", "--yes")
	h.says("--host is missing", `"imap.example.org" is only a guess`)
	h.run(3, "-c", config, "init", "--address", "me@example.org", "--host", "127.0.0.1", "--port", portOf(server), "--tls", "none", "--password-command", "echo wr0ng", "--yes")
	if _, err := os.Stat(config); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it was written: %v", err)
	}
}

// TestInitProvider: a provider that takes no password has OAuth 2 proposed, and
// a client secret is not shown.
func TestInitProvider(t *testing.T) {
	h, _, config := newcomer(t)
	h.types = "\n\n\n\nthe-client\n\n\n"
	ctx, cancel := context.WithCancelCause(t.Context())
	h.change = func(p *program) {
		records()(p)
		p.browse = func(address string) error {
			if !strings.HasPrefix(address, "https://login.microsoftonline.com/") || !strings.Contains(address, "client_id=the-client") ||
				!strings.Contains(address, "redirect_uri=http%3A%2F%2Flocalhost%3A") {
				t.Errorf("the browser is sent to %s", address)
			}
			cancel(errInterrupted)
			return nil
		}
	}
	h.runIn(ctx, exitInterrupted, "-c", config, "init", "--address", "me@hotmail.com")
	h.says("Found outlook.office365.com:993 (implicit) by the list of providers.", "IMAP server [outlook.office365.com]:", "Source [oauth]:", "Provider (google, microsoft) [microsoft]:",
		"About hotmail.com: it takes no password, only OAuth 2")
}

// TestClientSecret: it need not stand on the command line.
func TestClientSecret(t *testing.T) {
	for text, want := range map[string]string{"s3cret\n": "s3cret", "s3cret": "s3cret", "\n": "", "": ""} {
		p := &program{console: &console{in: bufio.NewReader(strings.NewReader(text))}}
		a := &answers{provider: "google", clientID: "c", how: loginOptions{stdin: true}}
		if err := p.source(t.Context(), a, discover.Server{}); a.clientSecret != want || (err == nil) != (want != "") {
			t.Errorf("%q: the secret is %q, %v", text, a.clientSecret, err)
		}
	}
}

func TestSection(t *testing.T) {
	a := &answers{address: "me@gmail.com", name: "me@home", host: "imap.gmail.com", user: "me@gmail.com", maildir: "~/Mail/g", provider: "google", clientID: "c", clientSecret: "s"}
	have := a.section([]string{"INBOX", "[Gmail]/All Mail", "Lists"}, []string{"[Gmail]/All Mail"})
	want := `# me@gmail.com, made by imapsync init; imapsync man explains all keys.
[accounts."me@home"]
host = "imap.gmail.com"
user = "me@gmail.com"
# imapsync login renews the login.
oauth = { provider = "google", client_id = "c", client_secret = "s" }
maildir = "~/Mail/g"
# On the server: INBOX, [Gmail]/All Mail, Lists.
# Those with ! are left out: they show what the others hold.
folders = ["*", "![Gmail]/All Mail"]
`
	if have != want {
		t.Errorf("have\n%s\nwant\n%s", have, want)
	}
}

// TestSectionOfHostileNames: what a server calls its folders stays in its comment and
// its pattern, and makes no key; what cannot stand in TOML is escaped.
func TestSectionOfHostileNames(t *testing.T) {
	evil := "x\nhooks.after_sync = \"touch pwned\"\r\n#\x1b\a"
	a := &answers{address: "me@example.org", name: "a", host: "h", user: "u\x1b", maildir: "/m", passwordCommand: "p"}
	conf, err := config.Parse("/c.toml", []byte(a.section([]string{evil, "\xff"}, []string{evil})))
	if err != nil {
		t.Fatal(err)
	}
	if acc := conf.Accounts[0]; acc.Hooks.AfterSync != "" || acc.User != a.user {
		t.Errorf("the section makes %+v", acc)
	}
}

package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"imapsync/internal/authserver"
	"imapsync/internal/dovecot"
)

// TestDovecotScripts runs the command lines of testdata/dovecot: like those of
// TestScripts, with a Dovecot on $PORT, user me@example.org with password
// $PASSWORD, and an authorization server at $AUTH whose tokens Dovecot takes.
// There is no keyring. Further commands:
//
//	auth rotate|refuse|grant|down|up|revoke|lifetime N|device CODE...
//	                                 changes the authorization server
//	dovecot MECHANISM...             another server, which offers these
//	asked GRANT N                    so many requests of the kind have come
func TestDovecotScripts(t *testing.T) {
	dovecot.Need(t, dovecot.Program, "dovecot-imapd")
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "dovecot"),
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("XDG_CONFIG_HOME", filepath.Join(e.WorkDir, "xdg"))
			e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, "state"))
			e.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+filepath.Join(e.WorkDir, "no-bus"))
			return startServers(e)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"config": configCmd, "exits": exitsCmd, "json": jsonCmd, "auth": authCmd, "dovecot": dovecotCmd, "asked": askedCmd,
		},
	})
}

type authKey struct{}

// mechanisms are what the server offers, unless a script says otherwise.
const mechanisms = "plain login scram-sha-256 xoauth2 oauthbearer"

// startServers starts both servers, which end with the script.
func startServers(e *testscript.Env) error {
	auth := authserver.New("me@example.org")
	web := httptest.NewServer(auth)
	e.Defer(web.Close)
	e.Setenv("AUTH", web.URL)
	e.Values[authKey{}] = auth
	return startDovecot(e.Setenv, e.Defer, web.URL, mechanisms)
}

func dovecotCmd(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(startDovecot(ts.Setenv, ts.Defer, ts.Getenv("AUTH"), strings.Join(args, " ")))
}

// startDovecot starts a server that asks the authorization server about tokens.
func startDovecot(setenv func(key, value string), atEnd func(func()), auth, mechanisms string) error {
	dir, err := os.MkdirTemp("", "dovecot")
	if err != nil {
		return err
	}
	atEnd(func() { _ = os.RemoveAll(dir) })
	oauth := filepath.Join(dir, "oauth2.conf")
	text := fmt.Sprintf("introspection_mode = get\nintrospection_url = %s/introspect?token=\nusername_attribute = username\nactive_attribute = active\nactive_value = true\n", auth)
	if err := os.WriteFile(oauth, []byte(text), 0o644); err != nil {
		return err
	}
	var o dovecot.Options
	dovecot.WithTLS()(&o)
	dovecot.WithExtra("auth_mechanisms = " + mechanisms + "\npassdb {\n  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n  args = " + oauth + "\n}\n")(&o)
	s, err := dovecot.New(dir, o)
	if err != nil {
		return err
	}
	atEnd(s.Stop)
	setenv("PORT", strconv.Itoa(s.Port))
	setenv("TLSPORT", strconv.Itoa(s.TLSPort))
	setenv("CAFILE", s.CAFile)
	setenv("PASSWORD", s.Password)
	return nil
}

func authCmd(ts *testscript.TestScript, _ bool, args []string) {
	s := ts.Value(authKey{}).(*authserver.Server)
	if args[0] == "revoke" {
		s.RevokeAccess()
		return
	}
	s.Set(func(s *authserver.Server) {
		switch args[0] {
		case "rotate":
			s.Rotate = true
		case "refuse", "grant":
			s.Refuse = args[0] == "refuse"
		case "down", "up":
			s.Down = args[0] == "down"
		case "deny", "allow":
			s.Deny = args[0] == "deny"
		case "lifetime":
			n, err := strconv.Atoi(args[1])
			ts.Check(err)
			s.Lifetime = n
		case "device":
			s.Device = args[1:]
		default:
			ts.Fatalf("auth: no such command %q", args[0])
		}
	})
}

func askedCmd(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	asked := ts.Value(authKey{}).(*authserver.Server).Requests()
	if n := len(slices.DeleteFunc(asked, func(kind string) bool { return !strings.Contains(kind, args[0]) })); n != want {
		ts.Fatalf("%d requests of %s, want %d", n, args[0], want)
	}
}

// browser stands for the browser that xdg-open opens: it goes where it is sent,
// or the user has enough.
func browser() {
	if os.Getenv("BROWSER") == "interrupt" {
		_ = syscall.Kill(os.Getppid(), syscall.SIGINT)
		return
	}
	answer, err := http.Get(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
}

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"imapsync/internal/dovecot"
)

// imapProgram is the server that speaks on standard input and output.
const imapProgram = "/usr/lib/dovecot/imap"

// tunnelCommand is what a tunnel runs on the machine of the server, for its
// user: a session that is logged in from the start.
func tunnelCommand(t *testing.T, s *dovecot.Server, user string) string {
	t.Helper()
	dovecot.Need(t, imapProgram, "dovecot-imapd")
	info, err := os.Stat(filepath.Join(s.Dir, "dovecot.conf"))
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("USER=%s exec %s -c %s/dovecot.conf -o mail_home=%s/home/%s -o mail_uid=%d -o mail_gid=%d",
		user, imapProgram, s.Dir, s.Dir, user, owner.Uid, owner.Gid)
}

// TestTunnel: a whole account through the real server's program on a pipe, with
// four connections, and nothing to do in the end.
func TestTunnel(t *testing.T) {
	a := single(t)
	for i := range 5 {
		a.phone.Create(fmt.Sprint("Folder", i))
		a.seedRemote(uint64(i), fmt.Sprint("Folder", i), 20)
	}
	command := tunnelCommand(t, a.server, a.user)
	configure := func(command, more string) {
		a.write(a.config, fmt.Sprintf("state_dir = %q\n[accounts.test]\ntunnel = %q\nmaildir = %q\n%s", a.state, command, a.root, more))
	}
	configure(command, "")
	mustSay(t, a.run("check"), "ok   tunnel: process ", "none: it is for the tunnel to protect", "login: logged in already (PREAUTH)")
	a.sync(0)
	a.converged()
	a.seedLocal(9, "INBOX", 3)
	a.sync(0)
	a.converged()
	a.syncQuiet()
	if commands := a.proxy.Commands(); len(commands) > 0 {
		t.Errorf("past the tunnel went %q", commands)
	}

	// The same host makes it the same account, however one gets there.
	configure(command, "host = 'mail.example'")
	a.sync(0)
	configure("exec 2>&1; "+command, "host = 'mail.example'")
	mustSay(t, a.sync(0), "nothing to do")
	a.converged()
	configure("echo no way there >&2; exit 255", "host = 'mail.example'")
	mustSay(t, a.sync(4), "its command has ended (exit status 255): no way there")
	configure("imapsyncd", "host = 'mail.example'")
	mustSay(t, a.sync(2), "imapsyncd: not found", "run the command by hand")
}

// TestTunnelLogin: a tunnel to a server that wants a login, without TLS and with
// it.
func TestTunnelLogin(t *testing.T) {
	dovecot.Need(t, "/bin/bash", "bash")
	join := func(port int) string {
		return fmt.Sprintf(`bash -c "exec 3<>/dev/tcp/127.0.0.1/%d; cat <&3 & cat >&3; kill \\$!"`, port)
	}
	s := dovecot.Start(t, dovecot.WithTLS())
	a := newAccount(t, s, "alice")
	a.seedRemote(1, "INBOX", 3)
	for _, c := range []struct {
		port int
		more string
		say  string
	}{
		{s.Port, "", "none: it is for the tunnel"},
		{s.Port, "tls = 'starttls'", "ok   starttls"},
		{s.TLSPort, "tls = 'implicit'", "ok   tls: TLS 1.3"},
	} {
		if c.say = strings.Replace(c.say, "ok   starttls", "ok   tls: TLS 1.3", 1); c.more != "" {
			c.more += fmt.Sprintf("\nca_file = %q", s.CAFile)
		}
		a.write(a.config, fmt.Sprintf("state_dir = %q\n[accounts.test]\nhost = 'localhost'\ntunnel = %q\nuser_command = 'echo alice'\npassword = %q\nmaildir = %q\n%s\n",
			a.state, join(c.port), s.Password, a.root, c.more))
		mustSay(t, a.run("check"), c.say, "login: SCRAM-SHA-256 as alice")
		a.sync(0)
		a.converged()
	}
	mustSay(t, a.sync(0), "nothing to do")
	a.write(a.config, fmt.Sprintf("state_dir = %q\n[accounts.test]\nhost = 'localhost'\ntunnel = %q\nmaildir = %q\n", a.state, join(s.Port), a.root))
	mustSay(t, a.run("check"), "without a secret", "want a password")
}

// clientCertificate writes a certificate for a user and its key, encrypted and
// not, where the server can read them.
func clientCertificate(t *testing.T, user string) (cert, both, encrypted string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: user}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "clientcert")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	cert, both, encrypted = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "both.pem"), filepath.Join(dir, "encrypted.pem")
	err = errors.Join(os.Chmod(dir, 0o755), os.WriteFile(cert, []byte(text("CERTIFICATE", der)), 0o644),
		os.WriteFile(both, []byte(text("PRIVATE KEY", keyDER)+text("CERTIFICATE", der)), 0o600),
		os.WriteFile(encrypted, []byte(text("ENCRYPTED PRIVATE KEY", keyDER)), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return cert, both, encrypted
}

// TestClientCertificate: a certificate is the login of four connections.
func TestClientCertificate(t *testing.T) {
	cert, both, encrypted := clientCertificate(t, "alice")
	s := dovecot.Start(t, dovecot.WithTLS(), dovecot.WithExtra("auth_mechanisms = plain external\nssl_ca = <"+cert+
		"\nssl_require_crl = no\nssl_verify_client_cert = yes\nauth_ssl_username_from_cert = yes\n"+
		"passdb {\n driver = static\n args = nopassword\n mechanisms = external\n}"))
	a := newAccount(t, s, "alice")
	for i := range 5 {
		a.phone.Create(fmt.Sprint("Folder", i))
		a.seedRemote(uint64(i), fmt.Sprint("Folder", i), 20)
	}
	for _, c := range []struct {
		keys string
		code int
		say  string
	}{
		{fmt.Sprintf("client_cert = %q\nclient_key = %q", cert, both), 0, "login: EXTERNAL"},
		{fmt.Sprintf("client_cert = %q", both), 0, "login: EXTERNAL"},
		{fmt.Sprintf("client_cert = %q\nuser = 'alice'", both), 0, "login: EXTERNAL as alice"},
		{fmt.Sprintf("client_cert = %q\nuser = 'alice'\npassword = %q", both, s.Password), 0, "login: PLAIN as alice"},
		{fmt.Sprintf("client_cert = %q\nclient_key = %q", cert, encrypted), 2, "is encrypted"},
		{fmt.Sprintf("client_cert = %q", cert), 2, "accounts.test.client_cert"},
		{fmt.Sprintf("client_cert = %q\nclient_key = '/none'", cert), 2, "accounts.test.client_key: open /none"},
	} {
		a.write(a.config, fmt.Sprintf("state_dir = %q\n[accounts.test]\nhost = 'localhost'\nport = %d\nca_file = %q\nmaildir = %q\n%s\n",
			a.state, s.TLSPort, s.CAFile, a.root, c.keys))
		r := a.run("check")
		if mustSay(t, r, c.say); r.code != c.code {
			t.Errorf("%s: %v", c.keys, r)
		}
		a.sync(c.code)
	}
	a.converged()
}

// connectProxy is a proxy of HTTP CONNECT that leads to the server's TLS port,
// and how often it did.
func connectProxy(s *dovecot.Server) (asked *atomic.Int64, handler http.HandlerFunc) {
	asked = new(atomic.Int64)
	return asked, func(w http.ResponseWriter, req *http.Request) {
		want := "Basic " + base64.StdEncoding.EncodeToString([]byte("me:s3cr3t-unmistakable"))
		if req.Method != http.MethodConnect || req.Host != "imap.example:993" || req.Header.Get("Proxy-Authorization") != want {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		asked.Add(1)
		server, err := net.Dial("tcp", s.TLSAddr())
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer server.Close()
		w.WriteHeader(http.StatusOK)
		client, br, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer client.Close()
		go func() { io.Copy(server, br); server.Close() }()
		io.Copy(client, server)
	}
}

// TestProxy: all connections go through the proxy, which is told user and
// password; nobody else is.
func TestProxy(t *testing.T) {
	s := dovecot.Start(t, dovecot.WithTLS())
	a := newAccount(t, s, "alice")
	a.seedRemote(1, "INBOX", 3)
	asked, handler := connectProxy(s)
	proxy, behindTLS := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	defer behindTLS.Close()
	defer proxy.Close()
	configure := func(more string) {
		a.write(a.config, fmt.Sprintf("state_dir = %q\n[accounts.test]\nhost = 'imap.example'\nfingerprint = %q\nuser = 'alice'\npassword = %q\nmaildir = %q\n%s\n",
			a.state, s.Fingerprint, s.Password, a.root, more))
	}
	address := strings.TrimPrefix(proxy.URL, "http://")
	right, wrong := "http://me:s3cr3t-unmistakable@"+address, "http://me:s3cr3t-mistaken@"+address
	said := func(r result, code int, words ...string) {
		t.Helper()
		mustSay(t, r, words...)
		mustHide(t, "output", r.output(), "s3cr3t")
		if r.code != code {
			t.Errorf("want exit %d: %v", code, r)
		}
	}
	configure(fmt.Sprintf("proxy = %q", right))
	said(a.run("-vv", "check"), 0, "ok   proxy: imap.example:993 through http://"+address)
	said(a.run("-vv", "sync"), 0)
	a.converged()
	configure(fmt.Sprintf("proxy = %q", wrong))
	said(a.run("-vv", "sync"), 3, "it wants another user and password")
	configure("")
	t.Setenv("HTTPS_PROXY", right)
	said(a.run("-vv", "sync"), 0, "nothing to do")
	t.Setenv("ALL_PROXY", wrong)
	said(a.run("-vv", "check"), 3, "fail proxy: ", "through the proxy http://"+address)
	t.Setenv("ALL_PROXY", "carrier://pigeon")
	said(a.run("sync"), 2, "the environment's ALL_PROXY must be", `proxy = "none"`)
	t.Setenv("ALL_PROXY", "https://me:s3cr3t-unmistakable@"+strings.TrimPrefix(behindTLS.URL, "https://"))
	said(a.run("sync"), 3, "set up TLS with the proxy https://127.0.0.1:")
	ca := filepath.Join(a.dir, "ca.pem")
	a.write(ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: behindTLS.Certificate().Raw})))
	t.Setenv("SSL_CERT_FILE", ca)
	said(a.run("-vv", "check"), 0, "through https://127.0.0.1:")
	if asked.Load() < 4 {
		t.Errorf("the proxy was asked %d times", asked.Load())
	}
}

// TestAccessToken: a server that looks up tokens refuses one that is expired, in
// words that help, and takes the next one that token_command gives.
func TestAccessToken(t *testing.T) {
	lookup := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		fmt.Fprintf(w, `{"active": %t, "user": "alice"}`, req.FormValue("token") == "fresh-t0ken")
	}))
	defer lookup.Close()
	dir, err := os.MkdirTemp("", "token")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	conf := filepath.Join(dir, "oauth2.conf")
	text := fmt.Sprintf("introspection_url = %s/?token=\nintrospection_mode = get\nusername_attribute = user\nactive_attribute = active\nactive_value = true\n", lookup.URL)
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(conf, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
	s := dovecot.Start(t, dovecot.WithExtra("auth_mechanisms = plain xoauth2 oauthbearer\n"+
		"passdb {\n driver = oauth2\n mechanisms = xoauth2 oauthbearer\n args = "+conf+"\n}"))
	a := newAccount(t, s, "alice")
	a.seedRemote(1, "INBOX", 3)
	token := filepath.Join(dir, "token")
	for _, auth := range []string{"auto", "xoauth2", "oauthbearer"} {
		a.write(a.config, fmt.Sprintf("state_dir = %q\n%s", a.state, strings.Replace(a.section("test", fmt.Sprintf("auth = %q", auth)),
			fmt.Sprintf("password = %q", s.Password), fmt.Sprintf("token_command = 'cat %s'", token), 1)))
		for _, c := range []struct {
			token string
			code  int
			say   string
		}{
			{"expired-t0ken", 3, "the access token is expired, revoked or not for this server (status "},
			{"fresh-t0ken", 0, "ok   login: "},
		} {
			if err := os.WriteFile(token, []byte(c.token+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			r := a.run("check")
			mustSay(t, r, c.say)
			mustHide(t, auth, r.output(), c.token)
			if c.code != 0 {
				mustSay(t, r, "run your token_command by hand")
			}
			a.sync(c.code)
		}
	}
	a.converged()
}

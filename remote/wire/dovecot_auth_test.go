package wire_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imapsync/internal/dovecot"
	"imapsync/remote/wire"
)

// loginOn logs in on a server's TLS port and returns how.
func loginOn(t *testing.T, s *dovecot.Server, change func(*wire.Options)) (how string, err error) {
	t.Helper()
	ca, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	_, err = onDovecot(t, s, func(o *wire.Options) {
		o.Port, o.Security, o.TLS = s.TLSPort, wire.Implicit, &tls.Config{RootCAs: roots}
		o.Stage = func(name, detail string, _ error) {
			if name == "login" {
				how = detail
			}
		}
		change(o)
	})
	return how, err
}

// TestDovecotMechanisms: each mechanism by name, and the best of those that are
// offered.
func TestDovecotMechanisms(t *testing.T) {
	for _, c := range []struct{ offered, auto string }{
		{"plain login cram-md5 scram-sha-1 scram-sha-256", "SCRAM-SHA-256"},
		{"cram-md5 scram-sha-1 plain", "SCRAM-SHA-1"},
		{"cram-md5 login", "LOGIN"},
	} {
		s := dovecot.Start(t, dovecot.WithTLS(), dovecot.WithExtra("auth_mechanisms = "+c.offered))
		for _, auth := range append(strings.Fields(c.offered), "auto") {
			want := strings.ToUpper(auth)
			switch {
			case auth == "auto":
				want = c.auto
			case auth == "login" && strings.Contains(c.offered, "plain"):
				want = "LOGIN command"
			}
			how, err := loginOn(t, s, func(o *wire.Options) { o.Auth = auth })
			if err != nil || how != want+" as jane" {
				t.Errorf("%s of %s: %q, %v", auth, c.offered, how, err)
			}
		}
	}
}

// TestDovecotWrongPassword: by the mechanisms that do not tell it; what SCRAM has
// shown to be wrong is not tried by another.
func TestDovecotWrongPassword(t *testing.T) {
	s := dovecot.Start(t, dovecot.WithTLS(), dovecot.WithExtra("auth_mechanisms = plain cram-md5 scram-sha-1"))
	for auth, by := range map[string]string{"cram-md5": "CRAM-MD5", "scram-sha-1": "SCRAM-SHA-1", "auto": "SCRAM-SHA-1"} {
		_, err := loginOn(t, s, func(o *wire.Options) {
			o.Auth = auth
			o.Secret = func(context.Context) (string, error) { return password, nil }
		})
		var e *wire.Error
		if !errors.As(err, &e) || e.Kind != wire.KindAuth || e.Code != "AUTHENTICATIONFAILED" || !strings.HasSuffix(e.Doing, " by "+by) {
			t.Errorf("%s: %v", auth, err)
		}
	}
}

// TestDovecotExternal: a certificate of the client's is the login; without it, or
// with one that nobody knows, there is none.
func TestDovecotExternal(t *testing.T) {
	cert := certFor(t, "jane", time.Now().Add(24*time.Hour))
	dir, err := os.MkdirTemp("", "external")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ca := filepath.Join(dir, "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
	if err := errors.Join(os.WriteFile(ca, text, 0o644), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	s := dovecot.Start(t, dovecot.WithTLS(), dovecot.WithExtra("auth_mechanisms = plain external\nssl_ca = <"+ca+
		"\nssl_require_crl = no\nssl_verify_client_cert = yes\nauth_ssl_username_from_cert = yes\n"+
		"passdb {\n driver = static\n args = nopassword\n mechanisms = external\n}"))
	for _, name := range []string{"", "jane"} {
		how, err := loginOn(t, s, func(o *wire.Options) {
			o.Secret, o.User = nil, name
			o.TLS.Certificates = []tls.Certificate{cert}
		})
		if err != nil || !strings.HasPrefix(how, "EXTERNAL") {
			t.Errorf("as %q: %q, %v", name, how, err)
		}
	}
	for _, certs := range [][]tls.Certificate{nil, {certFor(t, "jane", time.Now().Add(24*time.Hour))}} {
		_, err := loginOn(t, s, func(o *wire.Options) {
			o.Secret, o.User, o.Auth = nil, "", "external"
			o.TLS.Certificates = certs
		})
		var e *wire.Error
		if !errors.As(err, &e) || e.Kind != wire.KindAuth && e.Kind != wire.KindTLS || !strings.Contains(e.Hint, "client_cert") {
			t.Errorf("with %d certificates: %v", len(certs), err)
		}
	}
}

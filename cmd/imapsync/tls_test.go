package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imapsync/config"
)

// selfSigned makes a certificate for 127.0.0.1 and its PEM form.
func selfSigned(t *testing.T) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// TestCertificates: which certificates the keys fingerprint and ca_file let
// through, against a server that does not speak IMAP once TLS stands.
func TestCertificates(t *testing.T) {
	cert, asPEM := selfSigned(t)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				fmt.Fprintf(conn, "220 this is no IMAP\r\n")
				_, _ = conn.Read(make([]byte, 1))
			}()
		}
	}()
	dir := t.TempDir()
	caFile := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(caFile, asPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "empty.pem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(cert.Certificate[0])
	for _, c := range []struct {
		key  string
		want int
		text string
	}{
		{"", exitAuth, "fail tls: "},
		{fmt.Sprintf("fingerprint = '%x'", sum), exitFailed, "ok   tls: "},
		{fmt.Sprintf("fingerprint = ['%064d', '%X']", 7, sum), exitFailed, "ok   tls: "},
		{fmt.Sprintf("fingerprint = '%064d'", 7), exitAuth, fmt.Sprintf("has fingerprint %X", sum)},
		{fmt.Sprintf("fingerprint = '%064d'", 7), exitAuth, "what to do: either the certificate was renewed"},
		{"ca_file = 'ca.pem'", exitFailed, "ok   tls: "},
		{"ca_file = 'empty.pem'", exitUsage, "there is no PEM certificate"},
		{"ca_file = 'none.pem'", exitUsage, "no such file or directory; correct the path"},
	} {
		file := filepath.Join(dir, "c.toml")
		text := fmt.Sprintf("state_dir = 'state'\n[accounts.a]\nhost = '127.0.0.1'\nport = %d\nuser = 'u'\npassword = 'p'\nmaildir = 'Mail'\n%s\n",
			listener.Addr().(*net.TCPAddr).Port, c.key)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), []string{"-c", file, "check"}, &stdout, &stderr); code != c.want || !strings.Contains(stdout.String(), c.text) {
			t.Errorf("%s: code %d, want %d and %q in\n%s%s", c.key, code, c.want, c.text, &stdout, &stderr)
		}
	}
}

// TestPinnedWhenResumed: a resumed session shows no certificate anew, and is
// held against the fingerprints like any other.
func TestPinnedWhenResumed(t *testing.T) {
	cert, _ := selfSigned(t)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = conn.Write([]byte("x"))
				_, _ = conn.Read(make([]byte, 1))
			}()
		}
	}()
	sessions := tls.NewLRUClientSessionCache(1)
	dial := func(pin [32]byte) (resumed bool, err error) {
		cfg, err := (&lane{Account: &config.Account{Fingerprints: [][32]byte{pin}}}).tlsConfig()
		if err != nil {
			return false, err
		}
		cfg.ClientSessionCache = sessions
		conn, err := tls.Dial("tcp", listener.Addr().String(), cfg)
		if err != nil {
			return false, err
		}
		defer conn.Close()
		_, err = conn.Read(make([]byte, 1)) // the ticket comes with it
		return conn.ConnectionState().DidResume, err
	}
	right, wrong := sha256.Sum256(cert.Certificate[0]), [32]byte{7}
	for _, want := range []bool{false, true} {
		if resumed, err := dial(right); resumed != want || err != nil {
			t.Errorf("resumed %v, %v; want %v", resumed, err, want)
		}
	}
	var pin *pinError
	if _, err := dial(wrong); !errors.As(err, &pin) {
		t.Errorf("with another fingerprint: %v", err)
	}
}

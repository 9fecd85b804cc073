package wire_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/xdg-go/scram"

	"imapsync/remote/wire"
)

// scramServer is a server of SCRAM over TLS.
type scramServer struct {
	cert    tls.Certificate
	version uint16
	offers  string // SASL mechanisms
	binding string // what it can, or "another" TLS connection; "" is none
	knows   string // the user's password, or "" where it has no hash of it for SCRAM
}

// channel is what the server's end of the connection is recognised by, found
// otherwise than the client does.
func (p scramServer) channel(t testing.TB, conn *tls.Conn) scram.ChannelBinding {
	b := scram.ChannelBinding{Type: scram.ChannelBindingType(p.binding)}
	switch p.binding {
	case "tls-exporter", "another":
		state := conn.ConnectionState()
		var err error
		if b.Data, err = state.ExportKeyingMaterial("EXPORTER-Channel-Binding", []byte{}, 32); err != nil {
			t.Error(err)
		}
		if p.binding == "another" {
			b.Type, b.Data[0] = "tls-exporter", b.Data[0]^1
		}
	case "tls-server-end-point": // the certificate is signed with SHA-256
		sum := sha256.Sum256(p.cert.Certificate[0])
		b.Data = sum[:]
	case "tls-unique":
		b.Data = []byte("not for Go")
	}
	return b
}

// play serves logins until one succeeds and notes the mechanisms tried.
func (p scramServer) play(s *server, tried *[]string) {
	if !s.startTLS(&tls.Config{Certificates: []tls.Certificate{p.cert}, MaxVersion: p.version}) {
		return
	}
	s.write("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=%s] hi\r\n", strings.ReplaceAll(p.offers, " ", " AUTH="))
	for {
		tag, rest, _ := strings.Cut(s.line(), " ")
		words := strings.Fields(rest)
		if words[0] != "AUTHENTICATE" {
			s.write("* CAPABILITY IMAP4rev1\r\n%s OK done\r\n", tag)
			s.untilClosed()
			return
		}
		raw, _ := base64.StdEncoding.DecodeString(words[2])
		flag, _, isScram := strings.Cut(string(raw), ",")
		if !isScram {
			flag = ""
		}
		*tried = append(*tried, strings.TrimSpace(words[1]+" "+flag))
		if !isScram || p.scram(s, words[1], string(raw)) {
			s.ok(tag)
		} else {
			s.write("%s NO [AUTHENTICATIONFAILED] refused\r\n", tag)
		}
	}
}

// scram plays one exchange and tells whether the client is in.
func (p scramServer) scram(s *server, name, message string) bool {
	hash := scram.SHA256
	if strings.Contains(name, "SHA-1") {
		hash = scram.SHA1
	}
	if p.knows == "" {
		return false
	}
	client, _ := hash.NewClient(user, p.knows, "")
	stored, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "salt", Iters: 4096})
	if err != nil {
		s.t.Error(err)
	}
	srv, _ := hash.NewServer(func(string) (scram.StoredCredentials, error) { return stored, nil })
	conv := srv.NewConversationWithChannelBinding(p.channel(s.t, s.conn.(*tls.Conn)))
	for {
		answer, err := conv.Step(message)
		s.write("+ %s\r\n", base64.StdEncoding.EncodeToString([]byte(answer)))
		raw, _ := base64.StdEncoding.DecodeString(s.line())
		if message = string(raw); err != nil || conv.Done() {
			return conv.Valid()
		}
	}
}

// TestChannelBinding: what is tried with a server that can bind a login to its
// TLS connection, and what the login is said to have been done by.
func TestChannelBinding(t *testing.T) {
	const name = "imap.example.org"
	cert := certFor(t, name, time.Now().Add(24*time.Hour))
	const (
		both     = "SCRAM-SHA-1 SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-256-PLUS PLAIN"
		sha1Only = "SCRAM-SHA-1 SCRAM-SHA-1-PLUS SCRAM-SHA-256 PLAIN" // has binding
		unbound  = "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN"
	)
	for _, test := range []struct {
		version                      uint16
		offers, binding, knows, auth string // auth with "!": without binding by disable_extensions
		tried, detail                string // detail is of the error where it contains ":"
		hint                         string
	}{
		{tls.VersionTLS13, both, "tls-exporter", password, "auto", "SCRAM-SHA-256-PLUS p=tls-exporter", "SCRAM-SHA-256-PLUS (tls-exporter) as " + user, ""},
		{tls.VersionTLS12, both, "tls-server-end-point", password, "auto", "SCRAM-SHA-256-PLUS p=tls-server-end-point", "SCRAM-SHA-256-PLUS (tls-server-end-point) as " + user, ""},
		{tls.VersionTLS13, sha1Only, "tls-exporter", password, "auto", "SCRAM-SHA-1-PLUS p=tls-exporter", "SCRAM-SHA-1-PLUS (tls-exporter) as " + user, ""},
		{tls.VersionTLS13, both, "tls-exporter", password, "scram-sha-1", "SCRAM-SHA-1-PLUS p=tls-exporter", "SCRAM-SHA-1-PLUS (tls-exporter) as " + user, ""},
		{tls.VersionTLS13, unbound, "", password, "auto", "SCRAM-SHA-256 y", "SCRAM-SHA-256 as " + user, ""},
		{tls.VersionTLS13, both, "tls-unique", password, "auto!", "SCRAM-SHA-256 n", "SCRAM-SHA-256 as " + user, ""},
		{tls.VersionTLS13, unbound, "", "", "auto", "SCRAM-SHA-256 y, PLAIN", "PLAIN as " + user + ", after SCRAM-SHA-256 was refused", ""},
		// Refusals that somebody in between could bring about, and wrong passwords.
		{tls.VersionTLS13, both, "tls-unique", password, "auto", "SCRAM-SHA-256-PLUS p=tls-exporter", "by SCRAM-SHA-256-PLUS: unsupported-channel-binding-type", "to do without set disable_extensions"},
		{tls.VersionTLS13, both, "tls-unique", password, "scram-sha-256", "SCRAM-SHA-256-PLUS p=tls-exporter", "by SCRAM-SHA-256-PLUS: unsupported-channel-binding-type", "to do without set disable_extensions"},
		{tls.VersionTLS13, both, "tls-exporter", "", "auto", "SCRAM-SHA-256-PLUS p=tls-exporter", "by SCRAM-SHA-256-PLUS: [AUTHENTICATIONFAILED]", `set auth = "plain", or cannot`},
		{tls.VersionTLS13, both, "tls-exporter", "another", "auto", "SCRAM-SHA-256-PLUS p=tls-exporter", "by SCRAM-SHA-256-PLUS: invalid-proof", "check user and password"},
		{tls.VersionTLS13, unbound, "", "another", "auto", "SCRAM-SHA-256 y", "by SCRAM-SHA-256: invalid-proof", `set auth = "plain"`},
		{tls.VersionTLS13, unbound, "", "", "scram-sha-256", "SCRAM-SHA-256 y", "by SCRAM-SHA-256: [AUTHENTICATIONFAILED]", "check user and password"},
		// Somebody in between, who has a certificate, and who takes away the offer.
		{tls.VersionTLS13, both, "another", password, "auto", "SCRAM-SHA-256-PLUS p=tls-exporter", "by SCRAM-SHA-256-PLUS: channel-bindings-dont-match", "somebody is in between"},
		{tls.VersionTLS13, unbound, "tls-exporter", password, "auto", "SCRAM-SHA-256 y", "by SCRAM-SHA-256: server-does-support-channel-binding", "somebody is in between"},
		{tls.VersionTLS13, sha1Only, "tls-exporter", password, "scram-sha-256", "SCRAM-SHA-256 y", "by SCRAM-SHA-256: server-does-support-channel-binding", "somebody is in between"},
	} {
		tried := make(chan string, 1)
		var detail string
		o := options(listen(t, func(s *server) {
			var all []string
			defer func() { tried <- strings.Join(all, ", ") }()
			scramServer{cert, test.version, test.offers, test.binding, test.knows}.play(s, &all)
		}))
		auth, without := strings.CutSuffix(test.auth, "!")
		if o.Auth = auth; without {
			o.Disable = []string{"AUTH=SCRAM-SHA-256-PLUS", "auth=scram-sha-1-plus"}
		}
		o.Security = wire.Implicit
		trusting(cert, name)(&o)
		o.Stage = func(stage, d string, _ error) {
			if stage == "login" {
				detail = d
			}
		}
		c, err := wire.Dial(t.Context(), o)
		if err == nil {
			c.Close()
		} else {
			detail = err.Error()
		}
		if got := <-tried; got != test.tried {
			t.Errorf("%+v: tried %q", test, got)
		}
		if failed := strings.Contains(test.detail, ":"); failed != (err != nil) || !strings.Contains(detail, test.detail) {
			t.Errorf("%+v: %q, %v", test, detail, err)
		}
		if err != nil && !strings.Contains(fmt.Sprint(err), test.hint) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

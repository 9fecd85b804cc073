package wire_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/xdg-go/scram"

	"imapsync/remote/wire"
)

// dialError dials a script and returns the failure, which must be of kind.
func dialError(t *testing.T, kind wire.Kind, script func(s *server), change ...func(*wire.Options)) *wire.Error {
	t.Helper()
	var trace strings.Builder
	o := options(listen(t, script))
	o.Trace = func(_ bool, line string) { trace.WriteString(line + "\n") }
	for _, f := range change {
		f(&o)
	}
	c, err := wire.Dial(t.Context(), o)
	var e *wire.Error
	if !errors.As(err, &e) || e.Kind != kind {
		t.Fatalf("got %v (connection %v), want an error of kind %s", err, c, kind)
	}
	noSecret(t, err.Error()+"\n"+trace.String())
	return e
}

// noSecret checks that none of the forms of the password is in s.
func noSecret(t *testing.T, s string) {
	t.Helper()
	for _, secret := range []string{password, base64.StdEncoding.EncodeToString([]byte(password)),
		base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))} {
		if strings.Contains(s, secret) {
			t.Errorf("the password is in %q", s)
		}
	}
}

func auth(name string) func(*wire.Options) { return func(o *wire.Options) { o.Auth = name } }
func bearer(o *wire.Options)               { o.Bearer = true }
func secure(s wire.Security) func(*wire.Options) {
	return func(o *wire.Options) { o.Security = s }
}

func TestGreeting(t *testing.T) {
	for _, test := range []struct {
		greeting string
		kind     wire.Kind
		text     string
	}{
		{"* BYE [UNAVAILABLE] overloaded\r\n", wire.KindBye, "[UNAVAILABLE]: the server says: overloaded"},
		{"HTTP/1.1 400 Bad Request\r\n\r\n", wire.KindProtocol, "not an IMAP server"},
		{"+OK POP3 ready\r\n", wire.KindProtocol, "POP3"},
		{"* 3 EXISTS\r\n", wire.KindProtocol, "not an IMAP server"},
		{"", wire.KindNetwork, "closed the connection"},
		{strings.Repeat("\r\n", 200_000), wire.KindLimit, "more than 262144"},
		{"* OK " + strings.Repeat("x", 300_000) + "\r\n", wire.KindLimit, "more than 262144"},
		{"* OK " + strings.Repeat("x", 2_000_000), wire.KindLimit, "more than 262144"},
	} {
		e := dialError(t, test.kind, func(s *server) { s.write("%s", test.greeting) })
		if !strings.Contains(e.Error(), test.text) {
			t.Errorf("%.40q: %v, want %q", test.greeting, e, test.text)
		}
	}
}

func TestEndlessHandshake(t *testing.T) {
	e := dialError(t, wire.KindLimit, func(s *server) {
		s.write("* OK hi\r\n")
		for {
			if _, err := io.WriteString(s.conn, "* OK and again, for ever and a day\r\n"); err != nil {
				return
			}
		}
	})
	if !strings.Contains(e.Error(), "more than") {
		t.Error(e)
	}
}

// TestHugeHandshake: octets in literals count, too.
func TestHugeHandshake(t *testing.T) {
	dialError(t, wire.KindLimit, func(s *server) {
		s.write("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\r\n")
		tag := s.expect("AUTHENTICATE")
		s.write("* ID (\"a\" {300000}\r\n%s)\r\n", strings.Repeat("x", 300_000))
		s.ok(tag)
		s.untilClosed()
	})
}

// TestManyMechanisms: what a server offers is no longer in an error than fits one.
func TestManyMechanisms(t *testing.T) {
	e := dialError(t, wire.KindPlaintext, func(s *server) {
		s.write("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED%s] hi\r\n", " AUTH=FOO AUTH="+strings.Repeat("X", 100_000))
		s.quiet()
	})
	if n := len(e.Error()); n > 2000 {
		t.Errorf("an error of %d bytes", n)
	}
}

func TestSilentServer(t *testing.T) {
	e := dialError(t, wire.KindTimeout, func(s *server) { s.untilClosed() },
		func(o *wire.Options) { o.Timeout = 20 * time.Millisecond })
	if e.Hint == "" {
		t.Error("no hint")
	}
}

// TestDribblingServer: a byte now and then must not keep the handshake open.
func TestDribblingServer(t *testing.T) {
	dialError(t, wire.KindTimeout, func(s *server) {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := io.WriteString(s.conn, "\r\n"); err != nil {
				return
			}
		}
	}, func(o *wire.Options) { o.Timeout = 50 * time.Millisecond })
}

func TestCancelledDial(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := options(listen(t, func(s *server) {
		s.write("* OK hi\r\n")
		s.expect("CAPABILITY")
		cancel()
		s.untilClosed()
	}))
	_, err := wire.Dial(ctx, o)
	var e *wire.Error
	if !errors.As(err, &e) || e.Kind != wire.KindAborted || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestRefusedConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	_, err = wire.Dial(t.Context(), options(port))
	var e *wire.Error
	if !errors.As(err, &e) || e.Kind != wire.KindNetwork {
		t.Errorf("got %v", err)
	}
}

// elsewhere makes a loopback connection look like one over a network.
type elsewhere struct{ net.Conn }

func (elsewhere) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 143} }

func abroad(o *wire.Options) {
	o.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return elsewhere{conn}, err
	}
}

func TestPlaintextRefused(t *testing.T) {
	e := dialError(t, wire.KindPlaintext, func(s *server) {
		s.write("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n")
		s.untilClosed()
	}, abroad)
	if !strings.Contains(e.Hint, "insecure") {
		t.Error(e)
	}
	// A proxy on this machine leads elsewhere, too.
	dialError(t, wire.KindPlaintext, func(s *server) {
		s.write("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n")
		s.untilClosed()
	}, func(o *wire.Options) { o.Via = wire.ViaProxy })
	dial(t, "", func(s *server) { s.untilClosed() }, abroad, func(o *wire.Options) { o.Via = wire.ViaTunnel })

	c := dial(t, "", func(s *server) { s.untilClosed() }, abroad, func(o *wire.Options) { o.AllowPlain = true })
	if c.TLSState() != nil {
		t.Error("TLS state of a plain connection")
	}
}

// inClear is a connection that can be overheard, and is used all the same.
func inClear(o *wire.Options) { abroad(o); o.AllowPlain = true }

func TestLoginDisabled(t *testing.T) {
	e := dialError(t, wire.KindPlaintext, func(s *server) {
		s.write("* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hi\r\n")
		s.untilClosed()
	})
	if !strings.Contains(e.Hint, "starttls") {
		t.Error(e)
	}
}

// certFor makes a self-signed certificate.
func certFor(t *testing.T, name string, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: until.Add(-48 * time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, _ := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// trusting connects as to host, believing in cert.
func trusting(cert tls.Certificate, host string) func(*wire.Options) {
	return func(o *wire.Options) {
		port := o.Port
		roots := x509.NewCertPool()
		roots.AddCert(cert.Leaf)
		o.TLS = &tls.Config{RootCAs: roots}
		o.Host = host
		o.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, fmt.Sprintf("127.0.0.1:%d", port))
		}
	}
}

func (s *server) startTLS(cfg *tls.Config) bool {
	conn := tls.Server(s.conn, cfg)
	if conn.Handshake() != nil {
		return false
	}
	s.conn = conn
	s.br.Reset(conn)
	return true
}

func TestTLS(t *testing.T) {
	const name = "imap.example.org"
	good, expired := certFor(t, name, time.Now().Add(24*time.Hour)), certFor(t, name, time.Now().Add(-24*time.Hour))
	serve := func(cfg *tls.Config) func(s *server) {
		return func(s *server) {
			if s.startTLS(cfg) {
				s.login("")
				s.untilClosed()
			}
		}
	}
	only := func(cert tls.Certificate) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{cert}} }

	var stages []string
	o := options(listen(t, serve(only(good))))
	o.Security = wire.Implicit
	trusting(good, name)(&o)
	o.Stage = func(stage, detail string, err error) {
		stages = append(stages, fmt.Sprint(stage, ": ", detail, " ", err))
	}
	c, err := wire.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if st := c.TLSState(); st == nil || st.Version < tls.VersionTLS12 {
		t.Errorf("TLS state %v", st)
	}
	c.Close()
	for i, want := range []string{"tcp: 127.0.0.1:", "tls: TLS 1.3, certificate for imap.example.org, valid ", "greeting: hello", "login: PLAIN", "capabilities: AUTH=PLAIN"} {
		if i >= len(stages) || !strings.HasPrefix(stages[i], want) || !strings.HasSuffix(stages[i], "<nil>") {
			t.Errorf("stage %d of %q, want %q", i, stages, want)
		}
	}

	for _, test := range []struct {
		cert  *tls.Config
		trust tls.Certificate
		host  string
		hint  string
	}{
		{only(good), good, "other.example.org", "another name"},
		{only(good), expired, name, "not signed by"},
		{only(expired), expired, name, "expired"},
		{&tls.Config{Certificates: []tls.Certificate{good}, MaxVersion: tls.VersionTLS11}, good, name, ""},
	} {
		e := dialError(t, wire.KindTLS, serve(test.cert), trusting(test.trust, test.host), secure(wire.Implicit))
		if !strings.Contains(e.Hint, test.hint) {
			t.Errorf("%v, want hint %q", e, test.hint)
		}
	}
	e := dialError(t, wire.KindTLS, func(s *server) { s.write("* OK plain text\r\n"); s.untilClosed() }, secure(wire.Implicit))
	if !strings.Contains(e.Hint, "starttls") {
		t.Error(e)
	}
	dialError(t, wire.KindNetwork, func(s *server) { s.br.Peek(1) }, secure(wire.Implicit))
}

// TestClientCertificateWanted: a server of TLS 1.3 refuses one only after the
// handshake.
func TestClientCertificateWanted(t *testing.T) {
	const name = "imap.example.org"
	cert := certFor(t, name, time.Now().Add(24*time.Hour))
	e := dialError(t, wire.KindTLS, func(s *server) {
		if s.startTLS(&tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert}) {
			s.login("")
		}
	}, trusting(cert, name), secure(wire.Implicit))
	if !strings.Contains(e.Hint, "client_cert") {
		t.Error(e)
	}
}

func TestStartTLS(t *testing.T) {
	const name = "imap.example.org"
	cert := certFor(t, name, time.Now().Add(24*time.Hour))
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}}
	o := options(listen(t, func(s *server) {
		s.write("* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED EVIL] hi\r\n* ID (\"name\" \"Evil\")\r\n* NO [ALERT] evil\r\n")
		s.ok(s.expect("STARTTLS"))
		if !s.startTLS(cfg) {
			return
		}
		tag := s.expect("CAPABILITY")
		s.write("* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\r\n%s OK done\r\n", tag)
		s.ok(s.expect("AUTHENTICATE PLAIN "))
		tag = s.expect("CAPABILITY")
		s.write("* CAPABILITY IMAP4rev1 IDLE\r\n%s OK done\r\n", tag)
		s.untilClosed()
	}))
	o.Security = wire.StartTLS
	trusting(cert, name)(&o)
	c, err := wire.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := strings.Join(c.Caps(), " "); got != "IDLE IMAP4REV1" {
		t.Errorf("caps %q", got)
	}
	if id, notices := c.ServerID(), c.Notices(); id != "" || len(notices) > 0 {
		t.Errorf("what came in plain text is believed: %q, %v", id, notices)
	}
}

func TestStartTLSTampering(t *testing.T) {
	for name, script := range map[string]func(s *server){
		"stripped": func(s *server) { s.write("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n"); s.quiet() },
		"stripped from CAPABILITY": func(s *server) {
			s.write("* OK hi\r\n")
			tag := s.expect("CAPABILITY")
			s.write("* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n%s OK done\r\n", tag)
			s.quiet()
		},
		"PREAUTH": func(s *server) { s.write("* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n"); s.quiet() },
		"refused": func(s *server) {
			s.write("* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n")
			s.write("%s NO not now\r\n", s.expect("STARTTLS"))
			s.quiet()
		},
		"injected": func(s *server) {
			s.write("* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n")
			s.write("%s OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n", s.expect("STARTTLS"))
			s.quiet()
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := dialError(t, wire.KindTLS, script, secure(wire.StartTLS))
			if e.Err == nil {
				t.Error(e)
			}
		})
	}
}

// quiet checks that the client says nothing more.
func (s *server) quiet() {
	if line, err := s.br.ReadString('\n'); err == nil {
		s.t.Errorf("client went on: %q", line)
	}
}

func TestMechanisms(t *testing.T) {
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	plain := b64("\x00" + user + "\x00" + password)
	for _, test := range []struct {
		name   string
		caps   string
		change func(*wire.Options)
		talk   []string // "C: " and "S: " lines; the tag is left out
	}{
		{"plain at once", "SASL-IR AUTH=PLAIN AUTH=LOGIN", nil, []string{"C: AUTHENTICATE PLAIN " + plain, "S: OK"}},
		{"plain in turn", "AUTH=PLAIN", nil, []string{"C: AUTHENTICATE PLAIN", "S: + ", "c: " + plain, "S: OK"}},
		{"plain bare plus", "AUTH=PLAIN", nil, []string{"C: AUTHENTICATE PLAIN", "S: +", "c: " + plain, "S: OK"}},
		{"login command", "", nil, []string{`C: LOGIN "jane@example.org" "correct horse"`, "S: OK"}},
		{"login command, literals", "", func(o *wire.Options) {
			o.User = "jäne"
			o.Secret = func(context.Context) (string, error) { return "a\r\nb", nil }
		}, []string{"C: LOGIN {5}", "S: + go", "c: jäne {4}", "S: + go", "c: a", "c: b", "S: OK"}},
		{"login asked for", "AUTH=PLAIN LOGINDISABLED AUTH=LOGIN SASL-IR", auth("login"),
			[]string{"C: AUTHENTICATE LOGIN", "S: + " + b64("Username:"), "c: " + b64(user), "S: + " + b64("User pw?"), "c: " + b64(password), "S: OK"}},
		{"oauthbearer", "AUTH=PLAIN AUTH=XOAUTH2 AUTH=OAUTHBEARER SASL-IR", bearer,
			[]string{"C: AUTHENTICATE OAUTHBEARER " + b64("n,a="+user+",\x01host=127.0.0.1\x01port=PORT\x01auth=Bearer "+password+"\x01\x01"), "S: OK"}},
		{"xoauth2", "AUTH=PLAIN AUTH=XOAUTH2 SASL-IR", bearer, []string{"C: AUTHENTICATE XOAUTH2 " + b64("user="+user+"\x01auth=Bearer "+password+"\x01\x01"), "S: OK"}},
		{"external", "AUTH=EXTERNAL SASL-IR", func(o *wire.Options) { o.Secret, o.User = nil, "" }, []string{"C: AUTHENTICATE EXTERNAL =", "S: OK"}},
		{"external in turn", "AUTH=EXTERNAL", func(o *wire.Options) { o.Auth, o.User = "external", "" }, []string{"C: AUTHENTICATE EXTERNAL", "S: + ", "c: ", "S: OK"}},
		{"after scram refused", "AUTH=SCRAM-SHA-256 AUTH=PLAIN SASL-IR", nil, []string{"C: AUTHENTICATE SCRAM-SHA-256 ", "S: NO [AUTHENTICATIONFAILED] no such hash", "C: AUTHENTICATE PLAIN " + plain, "S: OK"}},
		{"cram-md5", "AUTH=PLAIN AUTH=CRAM-MD5 SASL-IR", func(o *wire.Options) { // the example of RFC 2195
			o.Auth, o.User = "cram-md5", "tim"
			o.Secret = func(context.Context) (string, error) { return "tanstaaftanstaaf", nil }
		}, []string{"C: AUTHENTICATE CRAM-MD5", "S: + " + b64("<1896.697170952@postoffice.reston.mci.net>"), "c: " + b64("tim b913a602c7eda7a495b4e6e7334d3890"), "S: OK"}},
		{"cram-md5 last of all", "AUTH=CRAM-MD5 AUTH=PLAIN SASL-IR", nil, []string{"C: AUTHENTICATE PLAIN " + plain, "S: OK"}},
		{"cram-md5 rather than in clear", "AUTH=CRAM-MD5 AUTH=PLAIN SASL-IR", inClear, []string{"C: AUTHENTICATE CRAM-MD5", "S: + PDFAeD4=", "c: " + b64("jane@example.org 3b8eeccfa5a824ad206c913dda760b8d"), "S: OK"}},
		{"disabled", "AUTH=SCRAM-SHA-256 AUTH=PLAIN SASL-IR", func(o *wire.Options) { o.Disable = []string{"AUTH=SCRAM-SHA-256"} }, []string{"C: AUTHENTICATE PLAIN " + plain, "S: OK"}},
		{"untagged in between", "AUTH=PLAIN SASL-IR", nil, []string{"C: AUTHENTICATE PLAIN " + plain, "S: * CAPABILITY IMAP4rev1 FOO", "S: * OK still here", "S: ", "S: OK [CAPABILITY IMAP4rev1] in"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var trace strings.Builder
			o := options(0)
			o.Trace = func(_ bool, line string) { trace.WriteString(line + "\n") }
			if test.change != nil {
				test.change(&o)
			}
			o.Port = listen(t, func(s *server) {
				s.write("* OK [CAPABILITY IMAP4rev1 %s] hi\r\n", test.caps)
				s.play(test.talk)
				tag := s.expect("CAPABILITY")
				s.write("* CAPABILITY IMAP4rev1\r\n%s OK done\r\n", tag)
				s.untilClosed()
			})
			c, err := wire.Dial(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			noSecret(t, trace.String())
		})
	}
}

// play runs a dialogue; PORT inside base64 is the port.
func (s *server) play(talk []string) {
	tag, port := "", s.conn.LocalAddr().(*net.TCPAddr).Port
	for _, step := range talk {
		who, text, _ := strings.Cut(step, ": ")
		switch who {
		case "C", "c":
			line := s.line()
			if who == "C" {
				tag, line, _ = strings.Cut(line, " ")
			}
			if mech, blob, ok := strings.Cut(text, "OAUTHBEARER "); ok {
				raw, _ := base64.StdEncoding.DecodeString(blob)
				text = mech + "OAUTHBEARER " + base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(string(raw), "PORT", fmt.Sprint(port))))
			}
			if line != text && !(strings.Contains(text, "SCRAM-SHA-") && strings.HasSuffix(text, " ") && strings.HasPrefix(line, text)) {
				s.t.Errorf("client sent %q, want %q", line, text)
				panic(errScript)
			}
		case "S":
			if !strings.HasPrefix(text, "+") && !strings.HasPrefix(text, "*") && text != "" {
				text = tag + " " + text
			}
			s.write("%s", text+"\r\n")
		}
	}
}

// TestPreauth: who is logged in already, as in a tunnel, needs no secret.
func TestPreauth(t *testing.T) {
	o := options(listen(t, func(s *server) {
		s.write("* PREAUTH [CAPABILITY IMAP4rev1 AUTH=PLAIN] logged in\r\n")
		s.write("* CAPABILITY IMAP4rev1 IDLE\r\n%s OK done\r\n", s.expect("CAPABILITY"))
		s.untilClosed()
	}))
	o.Secret = func(context.Context) (string, error) { return "", errors.New("asked for") }
	var stages []string
	o.Stage = func(name, detail string, err error) {
		stages = append(stages, fmt.Sprint(name, ": ", detail, " ", err))
	}
	o.Via, o.DialContext = wire.ViaTunnel, (&net.Dialer{}).DialContext
	c, err := wire.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	want := []string{"tunnel: 127.0.0.1:", "greeting: logged in", "login: logged in already (PREAUTH) <nil>", "capabilities: IDLE"}
	for i := range want {
		if i >= len(stages) || !strings.HasPrefix(stages[i], want[i]) {
			t.Errorf("stages %q, want %q", stages, want)
			break
		}
	}
}

func TestLoginRefused(t *testing.T) {
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, test := range []struct {
		name   string
		caps   string
		change func(*wire.Options)
		talk   []string
		kind   wire.Kind
		want   string
	}{
		{"no", "AUTH=PLAIN SASL-IR", nil, []string{"C: AUTHENTICATE PLAIN " + b64("\x00"+user+"\x00"+password), "S: NO [AUTHENTICATIONFAILED] bad password " + password},
			wire.KindAuth, "[AUTHENTICATIONFAILED]: the server says: bad password [redacted]"},
		{"later", "", nil, []string{`C: LOGIN "jane@example.org" "correct horse"`, "S: NO [UNAVAILABLE] try later"}, wire.KindUnavailable, "try again later"},
		{"too many", "", nil, []string{`C: LOGIN "jane@example.org" "correct horse"`, "S: NO [ALERT] Too many simultaneous connections. (Failure)"}, wire.KindUnavailable, "fewer connections"},
		{"bye", "", nil, []string{`C: LOGIN "jane@example.org" "correct horse"`, "S: * BYE too many failures"}, wire.KindBye, "too many failures"},
		{"xoauth2", "AUTH=XOAUTH2 SASL-IR", bearer, []string{"C: AUTHENTICATE XOAUTH2 " + b64("user="+user+"\x01auth=Bearer "+password+"\x01\x01"),
			"S: + " + b64(`{"status":"400","schemes":"Bearer","scope":"https://mail"}`), "c: ", "S: NO no"}, wire.KindAuth, "the access token is expired, revoked or not for this server (status 400, scope https://mail)"},
		{"xoauth2, in turn and in text", "AUTH=XOAUTH2", bearer, []string{"C: AUTHENTICATE XOAUTH2", "S: +", "c: " + b64("user="+user+"\x01auth=Bearer "+password+"\x01\x01"),
			"S: + " + b64("token of yesterday"), "c: ", "S: NO no"}, wire.KindAuth, "by XOAUTH2: token of yesterday"},
		{"oauthbearer", "AUTH=OAUTHBEARER", bearer, []string{"C: AUTHENTICATE OAUTHBEARER", "S: + ", "c: " + b64("OAUTH"), "S: NO no"}, wire.KindAuth, ""},
		{"none fits", "AUTH=GSSAPI LOGINDISABLED", nil, nil, wire.KindPlaintext, "GSSAPI"},
		{"wants oauth", "AUTH=XOAUTH2 LOGINDISABLED", func(o *wire.Options) { o.Auth = "plain" }, nil, wire.KindPlaintext, ""},
		{"scram alone in clear", "AUTH=CRAM-MD5 AUTH=SCRAM-SHA-1 AUTH=PLAIN SASL-IR", inClear, []string{"C: AUTHENTICATE SCRAM-SHA-1 ", "S: NO no"}, wire.KindAuth, "by SCRAM-SHA-1"},
		{"external", "AUTH=EXTERNAL SASL-IR", func(o *wire.Options) { o.Secret, o.User = nil, "" }, []string{"C: AUTHENTICATE EXTERNAL =", "S: NO no"}, wire.KindAuth, "client_cert"},
		{"no external", "AUTH=PLAIN", func(o *wire.Options) { o.Secret, o.User = nil, "" }, nil, wire.KindAuth, "client_cert"},
		{"no oauth", "AUTH=PLAIN", bearer, nil, wire.KindAuth, "use a password"},
		{"unknown", "AUTH=PLAIN", auth("kerberos"), nil, wire.KindConfig, "kerberos"},
		{"empty", "AUTH=PLAIN", func(o *wire.Options) { o.Secret = func(context.Context) (string, error) { return "", nil } }, nil, wire.KindSecret, "empty"},
		{"nul", "AUTH=PLAIN", func(o *wire.Options) { o.Secret = func(context.Context) (string, error) { return "a\x00b", nil } }, nil, wire.KindSecret, "NUL"},
		{"secret fails", "AUTH=PLAIN", func(o *wire.Options) {
			o.Secret = func(context.Context) (string, error) { return "", errors.New("pass: no such entry") }
		}, nil, wire.KindSecret, "no such entry"},
		{"odd challenge", "AUTH=PLAIN SASL-IR", nil, []string{"C: AUTHENTICATE PLAIN " + b64("\x00"+user+"\x00"+password), "S: + " + b64("again"), "c: *", "S: BAD cancelled"}, wire.KindAuth, "challenge"},
		{"bad base64", "AUTH=PLAIN SASL-IR", nil, []string{"C: AUTHENTICATE PLAIN " + b64("\x00"+user+"\x00"+password), "S: + ???", "c: *", "S: OK fine"}, wire.KindAuth, "base64"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.name == "oauthbearer" {
				t.Run("dummy", func(t *testing.T) { oauthBearerDummy(t) })
				return
			}
			change := test.change
			if change == nil {
				change = func(*wire.Options) {}
			}
			refused := 0
			e := dialError(t, test.kind, func(s *server) {
				s.write("* OK [CAPABILITY IMAP4rev1 %s] hi\r\n", test.caps)
				s.play(test.talk)
				s.untilClosed()
			}, change, func(o *wire.Options) { o.Refused = func() { refused++ } })
			if told := refused == 1; told != (test.kind == wire.KindAuth) {
				t.Errorf("a refusal is told %d times", refused)
			}
			if !strings.Contains(e.Error(), test.want) {
				t.Errorf("got %v, want %q", e, test.want)
			}
		})
	}
}

// oauthBearerDummy: a refusal is answered by the dummy response of RFC 7628
// section 3.2.3 before the server says NO.
func oauthBearerDummy(t *testing.T) {
	e := dialError(t, wire.KindAuth, func(s *server) {
		s.write("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=OAUTHBEARER] hi\r\n")
		tag := s.expect("AUTHENTICATE OAUTHBEARER ")
		s.write("+ %s\r\n", base64.StdEncoding.EncodeToString([]byte(`{"status":"invalid_token"}`)))
		if got := s.line(); got != "AQ==" {
			s.t.Errorf("dummy response %q", got)
		}
		s.write("%s NO refused\r\n", tag)
		s.untilClosed()
	}, bearer)
	if !strings.Contains(e.Error(), "invalid_token") || !strings.Contains(e.Hint, "token_command") {
		t.Errorf("%v, hint %q", e, e.Hint)
	}
}

func TestScram(t *testing.T) {
	client, _ := scram.SHA256.NewClient(user, password, "")
	stored, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "salt", Iters: 4096})
	if err != nil {
		t.Fatal(err)
	}
	run := func(s *server, ir bool, forge bool) {
		b64 := base64.StdEncoding
		caps := "IMAP4rev1 AUTH=SCRAM-SHA-256 AUTH=PLAIN"
		if ir {
			caps += " SASL-IR"
		}
		s.write("* OK [CAPABILITY %s] hi\r\n", caps)
		srv, _ := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) { return stored, nil })
		conv := srv.NewConversation()
		line := s.line()
		tag, rest, _ := strings.Cut(line, " ")
		blob := strings.TrimPrefix(rest, "AUTHENTICATE SCRAM-SHA-256 ")
		if !ir {
			s.write("+ \r\n")
			blob = s.line()
		}
		for range 2 {
			raw, err := b64.DecodeString(blob)
			if err != nil {
				s.t.Errorf("client sent %q", blob)
			}
			answer, _ := conv.Step(string(raw))
			if forge && strings.HasPrefix(answer, "v=") {
				break
			}
			s.write("+ %s\r\n", b64.EncodeToString([]byte(answer)))
			blob = s.line()
		}
		if !forge && blob != "" {
			s.t.Errorf("last answer %q, want an empty line", blob)
		}
		s.ok(tag)
		if forge {
			s.quiet()
			return
		}
		s.write("* CAPABILITY IMAP4rev1\r\n%s OK done\r\n", s.expect("CAPABILITY"))
		s.untilClosed()
	}
	for _, ir := range []bool{true, false} {
		o := options(listen(t, func(s *server) { run(s, ir, false) }))
		c, err := wire.Dial(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	// A server that does not know the password must not be told it by PLAIN.
	e := dialError(t, wire.KindAuth, func(s *server) { run(s, true, true) })
	if !strings.Contains(e.Error(), "without proving") {
		t.Error(e)
	}
	e = dialError(t, wire.KindAuth, func(s *server) {
		s.write("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=SCRAM-SHA-256 AUTH=PLAIN] hi\r\n")
		tag := s.expect("AUTHENTICATE SCRAM-SHA-256 ")
		s.write("+ %s\r\n", base64.StdEncoding.EncodeToString([]byte("r=x,s=c2FsdA==,i=2000000000")))
		if got := s.line(); got != "*" {
			s.t.Errorf("client sent %q", got)
		}
		s.write("%s NO cancelled\r\n", tag)
		s.quiet()
	})
	if !strings.Contains(e.Error(), "iterations") {
		t.Error(e)
	}
}

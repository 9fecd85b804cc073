package importer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// seconds writes a duration as the configuration has it.
func seconds(n int) string { return fmt.Sprintf("%ds", n) }

// serverOption reads an option of an IMAPAccount.
func (t *mbsync) serverOption(s *mbServer, o mbOption) bool {
	switch o.name {
	case "host":
		s.host = o.arg()
		if rest, ok := strings.CutPrefix(s.host, "imaps:"); ok { // of mbsync before 1.2
			s.host, s.tls = strings.TrimPrefix(rest, "//"), "implicit"
		}
		s.host = strings.TrimPrefix(s.host, "imap:")
	case "port":
		s.port = t.number(o, 1, 65535)
	case "timeout":
		if s.timeout, _ = strconv.Atoi(o.arg()); s.timeout <= 0 || s.timeout > int(24*time.Hour/time.Second) {
			s.timeout = 0
			t.note(o.line, o.said, "there is always a limit here: a minute without a byte, or set the key timeout")
		}
	case "user":
		s.user = o.arg()
	case "usercmd":
		s.userCommand = strings.TrimPrefix(o.arg(), "+")
	case "pass":
		s.password = o.arg()
	case "passcmd":
		s.passwordCommand = strings.TrimPrefix(o.arg(), "+")
	case "usekeychain":
		if s.keyring = t.yes(o); s.keyring {
			t.note(o.line, o.said, "keyring = true reads the secret that imapsync itself stored; run imapsync login, or write "+
				"password_command = \"security find-internet-password -w -s HOST -a USER\" in its place")
		}
	case "tunnel":
		s.tunnel = o.arg()
	case "authmech", "authmechs":
		if left := s.chooseAuth(o.args); left != "" {
			t.note(o.line, o.said, "%s", left)
		}
	case "disableextension", "disableextensions":
		for _, e := range o.args {
			s.disable = append(s.disable, strings.ToUpper(e))
		}
	case "pipelinedepth":
		t.note(o.line, o.said, "there is no such limit; a server that cannot take commands one behind the other, or asks for less, is given connections = 1")
	default:
		return t.tlsOption(s, o)
	}
	return true
}

// tlsOption reads an option of an IMAPAccount that is about TLS.
func (t *mbsync) tlsOption(s *mbServer, o mbOption) bool {
	switch o.name {
	case "ssltype", "tlstype":
		s.tlsLine = o.line
		s.tls = map[string]string{"none": "none", "starttls": "starttls", "imaps": "implicit"}[strings.ToLower(o.arg())]
		if s.tls == "" {
			s.tls = "starttls"
			t.note(o.line, o.said, "%q is none of None, STARTTLS and IMAPS; STARTTLS is taken", o.arg())
		}
	case "useimaps":
		if t.yes(o) {
			s.tls = "implicit"
		}
	case "requiressl":
		if !t.yes(o) && s.tls == "" {
			t.note(o.line, o.said, "TLS is required here; a server that has none needs tls = \"none\"")
		}
	case "requirecram":
		if t.yes(o) {
			s.auth = "cram-md5"
		}
	case "systemcertificates":
		if !t.yes(o) {
			t.note(o.line, o.said, "a ca_file is believed in place of the system's authorities, so only those in CertificateFile count")
		}
	case "certificatefile":
		if !slices.Contains(systemBundles, o.arg()) {
			s.caFile = o.arg()
			t.note(o.line, o.said, "ca_file stands in place of the system's authorities, not beside them; leave it out if the server's certificate is one that they signed")
		}
	case "clientcertificate":
		s.clientCert = o.arg()
	case "clientkey":
		s.clientKey = o.arg()
	case "sslversion", "sslversions", "tlsversions", "usesslv2", "usesslv3", "usetlsv1", "usetlsv1.1", "usetlsv1.2":
		t.note(o.line, o.said, "TLS 1.2 and later are used, whichever the server has")
	case "cipherstring":
		t.note(o.line, o.said, "the ciphers cannot be chosen; only such as are held to be safe are used")
	default:
		return false
	}
	return true
}

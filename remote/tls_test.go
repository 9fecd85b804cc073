package remote

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"imapsync/mail"
	"imapsync/remote/wire"
)

// TestResumption: the second connection of an account resumes the TLS session
// of the first, and its certificate is judged anew all the same.
func TestResumption(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		server := httptest.NewTLSServer(nil)
		server.Close() // its certificate is all that is wanted
		server.TLS.MaxVersion, server.TLS.NextProtos = version, nil
		f := newFakeBehind(t, allCaps, nil, func(c net.Conn) net.Conn { return tls.Server(c, server.TLS) })
		roots := x509.NewCertPool()
		roots.AddCert(server.Certificate())
		var refuse atomic.Bool
		a := f.account(func(c *Config) {
			c.Wire.Security = wire.Implicit
			c.Wire.TLS = &tls.Config{RootCAs: roots, VerifyConnection: func(s tls.ConnectionState) error {
				if refuse.Load() && s.DidResume && len(s.PeerCertificates) > 0 {
					return errors.New("believed no longer")
				}
				return nil
			}}
		})
		one, two := open(t, a, mail.Inbox), open(t, a, mail.Inbox)
		if one.c.wire.TLSState().DidResume {
			t.Error("the first connection has nothing to resume")
		}
		if !two.c.wire.TLSState().DidResume {
			t.Errorf("%s: the second connection does not resume", tls.VersionName(version))
		}
		refuse.Store(true)
		if _, err := dialOnce(t.Context(), a.cfg.Wire); mail.ClassOf(err) != mail.ClassAuth {
			t.Errorf("%s: with another verdict: %v", tls.VersionName(version), err)
		}
		other := f.account(func(c *Config) { c.Wire.Security = wire.Implicit })
		if _, err := dialOnce(t.Context(), other.cfg.Wire); mail.ClassOf(err) != mail.ClassAuth {
			t.Errorf("%s: another account's session was believed: %v", tls.VersionName(version), err)
		}
	}
}

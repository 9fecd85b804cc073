package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// startTLS wraps the connection, checking the certificate.
func (c *Conn) startTLS(ctx context.Context) error {
	cfg := &tls.Config{}
	if c.o.TLS != nil {
		cfg = c.o.TLS.Clone()
	}
	if cfg.ServerName == "" {
		cfg.ServerName = c.o.Host
	}
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)

	conn := tls.Client(c.tcp, cfg)
	c.tcp.SetDeadline(time.Now().Add(c.o.Timeout))
	err := conn.HandshakeContext(ctx)
	c.tcp.SetDeadline(time.Time{})
	if err != nil {
		err := c.tlsError(err)
		c.o.stage("tls", certificates(err), err)
		return err
	}
	c.raw = conn
	c.br = bufio.NewReaderSize(socket{c}, bufferSize)
	state := conn.ConnectionState()
	c.o.stage("tls", tls.VersionName(state.Version)+", "+certificate(state.PeerCertificates), nil)
	return nil
}

// tlsError tells a refused certificate from a broken connection, and says what
// to do.
func (c *Conn) tlsError(err error) *Error {
	doing := "set up TLS with " + c.o.address()
	var (
		op       *net.OpError
		notTLS   tls.RecordHeaderError
		hostname x509.HostnameError
		unknown  x509.UnknownAuthorityError
		invalid  x509.CertificateInvalidError
	)
	e := &Error{Kind: KindTLS, Doing: doing, Err: err}
	switch {
	case errors.As(err, &notTLS):
		e.Hint = `the server does not speak TLS here; perhaps the port wants tls = "starttls"`
	case errors.As(err, &hostname):
		e.Hint = "the certificate is for another name; set host to a name it carries"
	case errors.As(err, &unknown):
		e.Hint = "the certificate is not signed by an authority this system trusts; for a private one set ca_file or fingerprint"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		e.Hint = "the certificate is expired or not valid yet; check this machine's clock, else the server's owner must renew it"
	case errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error"): // an alert of TLS
		e.Hint = "server and client found no common TLS version or cipher; version 1.2 or later is required"
	case op != nil, errors.Is(err, io.EOF), errors.Is(err, os.ErrDeadlineExceeded),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return graded(doing, err)
	}
	return e
}

// greetingError tells a server that refuses the client's certificate, which with
// TLS 1.3 it does when the handshake has ended for us, from a broken connection.
func (c *Conn) greetingError(doing string, err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		return &Error{Kind: KindTLS, Doing: doing, Err: err,
			Hint: "the server wants another certificate of this machine than the one it was shown, or one at all: see client_cert"}
	}
	return graded(doing, err)
}

// certificate describes the server's own certificate.
func certificate(chain []*x509.Certificate) string {
	if len(chain) == 0 {
		return "no certificate"
	}
	cert := chain[0]
	names := cert.DNSNames
	for _, ip := range cert.IPAddresses {
		names = append(names[:len(names):len(names)], ip.String())
	}
	const day = "2006-01-02"
	return printable(fmt.Sprintf("certificate for %s, valid %s to %s, issued by %s",
		strings.Join(names, " "), cert.NotBefore.Format(day), cert.NotAfter.Format(day), cert.Issuer))
}

// certificates describes what a failed verification looked at.
func certificates(err error) string {
	var failed *tls.CertificateVerificationError
	if !errors.As(err, &failed) {
		return ""
	}
	return certificate(failed.UnverifiedCertificates)
}

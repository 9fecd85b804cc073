package main

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"os"
	"strings"

	"imapsync/mail"
	"imapsync/remote"
	"imapsync/remote/route"
	"imapsync/remote/wire"
)

// serverConfig says how the server is reached, through what, and as whom.
func (l *lane) serverConfig(ctx context.Context) (remote.Config, error) {
	options, err := l.wireOptions()
	if err != nil {
		return remote.Config{}, err
	}
	if options.User, err = l.loginName(ctx); err != nil {
		return remote.Config{}, err
	}
	c := remote.Config{Wire: options, Connections: l.Connections, Rename: l.Rename, Namespaces: l.Namespaces, Subscribed: l.Subscribed}
	if l.Tunnel != "" {
		tunnel := route.NewTunnel(l.Tunnel)
		c.Wire.DialContext, c.Wire.Via, c.Through = tunnel.DialContext, wire.ViaTunnel, tunnel
		if c.Wire.Port = 0; l.Host == "" {
			c.Wire.Host = "the tunnel"
		}
		return c, nil
	}
	proxy, err := l.ProxyURL()
	if err != nil {
		return remote.Config{}, usagef("accounts.%s: %v", l.Name, err)
	}
	if proxy != nil {
		c.Wire.DialContext, c.Wire.Via = route.NewProxy(proxy).DialContext, wire.ViaProxy
	}
	return c, nil
}

// loginName is the user to log in as, asked for once.
func (l *lane) loginName(ctx context.Context) (string, error) {
	if l.user == nil {
		name, err := l.LoginName(ctx)
		if err != nil {
			return "", &mail.Fault{Scope: mail.ScopeAccount, Class: mail.ClassAuth, Doing: "get the login name", Err: err}
		}
		l.user = &name
	}
	return *l.user, nil
}

// identity is whom the state belongs to.
func (l *lane) identity() mail.Identity {
	id := mail.Identity{Server: l.Server(), User: l.User, Layout: l.layout()}
	if l.user != nil {
		id.User = *l.user
	}
	return id
}

// layout tells in words where a folder's directory is to be found below the root.
func (l *lane) layout() string {
	words := []string{string(l.Layout)}
	if l.Separator != "" {
		words = append(words, "separator "+l.Separator)
	}
	if l.Inbox != "" {
		words = append(words, "inbox "+l.Inbox)
	}
	if l.UTF7 {
		words = append(words, "names in UTF-7")
	}
	return strings.Join(words, ", ")
}

// clientCertificates are what the server is shown, nil for nothing.
func (l *lane) clientCertificates() ([]tls.Certificate, error) {
	if l.ClientCert == "" {
		return nil, nil
	}
	key, keyFile := "client_key", l.ClientKey
	if keyFile == "" {
		key, keyFile = "client_cert", l.ClientCert
	}
	certPEM, err := os.ReadFile(l.ClientCert)
	if err != nil {
		return nil, l.Wrong("client_cert", "%v; correct the path", err)
	}
	keyPEM, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, l.Wrong(key, "%v; correct the path", err)
	}
	if isEncrypted(keyPEM) {
		return nil, l.Wrong(key, "the private key in %s is encrypted, and nobody is there to ask for its passphrase; "+
			"write it to a file of mode 0600 by openssl pkey -in %s -out FILE, and set client_key to that", keyFile, keyFile)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		text := strings.TrimPrefix(err.Error(), "tls: ")
		return nil, l.Wrong(key, "%s: %s; a PEM file with a certificate and one with its private key are wanted, or both in one", keyFile, text)
	}
	return []tls.Certificate{pair}, nil
}

// isEncrypted tells whether a private key among the PEM blocks is encrypted:
// PKCS #8 (RFC 5958), or the older way of OpenSSL.
func isEncrypted(text []byte) bool {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return true
		}
	}
	return false
}

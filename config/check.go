package config

import (
	"net"
	"path/filepath"
	"strings"
)

// check looks for what is missing and what contradicts, and fills in the
// defaults that depend on other keys.
func (a *Account) check(section value, given map[string]value) {
	for _, name := range []string{"host", "maildir"} {
		if _, ok := given[name]; !ok && (name != "host" || a.Tunnel == "") {
			section.fail("%s is missing", name)
		}
	}
	a.checkTunnel(given)
	a.checkConnection(given)
	a.checkLogin(section, given)
	switch sep, ok := given["separator"]; {
	case ok && a.Layout != LayoutFlat:
		sep.fail(`contradicts layout = %q: only layout = "flat" has a separator`, a.Layout)
	case !ok && a.Layout == LayoutFlat:
		a.Separator = "."
	}
	if v, ok := given["inbox"]; ok && a.Layout == LayoutPlusPlus {
		v.fail("contradicts layout = %q: there the root itself is the inbox", a.Layout)
	}
}

func (a *Account) checkConnection(given map[string]value) {
	if host, ok := given["host"]; ok {
		if strings.ContainsAny(a.Host, "/@ \t") || strings.Contains(a.Host, ":") && net.ParseIP(a.Host) == nil {
			host.fail("must be a name or an address alone, without scheme, user or port, not %q", a.Host)
		}
	}
	if _, ok := given["port"]; !ok && a.Tunnel == "" {
		if a.Port = 993; a.TLS != TLSImplicit {
			a.Port = 143
		}
	}
	if v, ok := given["insecure"]; ok && a.Insecure && a.TLS != TLSNone {
		v.fail(`contradicts tls = %q: insecure only lets tls = "none" be used beyond this machine; `+
			"for a certificate nobody signed give its fingerprint, or a ca_file", a.TLS)
	}
	if a.TLS == TLSNone {
		for _, name := range []string{"ca_file", "fingerprint", "client_cert"} {
			if v, ok := given[name]; ok {
				v.fail(`contradicts tls = "none": without TLS there are no certificates`)
			}
		}
		if !a.Insecure && !isLoopback(a.Host) && a.Tunnel == "" {
			given["tls"].fail(`would send the password in clear to %s; use "implicit" or "starttls", or set insecure = true`, a.Host)
		}
	}
	if v, ok := given["fingerprint"]; ok && a.CAFile != "" {
		v.fail("contradicts ca_file: give one way to know the certificate")
	}
	if v, ok := given["client_key"]; ok && a.ClientCert == "" {
		v.fail("is the key of no certificate: give client_cert too")
	}
}

// checkTunnel comes before checkConnection: in a tunnel there is no TLS unless
// it is asked for.
func (a *Account) checkTunnel(given map[string]value) {
	if a.Tunnel == "" {
		return
	}
	if v, ok := given["proxy"]; ok {
		v.fail("contradicts tunnel: its command alone makes the connection")
	}
	if _, ok := given["port"]; !ok {
		a.Port = 993 // of the account's identity; as without the tunnel
	}
	v, ok := given["tls"]
	switch {
	case !ok:
		a.TLS = TLSNone
	case a.TLS != TLSNone && a.Host == "":
		v.fail("in a tunnel needs host, the name that the certificate must carry")
	}
}

func (a *Account) checkLogin(section value, given map[string]value) {
	_, user := given["user"]
	if v, ok := given["user_command"]; ok && user {
		v.fail("contradicts user: give one of them")
	}
	user = user || a.UserCommand != ""
	if a.Auth == "external" {
		if !a.Secret.IsZero() {
			given[a.Secret.key].fail(`contradicts auth = "external": no secret is sent`)
		}
		return
	}
	if a.Secret.IsZero() && a.Auth == "auto" && (a.ClientCert != "" || a.Tunnel != "") {
		return // EXTERNAL, or PREAUTH
	}
	if !user {
		section.fail("user is missing")
	}
	if a.Secret.IsZero() {
		section.fail("there is no secret: give one of password, password_file, password_command, credential, keyring, token_command, oauth")
		return
	}
	if a.UserCommand != "" && (a.Secret.keyring || a.OAuth != nil) {
		given["user_command"].fail("what %s keeps is found by the login name: give user instead", a.Secret.key)
	}
	if a.Secret.keyring {
		a.Secret.entry = a.User + "@" + a.Host
	}
	switch a.Auth {
	case "xoauth2", "oauthbearer":
		a.Secret.Bearer = true
	case "auto":
	default:
		if a.Secret.Bearer {
			given[a.Secret.key].fail("contradicts auth = %q: an access token needs auto, xoauth2 or oauthbearer", a.Auth)
		}
	}
}

// checkPlaces keeps Maildirs out of each other and the state out of them.
func (c *Config) checkPlaces(d *document) {
	at := func(a *Account) value {
		return value{doc: d, path: []string{"accounts", a.Name, "maildir"}}
	}
	state := resolved(c.StateDir)
	for i, a := range c.Accounts {
		mine := resolved(a.Maildir)
		if within(state, mine) {
			at(a).fail("the state directory %s lies inside it; state and mail must be apart", c.StateDir)
		}
		for _, b := range c.Accounts[:i] {
			switch other := resolved(b.Maildir); {
			case mine == other:
				at(a).fail("is also the Maildir of account %q", b.Name)
			case within(mine, other):
				at(a).fail("lies inside the Maildir of account %q", b.Name)
			case within(other, mine):
				at(a).fail("holds the Maildir of account %q", b.Name)
			}
		}
	}
}

// resolved follows the symbolic links of the part of a path that exists.
func resolved(dir string) string {
	for at, rest := dir, ""; ; at, rest = filepath.Dir(at), filepath.Join(filepath.Base(at), rest) {
		if real, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(real, rest)
		}
		if at == filepath.Dir(at) {
			return dir
		}
	}
}

// within reports whether a path is dir or below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

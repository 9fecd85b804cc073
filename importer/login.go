package importer

import (
	"net"
	"strings"
)

// login is how a server is reached and who the user is.
type login struct {
	host    string
	port    int
	tls     string // implicit, starttls, none; "" is starttls, in a tunnel none
	timeout int    // seconds; 0 is ours

	user, userCommand string
	password          string
	passwordFile      string
	passwordCommand   string
	tokenCommand      string
	keyring           bool
	auth              string // "" is auto

	caFile, clientCert, clientKey string
	fingerprints                  []string
	tunnel, proxy                 string
	disable                       []string
	oauth                         []pair // the key oauth, "" in place of what is not known
}

// put writes the login as keys of an account. missing is the key that has to be
// added by hand, "" for none.
func (l *login) put(s *settings, env Env) (missing string) {
	text := func(key, value string) {
		if value != "" {
			s.set(key, value)
		}
	}
	file := func(key, path string) {
		if path != "" {
			s.set(key, env.short(env.path(path)))
		}
	}
	text("host", l.host)
	tls, usually := l.tls, "implicit"
	if tls == "" {
		tls = "starttls"
	}
	if l.tunnel != "" {
		tls, usually = l.tls, ""
	}
	usual := 143
	if tls == "implicit" {
		usual = 993
	}
	if l.port > 0 && l.tunnel == "" && l.port != usual {
		s.set("port", l.port)
	}
	text("tunnel", l.tunnel)
	if tls != usually {
		text("tls", tls)
	}
	if tls == "none" && l.tunnel == "" && !isLoopback(l.host) {
		s.set("insecure", true)
	}
	file("ca_file", l.caFile)
	if len(l.fingerprints) > 0 {
		s.set("fingerprint", l.fingerprints)
	}
	text("user", l.user)
	text("user_command", l.userCommand)
	missing = l.putSecret(s, text, file)
	if l.auth != "" {
		s.set("auth", l.auth)
	}
	file("client_cert", l.clientCert)
	file("client_key", l.clientKey)
	text("proxy", l.proxy)
	if l.timeout > 0 {
		s.set("timeout", seconds(l.timeout))
	}
	if len(l.disable) > 0 {
		s.set("disable_extensions", l.disable)
	}
	return missing
}

// putSecret writes one source of the secret, the first that the old program
// would have taken.
func (l *login) putSecret(s *settings, text, file func(key, value string)) (missing string) {
	switch {
	case l.auth == "external":
	case l.tokenCommand != "":
		text("token_command", l.tokenCommand)
	case l.passwordCommand != "" && (l.auth == "xoauth2" || l.auth == "oauthbearer"):
		text("token_command", l.passwordCommand)
	case l.passwordCommand != "":
		text("password_command", l.passwordCommand)
	case l.passwordFile != "":
		file("password_file", l.passwordFile)
	case l.password != "":
		text("password", l.password)
	case l.keyring:
		s.set("keyring", true)
	case len(l.oauth) > 0:
		s.set("oauth", l.oauth)
	case l.tunnel != "" || l.clientCert != "":
	default:
		return `password_command = "…"  # the old file has no password: give a command that prints it, or password, password_file or token_command`
	}
	return ""
}

// hasSecret reports whether there is a secret other than by oauth.
func (l *login) hasSecret() bool {
	return l.tokenCommand != "" || l.passwordCommand != "" || l.passwordFile != "" || l.password != "" || l.keyring
}

// mechanisms are the SASL mechanisms that have a name of ours.
var mechanisms = map[string]string{
	"scram-sha-256": "scram-sha-256", "scram-sha-1": "scram-sha-1", "cram-md5": "cram-md5", "plain": "plain", "login": "login",
	"xoauth2": "xoauth2", "oauthbearer": "oauthbearer", "external": "external",
}

// chooseAuth picks the value of auth for a list of mechanisms, and says in words
// what of it is not carried over.
func (l *login) chooseAuth(list []string) (left string) {
	var known, other []string
	for _, m := range list {
		if m == "*" {
			return ""
		}
		if ours := mechanisms[strings.ToLower(m)]; ours != "" {
			known = append(known, ours)
		} else {
			other = append(other, m)
		}
	}
	if len(other) > 0 {
		left = strings.Join(other, ", ") + " is not known here"
	}
	switch {
	case len(known) == 1:
		l.auth = known[0]
		if left != "" {
			left += "; " + known[0] + " is taken"
		}
	case len(known) > 1:
		left = strings.TrimPrefix(left+"; ", "; ") + "one mechanism can be named, so the best that the server offers is taken; set auth to one of " + strings.Join(known, ", ") + " if it has to be"
	case left != "":
		left += "; the best of " + "SCRAM, PLAIN and LOGIN that the server offers is taken"
	}
	return left
}

// systemBundles are where systems keep the authorities that are believed here
// without being named.
var systemBundles = []string{
	"/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs/ca-bundle.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/usr/local/share/certs/ca-root-nss.crt", "/usr/local/etc/openssl/cert.pem",
	"/usr/local/etc/openssl@1.1/cert.pem", "/usr/local/etc/openssl@3/cert.pem", "/opt/homebrew/etc/openssl@3/cert.pem", "/etc/ssl/certs",
	"/usr/local/etc/ssl/cert.pem", "/etc/openssl/certs/ca-certificates.crt", "/etc/certs/ca-certificates.crt", "/opt/homebrew/etc/ca-certificates/cert.pem",
}

// isLoopback reports whether a host is this machine, by name or address.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

package discover

import (
	"path"
	"slices"
	"strings"
)

// provider is a big one, whose server need not be asked for.
type provider struct {
	domains    []string // patterns of path.Match
	host       string
	port       int    // 0 is 993
	tls        string // "" is implicit
	localUser  bool   // the login name is the part before the @
	noPassword bool
	note       string
}

const (
	appPassword = "it wants an app password, made in the account's security settings"
	switchedOn  = "IMAP has to be switched on in the settings of the web mail first"
)

var providers = []provider{
	{domains: []string{"gmail.com", "googlemail.com"}, host: "imap.gmail.com", note: "it wants OAuth 2 or, with 2-step verification, an app password"},
	{domains: []string{"outlook.com", "outlook.*", "hotmail.com", "hotmail.*", "hotmail.co.uk", "live.com", "live.*", "live.co.uk", "msn.com"},
		host: "outlook.office365.com", noPassword: true, note: "it takes no password, only OAuth 2; " + switchedOn},
	{domains: []string{"icloud.com", "me.com", "mac.com"}, host: "imap.mail.me.com", localUser: true, note: appPassword},
	{domains: []string{"yahoo.com", "yahoo.*", "yahoo.co.*", "yahoo.com.*", "ymail.com", "rocketmail.com"}, host: "imap.mail.yahoo.com", note: appPassword},
	{domains: []string{"aol.com"}, host: "imap.aol.com", note: appPassword},
	{domains: []string{"fastmail.com", "fastmail.fm"}, host: "imap.fastmail.com", note: appPassword},
	{domains: []string{"gmx.de", "gmx.net", "gmx.at", "gmx.ch"}, host: "imap.gmx.net", note: switchedOn},
	{domains: []string{"gmx.com", "mail.com"}, host: "imap.gmx.com", note: switchedOn},
	{domains: []string{"web.de"}, host: "imap.web.de", note: switchedOn},
	{domains: []string{"t-online.de"}, host: "secureimap.t-online.de", note: "it wants the password for mail programs, made in the customer centre"},
	{domains: []string{"mailbox.org"}, host: "imap.mailbox.org"},
	{domains: []string{"posteo.de", "posteo.net", "posteo.at", "posteo.ch", "posteo.eu", "posteo.org"}, host: "posteo.de"},
	{domains: []string{"zoho.com", "zohomail.com"}, host: "imap.zoho.com", note: switchedOn},
	{domains: []string{"zohomail.eu"}, host: "imap.zoho.eu", note: switchedOn},
	{domains: []string{"proton.me", "protonmail.com", "protonmail.ch", "pm.me"}, host: "127.0.0.1", port: 1143, tls: "starttls",
		note: "it is reached through Proton Mail Bridge on this machine, which shows the login name and a password of its own; " +
			"its certificate is its own, too: export it there and give --ca-file"},
}

// known looks an address up in the list.
func known(local, domain string) (Server, bool) {
	for _, p := range providers {
		if !slices.ContainsFunc(p.domains, func(pattern string) bool { ok, _ := path.Match(pattern, domain); return ok }) {
			continue
		}
		s := Server{Host: p.host, Port: p.port, TLS: p.tls, User: local + "@" + domain, OAuth: providerOf(p.host), NoPassword: p.noPassword,
			Note: p.note, Found: "the list of providers", Sure: true}
		if s.Port == 0 {
			s.Port = 993
		}
		if s.TLS == "" {
			s.TLS = "implicit"
		}
		if p.localUser {
			s.User = local
		}
		return s, true
	}
	return Server{}, false
}

// providerOf is the OAuth 2 provider that a server belongs to.
func providerOf(host string) string {
	switch {
	case host == "imap.gmail.com", host == "imap.googlemail.com":
		return "google"
	case host == "outlook.office365.com", host == "imap-mail.outlook.com", strings.HasSuffix(host, ".office365.com"):
		return "microsoft"
	}
	return ""
}

package config

import (
	"net/url"
	"strings"

	"imapsync/oauth"
)

func setKeyring(a *Account, v value) {
	if b, ok := v.boolean(); ok && b {
		setSecret(a, v, Secret{keyring: true})
	}
}

// setOAuth makes the client of the table; what is given besides the provider
// replaces what is known of it.
func setOAuth(a *Account, v value) {
	before := len(v.doc.errs)
	members := v.entries()
	c := &oauth.Client{}
	for _, member := range members {
		if member.name() == "provider" {
			if name, ok := member.oneOf(oauth.Providers()...); ok {
				c = oauth.Provider(name)
			}
		}
	}
	for _, member := range members {
		setClient(c, member)
	}
	if len(v.doc.errs) > before {
		return
	}
	switch {
	case c.ID == "":
		v.fail("client_id is missing: register imapsync with the provider as an installed application, which gives one")
	case c.TokenURL == "":
		v.fail("token_url is missing; or name a provider: %s", strings.Join(oauth.Providers(), ", "))
	case c.AuthURL == "" && c.DeviceURL == "":
		v.fail("auth_url is missing, or device_url: there is no way to log in")
	default:
		setSecret(a, v, Secret{Bearer: true})
		a.OAuth = c
	}
}

func setClient(c *oauth.Client, v value) {
	addresses := map[string]*string{"auth_url": &c.AuthURL, "token_url": &c.TokenURL, "device_url": &c.DeviceURL}
	switch v.name() {
	case "provider":
	case "client_id":
		c.ID, _ = v.text()
	case "client_secret":
		if s, ok := v.text(); ok {
			c.SetSecret(s)
		}
		if v.doc.readable {
			v.fail("the file holds a secret and others may read it; run: chmod 600 %s", v.doc.file)
		}
	case "scopes":
		if list, ok := v.texts(); ok {
			c.Scopes = list
		}
	default:
		if to := addresses[v.name()]; to != nil {
			setAddress(to, v)
			return
		}
		v.unknown("provider", "client_id", "client_secret", "auth_url", "token_url", "device_url", "scopes")
	}
}

// setAddress takes an address of an authorization server, which is told secrets.
func setAddress(to *string, v value) {
	s, ok := v.text()
	if !ok {
		return
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		v.fail("must be an address such as https://login.example.org/token")
	case u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())):
		v.fail("must begin with https://: it is told secrets")
	default:
		*to = s
	}
}

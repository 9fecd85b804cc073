package wire

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// loginCommand is how the LOGIN command is called among the mechanisms, to
// tell it from SASL LOGIN.
const loginCommand = "LOGIN command"

var (
	// Bound ones first: who could take away the offer of the better hash with
	// binding, and leave that of the other, would be rid of the binding else.
	scrams    = []string{"SCRAM-SHA-256" + plus, "SCRAM-SHA-1" + plus, "SCRAM-SHA-256", "SCRAM-SHA-1"}
	passwords = []string{"PLAIN", loginCommand, "LOGIN"} // these tell the password itself
	bearers   = []string{"OAUTHBEARER", "XOAUTH2"}
)

// offers tells whether the server has a mechanism and the connection what it
// takes.
func (c *Conn) offers(how string) bool {
	switch {
	case how == loginCommand:
		return !c.caps["LOGINDISABLED"]
	case strings.HasSuffix(how, plus) && !bindingOf(c.TLSState()).IsSupported():
		return false
	}
	return c.caps["AUTH="+how] && !c.disabled("AUTH="+how)
}

// private tells whether nobody can overhear the connection.
func (c *Conn) private() bool { return c.raw != c.tcp || !c.overNetwork() }

// preferred are the mechanisms that fit the credential and the configuration,
// the strongest first. CRAM-MD5 is worth more than the password itself only
// where that can be overheard: who overhears it may guess passwords at leisure.
func (c *Conn) preferred() ([]string, error) {
	want := strings.ToUpper(c.o.Auth)
	switch {
	case want == "LOGIN":
		return []string{loginCommand, "LOGIN"}, nil
	case want != "" && want != "AUTO" && newMechanism(want, login{}) == nil:
		return nil, &Error{Kind: KindConfig, Doing: "log in to " + c.o.address(), Err: fmt.Errorf("unknown mechanism %q", c.o.Auth)}
	case isScram(want):
		return []string{want + plus, want}, nil
	case want != "" && want != "AUTO":
		return []string{want}, nil
	case c.o.Bearer:
		return bearers, nil
	case c.o.Secret == nil:
		return []string{"EXTERNAL"}, nil
	case c.private():
		return slices.Concat(scrams, passwords, []string{"CRAM-MD5"}), nil
	}
	return slices.Concat(scrams, []string{"CRAM-MD5"}, passwords), nil
}

// mechanisms are the ways to try in turn: the strongest that is preferred and
// offered, alone. Only after SCRAM without binding also the next of another kind,
// where the password cannot be overheard, for a server that offers SCRAM and has
// it not, or not for this user: it refuses out of hand.
func (c *Conn) mechanisms() ([]string, error) {
	preferred, err := c.preferred()
	if err != nil {
		return nil, err
	}
	var found []string
	for _, how := range preferred {
		if c.offers(how) {
			found = append(found, how)
		}
	}
	if len(found) == 0 {
		return nil, c.noMechanism(preferred)
	}
	hows := found[:1:1]
	others := slices.DeleteFunc(slices.Clone(found), isScram)
	if unbound := isScram(hows[0]) && !strings.HasSuffix(hows[0], plus); unbound && len(others) > 0 && c.private() {
		hows = append(hows, others[0])
	}
	return hows, nil
}

func (c *Conn) noMechanism(preferred []string) error {
	var offered []string
	for name := range c.caps {
		if m, ok := strings.CutPrefix(name, "AUTH="); ok {
			offered = append(offered, m)
		}
	}
	slices.Sort(offered)
	e := &Error{Kind: KindAuth, Doing: "log in to " + c.o.address(),
		Err:  fmt.Errorf("the server offers [%s], none of which is %s", c.shortText(strings.Join(offered, " ")), strings.Join(preferred, ", ")),
		Hint: "set auth to one that is offered"}
	switch {
	case c.raw == c.tcp && c.caps["LOGINDISABLED"]:
		e.Kind, e.Hint = KindPlaintext, `the server takes no password without TLS (LOGINDISABLED); set tls = "starttls" or "implicit"`
	case preferred[0] == "EXTERNAL":
		e.Err = errors.New("the server does not offer to log in without a secret (EXTERNAL)")
		e.Hint = "it may have refused the certificate of client_cert, or want a password"
	case slices.Contains(offered, "OAUTHBEARER") || slices.Contains(offered, "XOAUTH2"):
		e.Hint = "this server wants OAuth 2, not a password"
	case c.o.Bearer:
		e.Hint = "this server takes no OAuth 2 token; use a password"
	}
	return e
}

package wire

import (
	"encoding/json"
	"strings"
)

// bearer sends a token. A refusal comes as a challenge that says why, and must
// be answered, by dummy, before the server says NO (RFC 7628 section 3.2.3).
func bearer(name, message, dummy string) *mechanism {
	m, why := oneShot(name, message), ""
	m.next = func(challenge []byte) ([]byte, error) {
		why = tokenRefusal(challenge)
		return []byte(dummy), nil
	}
	m.why = func() string { return why }
	return m
}

// tokenRefusals are the statuses of RFC 7628, which are those of RFC 6750, and
// the HTTP codes that servers of XOAUTH2 say instead.
var tokenRefusals = map[string]string{
	"invalid_token":      "is expired, revoked or not for this server",
	"insufficient_scope": "does not allow IMAP",
	"invalid_request":    "is not in the form the server wants",
	"400":                "is expired, revoked or not for this server",
	"401":                "is expired, revoked or not for this server",
	"403":                "does not allow IMAP",
}

// tokenRefusal puts a server's refusal, which should be JSON, into words.
func tokenRefusal(challenge []byte) string {
	var refusal struct{ Status, Scope string }
	if json.Unmarshal(challenge, &refusal) != nil || refusal.Status == "" {
		return string(challenge)
	}
	said := "status " + refusal.Status
	if refusal.Scope != "" {
		said += ", scope " + refusal.Scope
	}
	if words := tokenRefusals[strings.ToLower(refusal.Status)]; words != "" {
		return "the access token " + words + " (" + said + ")"
	}
	return "the access token is refused (" + said + ")"
}

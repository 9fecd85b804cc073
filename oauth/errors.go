package oauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"golang.org/x/oauth2"
)

// Kind is what an Error asks for.
type Kind string

// The kinds of failure.
const (
	KindLogin       Kind = "login"       // only a new login of the user helps
	KindRefused     Kind = "refused"     // the client, its scopes or its endpoints are not what the server wants
	KindUnavailable Kind = "unavailable" // the network or the server is at fault, for now
	KindStore       Kind = "store"       // the refresh token cannot be read or kept
	KindKeyring     Kind = "keyring"     // the keyring, where the refresh token may be, is locked or cannot be reached
)

// Error is why there is no token. It holds no secret.
type Error struct {
	Kind Kind
	Code string // of the server (RFC 6749 section 5.2), "" if it gave none
	Err  error
	Hint string // what the user can do about it, beyond what the kind says
}

func (e *Error) Error() string {
	if e.Code != "" {
		return fmt.Sprintf("the authorization server says %s: %v", e.Code, e.Err)
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// kinds sorts the server's error codes (RFC 6749, RFC 8628, OpenID Connect
// Core); those not here refuse the client.
var kinds = map[string]Kind{
	"invalid_grant": KindLogin, "access_denied": KindLogin, "expired_token": KindLogin, "interaction_required": KindLogin,
	"login_required": KindLogin, "consent_required": KindLogin,
	"temporarily_unavailable": KindUnavailable, "server_error": KindUnavailable,
}

// refusal is what the server said, without the secrets it was told.
func refusal(code, description string, secrets []string) *Error {
	code, description = shown(code, secrets), shown(description, secrets)
	return &Error{Kind: cmp.Or(kinds[code], KindRefused), Code: code, Err: errors.New(cmp.Or(description, "no more than that"))}
}

// failure grades an error of x/oauth2. Its own text would show the server's
// whole answer, which may hold tokens.
func failure(ctx context.Context, err error, secrets []string) error {
	var said *oauth2.RetrieveError
	var unreachable *url.Error
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &said):
		status := said.Response.StatusCode
		e := &Error{Kind: KindRefused, Err: fmt.Errorf("the authorization server answered %s", shown(said.Response.Status, secrets))}
		if said.ErrorCode != "" {
			e = refusal(said.ErrorCode, said.ErrorDescription, secrets)
		}
		if status >= http.StatusInternalServerError || status == http.StatusTooManyRequests {
			e.Kind = KindUnavailable
		}
		return e
	case errors.As(err, &unreachable):
		return &Error{Kind: KindUnavailable, Err: unreachable}
	}
	return &Error{Kind: KindRefused, Err: errors.New("what the authorization server answered is no token")}
}

// shown makes one short line of a server's words, without control characters
// and secrets.
func shown(text string, secrets []string) string {
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "[redacted]")
		}
	}
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r)
	}), " ")
	const most = 500
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

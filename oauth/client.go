package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/oauth2"
)

// Client is what an authorization server knows us as, and where it is.
type Client struct {
	ID      string
	AuthURL string // "" where there is no login by a browser on this machine
	// TokenURL gives and refreshes tokens.
	TokenURL  string
	DeviceURL string // "" where there is no login by another device
	Scopes    []string

	// RedirectHost is the name of this machine in the address that the browser
	// is sent back to; "" is 127.0.0.1, as RFC 8252 section 8.3 advises.
	RedirectHost string
	// Params are further parameters of the request for authorization.
	Params map[string]string

	secret *string // behind a pointer: package fmt prints what it finds in fields
}

// SetSecret sets the client secret. That of an installed application is no
// secret of its user (RFC 8252 section 8.5), but some servers insist on one.
func (c *Client) SetSecret(secret string) { c.secret = &secret }

// Format keeps the secret out of every verb of package fmt.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "client "+c.ID) }

// Provider returns a client of a provider whose endpoints are known, nil for
// another name. Its ID is left to be set.
func Provider(name string) *Client {
	switch name {
	case "google":
		return &Client{
			AuthURL: "https://accounts.google.com/o/oauth2/v2/auth", TokenURL: "https://oauth2.googleapis.com/token",
			DeviceURL: "https://oauth2.googleapis.com/device/code", Scopes: []string{"https://mail.google.com/"},
			// Without these there is no refresh token, or only the first time.
			Params: map[string]string{"access_type": "offline", "prompt": "consent"},
		}
	case "microsoft":
		const base = "https://login.microsoftonline.com/common/oauth2/v2.0/"
		return &Client{
			AuthURL: base + "authorize", TokenURL: base + "token", DeviceURL: base + "devicecode",
			Scopes: []string{"https://outlook.office.com/IMAP.AccessAsUser.All", "offline_access"},
			// The port may be any only with the name that its web pages register.
			RedirectHost: "localhost",
		}
	}
	return nil
}

// Providers are the names that Provider knows.
func Providers() []string { return []string{"google", "microsoft"} }

func (c *Client) config() *oauth2.Config {
	conf := &oauth2.Config{ClientID: c.ID, Scopes: c.Scopes, Endpoint: oauth2.Endpoint{
		AuthURL: c.AuthURL, TokenURL: c.TokenURL, DeviceAuthURL: c.DeviceURL,
		AuthStyle: oauth2.AuthStyleInParams, // to try both would ask twice each time
	}}
	if c.secret != nil {
		conf.ClientSecret = *c.secret
	}
	return conf
}

// secrets are what no text may show.
func (c *Client) secrets(more ...string) []string {
	if c.secret != nil {
		more = append(more, *c.secret)
	}
	return more
}

// answerTime is how long an authorization server may take.
const answerTime = 30 * time.Second

// client makes x/oauth2 talk to the server by our rules until ctx ends.
func client(ctx context.Context) context.Context {
	transport := http.DefaultTransport
	if given, ok := ctx.Value(oauth2.HTTPClient).(*http.Client); ok {
		transport = given.Transport // of a test
	}
	return context.WithValue(ctx, oauth2.HTTPClient, &http.Client{
		Transport: bound{ctx, transport},
		// The place that is asked gets secrets: no other is to.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	})
}

// bound ends requests with a context, and those that take too long; x/oauth2
// makes some without a context, and leaves some answers open.
type bound struct {
	ctx context.Context
	http.RoundTripper
}

func (b bound) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, end := context.WithTimeout(r.Context(), answerTime)
	stop := context.AfterFunc(b.ctx, end)
	answer, err := b.RoundTripper.RoundTrip(r.WithContext(ctx))
	if err != nil {
		stop()
		end()
		return nil, err
	}
	answer.Body = &ending{answer.Body, func() { stop(); end() }}
	return answer, nil
}

// ending is a body after which nothing is left running.
type ending struct {
	io.ReadCloser
	end func()
}

func (e *ending) Read(p []byte) (int, error) {
	n, err := e.ReadCloser.Read(p)
	if err != nil {
		e.end()
	}
	return n, err
}

func (e *ending) Close() error {
	defer e.end()
	return e.ReadCloser.Close()
}

// grant makes a Grant of the server's answer.
func (c *Client) grant(t *oauth2.Token, now time.Time) (*Grant, error) {
	if t.RefreshToken == "" {
		return nil, &Error{Kind: KindRefused, Err: errors.New("the server gave no refresh token"),
			Hint: "the scopes must ask for one; many servers want offline_access among them"}
	}
	g := &Grant{Client: c.ID, TokenURL: c.TokenURL, Refresh: t.RefreshToken, Access: t.AccessToken, Expiry: t.Expiry}
	switch {
	case t.ExpiresIn > 0: // by the clock that will be asked
		g.Expiry = now.Add(time.Duration(t.ExpiresIn) * time.Second)
	case g.Expiry.IsZero():
		g.Expiry = now.Add(unsaidLifetime)
	}
	return g, nil
}

// unsaidLifetime is how long an access token is used of which the server did
// not say how long it lasts.
const unsaidLifetime = 5 * time.Minute

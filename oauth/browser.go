package oauth

import (
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

// Browser has a person log in with a browser on this machine (RFC 8252): show
// is told the address to open, and the answer comes to a port of 127.0.0.1 that
// the system chooses. user is whom the server may suggest. The proof of RFC 7636
// makes the answer of no use to a program that overhears it.
func (c *Client) Browser(ctx context.Context, user string, show func(address string)) (*Grant, error) {
	if c.AuthURL == "" {
		return nil, &Error{Kind: KindRefused, Err: errors.New("there is no address for a login by a browser"),
			Hint: "give auth_url, or log in with --device"}
	}
	conf := c.config()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, &Error{Kind: KindUnavailable, Err: err}
	}
	host := c.RedirectHost
	if host == "" {
		host = "127.0.0.1"
	}
	conf.RedirectURL = "http://" + net.JoinHostPort(host, strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
	state, verifier := oauth2.GenerateVerifier(), oauth2.GenerateVerifier()

	w := &waiting{state: state, answers: make(chan url.Values, 1)}
	server := &http.Server{Handler: w, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	server.SetKeepAlivesEnabled(false)
	go func() { _ = server.Serve(listener) }()
	defer stop(server)

	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier)}
	for name, value := range c.Params {
		options = append(options, oauth2.SetAuthURLParam(name, value))
	}
	if user != "" {
		options = append(options, oauth2.SetAuthURLParam("login_hint", user))
	}
	show(conf.AuthCodeURL(state, options...))
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case answer := <-w.answers:
		if code := answer.Get("error"); code != "" {
			return nil, refusal(code, answer.Get("error_description"), c.secrets())
		}
		ctx = client(ctx)
		token, err := conf.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(verifier))
		if err != nil {
			return nil, failure(ctx, err, c.secrets(answer.Get("code"), verifier))
		}
		return c.grant(token, time.Now())
	}
}

// stop ends the server when the browser has its page, but waits for no
// connection that a browser opens and does not use.
func stop(server *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = server.Shutdown(ctx)
	_ = server.Close()
}

// waiting takes one answer to one question.
type waiting struct {
	state    string
	answered atomic.Bool
	answers  chan url.Values
}

// ServeHTTP refuses whatever is not the answer: another page of the browser, or
// another program of this machine, may ask for anything here.
func (w *waiting) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	out.Header().Set("Content-Type", "text/plain; charset=utf-8")
	out.Header().Set("Cache-Control", "no-store")
	out.Header().Set("Referrer-Policy", "no-referrer") // the address holds the code
	answer := r.URL.Query()
	switch {
	case r.URL.Path != "/" || r.Method != http.MethodGet:
		http.Error(out, "There is nothing here.", http.StatusNotFound)
	case subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(w.state)) != 1,
		answer.Get("code") == "" && answer.Get("error") == "":
		http.Error(out, "This is not the answer to the login that imapsync waits for.", http.StatusBadRequest)
	case w.answered.Swap(true):
		http.Error(out, "This login was answered before.", http.StatusGone)
	default:
		_, _ = io.WriteString(out, "imapsync has the answer. Go on in the terminal; this page can be closed.\n")
		w.answers <- answer
	}
}

package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	system "github.com/zalando/go-keyring"
	"golang.org/x/oauth2"

	"imapsync/internal/authserver"
)

// without runs a test without a keyring.
func without(t *testing.T) {
	t.Helper()
	system.MockInitWithError(errors.New("no bus"))
	t.Cleanup(system.MockInit)
}

// direct hands requests to the server without a network, so that nothing but
// the clock is waited for.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

func (d direct) context(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: d})
}

func testClient(base string) *Client {
	c := &Client{ID: authserver.ClientID, AuthURL: base + "/auth", TokenURL: base + "/token", DeviceURL: base + "/device",
		Scopes: strings.Fields(authserver.Scope)}
	c.SetSecret(authserver.ClientSecret)
	return c
}

// kindOf is the kind of an error that is one of this package.
func kindOf(err error) Kind {
	var e *Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Kind
}

// secretless checks that an error shows nothing that nobody may see.
func secretless(t *testing.T, err error) {
	t.Helper()
	for _, part := range []string{"unmistakable", authserver.ClientSecret} {
		if text := fmt.Sprintf("%v %+v %#v", err, err, err.Error()); strings.Contains(text, part) {
			t.Errorf("a secret is shown: %s", text)
		}
	}
}

// get is what a browser does with an address.
func get(t *testing.T, address string) (status int, page string) {
	t.Helper()
	answer, err := http.Get(address)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Error(err)
	}
	return answer.StatusCode, string(text)
}

func TestBrowser(t *testing.T) {
	s := authserver.New("me@example.org")
	web := httptest.NewServer(s)
	defer web.Close()
	for _, host := range []string{"", "localhost"} {
		c := testClient(web.URL)
		c.RedirectHost = host
		c.Params = map[string]string{"prompt": "consent"}
		g, err := c.Browser(t.Context(), "me@example.org", func(address string) {
			u, _ := url.Parse(address)
			if q := u.Query(); q.Get("login_hint") != "me@example.org" || q.Get("prompt") != "consent" {
				t.Errorf("asked for %v", q)
			}
			if status, page := get(t, address); status != http.StatusOK || !strings.Contains(page, "terminal") {
				t.Errorf("the browser shows %d %s", status, page)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if g.Refresh == "" || !s.Accepts(g.Access) {
			t.Error("the grant lacks something")
		}
	}
}

// TestBrowserStrangers: only the answer to the question is taken, and only once.
func TestBrowserStrangers(t *testing.T) {
	s := authserver.New("me@example.org")
	web := httptest.NewServer(s)
	defer web.Close()
	var back, state string
	_, err := testClient(web.URL).Browser(t.Context(), "", func(address string) {
		u, _ := url.Parse(address)
		back, state = u.Query().Get("redirect_uri"), u.Query().Get("state")
		if !strings.HasPrefix(back, "http://127.0.0.1:") {
			t.Errorf("the answer goes to %s", back)
		}
		for query, want := range map[string]int{
			"/?code=stolen&state=guessed": 400, "/?code=stolen": 400, "/?error=access_denied&state=x": 400,
			"/?state=" + state: 400, "/other?code=x&state=" + state: 404, "/favicon.ico": 404,
		} {
			if status, _ := get(t, back+query); status != want {
				t.Errorf("%s: %d, want %d", query, status, want)
			}
		}
		get(t, address)
		if status, _ := get(t, back+"/?code=late&state="+state); status != http.StatusGone {
			t.Errorf("a second answer: %d", status)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := http.Get(back + "/?code=late&state=" + state); err == nil {
		t.Error("the port is still open")
	}
}

// TestBrowserProof: a code that was asked for with another proof is worthless.
func TestBrowserProof(t *testing.T) {
	s := authserver.New("me@example.org")
	web := httptest.NewServer(s)
	defer web.Close()
	_, err := testClient(web.URL).Browser(t.Context(), "", func(address string) {
		u, _ := url.Parse(address)
		q := u.Query()
		q.Set("code_challenge", "of-somebody-else")
		u.RawQuery = q.Encode()
		get(t, u.String())
	})
	if kindOf(err) != KindLogin || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("have %v", err)
	}
}

func TestBrowserRefused(t *testing.T) {
	s := authserver.New("me@example.org")
	web := httptest.NewServer(s)
	defer web.Close()
	s.Set(func(s *authserver.Server) { s.Deny = true })
	_, err := testClient(web.URL).Browser(t.Context(), "", func(address string) { get(t, address) })
	if kindOf(err) != KindLogin || !strings.Contains(err.Error(), "access_denied: the user said no") {
		t.Errorf("denied: %v", err)
	}
	why := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	if _, err = testClient(web.URL).Browser(ctx, "", func(string) { cancel(why) }); !errors.Is(err, why) {
		t.Errorf("interrupted: %v", err)
	}
	wrong := testClient(web.URL)
	wrong.SetSecret("wrong-unmistakable")
	s.Set(func(s *authserver.Server) { s.Deny, s.Echo = false, true })
	_, err = wrong.Browser(t.Context(), "", func(address string) { get(t, address) })
	if kindOf(err) != KindRefused || !strings.Contains(err.Error(), "invalid_client") {
		t.Errorf("wrong secret: %v", err)
	}
	secretless(t, err)
}

// world is an account that has logged in, with a clock.
type world struct {
	*authserver.Server
	client *Client
	store  Store
	mu     sync.Mutex
	at     time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s := authserver.New("me@example.org")
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	w := &world{Server: s, client: testClient(web.URL), store: Store{File: filepath.Join(t.TempDir(), "state", "work.oauth")}, at: time.Now()}
	g, err := w.client.Browser(t.Context(), "", func(address string) { get(t, address) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Keep(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

// process is another process with the same account.
func (w *world) process() *Source { return NewSource(w.client, w.store, w.now) }

func (w *world) token(t *testing.T, s *Source) string {
	t.Helper()
	token, err := s.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// refreshes counts the requests for a new access token.
func (w *world) refreshes() (n int) {
	for _, r := range w.Requests() {
		if r == "refresh_token" {
			n++
		}
	}
	return n
}

// everyStore runs a test with a keyring and without.
func everyStore(t *testing.T, test func(*testing.T)) {
	t.Run("keyring", func(t *testing.T) { system.MockInit(); test(t) })
	t.Run("file", func(t *testing.T) { without(t); test(t) })
}

// TestOneRefresh: many connections of many processes share a token for its
// lifetime, and a refresh token that is good once is never used twice.
func TestOneRefresh(t *testing.T) {
	everyStore(t, func(t *testing.T) {
		w := newWorld(t)
		w.Set(func(s *authserver.Server) { s.Rotate = true })
		w.token(t, w.process())
		if n := w.refreshes(); n != 0 {
			t.Errorf("%d refreshes right after the login", n)
		}
		for round := 1; round <= 3; round++ {
			w.pass(2 * time.Hour)
			var all sync.WaitGroup
			for range 4 {
				p := w.process()
				for range 4 {
					all.Go(func() {
						if token, err := p.Token(t.Context()); err != nil || !w.Accepts(token) {
							t.Errorf("have %q, %v", token, err)
						}
					})
				}
			}
			all.Wait()
			if n := w.refreshes(); n != round {
				t.Errorf("%d refreshes in %d hours", n, 2*round)
			}
		}
	})
}

func TestInvalidGrant(t *testing.T) {
	everyStore(t, func(t *testing.T) {
		w := newWorld(t)
		w.pass(2 * time.Hour)
		w.Set(func(s *authserver.Server) { s.Refuse, s.Echo = true, true })
		_, err := w.process().Token(t.Context())
		if kindOf(err) != KindLogin {
			t.Fatalf("have %v", err)
		}
		secretless(t, err)
		w.Set(func(s *authserver.Server) { s.Refuse, s.Down = false, true })
		if _, err = w.process().Token(t.Context()); kindOf(err) != KindUnavailable {
			t.Errorf("a server that is down: %v", err)
		}
		w.Set(func(s *authserver.Server) { s.Down = false })
		w.token(t, w.process())
	})
}

// TestRefused: an access token that the mail server refused is used no more, by
// nobody.
func TestRefused(t *testing.T) {
	everyStore(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.process()
		if err := p.Refused(t.Context()); err != nil {
			t.Errorf("before there is one: %v", err)
		}
		old := w.token(t, p)
		w.RevokeAccess()
		if err := p.Refused(t.Context()); err != nil {
			t.Fatal(err)
		}
		if token := w.token(t, w.process()); token == old || !w.Accepts(token) {
			t.Errorf("another process uses %q", token)
		}
		if token := w.token(t, p); token == old || !w.Accepts(token) || w.refreshes() != 1 {
			t.Errorf("the process uses %q after %d refreshes", token, w.refreshes())
		}
	})
}

// TestUnsaidLifetime: a token of unknown lifetime is not used for long.
func TestUnsaidLifetime(t *testing.T) {
	without(t)
	w := newWorld(t)
	w.Set(func(s *authserver.Server) { s.Lifetime = 0 })
	w.pass(2 * time.Hour)
	p := w.process()
	first := w.token(t, p)
	if w.token(t, p) != first {
		t.Error("a token for each connection")
	}
	w.pass(10 * time.Minute)
	if w.token(t, p) == first {
		t.Error("an old token is used")
	}
}

func TestKept(t *testing.T) {
	system.MockInit()
	w := newWorld(t)
	if _, err := os.Stat(w.store.File); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("with a keyring there is a file: %v", err)
	}
	if _, err := NewSource(w.client, Store{w.store.File + "2"}, w.now).Token(t.Context()); kindOf(err) != KindLogin {
		t.Errorf("another account: %v", err)
	}
	other := testClient("https://elsewhere.test")
	if _, err := NewSource(other, w.store, w.now).Token(t.Context()); kindOf(err) != KindLogin || !strings.Contains(err.Error(), "another client_id") {
		t.Errorf("another server would be told the refresh token: %v", err)
	}
	system.MockInitWithError(errors.New("no bus"))
	if _, err := w.process().Token(t.Context()); kindOf(err) != KindKeyring || !strings.Contains(err.Error(), "no bus") {
		t.Errorf("the keyring is gone: %v", err)
	}
	where, err := w.store.Keep(t.Context(), &Grant{Client: w.client.ID, TokenURL: w.client.TokenURL, Refresh: "r", Access: "a", Expiry: w.now().Add(time.Hour)})
	if err != nil || where != w.store.File {
		t.Fatalf("kept in %q, %v", where, err)
	}
	info, err := os.Stat(w.store.File)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the file: %v, %v", info, err)
	}
	if left, _ := filepath.Glob(w.store.File + ".*"); !slices.Equal(left, []string{w.store.File + ".lock"}) {
		t.Errorf("beside it lies %v", left)
	}
	if token := w.token(t, w.process()); token != "a" {
		t.Errorf("have %q", token)
	}
	system.MockInit()
	if where, err := w.store.Keep(t.Context(), &Grant{Refresh: "r2"}); err != nil || where == w.store.File {
		t.Fatalf("kept in %q, %v", where, err)
	}
	if _, err := os.Stat(w.store.File); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file of before is left: %v", err)
	}
}

// TestRotatedIsKept: a new refresh token that cannot be kept is an error while
// there is somebody to tell, not at the next run.
func TestRotatedIsKept(t *testing.T) {
	without(t)
	w := newWorld(t)
	w.pass(2 * time.Hour)
	dir := filepath.Dir(w.store.File)
	spoil := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { // while the token is on its way
		if err := errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)); err != nil {
			t.Error(err)
		}
		w.ServeHTTP(rw, r)
	})
	w.Set(func(s *authserver.Server) { s.Rotate = true })
	if _, err := w.process().Token(direct{spoil}.context(t.Context())); kindOf(err) != KindStore {
		t.Errorf("have %v", err)
	}
}

// TestInterruptedRefresh: what the server has answered is kept, though nobody
// waits for it any more.
func TestInterruptedRefresh(t *testing.T) {
	without(t)
	w := newWorld(t)
	w.Set(func(s *authserver.Server) { s.Rotate = true })
	w.pass(2 * time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	interrupt := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.ServeHTTP(rw, r)
		cancel()
	})
	_, _ = w.process().Token(direct{interrupt}.context(ctx))
	w.token(t, w.process())
	w.pass(2 * time.Hour)
	w.token(t, w.process())
}

func TestNothingPrintsSecrets(t *testing.T) {
	w := testClient("https://auth.test")
	g := &Grant{Refresh: "unmistakable", Access: "unmistakable"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if text := fmt.Sprintf(verb+verb, w, g); strings.Contains(text, "unmistakable") || strings.Contains(text, authserver.ClientSecret) {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}

func TestProviders(t *testing.T) {
	for _, name := range Providers() {
		c := Provider(name)
		for _, address := range []string{c.AuthURL, c.TokenURL, c.DeviceURL} {
			if u, err := url.Parse(address); err != nil || u.Scheme != "https" || u.Host == "" {
				t.Errorf("%s: %q", name, address)
			}
		}
		if len(c.Scopes) == 0 {
			t.Errorf("%s has no scopes", name)
		}
	}
	if Provider("nobody") != nil {
		t.Error("nobody is a provider")
	}
}

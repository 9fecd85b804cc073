// Package authserver is a small OAuth 2 authorization server for tests: a
// browser's login (RFC 6749 section 4.1, with PKCE, RFC 7636), a device's (RFC
// 8628), refresh with and without rotation, and introspection (RFC 7662) for a
// mail server. Whoever asks is let in as the one user there is; what a client
// must get right is checked.
package authserver

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What the server knows its client as.
const (
	ClientID     = "the-client"
	ClientSecret = "the-client-s3cret"
	Scope        = "mail offline"
)

// Server is a http.Handler. Its fields may be changed with Set while it runs.
type Server struct {
	User     string
	Lifetime int      // of access tokens, in seconds; 0 is not said
	Rotate   bool     // a refresh token is good once
	NoOnward bool     // no refresh tokens are given
	Refuse   bool     // every refresh token is answered by invalid_grant
	Down     bool     // every request of a token is answered by 503
	Deny     bool     // the user says no
	Echo     bool     // errors repeat what was asked, as careless servers do
	Device   []string // what polling gets in turn before the token, such as "slow_down"
	Interval int      // of polling, in seconds
	Expires  int      // of the device code, in seconds

	mu       sync.Mutex
	n        int
	codes    map[string]url.Values // what was asked for, by code
	refresh  map[string]bool
	access   map[string]bool
	requests []string // the grant types that came
}

// New returns a server for a user.
func New(user string) *Server {
	return &Server{User: user, Lifetime: 3600, Interval: 1, Expires: 600,
		codes: map[string]url.Values{}, refresh: map[string]bool{}, access: map[string]bool{}}
}

// Set changes the server while it runs.
func (s *Server) Set(change func(*Server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// Requests are the grant types of the token requests so far, and "device" for
// each device code.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.requests...)
}

// Accepts reports whether an access token is good.
func (s *Server) Accepts(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.access[token]
}

// RevokeAccess makes all access tokens given so far worthless.
func (s *Server) RevokeAccess() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.access)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch r.URL.Path {
	case "/auth":
		s.authorize(w, r)
	case "/token":
		s.token(w, r.PostForm)
	case "/device":
		s.device(w, r.PostForm)
	case "/introspect":
		s.introspect(w, r.Form.Get("token"))
	default:
		http.NotFound(w, r)
	}
}

// name makes a new secret of a kind.
func (s *Server) name(kind string) string {
	s.n++
	return fmt.Sprintf("%s-unmistakable-%d", kind, s.n)
}

// authorize is the page where a user would log in.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || back.Scheme != "http" || back.Hostname() != "127.0.0.1" && back.Hostname() != "localhost" ||
		q.Get("client_id") != ClientID || q.Get("response_type") != "code" || q.Get("scope") != Scope ||
		q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" || q.Get("state") == "" {
		http.Error(w, "bad request: "+r.URL.RawQuery, http.StatusBadRequest)
		return
	}
	answer := url.Values{"state": {q.Get("state")}}
	if s.Deny {
		answer.Set("error", "access_denied")
		answer.Set("error_description", "the user said no")
	} else {
		code := s.name("code")
		s.codes[code] = q
		answer.Set("code", code)
	}
	back.RawQuery = answer.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func (s *Server) token(w http.ResponseWriter, form url.Values) {
	kind := form.Get("grant_type")
	s.requests = append(s.requests, kind)
	switch {
	case s.Down:
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	case form.Get("client_id") != ClientID || form.Get("client_secret") != ClientSecret:
		s.fail(w, "invalid_client", form)
		return
	}
	switch kind {
	case "authorization_code":
		asked := s.codes[form.Get("code")]
		delete(s.codes, form.Get("code"))
		proof := sha256.Sum256([]byte(form.Get("code_verifier")))
		if asked == nil || asked.Get("redirect_uri") != form.Get("redirect_uri") ||
			asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(proof[:]) {
			s.fail(w, "invalid_grant", form)
			return
		}
		s.give(w, s.name("refresh"))
	case "urn:ietf:params:oauth:grant-type:device_code":
		switch {
		case s.codes[form.Get("device_code")] == nil:
			s.fail(w, "invalid_grant", form)
		case len(s.Device) > 0:
			code := s.Device[0]
			s.Device = s.Device[1:]
			s.fail(w, code, form)
		default:
			s.give(w, s.name("refresh"))
		}
	case "refresh_token":
		old := form.Get("refresh_token")
		switch {
		case s.Refuse || !s.refresh[old]:
			s.fail(w, "invalid_grant", form)
		case s.Rotate:
			delete(s.refresh, old)
			s.give(w, s.name("refresh"))
		default:
			s.give(w, "")
		}
	default:
		s.fail(w, "unsupported_grant_type", form)
	}
}

// give answers with a new access token, and the refresh token where there is one.
func (s *Server) give(w http.ResponseWriter, refresh string) {
	access := s.name("access")
	s.access[access] = true
	answer := map[string]any{"access_token": access, "token_type": "Bearer"}
	if s.Lifetime > 0 {
		answer["expires_in"] = s.Lifetime
	}
	if refresh != "" && !s.NoOnward {
		s.refresh[refresh] = true
		answer["refresh_token"] = refresh
	}
	reply(w, http.StatusOK, answer)
}

func (s *Server) fail(w http.ResponseWriter, code string, form url.Values) {
	answer := map[string]any{"error": code, "error_description": "by the test's server"}
	if s.Echo {
		var said []string
		for _, values := range form {
			said = append(said, values...)
		}
		answer["error_description"] = "you sent " + strings.Join(said, " ")
	}
	reply(w, http.StatusBadRequest, answer)
}

func (s *Server) device(w http.ResponseWriter, form url.Values) {
	s.requests = append(s.requests, "device")
	if form.Get("client_id") != ClientID || form.Get("scope") != Scope {
		s.fail(w, "invalid_scope", form)
		return
	}
	code := s.name("device")
	s.codes[code] = form
	reply(w, http.StatusOK, map[string]any{"device_code": code, "user_code": "WDJB-" + strconv.Itoa(s.n), "verification_uri": "https://login.example.org/device",
		"expires_in": s.Expires, "interval": s.Interval})
}

// introspect tells a mail server whose token it is.
func (s *Server) introspect(w http.ResponseWriter, token string) {
	if !s.access[token] {
		reply(w, http.StatusOK, map[string]any{"active": false})
		return
	}
	reply(w, http.StatusOK, map[string]any{"active": true, "scope": Scope, "username": s.User, "exp": time.Now().Add(time.Hour).Unix()})
}

func reply(w http.ResponseWriter, status int, answer map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // a client that is gone does not want it
}

package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	system "github.com/zalando/go-keyring"
)

// oauthAccount is a configuration with one line for the login.
func oauthAccount(line string) []byte {
	return []byte("[accounts.w]\nhost = 'imap.example.org'\nuser = 'me@example.org'\nmaildir = '/m'\n" + line)
}

func TestOAuth(t *testing.T) {
	for line, want := range map[string][]string{
		`oauth = { provider = "google", client_id = "c", client_secret = "hunter2" }`:                                      {"c", "https://oauth2.googleapis.com/token", "https://mail.google.com/"},
		`oauth = { client_id = "c", provider = "microsoft", token_url = "https://t.example/x" }`:                           {"c", "https://t.example/x", "https://outlook.office.com/IMAP.AccessAsUser.All offline_access"},
		`oauth = { scopes = "a b", client_id = "c", auth_url = "https://a.example/", token_url = "http://127.0.0.1:1/t" }`: {"c", "http://127.0.0.1:1/t", "a b"},
		"[accounts.w.oauth]\nclient_id = 'c'\ndevice_url = 'https://d.example'\ntoken_url = 'https://t.example'":           {"c", "https://t.example", ""},
	} {
		c, err := Parse("/c.toml", oauthAccount(line))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		a := c.Accounts[0]
		if o := a.OAuth; o.ID != want[0] || o.TokenURL != want[1] || strings.Join(o.Scopes, " ") != want[2] {
			t.Errorf("%s: %+v", line, *o)
		}
		if !a.Secret.Bearer || a.Secret.IsZero() || a.Secret.Source() != "oauth" {
			t.Errorf("%s: the secret is no token", line)
		}
		text, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if all := fmt.Sprintf("%s %v %+v %#v", text, a, *a, *a); strings.Contains(all, "hunter2") {
			t.Errorf("the client secret is shown: %s", all)
		}
	}
}

func TestOAuthErrors(t *testing.T) {
	for line, want := range map[string]string{
		`oauth = { provider = "gogle", client_id = "c" }`:              `c.toml:5: accounts.w.oauth.provider: must be one of google, microsoft, not "gogle"; did you mean "google"?`,
		`oauth = { provider = "google" }`:                              "c.toml:5: accounts.w.oauth: client_id is missing",
		`oauth = { client_id = "c", auth_url = "https://a.example" }`:  "accounts.w.oauth: token_url is missing",
		`oauth = { client_id = "c", token_url = "https://a.example" }`: "accounts.w.oauth: auth_url is missing",
		`oauth = { client_id = "c", token_url = "http://a.example" }`:  "accounts.w.oauth.token_url: must begin with https://",
		`oauth = { client_id = "c", token_url = "a.example" }`:         "accounts.w.oauth.token_url: must be an address",
		`oauth = { client_id = "c", tokn_url = "a.example" }`:          `there is no such key; did you mean "token_url"?`,
		`oauth = "google"`: "accounts.w.oauth: must be a table, not a string",
		"auth = 'plain'\noauth = { provider = 'google', client_id = 'c' }": "accounts.w.oauth: contradicts auth = \"plain\"",
		"keyring = true\noauth = { provider = 'google', client_id = 'c' }": "accounts.w.oauth: contradicts keyring",
		"auth = 'scram-sha-256'\ntoken_command = 'x'":                      "accounts.w.token_command: contradicts auth",
		"keyring = false": "give one of password, password_file, password_command, credential, keyring, token_command, oauth",
	} {
		if _, err := Parse("/c.toml", oauthAccount(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
	file := filepath.Join(t.TempDir(), "c.toml")
	if err := os.WriteFile(file, oauthAccount(`oauth = { provider = "google", client_id = "c", client_secret = "hunter2" }`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file); err == nil || !strings.Contains(err.Error(), "others may read it") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("readable by others: %v", err)
	}
}

func TestKeyring(t *testing.T) {
	system.MockInit()
	s := secretOf(t, "keyring = true")
	if !s.InKeyring() || s.Source() != "keyring" || s.Bearer {
		t.Fatalf("source %q", s.Source())
	}
	var failed *SecretError
	if _, err := s.Get(t.Context()); !errors.As(err, &failed) || !strings.Contains(failed.Hint, "imapsync login") {
		t.Errorf("without an entry: %v", err)
	}
	if err := s.Keep(t.Context(), "hunter2"); err != nil {
		t.Fatal(err)
	}
	if have, err := s.Get(t.Context()); have != "hunter2" || err != nil {
		t.Errorf("have %q, %v", have, err)
	}
	if entry, err := system.Get("imapsync", s.entry); entry != "hunter2" || !strings.Contains(s.entry, "@") {
		t.Errorf("the entry %q holds %q, %v", s.entry, entry, err)
	}
	if text := fmt.Sprintf("%v%+v%#v", s, s, s); strings.Contains(text, "hunter2") {
		t.Errorf("shown: %s", text)
	}
	system.MockInitWithError(errors.New("no bus"))
	t.Cleanup(system.MockInit)
	_, err := s.Get(t.Context())
	for _, err := range []error{err, s.Keep(t.Context(), "hunter2")} {
		if !errors.As(err, &failed) || !strings.Contains(failed.Hint, "password_command") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("without a keyring: %v", err)
		}
	}
}

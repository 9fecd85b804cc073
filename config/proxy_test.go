package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestProxyURL: the key, else the environment.
func TestProxyURL(t *testing.T) {
	for _, c := range []struct{ host, key, env, want string }{
		{"h.example", "", "", ""},
		{"h.example", "", "ALL_PROXY=socks5://p:1080", "socks5://p:1080"},
		{"h.example", "", "all_proxy=socks5h://me:pw@p", "socks5h://me:pw@p"},
		{"h.example", "", "https_proxy=p:3128", "http://p:3128"},
		{"h.example", "", "HTTPS_PROXY=http://p:3128 ALL_PROXY=socks5://q", "socks5://q"},
		{"h.example", "", "HTTP_PROXY=http://p:3128", ""},
		{"h.example", "none", "ALL_PROXY=socks5://p:1080", ""},
		{"h.example", "http://q:1", "ALL_PROXY=socks5://p:1080", "http://q:1"},
		{"h.example", "", "ALL_PROXY=socks5://p NO_PROXY=example", ""},
		{"h.example", "", "ALL_PROXY=socks5://p no_proxy=h.example:993", ""},
		{"h.example", "", "ALL_PROXY=socks5://p NO_PROXY=other.example", "socks5://p"},
		{"h.example", "http://q:1", "NO_PROXY=*", "http://q:1"},
		{"localhost", "", "ALL_PROXY=socks5://p", ""},
		{"127.0.0.1", "", "ALL_PROXY=socks5://p", ""},
		{"::1", "", "ALL_PROXY=socks5://p", ""},
		{"127.0.0.1", "socks5://p", "", "socks5://p"},
		{"h.example", "", "ALL_PROXY=ftp://me:hunter2@p", "error: the environment's ALL_PROXY must be"},
		{"h.example", "", "ALL_PROXY=http://me:hunter2@p:x", "error: the environment's ALL_PROXY must be"},
	} {
		for _, name := range []string{"ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "REQUEST_METHOD"} {
			t.Setenv(name, "")
		}
		for _, set := range strings.Fields(c.env) {
			name, value, _ := strings.Cut(set, "=")
			t.Setenv(name, value)
		}
		text := fmt.Sprintf("[accounts.w]\nhost = %q\nuser = 'u'\npassword_command = 'p'\nmaildir = '/m'\n", c.host)
		if c.key != "" {
			text += fmt.Sprintf("proxy = %q\n", c.key)
		}
		conf, err := Parse("/c.toml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if u, err := conf.Accounts[0].ProxyURL(); err != nil {
			got = "error: " + err.Error()
		} else if u != nil {
			got = u.String()
		}
		if got != c.want && !(strings.HasPrefix(c.want, "error") && strings.HasPrefix(got, c.want)) || strings.Contains(got, "hunter2") {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// TestProxySecret: the password of a proxy is kept like any other.
func TestProxySecret(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.toml")
	text := "[accounts.w]\nhost = 'h'\nuser = 'u'\npassword_command = 'p'\nmaildir = '/m'\nproxy = 'http://me:hunter2@p:1'\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	conf, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	a := conf.Accounts[0]
	if shown := fmt.Sprintf("%v %+v %#v %s", a.Proxy, *a, *a, a.Proxy); strings.Contains(shown, "hunter2") || !strings.Contains(shown, "http://p:1") {
		t.Errorf("printed as %s", shown)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file); err == nil || !strings.Contains(err.Error(), "others may read it") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("readable by others: %v", err)
	}
}

func TestLoginName(t *testing.T) {
	for _, c := range []struct{ command, want string }{
		{"echo jane; echo second", "jane"},
		{`printf 'jane\r\n'`, "jane"},
		{"true", "error: user_command: the first line is empty"},
		{"echo; echo jane", "error: user_command: the first line is empty"},
		{"echo no entry >&2; exit 3", "error: user_command: the command failed (exit status 3): no entry"},
		{`printf 'a\033b'`, "error: user_command: the first line holds a control character"},
		{"head -c 2000 /dev/zero | tr '\\0' x", "error: user_command: the first line is longer"},
	} {
		got, err := (&Account{UserCommand: c.command, User: "other"}).LoginName(t.Context())
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != c.want && !(strings.HasPrefix(c.want, "error") && strings.HasPrefix(got, c.want)) {
			t.Errorf("%s: %q, want %q", c.command, got, c.want)
		}
	}
	if got, err := (&Account{User: "jane"}).LoginName(t.Context()); got != "jane" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

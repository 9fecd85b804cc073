package config

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func secretOf(t *testing.T, line string) Secret {
	t.Helper()
	c, err := Parse("/c.toml", []byte("[accounts.a]\nhost='h'\nuser='u'\nmaildir='/m'\n"+line))
	if err != nil {
		t.Fatal(err)
	}
	return c.Accounts[0].Secret
}

func TestSecretSources(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	for name, content := range map[string]string{
		"plain": "hun ter2\nsecond line\n", "crlf": "hunter2\r\n", "bare": "hunter2", "empty": "", "blank": "\nx\n", "nul": "a\x00b\n",
		"long": strings.Repeat("x", maxSecret+1),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := func(name string) string { return "password_file = '" + filepath.Join(dir, name) + "'" }
	for _, c := range []struct{ line, want, err string }{
		{file("plain"), "hun ter2", ""},
		{file("crlf"), "hunter2", ""},
		{file("bare"), "hunter2", ""},
		{file("empty"), "", "password_file: the first line is empty"},
		{file("blank"), "", "password_file: the first line is empty"},
		{file("nul"), "", "NUL"},
		{file("long"), "", "longer than"},
		{file("missing"), "", "no such file"},
		{"credential = 'plain'", "hun ter2", ""},
		{"credential = 'absent'", "", "credential: open "},
		{"password_command = 'echo first; echo second'", "first", ""},
		{"token_command = 'printf %s tok'", "tok", ""},
		{"password_command = 'true'", "", "password_command: the first line is empty"},
		{`password_command = 'echo hunter2; echo "no  key\tfound" >&2; exit 3'`, "", "password_command: the command failed (exit status 3): no key found"},
		{`password_command = 'exit 4'`, "", "(exit status 4) and said nothing"},
		{`password_command = 'kill -9 $$'`, "", "(signal: killed)"},
		{`password_command = 'cat'`, "", "first line is empty"}, // no standard input to hang on
	} {
		got, err := secretOf(t, c.line).Get(t.Context())
		switch {
		case c.err == "" && (err != nil || got != c.want):
			t.Errorf("%s: %q, %v; want %q", c.line, got, err, c.want)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%s: error %v, want …%s…", c.line, err, c.err)
		case err != nil && strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%s: the error shows the secret: %v", c.line, err)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if _, err := secretOf(t, "credential = 'plain'").Get(t.Context()); err == nil || !strings.Contains(err.Error(), "LoadCredential=") {
		t.Errorf("credential outside a service: %v", err)
	}
	if _, err := (Secret{}).Get(t.Context()); err == nil {
		t.Error("a zero secret was got")
	}
}

func TestSecretCommandStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := secretOf(t, "password_command = 'sleep 100'").Get(ctx); err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("got %v", err)
	}
}

func TestBearer(t *testing.T) {
	for line, want := range map[string]bool{
		"password = 'p'": false, "token_command = 't'": true, "password_file = 'f'\nauth = 'oauthbearer'": true,
	} {
		if got := secretOf(t, line).Bearer; got != want {
			t.Errorf("%s: bearer %v", line, got)
		}
	}
}

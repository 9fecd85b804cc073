package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
	"unicode"
)

// Secret says where an account's password or access token comes from. The zero
// value is no secret at all. However it is printed or encoded, it comes out as
// "[redacted]".
type Secret struct {
	Bearer bool // it is an OAuth 2 access token (RFC 6750), no password

	key        string  // of the configuration
	password   *string // behind a pointer: package fmt prints what it finds in fields
	file       string  // its first line is the secret
	credential string  // of systemd: the name of such a file
	command    string  // the first line of its output is the secret
}

const redacted = "[redacted]"

// Format keeps the secret out of every verb of package fmt.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String keeps the secret out of concatenations.
func (Secret) String() string { return redacted }

// MarshalText keeps the secret out of JSON, TOML and XML.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.key == "" }

// Source is the configuration key the secret comes from, "" if none.
func (s Secret) Source() string { return s.key }

// maxSecret bounds a secret in bytes; access tokens take a few thousand.
const maxSecret = 64 << 10

// Get fetches the secret. Commands are run each time, by sh -c, without
// standard input and until ctx ends. No error holds any of the secret.
func (s Secret) Get(ctx context.Context) (string, error) {
	var text []byte
	var err error
	switch {
	case s.command != "":
		text, err = runCommand(ctx, s.command)
	case s.file != "":
		text, err = readStart(s.file)
	case s.credential != "":
		text, err = readCredential(s.credential)
	case s.password != nil:
		return *s.password, nil
	default:
		return "", errors.New("no password is configured")
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", s.key, err)
	}
	line, _, _ := bytes.Cut(text, []byte{'\n'})
	line = bytes.TrimSuffix(line, []byte{'\r'})
	switch {
	case len(line) > maxSecret:
		return "", fmt.Errorf("%s: the first line is longer than %d bytes", s.key, maxSecret)
	case len(line) == 0:
		return "", fmt.Errorf("%s: the first line is empty: there is no secret in it", s.key)
	case bytes.IndexByte(line, 0) >= 0:
		return "", fmt.Errorf("%s: the first line holds a NUL character", s.key)
	}
	return string(line), nil
}

func readStart(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxSecret+2))
}

// runCommand returns what the command printed. What it printed as errors is
// shown only when it failed.
func runCommand(ctx context.Context, command string) ([]byte, error) {
	stdout, stderr := capped{max: maxSecret + 2}, capped{max: 2000}
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second // for a grandchild that keeps the pipe open
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("the command was stopped: %w", context.Cause(ctx))
	case errors.Is(err, exec.ErrWaitDelay):
		return stdout.data, nil // the command itself ended well
	case err == nil:
		return stdout.data, nil
	}
	said := printable(string(stderr.data))
	if said == "" {
		return nil, fmt.Errorf("the command failed (%w) and said nothing", err)
	}
	return nil, fmt.Errorf("the command failed (%w): %s", err, said)
}

// capped keeps the beginning of what is written to it.
type capped struct {
	max  int
	data []byte
}

func (c *capped) Write(p []byte) (int, error) {
	c.data = append(c.data, p[:min(len(p), c.max-len(c.data))]...)
	return len(p), nil
}

// printable makes one line of a program's words, without control characters.
func printable(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "?"), func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r)
	}), " ")
}

// readCredential reads what systemd handed to the service under that name (see
// "Credentials" in systemd.exec(5)).
func readCredential(name string) ([]byte, error) {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return nil, errors.New("$CREDENTIALS_DIRECTORY is not set: systemd sets it for a unit with LoadCredential= or SetCredential=")
	}
	return readStart(filepath.Join(dir, name))
}

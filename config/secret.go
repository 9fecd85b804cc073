package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"imapsync/keyring"
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
	keyring    bool    // it is in the system's keyring
	entry      string  // of the keyring: its name
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

// SecretError is why a secret could not be fetched. It holds none of it.
type SecretError struct {
	Key  string // of the configuration, such as "password_command"
	Err  error
	Hint string // what the user can do about it
}

func (e *SecretError) Error() string { return e.Key + ": " + e.Err.Error() }

func (e *SecretError) Unwrap() error { return e.Err }

// failed makes the error of a source with what to do about that source.
func (s Secret) failed(err error) error {
	e := &SecretError{Key: s.key, Err: err}
	switch {
	case s.command != "":
		e.Hint = "run the command by hand, as the user and in the environment of imapsync: the first line it prints must be the secret"
	case s.file != "":
		e.Hint = "mend the file " + s.file + ": you must be able to read it, and its first line must be the secret"
	case s.keyring:
		e.Hint = "imapsync login ACCOUNT puts the password there"
		var none *keyring.Unavailable
		if errors.As(err, &none) {
			e.Hint = keyring.Advice + "; where there is none, use password_command or password_file instead of keyring = true"
		}
	case s.credential != "":
		e.Hint = "mend the credential " + s.credential + " of the systemd unit: its first line must be the secret"
	}
	return e
}

// Get fetches the secret. Commands are run each time, by sh -c, without
// standard input and until ctx ends; see runCommand for what ends with them.
// The error is a SecretError, unless nothing is configured.
func (s Secret) Get(ctx context.Context) (string, error) {
	var text []byte
	var err error
	switch {
	case s.command != "":
		text, err = runCommand(ctx, s.command, !inForeground())
	case s.file != "":
		text, err = readStart(s.file)
	case s.credential != "":
		text, err = readCredential(s.credential)
	case s.keyring:
		password, err := keyring.Get(ctx, keyringService, s.entry)
		if err != nil {
			return "", s.failed(err)
		}
		return password, nil
	case s.password != nil:
		return *s.password, nil
	default:
		return "", errors.New("no password is configured")
	}
	if err != nil {
		return "", s.failed(err)
	}
	line, _, _ := bytes.Cut(text, []byte{'\n'})
	line = bytes.TrimSuffix(line, []byte{'\r'})
	switch {
	case len(line) > maxSecret:
		return "", s.failed(fmt.Errorf("the first line is longer than %d bytes", maxSecret))
	case len(line) == 0:
		return "", s.failed(errors.New("the first line is empty: there is no secret in it"))
	case bytes.IndexByte(line, 0) >= 0:
		return "", s.failed(errors.New("the first line holds a NUL character"))
	}
	return string(line), nil
}

// InKeyring reports whether the password is in the system's keyring, where Keep
// puts it.
func (s Secret) InKeyring() bool { return s.keyring }

// keyringService is what passwords belong to in the keyring; the entry is
// USER@HOST, so that it can be looked up and made with other tools, too.
const keyringService = "imapsync"

// Keep puts the password into the keyring. The error is a SecretError.
func (s Secret) Keep(ctx context.Context, password string) error {
	if err := keyring.Set(ctx, keyringService, s.entry, password); err != nil {
		return s.failed(err)
	}
	return nil
}

func readStart(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxSecret+2))
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

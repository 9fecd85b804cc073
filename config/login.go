package config

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"strconv"
)

// LoginName is the user to log in as: the key user, or the first line that
// user_command prints; "" where neither is given. The error is a SecretError.
func (a *Account) LoginName(ctx context.Context) (string, error) {
	if a.UserCommand == "" {
		return a.User, nil
	}
	text, err := runCommand(ctx, a.UserCommand, !inForeground())
	if err == nil {
		text, _, _ = bytes.Cut(text, []byte{'\n'})
		text = bytes.TrimSuffix(text, []byte{'\r'})
		switch {
		case len(text) == 0:
			err = errors.New("the first line is empty: there is no user in it")
		case len(text) > maxUser:
			err = fmt.Errorf("the first line is longer than %d bytes", maxUser)
		case bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' }):
			err = errors.New("the first line holds a control character")
		}
	}
	if err != nil {
		return "", &SecretError{Key: "user_command", Err: err,
			Hint: "run the command by hand, as the user and in the environment of imapsync: the first line it prints must be the login name"}
	}
	return string(text), nil
}

// maxUser bounds a login name in bytes.
const maxUser = 1000

// Server names the server for the state: host and port, also where a tunnel
// leads there; for a tunnel without a host a digest of its command.
func (a *Account) Server() string {
	if a.Host == "" {
		return fmt.Sprintf("tunnel-%.6x", sha256.Sum256([]byte(a.Tunnel)))
	}
	return net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
}

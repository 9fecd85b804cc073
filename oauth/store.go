package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"imapsync/keyring"
)

// Grant is what a login gave: the refresh token, whose it is, and the access
// token that it gave last.
type Grant struct {
	Client   string    `json:"client_id"`
	TokenURL string    `json:"token_url"`
	Refresh  string    `json:"refresh_token"`
	Access   string    `json:"access_token,omitempty"`
	Expiry   time.Time `json:"expiry"` // of the access token
}

// Format keeps the tokens out of every verb of package fmt.
func (*Grant) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[redacted]")) }

// fresh reports whether the access token can be used.
func (g *Grant) fresh(now time.Time) bool { return g.Access != "" && now.Add(margin).Before(g.Expiry) }

// margin is how long before its end an access token is not used any more: it
// has to last until the server has looked at it, by the server's clock.
const margin = time.Minute

// Store keeps the grant of one account: in the system's keyring, or in a file
// that only its owner may read where there is no keyring. Of several processes
// one at a time may change it; see Source.
type Store struct {
	// File is an absolute path. The entry of the keyring is named after it, too.
	File string
}

// service is what our entries in the keyring belong to.
const service = "imapsync oauth"

// errNone says that nobody has logged in.
var errNone = errors.New("there is no refresh token")

// load reads the grant. A file counts before the keyring: it is there only
// since the keyring was of no use.
func (s Store) load(ctx context.Context) (g *Grant, inFile bool, err error) {
	text, err := os.ReadFile(s.File)
	inFile = err == nil
	if errors.Is(err, fs.ErrNotExist) {
		var entry string
		entry, err = keyring.Get(ctx, service, s.File)
		text = []byte(entry)
	}
	var none *keyring.Unavailable
	switch {
	case errors.Is(err, keyring.ErrNotFound):
		return nil, false, &Error{Kind: KindLogin, Err: errNone}
	case errors.As(err, &none):
		return nil, false, &Error{Kind: KindKeyring, Err: fmt.Errorf("%w: not in %s, and %w", errNone, s.File, none)}
	case ctx.Err() != nil:
		return nil, false, context.Cause(ctx)
	case err != nil:
		return nil, false, &Error{Kind: KindStore, Err: err}
	}
	if err := json.Unmarshal(text, &g); err != nil || g == nil || g.Refresh == "" {
		return nil, inFile, &Error{Kind: KindLogin, Err: errors.New("what is kept of the last login cannot be read")}
	}
	return g, inFile, nil
}

// save keeps a grant where it was.
func (s Store) save(ctx context.Context, g *Grant, inFile bool) error {
	if !inFile {
		if s.intoKeyring(ctx, g) == nil {
			return nil
		}
	}
	return s.intoFile(g)
}

// Keep keeps the grant of a new login and tells where.
func (s Store) Keep(ctx context.Context, g *Grant) (where string, err error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	if err := s.intoKeyring(ctx, g); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return s.File, s.intoFile(g)
	}
	if err := os.Remove(s.File); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", &Error{Kind: KindStore, Err: err}
	}
	return "the system's keyring", nil
}

// intoKeyring does without the access token where the keyring takes only
// little, as some do: each process then gets one for itself.
func (s Store) intoKeyring(ctx context.Context, g *Grant) error {
	err := s.entry(ctx, *g)
	if err != nil && ctx.Err() == nil {
		err = s.entry(ctx, Grant{Client: g.Client, TokenURL: g.TokenURL, Refresh: g.Refresh})
	}
	return err
}

func (s Store) entry(ctx context.Context, g Grant) error {
	text, err := json.Marshal(g)
	if err != nil {
		return err
	}
	return keyring.Set(ctx, service, s.File, string(text))
}

// intoFile replaces the file as a whole, so that no crash leaves half a token.
func (s Store) intoFile(g *Grant) (err error) {
	defer func() {
		if err != nil {
			err = &Error{Kind: KindStore, Err: fmt.Errorf("keep the refresh token: %w", err)}
		}
	}()
	text, err := json.Marshal(g)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(s.File), filepath.Base(s.File)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(append(text, '\n'))
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), s.File)
}

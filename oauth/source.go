package oauth

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/oauth2"
)

// Source gives access tokens for as long as the grant is good. It may be used
// from several goroutines.
type Source struct {
	client *Client
	store  Store
	now    func() time.Time
	turn   chan struct{} // holds one token: who takes it may use grant
	grant  *Grant
}

// NewSource returns the source of an account's access tokens.
func NewSource(client *Client, store Store, now func() time.Time) *Source {
	return &Source{client: client, store: store, now: now, turn: make(chan struct{}, 1)}
}

// Token returns an access token: that of this process, that of another, or a
// new one. The error is an Error, or why ctx ended.
func (s *Source) Token(ctx context.Context) (string, error) {
	done, err := s.take(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	if s.grant != nil && s.grant.fresh(s.now()) {
		return s.grant.Access, nil
	}
	unlock, err := s.store.lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	g, inFile, err := s.store.load(ctx)
	switch {
	case err != nil:
		return "", err
	case g.Client != s.client.ID || g.TokenURL != s.client.TokenURL: // which is not to see it
		return "", &Error{Kind: KindLogin, Err: errors.New("the last login was with another client_id or token_url")}
	case !g.fresh(s.now()):
		ctx, cancel := outlasting(ctx)
		defer cancel()
		old := g.Refresh
		if g, err = s.refresh(ctx, old); err != nil {
			return "", err
		}
		// The old one may be worth nothing from now on. A cached access token
		// that is lost costs no more than another request.
		if err := s.store.save(ctx, g, inFile); err != nil && g.Refresh != old {
			return "", err
		}
	}
	s.grant = g
	return g.Access, nil
}

// Refused says that the mail server did not take the access token: nobody uses
// it any more, and the next is a new one.
func (s *Source) Refused(ctx context.Context) error {
	done, err := s.take(ctx)
	if err != nil {
		return err
	}
	defer done()
	if s.grant == nil {
		return nil
	}
	refused := s.grant.Access
	s.grant = nil
	unlock, err := s.store.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	g, inFile, err := s.store.load(ctx)
	if err != nil || g.Access != refused {
		return err
	}
	g.Access = ""
	return s.store.save(ctx, g, inFile)
}

// take waits for its turn in this process.
func (s *Source) take(ctx context.Context) (done func(), err error) {
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// inHand is how long a refresh that is under way outlasts an interruption: the
// server may have replaced the refresh token, and its answer has the new one.
const inHand = 3 * time.Second

func outlasting(ctx context.Context) (context.Context, func()) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(inHand, func() { cancel(context.Cause(ctx)) }) })
	return longer, func() { stop(); cancel(nil) }
}

func (s *Source) refresh(ctx context.Context, token string) (*Grant, error) {
	ctx = client(ctx)
	t, err := s.client.config().TokenSource(ctx, &oauth2.Token{RefreshToken: token}).Token()
	if err != nil {
		return nil, failure(ctx, err, s.client.secrets(token))
	}
	return s.client.grant(t, s.now())
}

// lockPoll is how often a taken lock is tried again.
const lockPoll = 50 * time.Millisecond

// lock keeps other processes from the grant. It is a kernel lock, which ends
// with the process, whatever ends it.
func (s Store) lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(s.File), 0o700); err != nil {
		return nil, &Error{Kind: KindStore, Err: err}
	}
	file := flock.New(s.File+".lock", flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	if _, err := file.TryLockContext(ctx, lockPoll); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, &Error{Kind: KindStore, Err: err}
	}
	return func() { _ = file.Close() }, nil // which unlocks
}

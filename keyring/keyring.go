package keyring

import (
	"context"
	"errors"
	"sync"

	system "github.com/zalando/go-keyring"
)

// ErrNotFound says that the keyring has no such entry.
var ErrNotFound = errors.New("there is no such entry in the system's keyring")

// Unavailable says that the keyring did not take or give the secret: there is
// none, it is locked, or the secret is too long for it.
type Unavailable struct{ Err error }

func (e *Unavailable) Error() string {
	if errors.Is(e.Err, system.ErrSetDataTooBig) {
		return "the secret is too long for the system's keyring"
	}
	return "the system's keyring is locked, or cannot be reached: " + e.Err.Error()
}

// Advice is how a keyring is made available where there is one.
const Advice = "start and unlock the keyring (on Linux a Secret Service, on the D-Bus session that $DBUS_SESSION_BUS_ADDRESS names)"

func (e *Unavailable) Unwrap() error { return e.Err }

// Get returns the secret that is kept under the name.
func Get(ctx context.Context, service, name string) (string, error) {
	return await(ctx, func() (string, error) { return system.Get(service, name) })
}

// Set keeps the secret under the name, in place of another.
func Set(ctx context.Context, service, name, secret string) error {
	_, err := await(ctx, func() (string, error) { return "", system.Set(service, name, secret) })
	return err
}

// one lets one call at a time ask, so that a person has one prompt before them.
var one sync.Mutex

// await waits for a call of the library, which knows of no context. One that is
// left alone ends with the keyring's answer, or with the process.
func await(ctx context.Context, call func() (string, error)) (string, error) {
	type result struct {
		secret string
		err    error
	}
	findSession()
	answered := make(chan result, 1)
	go func() {
		one.Lock()
		defer one.Unlock()
		secret, err := call()
		answered <- result{secret, err}
	}()
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case r := <-answered:
		switch {
		case errors.Is(r.err, system.ErrNotFound):
			return "", ErrNotFound
		case r.err != nil:
			return "", &Unavailable{r.err}
		}
		return r.secret, nil
	}
}

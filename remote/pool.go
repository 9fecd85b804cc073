package remote

import (
	"context"
	"errors"
	"slices"
	"time"

	"imapsync/mail"
)

// errClosed is what an account answers after Close.
var errClosed = errors.New("the account's connections were closed")

// maxIdle is how long an unused connection is trusted without asking: far less
// than the 30 minutes after which a server may log out (RFC 3501 section 5.4),
// and than most NAT tables remember.
const maxIdle = 30 * time.Second

// acquire lends a connection out: an idle one with the folder selected, another
// idle one, or a new one. When all are lent out it waits.
func (a *Account) acquire(ctx context.Context, folder mail.FolderName) (*conn, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c, wait, err := a.reserve(folder)
		switch {
		case err != nil:
			return nil, err
		case wait != nil:
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-wait:
			}
		case c == nil:
			if c, err := a.dialReserved(ctx); c != nil || err != nil {
				return c, err
			}
		case c.usable(ctx):
			return c, nil
		default:
			a.discard(c)
		}
	}
}

// reserve takes an idle connection, or room for a new one (nil, nil, nil), or
// tells what to wait for.
func (a *Account) reserve(folder mail.FolderName) (*conn, <-chan struct{}, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.closed:
		return nil, nil, &mail.Fault{Scope: mail.ScopeAccount, Err: errClosed}
	case len(a.idle) > 0:
		i := slices.IndexFunc(a.idle, func(c *conn) bool { return c.box.folder == folder })
		if i < 0 {
			i = slices.IndexFunc(a.idle, func(c *conn) bool { return c.box.folder == "" })
		}
		i = max(i, 0)
		c := a.idle[i]
		a.idle = slices.Delete(a.idle, i, i+1)
		a.busy++
		return c, nil, nil
	case a.busy < a.limit:
		a.busy++
		return nil, nil, nil
	}
	return nil, a.freed, nil
}

// dialReserved dials where reserve made room. When the server refuses one more
// connection while others work, the account makes do with those: nil, nil.
func (a *Account) dialReserved(ctx context.Context) (*conn, error) {
	c, err := a.dial(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil && a.closed {
		c.kill(errClosed)
		err = errClosed
	}
	if err == nil {
		a.all[c] = struct{}{}
		a.keepAwake()
		return c, nil
	}
	a.busy--
	a.wake()
	if others := a.busy + len(a.idle); others > 0 && ctx.Err() == nil && mail.ClassOf(err) == mail.ClassTemporary {
		a.limit = others
		return nil, nil
	}
	return nil, err
}

// release takes a lent connection back.
func (a *Account) release(c *conn) {
	if !c.alive() {
		a.discard(c)
		return
	}
	c.used = time.Now()
	a.hear(c)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.busy--
	if a.closed {
		c.logout()
		a.forget(c)
	} else {
		a.idle = append(a.idle, c)
	}
	a.wake()
}

// discard ends a lent connection.
func (a *Account) discard(c *conn) {
	c.kill(errClosed)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.busy--
	a.forget(c)
	a.wake()
}

// forget keeps a connection's counters and warnings; a.mu is held.
func (a *Account) forget(c *conn) {
	a.ended = addStats(a.ended, c.wire.Stats())
	a.keepWarnings(c.wire.Notices())
	delete(a.all, c)
}

// wake tells all who wait for a connection to look again; a.mu is held.
func (a *Account) wake() {
	close(a.freed)
	a.freed = make(chan struct{})
}

// Close logs out. Connections still lent out are cut off.
func (a *Account) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil
	}
	a.closed = true
	close(a.ending)
	for _, c := range a.idle {
		c.logout()
		a.forget(c)
	}
	a.idle = nil
	for c := range a.all {
		c.kill(errClosed)
	}
	a.wake()
	return nil
}

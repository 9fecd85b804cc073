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
// idle one, or a new one. When all are lent out it waits, as it does while one is
// dialled; whichever is free sooner serves.
func (a *Account) acquire(ctx context.Context, folder mail.FolderName) (*conn, error) {
	a.await(+1)
	defer a.await(-1)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c, freed, err := a.reserve(folder)
		switch {
		case err != nil:
			return nil, err
		case c == nil:
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-freed:
			}
		case c.alive():
			// One on which contents wait to be taken answers nothing else before.
			if c.arrive(ctx, folder); c.fetching != nil || c.usable(ctx) {
				return c, nil
			}
			a.discard(c)
		default:
			a.discard(c)
		}
	}
}

// await counts who waits for a connection. What failed while others waited, too,
// is nothing to those who come when they are gone.
func (a *Account) await(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting += n; a.waiting == 0 {
		a.failed = nil
	}
}

// reserve takes an idle connection, or has one dialled if there is room, and
// tells what to wait for.
func (a *Account) reserve(folder mail.FolderName) (*conn, <-chan struct{}, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.closed:
		return nil, nil, &mail.Fault{Scope: mail.ScopeAccount, Err: errClosed}
	case len(a.idle) > 0:
		i := slices.IndexFunc(a.idle, func(c *conn) bool { return c.at() == folder })
		if i < 0 {
			i = slices.IndexFunc(a.idle, func(c *conn) bool { return c.at() == "" })
		}
		i = max(i, 0)
		c := a.idle[i]
		a.idle = slices.Delete(a.idle, i, i+1)
		a.busy++
		return c, nil, nil
	case len(a.failed) > 0:
		err := a.failed[0]
		a.failed = a.failed[1:]
		return nil, nil, err
	case a.dialling < a.waiting && a.busy+a.dialling < a.limit:
		a.dialling++
		a.dials.Go(func() { a.connect(a.life, false) })
	}
	return nil, a.freed, nil
}

// Expect has connections dialled that will be wanted soon, so that there are so
// many, and does not wait for them. Those beside the first one log in only after
// another one has, lest a wrong password be tried several times, and are no more
// than a convenience: nobody is told if they fail.
func (a *Account) Expect(connections int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	have := a.busy + len(a.idle) + a.dialling + len(a.failed)
	for ; have < min(connections, a.limit) && !a.closed; have++ {
		a.dialling++
		if have == 0 {
			a.dials.Go(func() { a.connect(a.life, false) })
			continue
		}
		if a.spares.Err() != nil {
			a.spares, a.endSpares = context.WithCancel(a.life)
		}
		spares := a.spares
		a.dials.Go(func() { a.connect(spares, true) })
	}
}

// connect makes a connection where room was made for it. It is the account's and
// not of who asked for it. When the server refuses one more connection while
// others work, the account makes do with those; any other error is told to who
// waits, or of the first one of all to who asks next.
func (a *Account) connect(ctx context.Context, spare bool) {
	c, err := a.dial(ctx, spare)
	if err == nil && spare {
		c.wire.Introduce()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dialling--
	defer a.wake()
	switch {
	case err == nil && a.closed:
		c.kill(errClosed)
	case err == nil:
		c.made = time.Now()
		a.all[c] = struct{}{}
		a.idle = append(a.idle, c)
		a.proven.Do(func() { close(a.loggedIn) })
		a.keepAwake()
	case len(a.all) > 0 && ctx.Err() == nil && mail.ClassOf(err) == mail.ClassTemporary:
		a.limit = max(1, a.busy+len(a.idle)+a.dialling)
	case !spare:
		if a.waiting > 0 || !a.hasLoggedIn() {
			a.failed = append(a.failed, err)
		}
		a.endSpares()
	}
}

func (a *Account) hasLoggedIn() bool {
	select {
	case <-a.loggedIn:
		return true
	default:
		return false
	}
}

// afterFirst gives the secret away only when a connection has logged in with it.
func (a *Account) afterFirst(secret func(context.Context) (string, error)) func(context.Context) (string, error) {
	if secret == nil {
		return nil
	}
	return func(ctx context.Context) (string, error) {
		select {
		case <-a.loggedIn:
			return secret(ctx)
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// release takes a lent connection back.
func (a *Account) release(c *conn) {
	if !c.alive() {
		a.discard(c)
		return
	}
	c.used, c.foretold = time.Now(), nil
	a.hear(c)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.busy--
	if a.closed {
		c.logout()
		c.abandon()
		a.forget(c)
	} else {
		a.idle = append(a.idle, c)
	}
	a.wake()
}

// discard ends a lent connection.
func (a *Account) discard(c *conn) {
	c.kill(errClosed)
	c.abandon()
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

// Close logs out. Connections still lent out are cut off, and those still being
// dialled given up.
func (a *Account) Close() error {
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return nil
	}
	a.closed = true
	a.end()
	for _, c := range a.idle {
		c.logout()
		c.abandon()
		a.forget(c)
	}
	a.idle = nil
	for c := range a.all {
		c.kill(errClosed)
	}
	a.wake()
	a.mu.Unlock()
	a.dials.Wait()
	if a.cfg.Through != nil {
		return a.cfg.Through.Close()
	}
	return nil
}

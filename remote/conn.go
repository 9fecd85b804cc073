package remote

import (
	"context"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"

	"imapsync/mail"
	"imapsync/remote/wire"
)

// conn is one logged-in connection and what is selected on it.
type conn struct {
	wire     *wire.Conn
	client   *imapclient.Client
	box      selection
	coming   *coming   // what the connection goes on to; box is empty meanwhile
	foretold *foretold // of box
	fetching *fetching // of box, too
	made     time.Time // when it had logged in
	used     time.Time // when it was last given back, zero before that

	mu    sync.Mutex
	stray taker       // of FETCH answers that found no command,
	left  *wire.Visit // before this SELECT was answered,
	next  taker       // and after that
}

// taker reads a FETCH answer; where it returns false the connection broke in it.
type taker func(*imapclient.FetchMessageData) (goOn bool)

// attempts is how often a dial is tried before the fault is reported.
const attempts = 4

// Bounds of the wait between two attempts. A server that asks for more is left
// alone; the caller is told for how long.
const (
	firstPause = 500 * time.Millisecond
	maxPause   = 30 * time.Second
)

// dial makes a connection. Faults that time may cure are tried again;
// authentication that was refused never is, lest the account be locked.
func (a *Account) dial(ctx context.Context, spare bool) (*conn, error) {
	o := a.cfg.Wire
	if spare {
		o.Secret = a.afterFirst(o.Secret)
	}
	wait := firstPause
	for try := 1; ; try++ {
		c, err := dialOnce(ctx, o)
		if err == nil {
			return c, nil
		}
		asked := mail.AfterOf(err)
		if try == attempts || ctx.Err() != nil || mail.ClassOf(err) != mail.ClassTemporary || a.others() || asked > maxPause {
			return nil, err
		}
		if err := a.pause(ctx, max(wait, asked)); err != nil {
			return nil, err
		}
		wait *= 2
	}
}

// others reports whether another connection of the account works, so that one
// more is a convenience and not worth insisting on.
func (a *Account) others() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.all) > 0
}

func dialOnce(ctx context.Context, o wire.Options) (*conn, error) {
	w, err := wire.Dial(ctx, o)
	if err != nil {
		return nil, dialFault(ctx, err)
	}
	c := &conn{wire: w}
	c.client = imapclient.New(w, &imapclient.Options{
		UnilateralDataHandler: &imapclient.UnilateralDataHandler{Fetch: c.takeStray},
	})
	defer c.guard(ctx)()
	if err := c.client.WaitGreeting(); err != nil {
		c.kill(err)
		return nil, c.grade(ctx, err, mail.Fault{Scope: mail.ScopeAccount, Doing: "log in"})
	}
	w.Compress(ctx)
	if err := w.Err(); err != nil {
		c.kill(err)
		return nil, dialFault(ctx, err)
	}
	return c, nil
}

// guard cuts the connection off when ctx ends, because neither imapclient nor a
// server can be told to stop; the returned function ends the watch.
func (c *conn) guard(ctx context.Context) (stop func()) {
	end := c.wire.AbortOn(ctx)
	return func() { end() }
}

// kill closes the raw connection, which makes imapclient's reader and every
// pending command end; imapclient's own Close could wait for a reader that
// waits for us.
func (c *conn) kill(err error) { c.wire.Abort(err) }

// logout says good-bye without waiting for the answer.
func (c *conn) logout() {
	c.client.Logout()
	_ = c.wire.Close()
}

// alive reports whether nothing is known to be wrong with the connection.
func (c *conn) alive() bool {
	select {
	case <-c.client.Closed():
		return false
	default:
		return c.wire.Err() == nil
	}
}

// usable asks a connection that has not been used for a while whether it is
// still there.
func (c *conn) usable(ctx context.Context) bool {
	if !c.alive() {
		return false
	}
	idle := c.used
	if idle.IsZero() {
		idle = c.made
	}
	if time.Since(idle) < maxIdle {
		return true
	}
	defer c.guard(ctx)()
	c.foretold = nil
	return c.client.Noop().Wait() == nil
}

func (c *conn) has(capability string) bool { return c.wire.HasCap(capability) }

// condstore reports whether the server keeps modification sequences (RFC 7162).
func (c *conn) condstore() bool { return c.has("CONDSTORE") }

// takeStray is called by imapclient in a goroutine of its own with each FETCH
// answer that it cannot give to a command: what the server told unasked, and
// the body of a message whose place such an answer took.
func (c *conn) takeStray(msg *imapclient.FetchMessageData) {
	c.mu.Lock()
	take := c.stray
	if c.left != nil && c.left.Answered() {
		take = c.next
	}
	c.mu.Unlock()
	if take != nil && !take(msg) {
		return
	}
	for msg.Next() != nil { // what is not read blocks the connection
	}
}

// catchStrays gives strays to take until the returned function is called, or the
// connection has gone on to another mailbox.
func (c *conn) catchStrays(take taker) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stray, c.left, c.next = take, nil, nil
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.stray = nil
	}
}

// straysBehind gives strays to another taker once a SELECT is answered: they tell no
// more than a UID, and the next mailbox may have the same. A body keeps the
// connection's reader waiting, so when it is taken it can still be seen on which
// side of that answer it came.
func (c *conn) straysBehind(v *wire.Visit, take taker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left, c.next = v, take
}

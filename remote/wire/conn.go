package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// bufferSize cuts the reads of a body download tenfold against imapclient's
// own 4 KiB.
const bufferSize = 256 << 10

// maxNotices and maxNoticed bound what Notices keeps between two calls, in
// number and in bytes; the oldest go first.
const (
	maxNotices = 1024
	maxNoticed = 2 << 20
)

// Conn is an authenticated IMAP connection to be given to imapclient.New. Read
// and Write are imapclient's; everything else may be called from any goroutine.
type Conn struct {
	o        Options
	tcp      net.Conn // what was dialled
	raw      net.Conn // tcp itself, or TLS over it
	br       *bufio.Reader
	bw       *bufio.Writer
	greeting string
	secrets  []string   // what scrub removes,
	encoded  []string   // also from within base64
	tracing  sync.Mutex // Options.Trace is called by one goroutine at a time,
	hushed   bool       // and no more
	told     bool       // the server has listed capabilities since the login began

	rmu     sync.Mutex      // Read
	buf     []byte          // the text of the response being read
	out     []byte          // filtered bytes imapclient has not read yet
	store   []byte          // what out is a part of
	lit     int64           // octets of a body that follow out, passed on as they come
	fetch   *fetch          // the FETCH response that body belongs to
	text    int64           // octets of responses since a command last completed, without bodies
	maxText int64           // how many are too many
	boxes   int             // LIST responses since then
	list    int64           // and octets of their text
	seen    map[string]bool // flags reported as dropped
	meter   meter           // of bodies on their way, for Options.Link

	wmu           sync.Mutex   // Write
	line          []byte       // the command line being collected
	wlit          int64        // octets of a literal still to come from imapclient
	cmd           *command     // the command being sent, nil between commands
	squeeze       func() error // flushes the compressor behind bw, nil without one
	compressAsked bool         // COMPRESS was sent
	ahead         []string     // commands of ours to be sent before the first one
	sure          atomic.Bool  // the capabilities are the answer to CAPABILITY after the login

	over chan struct{} // closed when the connection has ended

	mu           sync.Mutex
	handshakeEnd time.Time // while Dial has not returned
	caps         map[string]bool
	serverID     string
	cmds         []*command
	inject       []byte // for imapclient, at the next response boundary
	boundary     bool   // a reader waits between two responses
	woken        bool
	progress     time.Time // when an answer that is due last came nearer
	dribbled     int       // bytes since
	sent         bool
	loggedOut    bool
	notices      []Notice
	noticed      int       // bytes in them
	inflater     *inflater // nil while what comes is not compressed
	stats        Stats
	err          error
	closed       bool
}

// Read gives imapclient the filtered server data. It never returns io.EOF
// unless a LOGOUT was answered.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.rmu.Lock()
	defer c.rmu.Unlock()
	for len(c.out) == 0 && c.lit == 0 {
		c.out = c.store[:0]
		err := c.next()
		if c.store = c.out; cap(c.store) > 2*bufferSize {
			c.store = nil
		}
		if err != nil {
			return 0, c.fail(err)
		}
	}
	if len(c.out) > 0 {
		n := copy(p, c.out)
		c.out = c.out[n:]
		return n, nil
	}
	n, err := c.br.Read(p[:min(int64(len(p)), c.lit)])
	c.lit -= int64(n)
	if err != nil {
		return n, c.fail(err)
	}
	return n, nil
}

// Close closes the connection when what was written has been sent; it is not a failure
// and leaves Err as it is.
func (c *Conn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.end()
	c.mu.Unlock()
	linger(c.tcp, true)
	defer c.hush()
	return c.raw.Close()
}

// linger has a connection that ends send what was written or, where it does not linger,
// forget it: the system would go on sending for minutes, also for a process that has
// died, and the next session would look for a message before the last one is through
// with it. It does nothing to what is no TCP connection of our own.
func linger(conn net.Conn, on bool) {
	tcp, ok := conn.(*net.TCPConn)
	switch {
	case ok && on:
		_ = tcp.SetLinger(-1)
	case ok:
		_ = tcp.SetLinger(0)
	}
}

// Abort closes the raw connection at once; what the server has not got yet it does not
// get. err becomes the cause that Err tells, unless there is one already.
func (c *Conn) Abort(err error) {
	c.mu.Lock()
	if c.err == nil && !c.closed {
		c.err = &Error{Kind: KindAborted, Doing: "talk to " + c.o.Host, Err: err}
	}
	c.end()
	c.mu.Unlock()
	c.tcp.Close()
	c.hush()
}

// end tells those who wait for answers that none will come. The caller holds
// c.mu.
func (c *Conn) end() {
	select {
	case <-c.over:
	default:
		close(c.over)
	}
}

// AbortOn aborts the connection when ctx ends, until stop is called.
func (c *Conn) AbortOn(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() { c.Abort(context.Cause(ctx)) })
}

// fail records the first real cause of a failure, closes the connection and
// returns what imapclient is to see.
func (c *Conn) fail(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.end()
	if c.err == nil {
		switch {
		case c.closed:
			return net.ErrClosed
		case c.loggedOut && errors.Is(err, io.EOF):
			return io.EOF
		}
		e := graded("talk to "+c.o.Host, err)
		if e.Kind == KindTimeout && !c.stalled() {
			e.Err = fmt.Errorf("nothing came or went for %v: %w", c.o.Timeout, e.Err)
		}
		c.err = e
	}
	c.tcp.Close()
	return c.err
}

// Err is the first real cause of a failure, an *Error, or nil while the
// connection is sound.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// ended is why nothing more can be sent, nil while something can.
func (c *Conn) ended() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && (c.closed || c.loggedOut) {
		return net.ErrClosed
	}
	return c.err
}

// Caps are the server's capabilities after login in upper case, sorted, without
// those of Options.Disable. Those that came with the answer to the login stand
// until the first command is answered. imapclient is shown fewer.
func (c *Conn) Caps() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.caps))
}

// HasCap tells whether the server has a capability, also one that another
// implies: LITERAL- by LITERAL+, CONDSTORE by QRESYNC.
func (c *Conn) HasCap(name string) bool {
	name = strings.ToUpper(name)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.caps[name] || !c.disabled(name) &&
		(name == "LITERAL-" && c.caps["LITERAL+"] || name == "CONDSTORE" && c.caps["QRESYNC"])
}

func (c *Conn) disabled(name string) bool {
	return slices.ContainsFunc(c.o.Disable, func(d string) bool { return strings.EqualFold(d, name) })
}

// MaxLiteral is Options.MaxLiteral, or what it is by default: a larger message
// ends the connection.
func (c *Conn) MaxLiteral() int64 { return c.o.MaxLiteral }

// TLSState tells about the protection, nil where there is none.
func (c *Conn) TLSState() *tls.ConnectionState {
	t, ok := c.raw.(*tls.Conn)
	if !ok {
		return nil
	}
	state := t.ConnectionState()
	return &state
}

// Greeting is the text of the server's greeting.
func (c *Conn) Greeting() string { return c.greeting }

// ServerID is what the server told about itself (ID, RFC 2971): "name Dovecot",
// or "". It may come with the answer to the first command.
func (c *Conn) ServerID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.serverID
}

// Notices are what was captured since the last call, oldest first, at most
// 1024.
func (c *Conn) Notices() []Notice {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.notices
	c.notices, c.noticed = nil, 0
	return n
}

// Stats are the counts so far, the handshake included.
func (c *Conn) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

func (n Notice) size() int { return len(n.Tag) + len(n.Name) + len(n.Text) + len(n.Human) }

func (c *Conn) notice(n Notice) {
	limit := maxText
	if n.Name == "COPYUID" {
		limit = maxSets
	}
	n.Text, n.Human, n.Name = c.cutText(n.Text, limit), c.shortText(n.Human), c.shortText(n.Name)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noticed += n.size()
	c.notices = append(c.notices, n)
	for len(c.notices) > maxNotices || c.noticed > maxNoticed && len(c.notices) > 1 {
		c.noticed -= c.notices[0].size()
		c.notices = c.notices[1:]
	}
}

// dropped records a response that is not passed on.
func (c *Conn) dropped(name, text string) {
	c.notice(Notice{Kind: NoticeDropped, Name: strings.ToUpper(c.shortText(name)), Text: text})
}

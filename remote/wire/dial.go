package wire

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	defaultTimeout    = time.Minute
	defaultMaxLine    = 1 << 20
	defaultMaxLiteral = 1 << 30
	defaultMaxAnswer  = 1 << 30 // millions of lines

	// handshakeTimeouts times Options.Timeout is all the handshake may take,
	// for a server that sends a byte now and then for ever.
	handshakeTimeouts = 4
)

// Dial connects, negotiates TLS, logs in and reads the capabilities. ctx ends
// the handshake only; see AbortOn for later. Every error is an *Error and never
// holds a secret.
func Dial(ctx context.Context, o Options) (*Conn, error) {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.MaxLine <= 0 {
		o.MaxLine = defaultMaxLine
	}
	if o.MaxLiteral <= 0 {
		o.MaxLiteral = defaultMaxLiteral
	}
	if o.MaxAnswer <= 0 {
		o.MaxAnswer = defaultMaxAnswer
	}
	if o.Security != Implicit && o.Security != StartTLS && o.Security != Plain {
		return nil, &Error{Kind: KindConfig, Doing: "connect to " + o.Host,
			Err: fmt.Errorf("security %q is none of implicit, starttls, none", o.Security)}
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeouts*o.Timeout)
	defer cancel()
	o.steps = &steps{last: time.Now()}

	tcp, err := o.connect(ctx)
	if err != nil {
		return nil, err
	}
	linger(tcp, false)
	c := newConn(o, tcp)
	c.handshakeEnd, _ = ctx.Deadline()
	stop := context.AfterFunc(ctx, func() { tcp.Close() })
	err = c.handshake(ctx)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		tcp.Close()
		return nil, c.handshakeError(ctx, err)
	}
	c.ready()
	o.cost(o.steps.list)
	return c, nil
}

func newConn(o Options, tcp net.Conn) *Conn {
	c := &Conn{o: o, tcp: tcp, raw: tcp, caps: map[string]bool{}, seen: map[string]bool{}, over: make(chan struct{}), maxText: maxHandshake}
	c.br = bufio.NewReaderSize(socket{c}, bufferSize)
	c.bw = bufio.NewWriterSize(socket{c}, 64<<10)
	return c
}

// ready ends the handshake: from here on the bytes are imapclient's, which is
// greeted as logged in.
func (c *Conn) ready() {
	c.mu.Lock()
	c.handshakeEnd = time.Time{}
	c.mu.Unlock()
	c.text, c.maxText = 0, c.o.MaxAnswer
	c.out = []byte("* PREAUTH [CAPABILITY " + strings.Join(c.shownCaps(), " ") + "] ready\r\n")
}

// handshakeError prefers the reason the context ended to the I/O error that
// closing the socket caused.
func (c *Conn) handshakeError(ctx context.Context, err error) error {
	doing := "log in to " + c.o.address()
	e := graded(doing, err)
	if ctxErr := ctx.Err(); ctxErr != nil && (e.Kind == KindNetwork || e.Kind == KindTimeout) {
		kind := KindAborted
		if errors.Is(ctxErr, context.DeadlineExceeded) {
			kind = KindTimeout
		}
		return &Error{Kind: kind, Doing: e.Doing, Err: ctxErr}
	}
	if e.Kind == KindTimeout && e.Hint == "" {
		e.Hint = fmt.Sprintf("nothing came for %v; wrong port, a firewall, or a server in trouble", c.o.Timeout)
	}
	return e
}

func (o *Options) address() string {
	if o.Port == 0 {
		return o.Host
	}
	return net.JoinHostPort(o.Host, strconv.Itoa(o.Port))
}

func (o *Options) stage(name, detail string, err error) {
	o.steps.lap(name)
	if o.Stage != nil {
		o.Stage(name, detail, err)
	}
}

func (o *Options) tellRefused(err error) {
	var e *Error
	if o.Refused != nil && errors.As(err, &e) && e.Kind == KindAuth {
		o.Refused()
	}
}

// connect resolves the name and opens the connection.
func (o *Options) connect(ctx context.Context) (net.Conn, error) {
	doing := "connect to " + o.address()
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	dial := o.DialContext
	if dial == nil {
		var resolved sync.Once
		dial = (&net.Dialer{Control: func(_, _ string, _ syscall.RawConn) error {
			resolved.Do(func() { o.steps.lap("dns") }) // called for each address that is tried
			return nil
		}}).DialContext
		if o.Stage != nil {
			addrs, err := net.DefaultResolver.LookupHost(ctx, o.Host)
			o.stage("dns", strings.Join(addrs, " "), err)
			if err != nil {
				return nil, connectError(ctx, doing, err)
			}
		}
	}
	step := cmp.Or(string(o.Via), "tcp")
	conn, err := dial(ctx, "tcp", o.address())
	if err != nil {
		err := connectError(ctx, doing, err)
		o.stage(step, o.address(), err)
		return nil, err
	}
	o.stage(step, conn.RemoteAddr().String(), nil)
	return conn, nil
}

func connectError(ctx context.Context, doing string, err error) *Error {
	e := graded(doing, err)
	var dns *net.DNSError
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return &Error{Kind: KindAborted, Doing: doing, Err: ctx.Err()}
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &Error{Kind: KindTimeout, Doing: doing, Err: err, Hint: "no answer; wrong port, a firewall, or the server is down"}
	case errors.As(err, &dns) && dns.IsNotFound:
		e.Hint = "no such host name; check it for a typing error"
	}
	return e
}

// overNetwork tells whether the connection leaves this machine, as far as one
// can know; a connection without an IP address counts as a network.
func (c *Conn) overNetwork() bool {
	if c.o.Via != "" {
		return c.o.Via != ViaTunnel
	}
	addr, ok := c.tcp.RemoteAddr().(*net.TCPAddr)
	return !ok || !addr.IP.IsLoopback()
}

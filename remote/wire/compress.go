package wire

import (
	"bufio"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Compression is when a connection is compressed.
type Compression string

// When to compress. The zero value is never.
const (
	CompressNever  Compression = ""
	CompressAlways Compression = "always" // wherever the server offers it
	CompressAuto   Compression = "auto"   // where Options.Link is slow enough to win by it
)

// Compress begins compression (COMPRESS=DEFLATE, RFC 4978) where Options.Compress
// wants it, the server has it, and no command is on its way; else it does
// nothing, at no cost. It may be called again and again. A server that refuses
// is not asked twice. What goes wrong with the connection is told by Err.
func (c *Conn) Compress(ctx context.Context) {
	if !c.wantsCompression() {
		return
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.cmd != nil || len(c.line) > 0 || c.compressAsked || !c.quiet() || c.ended() != nil {
		return
	}
	c.compressAsked = true
	began := time.Now()
	answer := make(chan status, 1)
	err := c.sendAhead()
	if err == nil {
		err = c.sendOwn("COMPRESS DEFLATE", func(st status) {
			if st.typ == "OK" {
				c.inflate()
			}
			answer <- st
		})
	}
	if err == nil {
		err = c.flush()
	}
	if err != nil {
		_ = c.fail(err)
		return
	}
	// Until the answer nothing may be sent, which holding wmu sees to.
	patience := time.NewTimer(2 * c.o.Timeout) // for when nobody reads any more
	defer patience.Stop()
	select {
	case st := <-answer:
		if st.typ == "OK" {
			c.deflate()
			c.o.cost([]Step{{"compress", time.Since(began)}})
		}
	case <-c.over:
	case <-ctx.Done():
		c.Abort(context.Cause(ctx))
	case <-patience.C:
		c.Abort(errors.New("nobody waits for the server"))
	}
}

// Compressed tells whether the connection is compressed.
func (c *Conn) Compressed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inflater != nil
}

func (c *Conn) wantsCompression() bool {
	switch c.o.Compress {
	case CompressAlways:
	case CompressAuto:
		if !c.o.Link.Slow() {
			return false
		}
	default:
		return false
	}
	return c.HasCap("COMPRESS=DEFLATE")
}

// quiet tells whether no command is on its way.
func (c *Conn) quiet() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.cmds) == 0
}

// deflate compresses what is sent from here on. The caller holds wmu.
func (c *Conn) deflate() {
	to := bufio.NewWriterSize(socket{c}, writeChunk)
	z, _ := flate.NewWriter(to, flate.DefaultCompression) // fails for an unknown level only
	c.bw = bufio.NewWriterSize(z, writeChunk)
	c.squeeze = func() error {
		if err := z.Flush(); err != nil {
			return err
		}
		return to.Flush()
	}
}

// flush sends all that was written, so that the server can read all of it. The
// caller holds wmu, or is the handshake.
func (c *Conn) flush() error {
	if err := c.bw.Flush(); err != nil || c.squeeze == nil {
		return err
	}
	return c.squeeze()
}

// inflate decompresses what comes from here on. It is called by the reader.
func (c *Conn) inflate() {
	z := &inflater{c: c, from: flate.NewReader(c.br), buf: make([]byte, maxInflated),
		got: make(chan inflated, 1), rouse: make(chan struct{}, 1)}
	c.br = bufio.NewReaderSize(z, bufferSize)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inflater = z
}

// maxInflated is the window of package flate, which is the most it gives at once.
const maxInflated = 32 << 10

// inflater decompresses what the server sends. It reads in a goroutine, so that
// wake can end a wait that is taken up again later: a flate reader does not
// survive an error. What it gives out is no more than what it is asked for, so
// the limits on lines, literals and answers hold for what was inflated.
type inflater struct {
	c     *Conn
	from  io.Reader
	buf   []byte
	ready []byte // of buf, not given out yet
	err   error
	busy  bool // a goroutine fills buf, and tells got
	some  bool // something was inflated
	got   chan inflated
	rouse chan struct{} // wake was called
}

type inflated struct {
	n   int
	err error
}

func (z *inflater) Read(p []byte) (int, error) {
	for len(z.ready) == 0 {
		if z.err != nil {
			return 0, z.err
		}
		if !z.busy {
			z.busy = true
			go func() {
				n, err := z.from.Read(z.buf)
				z.got <- inflated{n, err}
			}()
		}
		select {
		case r := <-z.got:
			z.busy = false
			z.ready, z.err = z.buf[:r.n], z.explain(r.err)
			z.some = z.some || r.n > 0
		case <-z.rouse:
			if z.c.injected() {
				return 0, errWake
			}
		}
	}
	n := copy(p, z.ready)
	z.ready = z.ready[n:]
	return n, nil
}

// explain tells the error of the socket from one of the data.
func (z *inflater) explain(err error) error {
	var (
		corrupt  flate.CorruptInputError
		internal flate.InternalError
	)
	switch {
	case errors.As(err, &corrupt), errors.As(err, &internal):
		z.c.o.Link.forswear()
		kind := KindProtocol
		if z.c.o.Compress == CompressAuto { // it is not done again, so trying again helps
			kind = KindNetwork
		}
		return &Error{Kind: kind, Doing: "talk to " + z.c.o.Host, Hint: "set compress = false",
			Err: fmt.Errorf("what the server sends is not compressed as it should be: %w", err)}
	case err != nil && !z.some: // perhaps it never flushes what it compresses
		z.c.o.Link.forswear()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) { // a connection ends without an end of the compressed data
		return io.EOF
	}
	return err
}

// injected tells whether the reader waits between two responses and there is
// something to hand to imapclient that did not come from the server.
func (c *Conn) injected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.boundary && len(c.inject) > 0
}

// Package proxy stands between a mail client and a server on this machine, for
// tests and benchmarks: it keeps the client's commands, counts what goes over the
// wire, delays both directions like a long link, and cuts connections on demand.
// It reads plain IMAP only: no TLS, no compression.
//
// A round-trip time delays everything by half of it each way, and a greeting
// comes two round trips after the client began to connect, as TCP's handshake
// would have it. Bandwidth, loss and a slow start are not modelled.
package proxy

import (
	"net"
	"sync"
	"time"
)

// Proxy accepts connections on a loopback port and passes them on.
type Proxy struct {
	listener net.Listener
	target   string

	mu       sync.Mutex
	delay    time.Duration // one way
	commands []string
	in, out  counter // bytes from and to the server
	turns    int
	accepted int // connections
	fate     func(command string) Fate
	conns    map[net.Conn]bool
	idle     *sync.Cond // of mu: a connection has ended
	closed   bool
	running  sync.WaitGroup
}

// Fate is what becomes of a command.
type Fate int

// The fates. Unsent and Unanswered cut the client's connection: before the
// server has anything of the command, or when it answers that it is done.
const (
	Pass Fate = iota
	Unsent
	Unanswered
)

// counter counts bytes and calls a function once, when a number is reached.
type counter struct {
	bytes, until int64
	reached      func()
}

// add returns the function to call, if it is time.
func (c *counter) add(n int) (reached func()) {
	c.bytes += int64(n)
	if c.reached == nil || c.bytes < c.until {
		return nil
	}
	reached, c.reached = c.reached, nil
	return reached
}

// New starts a proxy to target ("host:port") that adds roundTrip to every
// exchange, half of it in each direction.
func New(target string, roundTrip time.Duration) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: listener, target: target, delay: roundTrip / 2, conns: map[net.Conn]bool{}}
	p.idle = sync.NewCond(&p.mu)
	p.running.Go(p.accept)
	return p, nil
}

// Addr is the proxy's host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Port is the port of Addr.
func (p *Proxy) Port() int { return p.listener.Addr().(*net.TCPAddr).Port }

// Close ends all connections and waits for them.
func (p *Proxy) Close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Cut()
	p.running.Wait()
}

// Cut ends all connections there are; new ones are accepted.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		_ = conn.Close()
	}
}

// AfterSent calls do once, when n more bytes came from the client; they have
// not been passed on then.
func (p *Proxy) AfterSent(n int64, do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out.until, p.out.reached = p.out.bytes+n, do
}

// AfterReceived calls do once, when n more bytes came from the server; they
// have not been passed on then.
func (p *Proxy) AfterReceived(n int64, do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.in.until, p.in.reached = p.in.bytes+n, do
}

// Intercept lets a function decide what becomes of each command. It is given
// the command as far as its first literal, and may be called from several
// goroutines.
func (p *Proxy) Intercept(fate func(command string) Fate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fate = fate
}

// Wait returns when no connection is left: the clients are gone, and the server
// has finished what they had told it to do.
func (p *Proxy) Wait() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.conns) > 0 {
		p.idle.Wait()
	}
}

// Commands returns the client's commands since the last Reset, without tags
// and literals, passwords left out.
func (p *Proxy) Commands() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.commands...)
}

// Bytes tells how much came from and went to the server since the last Reset.
func (p *Proxy) Bytes() (in, out int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.in.bytes, p.out.bytes
}

// Counts is what went over the wire.
type Counts struct {
	In          int64 `json:"bytes_in"` // from the server
	Out         int64 `json:"bytes_out"`
	Commands    int   `json:"commands"`
	Turnarounds int   `json:"turnarounds"` // times that a client spoke after it had heard the server, on each connection
	Connections int   `json:"connections"`
}

// Counts tells what went over the wire since the last Reset.
func (p *Proxy) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Counts{In: p.in.bytes, Out: p.out.bytes, Commands: len(p.commands), Turnarounds: p.turns, Connections: p.accepted}
}

// SetRoundTrip changes the round-trip time, for connections that are made from
// now on.
func (p *Proxy) SetRoundTrip(roundTrip time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = roundTrip / 2
}

// Reset forgets the commands, what was counted and what was to be called.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.commands, p.in, p.out, p.fate = nil, counter{}, counter{}, nil
	p.turns, p.accepted = 0, 0
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	delay := p.connected()
	// The client's kernel had its handshake with this process, not with the
	// server: that took no time, and a greeting comes one way after this.
	time.Sleep(3 * delay)
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.track(client, server) {
		return
	}
	defer p.untrack(client, server)
	w := &wire{p: p, client: client, server: server.(*net.TCPConn), swallow: map[string]bool{}}
	lines := commandReader{record: p.record, begin: w.begin}
	replies := replyReader{reply: w.reply}
	var both sync.WaitGroup
	both.Go(func() {
		p.pump(server, client, delay, func(b []byte) bool { lines.feed(b); w.count(&p.out, len(b)); return w.passes() })
		_ = w.server.CloseWrite() // and let it finish what it has
	})
	both.Go(func() {
		p.pump(client, server, delay, func(b []byte) bool { replies.feed(b); w.count(&p.in, len(b)); return w.passes() })
		_ = client.Close()
	})
	both.Wait()
}

// wire is one connection, whose commands may be intercepted.
type wire struct {
	p      *Proxy
	client net.Conn
	server *net.TCPConn
	heard  bool // the last bytes came from the server; under p.mu

	mu      sync.Mutex
	swallow map[string]bool // tags
	cut     bool
}

// passes reports whether bytes are still passed on. Of a connection that is cut
// the client is gone, and the server learns that no more comes.
func (w *wire) passes() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		_ = w.client.Close()
		_ = w.server.CloseWrite()
	}
	return !w.cut
}

// begin is told of a command's first line before it is passed on.
func (w *wire) begin(tag, command string) {
	w.p.mu.Lock()
	fate := w.p.fate
	w.p.mu.Unlock()
	if fate == nil {
		return
	}
	verdict := fate(command)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = w.cut || verdict == Unsent
	w.swallow[tag] = verdict == Unanswered
}

// reply is told of the line that ends a command before it is passed on.
func (w *wire) reply(tag string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = w.cut || w.swallow[tag]
}

func (p *Proxy) track(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	for _, c := range conns {
		p.conns[c] = true
	}
	return true
}

func (p *Proxy) untrack(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
	}
	p.idle.Broadcast()
}

func (p *Proxy) record(command string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.commands = append(p.commands, command)
}

// connected counts a connection and returns its delay.
func (p *Proxy) connected() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.accepted++
	return p.delay
}

// count counts bytes in one direction.
func (w *wire) count(c *counter, n int) {
	p := w.p
	p.mu.Lock()
	reached := c.add(n)
	if c == &p.out && w.heard {
		p.turns++
	}
	w.heard = c == &p.in
	p.mu.Unlock()
	if reached != nil {
		reached()
	}
}

// chunk is bytes on their way.
type chunk struct {
	due   time.Time
	bytes []byte
}

// pump passes bytes on, each after the delay, if seen, which is told of them
// first, allows it. What cannot be passed on is read all the same, for the
// server closes when it is done.
func (p *Proxy) pump(to, from net.Conn, delay time.Duration, seen func([]byte) bool) {
	link := make(chan chunk, 4096)
	var sender sync.WaitGroup
	sender.Go(func() {
		broken := false
		for c := range link {
			if broken {
				continue
			}
			if wait := time.Until(c.due); wait > 0 {
				time.Sleep(wait)
			}
			_, err := to.Write(c.bytes)
			broken = err != nil
		}
	})
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			b := append([]byte(nil), buffer[:n]...)
			if seen(b) {
				link <- chunk{time.Now().Add(delay), b}
			}
		}
		if err != nil {
			break
		}
	}
	close(link)
	sender.Wait()
}

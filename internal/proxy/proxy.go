// Package proxy stands between a mail client and a server on this machine, for
// tests and benchmarks: it keeps the client's commands, counts bytes, delays
// both directions like a long link, and cuts connections on demand. It reads
// plain IMAP only: no TLS, no compression.
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
	delay    time.Duration // one way

	mu       sync.Mutex
	commands []string
	in, out  counter // bytes from and to the server
	conns    map[net.Conn]bool
	closed   bool
	running  sync.WaitGroup
}

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

// Reset forgets the commands, the bytes counted and what was to be called.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.commands, p.in, p.out = nil, counter{}, counter{}
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
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.track(client, server) {
		return
	}
	defer p.untrack(client, server)
	lines := commandReader{record: p.record}
	var both sync.WaitGroup
	both.Go(func() {
		p.pump(server, client, func(b []byte) { lines.feed(b); p.count(&p.out, len(b)) })
	})
	both.Go(func() { p.pump(client, server, func(b []byte) { p.count(&p.in, len(b)) }) })
	both.Wait()
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
}

func (p *Proxy) record(command string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.commands = append(p.commands, command)
}

func (p *Proxy) count(c *counter, n int) {
	p.mu.Lock()
	reached := c.add(n)
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

// pump passes bytes on, each after the delay, and ends both connections when
// one of them ends.
func (p *Proxy) pump(to, from net.Conn, seen func([]byte)) {
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
			if _, err := to.Write(c.bytes); err != nil {
				broken = true
				_ = from.Close()
			}
		}
		_ = to.Close()
	})
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			b := append([]byte(nil), buffer[:n]...)
			seen(b)
			link <- chunk{time.Now().Add(p.delay), b}
		}
		if err != nil {
			break
		}
	}
	close(link)
	sender.Wait()
}

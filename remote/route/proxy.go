package route

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/proxy"

	"imapsync/remote/wire"
)

// Proxy connects through a proxy of SOCKS 5 (RFC 1928) or HTTP (CONNECT, RFC
// 9110 section 9.3.6), itself behind TLS or not, which also looks up the
// server's name.
type Proxy struct {
	url  *url.URL
	name string // of the proxy, without credentials
}

// NewProxy returns the proxy of a URL of the scheme socks5, socks5h, http or https.
func NewProxy(u *url.URL) *Proxy {
	p := &Proxy{url: u}
	p.name = u.Scheme + "://" + p.address()
	return p
}

// address is the host and port of the proxy.
func (p *Proxy) address() string {
	port := p.url.Port()
	switch {
	case port != "":
	case p.url.Scheme == "http":
		port = "80"
	case p.url.Scheme == "https":
		port = "443"
	default:
		port = "1080"
	}
	return net.JoinHostPort(p.url.Hostname(), port)
}

// DialContext connects to a server through the proxy.
func (p *Proxy) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, p.address())
	if err != nil {
		return nil, p.failed(wire.KindNetwork, "connect to the proxy "+p.name, err)
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	through, err := p.through(ctx, conn, address)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &proxied{through, addr(address + " through " + p.name)}, nil
}

func (p *Proxy) through(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	doing := "connect to " + address + " through the proxy " + p.name
	switch p.url.Scheme {
	case "https":
		protected := tls.Client(conn, &tls.Config{ServerName: p.url.Hostname()})
		if err := protected.HandshakeContext(ctx); err != nil {
			return nil, p.failed(wire.KindTLS, "set up TLS with the proxy "+p.name, err)
		}
		conn = protected
		fallthrough
	case "http":
		status, err := p.connect(conn, address)
		switch {
		case err != nil:
			return nil, p.failed(wire.KindNetwork, doing, err)
		case status == http.StatusProxyAuthRequired:
			return nil, p.failed(wire.KindAuth, doing, errors.New("it wants another user and password"))
		case status/100 != 2:
			return nil, p.failed(wire.KindNetwork, doing, fmt.Errorf("it answers %d %s", status, http.StatusText(status)))
		}
		return conn, nil
	}
	through, err := p.socks(ctx, conn, address)
	var op *net.OpError
	if errors.As(err, &op) { // which says again from where to where
		err = op.Err
	}
	switch {
	case err == nil:
		return through, nil
	case strings.Contains(err.Error(), "authentication"): // the library has no other sign of it
		return nil, p.failed(wire.KindAuth, doing, err)
	}
	return nil, p.failed(wire.KindNetwork, doing, err)
}

func (p *Proxy) failed(kind wire.Kind, doing string, err error) error {
	hint := `set proxy to another one, or to "none" to go without, also where the environment names one`
	if kind == wire.KindAuth {
		hint = "give user and password in the proxy's URL: " + p.url.Scheme + "://USER:PASSWORD@" + p.url.Host
	}
	return &wire.Error{Kind: kind, Doing: doing, Err: err, Hint: hint}
}

// given is a dialer that gives the one connection it has.
type given struct{ net.Conn }

func (g given) Dial(string, string) (net.Conn, error) { return g.Conn, nil }

func (g given) DialContext(context.Context, string, string) (net.Conn, error) { return g.Conn, nil }

func (p *Proxy) socks(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	var auth *proxy.Auth
	if u := p.url.User; u != nil {
		auth = &proxy.Auth{User: u.Username()}
		auth.Password, _ = u.Password()
	}
	dialer, err := proxy.SOCKS5("tcp", p.address(), auth, given{conn})
	if err != nil {
		return nil, err
	}
	return dialer.(proxy.ContextDialer).DialContext(ctx, "tcp", address)
}

// maxAnswer bounds the answer to CONNECT in bytes.
const maxAnswer = 64 << 10

// connect asks for a connection and returns the status.
func (p *Proxy) connect(conn net.Conn, address string) (status int, err error) {
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address,
		Header: http.Header{"User-Agent": {"imapsync"}}}
	if u := p.url.User; u != nil {
		password, _ := u.Password()
		req.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	if err := req.Write(conn); err != nil {
		return 0, err
	}
	return readStatus(conn, req)
}

// readStatus reads an answer's head, a byte at a time: what follows is the
// server's greeting already.
func readStatus(conn net.Conn, req *http.Request) (status int, err error) {
	var head strings.Builder
	for b := make([]byte, 1); !strings.HasSuffix(head.String(), "\r\n\r\n"); {
		if head.Len() == maxAnswer {
			return 0, errors.New("its answer is too long")
		}
		if _, err := io.ReadFull(conn, b); err != nil {
			return 0, err
		}
		head.Write(b)
	}
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(head.String())), req)
	if err != nil {
		return 0, errors.New("it does not speak HTTP")
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}

// proxied is a connection through a proxy, whose address says so.
type proxied struct {
	net.Conn
	remote addr
}

func (p *proxied) RemoteAddr() net.Addr { return p.remote }

package route_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"imapsync/remote/route"
	"imapsync/remote/wire"
)

// serve answers each connection on a loopback port until the test ends.
func serve(t *testing.T, handle func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				handle(conn)
			})
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().String()
}

// splice passes bytes on in both directions.
func splice(a net.Conn, br io.Reader, address string) {
	b, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer b.Close()
	go func() { io.Copy(b, br); b.(*net.TCPConn).CloseWrite() }()
	io.Copy(a, b)
}

// socks is a SOCKS 5 proxy for one user; reply is what it answers to a request
// (0: granted). It leads everybody to the server at target.
func socks(t *testing.T, user string, reply byte, target string, asked chan<- string) string {
	return serve(t, func(conn net.Conn) {
		br := bufio.NewReader(conn)
		take := func(n int) []byte {
			b := make([]byte, n)
			io.ReadFull(br, b)
			return b
		}
		methods := take(int(take(2)[1]))
		switch {
		case user == "":
			conn.Write([]byte{5, 0})
		case !strings.Contains(string(methods), "\x02"):
			conn.Write([]byte{5, 0xff})
			return
		default: // RFC 1929
			conn.Write([]byte{5, 2})
			name := string(take(int(take(2)[1])))
			if got := name + ":" + string(take(int(take(1)[0]))); got != user {
				conn.Write([]byte{1, 1})
				return
			}
			conn.Write([]byte{1, 0})
		}
		take(4)
		host := string(take(int(take(1)[0])))
		asked <- fmt.Sprintf("%s:%d", host, binary.BigEndian.Uint16(take(2)))
		conn.Write([]byte{5, reply, 0, 1, 0, 0, 0, 0, 0, 0})
		if reply == 0 {
			splice(conn, br, target)
		}
	})
}

// connecting is a proxy of HTTP CONNECT for one user, which answers as told to.
func connecting(t *testing.T, user, answer, target string, asked chan<- string) string {
	return serve(t, func(conn net.Conn) {
		br := bufio.NewReader(conn)
		req, err := http.ReadRequest(br)
		if err != nil || req.Method != http.MethodConnect {
			return
		}
		req.Header.Set("Authorization", req.Header.Get("Proxy-Authorization"))
		name, password, _ := req.BasicAuth()
		if user != "" && name+":"+password != user {
			io.WriteString(conn, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno")
			return
		}
		asked <- req.Host
		io.WriteString(conn, answer)
		if strings.Contains(answer, " 200 ") {
			splice(conn, br, target)
		}
	})
}

func through(t *testing.T, proxy string) (net.Conn, error) {
	t.Helper()
	u, err := url.Parse(proxy)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := route.NewProxy(u).DialContext(t.Context(), "tcp", "imap.example.org:993")
	if err == nil {
		t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

// TestProxies: the server's name reaches the proxy, and nothing of what the
// server says first gets lost behind the proxy's own words.
func TestProxies(t *testing.T) {
	target := serve(t, func(conn net.Conn) {
		io.WriteString(conn, "* OK hello\r\n")
		io.Copy(conn, conn)
	})
	asked := make(chan string, 1)
	for _, user := range []string{"", "me:s3cr:et%"} {
		login := ""
		if user != "" {
			login = url.UserPassword("me", "s3cr:et%").String() + "@"
		}
		for _, proxy := range []string{
			"socks5://" + login + socks(t, user, 0, target, asked),
			"socks5h://" + login + socks(t, user, 0, target, asked),
			"http://" + login + connecting(t, user, "HTTP/1.1 200 Connection established\r\nX-Padding: x\r\n\r\n", target, asked),
		} {
			conn, err := through(t, proxy)
			if err != nil {
				t.Errorf("%s: %v", proxy, err)
				continue
			}
			if got := <-asked; got != "imap.example.org:993" {
				t.Errorf("%s was asked for %q", proxy, got)
			}
			fmt.Fprint(conn, "echo")
			expect(t, conn, "* OK hello\r\necho")
			if got := conn.RemoteAddr().String(); !strings.HasPrefix(got, "imap.example.org:993 through ") || strings.Contains(got, "s3cr") {
				t.Errorf("the address is %q", got)
			}
		}
	}
}

// TestProxyRefusals: what went wrong, and of what kind it is, without the
// credentials.
func TestProxyRefusals(t *testing.T) {
	asked := make(chan string, 10)
	closed := serve(t, func(conn net.Conn) {})
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	const login = "me:s3cr3t-unmistakable@"
	for _, c := range []struct {
		proxy string
		kind  wire.Kind
		text  string
	}{
		{"socks5://" + login + nobody.Addr().String(), wire.KindNetwork, "connect to the proxy socks5://127.0.0.1:"},
		{"socks5://" + login + socks(t, "other:x", 0, "", asked), wire.KindAuth, "authentication failed"},
		{"socks5://" + socks(t, "other:x", 0, "", asked), wire.KindAuth, "no acceptable authentication"},
		{"socks5://" + login + socks(t, "", 4, "", asked), wire.KindNetwork, "host unreachable"},
		{"socks5://" + login + closed, wire.KindNetwork, "through the proxy "},
		{"http://" + login + closed, wire.KindNetwork, "through the proxy "},
		{"http://" + login + connecting(t, "other:x", "", "", asked), wire.KindAuth, "another user and password"},
		{"http://" + login + connecting(t, "", "HTTP/1.1 403 \x1b[31mNo s3cr3t-unmistakable\r\n\r\n", "", asked), wire.KindNetwork, "answers 403 Forbidden"},
		{"http://" + login + connecting(t, "", "SSH-2.0-OpenSSH\r\n\r\n", "", asked), wire.KindNetwork, "does not speak HTTP"},
		{"http://" + login + connecting(t, "", "HTTP/1.1 200 "+strings.Repeat("x", 1<<20), "", asked), wire.KindNetwork, "too long"},
	} {
		_, err := through(t, c.proxy)
		var e *wire.Error
		if !errors.As(err, &e) || e.Kind != c.kind || !strings.Contains(err.Error(), c.text) || e.Hint == "" {
			t.Errorf("%s: %v", c.proxy, err)
		}
		if strings.Contains(fmt.Sprint(err), "s3cr3t") {
			t.Errorf("the password is in %v", err)
		}
	}
}

// TestProxySilent: a proxy that says nothing does not outlast the context.
func TestProxySilent(t *testing.T) {
	for _, scheme := range []string{"socks5", "http"} {
		heard := make(chan bool, 1)
		address := serve(t, func(conn net.Conn) {
			conn.Read(make([]byte, 1))
			heard <- true
			io.Copy(io.Discard, conn)
		})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-heard; cancel() }()
		if _, err := route.NewProxy(&url.URL{Scheme: scheme, Host: address}).DialContext(ctx, "tcp", "imap.example.org:993"); err == nil {
			t.Errorf("%s: connected", scheme)
		}
	}
}

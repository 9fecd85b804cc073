package config

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// Proxy is the value of the key proxy. The zero value leaves it to the
// environment. However it is printed, no credentials come out.
type Proxy struct {
	none bool
	url  *url.URL
}

// Format keeps the credentials out of every verb of package fmt.
func (p Proxy) Format(f fmt.State, _ rune) {
	switch {
	case p.none:
		_, _ = io.WriteString(f, "none")
	case p.url != nil:
		_, _ = io.WriteString(f, p.url.Scheme+"://"+p.url.Host)
	}
}

// proxySchemes are the kinds of proxies there are; socks5 and socks5h are the
// same here: the proxy looks up the server's name.
var proxySchemes = []string{"socks5", "socks5h", "http", "https"}

const proxyForm = `"socks5://HOST:PORT" or "http://HOST:PORT", with USER:PASSWORD@ before HOST where the proxy wants that`

// parseProxy reads the URL of a proxy. The error does not show it.
func parseProxy(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "":
		return nil, fmt.Errorf("must be %s", proxyForm)
	case !slices.Contains(proxySchemes, u.Scheme):
		return nil, fmt.Errorf("must be %s; the kind %q is not known", proxyForm, u.Scheme)
	}
	return u, nil
}

func setProxy(a *Account, v value) {
	s, ok := v.text()
	switch {
	case !ok:
		return
	case s == "none":
		a.Proxy.none = true
		return
	}
	u, err := parseProxy(s)
	if err != nil {
		v.fail("%v", err)
		return
	}
	a.Proxy.url = u
	if _, has := u.User.Password(); has && v.doc.readable {
		v.fail("the file holds a password and others may read it; run: chmod 600 %s", v.doc.file)
	}
}

// ProxyURL is the proxy to reach the server through, nil for none: that of the
// key proxy, else of the environment, as curl and others read it: ALL_PROXY,
// else HTTPS_PROXY, in either case of the letters, but for this machine and for
// what NO_PROXY names.
func (a *Account) ProxyURL() (*url.URL, error) {
	switch {
	case a.Proxy.none || a.Tunnel != "":
		return nil, nil
	case a.Proxy.url != nil:
		return a.Proxy.url, nil
	}
	name, text := proxyVariable()
	if text == "" {
		return nil, nil
	}
	server := &url.URL{Scheme: "https", Host: net.JoinHostPort(a.Host, strconv.Itoa(a.Port))}
	env := httpproxy.FromEnvironment()
	env.HTTPSProxy = "http://proxy" // only whether one is used is asked
	if used, err := env.ProxyFunc()(server); err != nil || used == nil {
		return nil, err
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := parseProxy(text)
	if err != nil {
		return nil, fmt.Errorf(`the environment's %s %w; mend it, or set proxy = "none"`, name, err)
	}
	return u, nil
}

// proxyVariable is the variable of the environment that names a proxy.
func proxyVariable() (name, text string) {
	for _, name := range []string{"ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"} {
		if text := os.Getenv(name); text != "" {
			return name, text
		}
	}
	return "", ""
}

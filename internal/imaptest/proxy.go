package imaptest

import (
	"testing"

	"imapsync/internal/proxy"
)

// Proxy is a proxy.Proxy that ends with the test.
func Proxy(t testing.TB, target string) *proxy.Proxy {
	t.Helper()
	p, err := proxy.New(target, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

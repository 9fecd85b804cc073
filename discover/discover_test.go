package discover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

// web answers for every host there is; pages are by host and path.
type web struct {
	pages map[string]string
	mu    sync.Mutex
	asked []string
	leaks []string // with which another domain was told the address
}

func (w *web) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, r.URL.String())
	if told := r.URL.String() + fmt.Sprint(r.Header); !strings.HasSuffix(r.URL.Host, "example.org") && strings.Contains(told, "emailaddress") {
		w.leaks = append(w.leaks, told)
	}
	page, ok := w.pages[r.URL.Scheme+"://"+r.URL.Host+r.URL.Path]
	if !ok {
		return nil, errors.New("no such host")
	}
	answer := httptest.NewRecorder()
	if to, redirect := strings.CutPrefix(page, "-> "); redirect {
		http.Redirect(answer, r, to, http.StatusFound)
	} else {
		_, _ = io.WriteString(answer, page)
	}
	return answer.Result(), nil
}

// testFinder knows these records and pages and nothing else.
func testFinder(records map[string][]*net.SRV, pages map[string]string) (*Finder, *web) {
	w := &web{pages: pages}
	return &Finder{
		SRV: func(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
			if found, ok := records["_"+service+"._"+proto+"."+name]; ok {
				return "", found, nil
			}
			return "", nil, &net.DNSError{Err: "no such host", IsNotFound: true}
		},
		HTTP: &http.Client{Transport: w, CheckRedirect: onlySecure},
	}, w
}

const autoconfig = `<?xml version="1.0"?>
<clientConfig version="1.1"><emailProvider id="example.org"><domain>example.org</domain>
<incomingServer type="pop3"><hostname>pop.example.org</hostname><port>995</port><socketType>SSL</socketType></incomingServer>
<incomingServer type="imap"><hostname>clear.example.org</hostname><port>143</port><socketType>plain</socketType></incomingServer>
<incomingServer type="imap"><hostname> IMAP.%EMAILDOMAIN% </hostname><port>993</port><socketType>SSL</socketType><username>%EMAILLOCALPART%</username>
<authentication>password-cleartext</authentication></incomingServer>
<incomingServer type="imap"><hostname>imap.example.org</hostname><port>143</port><socketType>STARTTLS</socketType><username>%EMAILADDRESS%</username></incomingServer>
<incomingServer type="imap"><hostname>a b;rm</hostname><port>993</port><socketType>SSL</socketType></incomingServer>
<incomingServer type="imap"><hostname>imap.example.org</hostname><port>99999</port><socketType>SSL</socketType></incomingServer>
</emailProvider></clientConfig>`

func TestFind(t *testing.T) {
	const at = "https://autoconfig.example.org/mail/config-v1.1.xml"
	const wellKnown = "https://example.org/.well-known/autoconfig/mail/config-v1.1.xml"
	ours := func(from string) []Server {
		return []Server{
			{Host: "imap.example.org", Port: 993, TLS: "implicit", User: "me", Found: from, Sure: true},
			{Host: "imap.example.org", Port: 143, TLS: "starttls", User: "me@example.org", Found: from, Sure: true},
		}
	}
	imaps := map[string][]*net.SRV{"_imaps._tcp.example.org": {{Target: "Mail.Example.ORG.", Port: 1993}, {Target: "imap.elsewhere.net.", Port: 993}}}
	bySRV := []Server{
		{Host: "mail.example.org", Port: 1993, TLS: "implicit", User: "me@example.org", Found: "the SRV record _imaps._tcp.example.org", Sure: true},
		{Host: "imap.elsewhere.net", Port: 993, TLS: "implicit", User: "me@example.org", Found: "the SRV record _imaps._tcp.example.org"},
	}
	for _, c := range []struct {
		name    string
		records map[string][]*net.SRV
		pages   map[string]string
		want    []Server
	}{
		{"nothing", nil, nil, nil},
		{"autoconfig", nil, map[string]string{at: autoconfig}, ours(at)},
		{"well-known", nil, map[string]string{wellKnown: autoconfig}, ours(wellKnown)},
		{"srv", imaps, nil, bySRV},
		{"all", imaps, map[string]string{at: autoconfig, wellKnown: autoconfig}, append(ours(at), bySRV...)},
		{"starttls", map[string][]*net.SRV{"_imap._tcp.example.org": {{Target: "example.org.", Port: 143}}, "_imaps._tcp.example.org": {{Target: ".", Port: 0}}}, nil,
			[]Server{{Host: "example.org", Port: 143, TLS: "starttls", User: "me@example.org", Found: "the SRV record _imap._tcp.example.org", Sure: true}}},
		{"google", map[string][]*net.SRV{"_imaps._tcp.example.org": {{Target: "imap.gmail.com.", Port: 993}}}, nil,
			[]Server{{Host: "imap.gmail.com", Port: 993, TLS: "implicit", User: "me@example.org", OAuth: "google", Found: "the SRV record _imaps._tcp.example.org"}}},
		{"redirect", nil, map[string]string{at: "-> https://host.example.net/x", "https://host.example.net/x": autoconfig}, ours(at)},
		{"to clear text", nil, map[string]string{at: "-> http://host.example.net/x", "http://host.example.net/x": autoconfig}, nil},
		{"in a circle", nil, map[string]string{at: "-> " + at}, nil},
		{"no xml", nil, map[string]string{at: "<html><p>Welcome"}, nil},
		{"endless", nil, map[string]string{at: "<clientConfig>" + strings.Repeat("<x/>", maxAutoconfig)}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, w := testFinder(c.records, c.pages)
			have, err := f.Find(t.Context(), "me@Example.org")
			if err != nil || !reflect.DeepEqual(have, c.want) {
				t.Errorf("have %+v, %v\nwant %+v", have, err, c.want)
			}
			if len(w.leaks) > 0 {
				t.Errorf("another domain is told the address: %q", w.leaks)
			}
		})
	}
}

// TestKnown: nobody is asked where the server is known anyway.
func TestKnown(t *testing.T) {
	for address, want := range map[string]Server{
		"me@gmail.com":      {Host: "imap.gmail.com", Port: 993, TLS: "implicit", User: "me@gmail.com", OAuth: "google"},
		"me@hotmail.fr":     {Host: "outlook.office365.com", Port: 993, TLS: "implicit", User: "me@hotmail.fr", OAuth: "microsoft", NoPassword: true},
		"me@ICLOUD.com":     {Host: "imap.mail.me.com", Port: 993, TLS: "implicit", User: "me"},
		"me@yahoo.co.jp":    {Host: "imap.mail.yahoo.com", Port: 993, TLS: "implicit", User: "me@yahoo.co.jp"},
		"me@fastmail.com":   {Host: "imap.fastmail.com", Port: 993, TLS: "implicit", User: "me@fastmail.com"},
		"me@gmx.de":         {Host: "imap.gmx.net", Port: 993, TLS: "implicit", User: "me@gmx.de"},
		"me@web.de":         {Host: "imap.web.de", Port: 993, TLS: "implicit", User: "me@web.de"},
		"me@mailbox.org":    {Host: "imap.mailbox.org", Port: 993, TLS: "implicit", User: "me@mailbox.org"},
		"me@posteo.net":     {Host: "posteo.de", Port: 993, TLS: "implicit", User: "me@posteo.net"},
		"me@protonmail.com": {Host: "127.0.0.1", Port: 1143, TLS: "starttls", User: "me@protonmail.com"},
	} {
		f, w := testFinder(nil, nil)
		have, err := f.Find(t.Context(), address)
		if err != nil || len(have) != 1 || len(w.asked) > 0 {
			t.Errorf("%s: %+v, %v, asked %v", address, have, err, w.asked)
			continue
		}
		want.Note, want.Found, want.Sure = have[0].Note, "the list of providers", true
		if have[0] != want {
			t.Errorf("%s: %+v", address, have[0])
		}
	}
	for _, p := range providers {
		if !isHost(p.host) {
			t.Errorf("%v: host %q", p.domains, p.host)
		}
	}
}

// TestAsksTheDomainOnly: the address is told to nobody else.
func TestAsksTheDomainOnly(t *testing.T) {
	f, w := testFinder(nil, nil)
	if _, err := f.Find(t.Context(), "me+x@example.org"); err != nil {
		t.Fatal(err)
	}
	slices.Sort(w.asked)
	want := []string{"https://autoconfig.example.org/mail/config-v1.1.xml?emailaddress=me%2Bx%40example.org",
		"https://example.org/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=me%2Bx%40example.org"}
	if !slices.Equal(w.asked, want) {
		t.Errorf("asked %q", w.asked)
	}
	for _, address := range []string{"me@exa/mple.org", "me@localhost:1/", "me@bücher.example", "me@[127.0.0.1]"} {
		f, w := testFinder(nil, nil)
		if have, err := f.Find(t.Context(), address); len(have) > 0 || err != nil || len(w.asked) > 0 {
			t.Errorf("%s: %v, %v, asked %q", address, have, err, w.asked)
		}
	}
	for _, address := range []string{"", "me", "@example.org", "me@", "me @example.org", "Me <me@example.org>", "me@example.org\n"} {
		if _, err := f.Find(t.Context(), address); err == nil {
			t.Errorf("%q is taken for an address", address)
		}
	}
}

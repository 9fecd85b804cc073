package discover

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode"
)

// Server is where an address may have its mail.
type Server struct {
	Host  string
	Port  int
	TLS   string // implicit or starttls, as in the configuration
	User  string // the login name
	OAuth string // the provider that package oauth knows, "" for none
	// NoPassword says that the server takes no password, not even one for this
	// program alone.
	NoPassword bool
	Note       string // what the user must know, "" for nothing
	Found      string // how it was found, in words
	// Sure is false where the host lies outside of the address's domain and
	// somebody in between may have named it (RFC 6186 section 6): the user has to
	// agree before it is told a password.
	Sure bool
}

// Finder asks the network. Its fields may be replaced by those of a test.
type Finder struct {
	SRV  func(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
	HTTP *http.Client
}

// New returns a Finder that asks the network of this machine.
func New() *Finder {
	return &Finder{SRV: net.DefaultResolver.LookupSRV, HTTP: &http.Client{CheckRedirect: onlySecure}}
}

// maxRedirects is how many times a web server may send us elsewhere.
const maxRedirects = 5

// onlySecure follows a redirect by HTTPS, without telling where it comes from: the
// mail address was a part of that.
func onlySecure(r *http.Request, via []*http.Request) error {
	r.Header.Del("Referer")
	if r.URL.Scheme != "https" || len(via) > maxRedirects {
		return http.ErrUseLastResponse
	}
	return nil
}

// answerTime is how long the whole search may take.
const answerTime = 10 * time.Second

// Find returns the servers of an address, the best first; none, and no error,
// where nothing is found.
func (f *Finder) Find(ctx context.Context, address string) ([]Server, error) {
	local, domain, err := Split(address)
	if err != nil {
		return nil, err
	}
	if s, ok := known(local, domain); ok {
		return []Server{s}, nil
	}
	if !isHost(domain) {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	ways := []func() []Server{
		func() []Server {
			return f.autoconfig(ctx, "https://autoconfig."+domain+"/mail/config-v1.1.xml", local, domain)
		},
		func() []Server {
			return f.autoconfig(ctx, "https://"+domain+"/.well-known/autoconfig/mail/config-v1.1.xml", local, domain)
		},
		func() []Server { return f.records(ctx, "imaps", "implicit", local, domain) },
		func() []Server { return f.records(ctx, "imap", "starttls", local, domain) },
	}
	found := make([][]Server, len(ways))
	var all sync.WaitGroup
	for i, way := range ways {
		all.Go(func() { found[i] = way() })
	}
	all.Wait()
	var servers []Server
	seen := map[string]bool{}
	for _, list := range found {
		for _, s := range list {
			if key := fmt.Sprint(s.Host, s.Port); !seen[key] {
				seen[key] = true
				servers = append(servers, s)
			}
		}
	}
	return servers, nil
}

// Split takes a mail address apart; the domain comes in lower case.
func Split(address string) (local, domain string, err error) {
	at := strings.LastIndexByte(address, '@')
	bad := at < 1 || at == len(address)-1 || strings.ContainsFunc(address, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune("<>,;", r)
	})
	if bad {
		return "", "", fmt.Errorf("%q is no mail address such as me@example.org", address)
	}
	return address[:at], strings.ToLower(address[at+1:]), nil
}

// records looks for SRV records (RFC 6186). That there is none is what most
// domains answer, and no error.
func (f *Finder) records(ctx context.Context, service, tls, local, domain string) []Server {
	_, records, err := f.SRV(ctx, service, "tcp", domain)
	if err != nil {
		return nil
	}
	var servers []Server
	for _, r := range records {
		host := strings.ToLower(strings.TrimSuffix(r.Target, "."))
		if !isHost(host) || r.Port == 0 { // "." says that there is no such service
			continue
		}
		servers = append(servers, Server{Host: host, Port: int(r.Port), TLS: tls, User: local + "@" + domain, OAuth: providerOf(host),
			Found: "the SRV record _" + service + "._tcp." + domain, Sure: host == domain || strings.HasSuffix(host, "."+domain)})
	}
	return servers
}

// isHost reports whether a name can be one of the DNS, in ASCII.
func isHost(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	for _, label := range strings.Split(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
			return false
		}
	}
	return true
}

package wire

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/xdg-go/scram"
)

// maxIterations bounds the work a server may ask for in SCRAM (RFC 5802): about
// a second of computing.
const maxIterations = 2_000_000

// plus ends the names of the mechanisms that bind a login to its TLS connection
// (RFC 5802 section 6): a man in the middle, even one with a certificate that
// is believed, cannot pass it on.
const plus = "-PLUS"

// scramHashes are the mechanisms of RFC 5802 and RFC 7677.
var scramHashes = map[string]scram.HashGeneratorFcn{"SCRAM-SHA-1": scram.SHA1, "SCRAM-SHA-256": scram.SHA256}

func isScram(name string) bool { return scramHashes[strings.TrimSuffix(name, plus)] != nil }

// unbind does without them.
const unbind = `disable_extensions = ["AUTH=SCRAM-SHA-256-PLUS", "AUTH=SCRAM-SHA-1-PLUS"]`

// bindingOf is what a connection can be recognised by at both of its ends:
// tls-exporter (RFC 9266), before TLS 1.3 tls-server-end-point (RFC 5929).
func bindingOf(s *tls.ConnectionState) scram.ChannelBinding {
	if s == nil {
		return scram.ChannelBinding{}
	}
	make := scram.NewTLSExporterBinding
	if s.Version < tls.VersionTLS13 { // where only an extended master secret makes it safe
		make = scram.NewTLSServerEndpointBinding
	}
	b, err := make(s)
	if err != nil { // a signature without a hash, such as Ed25519
		return scram.ChannelBinding{}
	}
	return b
}

// tampered tells whether a server refused (RFC 5802 section 7) because it is at
// the end of another TLS connection than ours, or has offered a binding that did
// not reach us.
func tampered(why string) bool {
	return why == "channel-bindings-dont-match" || why == "server-does-support-channel-binding"
}

// bindingUnknown tells whether a server refused for want of our kind of binding.
func bindingUnknown(why string) bool {
	return why == "unsupported-channel-binding-type" || why == "channel-binding-not-supported"
}

// Logins keeps what SCRAM derives from a password for a server's salt, for all
// connections of an account: each would do the work again, which is made hard on
// purpose. The zero value is ready, nil keeps nothing.
type Logins struct {
	mu           sync.Mutex
	user, secret string
	clients      map[string]*scram.Client // which keep it, by mechanism without plus
}

// scram returns the client for a user and password, the one there is if they are
// the same.
func (l *Logins) scram(name, user, secret string) (*scram.Client, error) {
	if l == nil {
		return scramClient(name, user, secret)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.clients == nil || l.user != user || l.secret != secret {
		l.user, l.secret, l.clients = user, secret, map[string]*scram.Client{}
	}
	if l.clients[name] == nil {
		client, err := scramClient(name, user, secret)
		if err != nil {
			return nil, err
		}
		l.clients[name] = client
	}
	return l.clients[name], nil
}

// forget drops what was derived when a login failed: a server that does not know
// the password may have a new salt, and a long one, each time.
func (l *Logins) forget() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clients = nil
}

func scramClient(name, user, secret string) (*scram.Client, error) {
	hash := scramHashes[name]
	client, err := hash.NewClient(user, secret, "")
	if err != nil { // what SASLprep forbids may still be the password
		client, err = hash.NewClientUnprepped(user, secret, "")
	}
	return client, err
}

var iterations = lazily(`(?:^|,)i=([^,]*)`)

// newScram starts SCRAM, bound to the connection where the name ends with plus.
func newScram(name string, l login) *mechanism {
	client, err := l.logins.scram(strings.TrimSuffix(name, plus), l.user, l.secret)
	if err != nil {
		fail := func() ([]byte, error) { return nil, err }
		return &mechanism{name: name, initial: fail, next: func([]byte) ([]byte, error) { return fail() }}
	}
	conv, why := l.conversation(name, client), ""
	step := func(challenge string) ([]byte, error) {
		if m := iterations().FindStringSubmatch(challenge); m != nil {
			if n, err := strconv.ParseUint(m[1], 10, 31); err != nil || n > maxIterations { // which takes digits alone
				return nil, fmt.Errorf("the server asks for %q iterations, more than %d", m[1], maxIterations)
			}
		}
		if conv.Done() {
			return nil, errChallenge
		}
		if reason, refused := strings.CutPrefix(challenge, "e="); refused { // and says NO once that is answered
			why = reason
			return nil, nil
		}
		answer, err := conv.Step(challenge)
		return []byte(answer), err
	}
	return &mechanism{
		name:    name,
		initial: func() ([]byte, error) { return step("") },
		next:    func(challenge []byte) ([]byte, error) { return step(string(challenge)) },
		done: func() error {
			if !conv.Valid() {
				return errors.New("the server accepted the login without proving that it knows the password")
			}
			return nil
		},
		why: func() string { return why },
	}
}

// conversation tells the server also of a binding that it does not offer: one
// that does offer it so learns that somebody in between has taken it away.
func (l login) conversation(name string, client *scram.Client) *scram.ClientConversation {
	switch {
	case strings.HasSuffix(name, plus):
		return client.NewConversationWithChannelBinding(l.binding)
	case l.binding.IsSupported():
		return client.NewConversationAdvertisingChannelBinding()
	}
	return client.NewConversation()
}

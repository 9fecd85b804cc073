package wire

import (
	"encoding/json"
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

// mechanism is one SASL exchange (RFC 4422) from the client's side.
type mechanism struct {
	name    string
	initial func() ([]byte, error)                 // nil: the server speaks first
	next    func(challenge []byte) ([]byte, error) // the answer to a challenge
	done    func() error                           // asked after OK: is the server the real one?
	why     func() string                          // asked after NO: what the mechanism was told about it
}

var errChallenge = errors.New("the server sent a challenge this mechanism does not have")

// newMechanism starts the exchange called name, in upper case.
func newMechanism(name, host string, port int, user, secret string, logins *Logins) *mechanism {
	switch name {
	case "PLAIN": // RFC 4616
		return oneShot(name, "\x00"+user+"\x00"+secret)
	case "EXTERNAL": // RFC 4422 appendix A
		return oneShot(name, user)
	case "LOGIN": // draft-murchison-sasl-login; the prompts vary, so they are counted
		answers := []string{user, secret}
		return &mechanism{name: name, next: func([]byte) ([]byte, error) {
			if len(answers) == 0 {
				return nil, errChallenge
			}
			a := answers[0]
			answers = answers[1:]
			return []byte(a), nil
		}}
	case "XOAUTH2":
		return bearer(name, "user="+user+"\x01auth=Bearer "+secret+"\x01\x01", "")
	case "OAUTHBEARER": // RFC 7628
		id := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(user)
		return bearer(name, "n,a="+id+",\x01host="+host+"\x01port="+strconv.Itoa(port)+"\x01auth=Bearer "+secret+"\x01\x01", "\x01")
	case "SCRAM-SHA-256": // RFC 7677
		return scramSHA256(user, secret, logins)
	}
	return nil
}

func oneShot(name, message string) *mechanism {
	return &mechanism{
		name:    name,
		initial: func() ([]byte, error) { return []byte(message), nil },
		next:    func([]byte) ([]byte, error) { return nil, errChallenge },
	}
}

// bearer sends a token; a refusal comes as a challenge holding JSON, which must
// be answered before the server says NO.
func bearer(name, message, dummy string) *mechanism {
	m, why := oneShot(name, message), ""
	m.next = func(challenge []byte) ([]byte, error) {
		var refusal struct{ Status, Scope string }
		if json.Unmarshal(challenge, &refusal) != nil {
			why = string(challenge)
		} else {
			why = strings.TrimSpace("status " + refusal.Status + " " + refusal.Scope)
		}
		return []byte(dummy), nil
	}
	m.why = func() string { return why }
	return m
}

var iterations = lazily(`(?:^|,)i=([0-9]+)`)

// Logins keeps what SCRAM derives from a password for a server's salt, for all
// connections of an account: each would do the work again, which is made hard on
// purpose. The zero value is ready, nil keeps nothing.
type Logins struct {
	mu           sync.Mutex
	user, secret string
	client       *scram.Client // which keeps it; nil before the first login
}

// scram returns the client for a user and password, the one there is if they are
// the same.
func (l *Logins) scram(user, secret string) (*scram.Client, error) {
	if l == nil {
		return newScram(user, secret)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.client == nil || l.user != user || l.secret != secret {
		client, err := newScram(user, secret)
		if err != nil {
			return nil, err
		}
		l.user, l.secret, l.client = user, secret, client
	}
	return l.client, nil
}

func newScram(user, secret string) (*scram.Client, error) {
	client, err := scram.SHA256.NewClient(user, secret, "")
	if err != nil { // what SASLprep forbids may still be the password
		client, err = scram.SHA256.NewClientUnprepped(user, secret, "")
	}
	return client, err
}

func scramSHA256(user, secret string, logins *Logins) *mechanism {
	client, err := logins.scram(user, secret)
	if err != nil {
		fail := func() ([]byte, error) { return nil, err }
		return &mechanism{name: "SCRAM-SHA-256", initial: fail, next: func([]byte) ([]byte, error) { return fail() }}
	}
	conv := client.NewConversation()
	step := func(challenge string) ([]byte, error) {
		if m := iterations().FindStringSubmatch(challenge); m != nil {
			if n, err := strconv.Atoi(m[1]); err != nil || n > maxIterations {
				return nil, fmt.Errorf("the server asks for %s iterations, more than %d", m[1], maxIterations)
			}
		}
		if conv.Done() {
			return nil, errChallenge
		}
		answer, err := conv.Step(challenge)
		return []byte(answer), err
	}
	return &mechanism{
		name:    "SCRAM-SHA-256",
		initial: func() ([]byte, error) { return step("") },
		next:    func(challenge []byte) ([]byte, error) { return step(string(challenge)) },
		done: func() error {
			if !conv.Valid() {
				return errors.New("the server accepted the login without proving that it knows the password")
			}
			return nil
		},
	}
}

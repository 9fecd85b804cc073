package wire

import (
	"crypto/hmac"
	"crypto/md5"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/xdg-go/scram"
)

// mechanism is one SASL exchange (RFC 4422) from the client's side.
type mechanism struct {
	name    string
	initial func() ([]byte, error)                 // nil: the server speaks first
	next    func(challenge []byte) ([]byte, error) // the answer to a challenge
	done    func() error                           // asked after OK: is the server the real one?
	why     func() string                          // asked after NO: what the mechanism was told about it
	begun   bool                                   // the server has sent a challenge
}

var errChallenge = errors.New("the server sent a challenge this mechanism does not have")

// login is what the mechanisms make their messages of.
type login struct {
	user, secret string
	host         string
	port         int // 0: unknown
	logins       *Logins
	binding      scram.ChannelBinding // none: the connection has none, or is to do without
}

// newMechanism starts the exchange called name, in upper case; nil if there is
// no such mechanism.
func newMechanism(name string, l login) *mechanism {
	user, secret := l.user, l.secret
	if isScram(name) {
		return newScram(name, l)
	}
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
		where := ""
		if l.port != 0 {
			where = "host=" + l.host + "\x01port=" + strconv.Itoa(l.port) + "\x01"
		}
		return bearer(name, "n,a="+id+",\x01"+where+"auth=Bearer "+secret+"\x01\x01", "\x01")
	case "CRAM-MD5": // RFC 2195
		m := &mechanism{name: name}
		m.next = func(challenge []byte) ([]byte, error) {
			m.next = unexpected
			mac := hmac.New(md5.New, []byte(secret))
			mac.Write(challenge)
			return fmt.Appendf(nil, "%s %x", user, mac.Sum(nil)), nil
		}
		return m
	}
	return nil
}

func oneShot(name, message string) *mechanism {
	return &mechanism{
		name:    name,
		initial: func() ([]byte, error) { return []byte(message), nil },
		next:    unexpected,
	}
}

func unexpected([]byte) ([]byte, error) { return nil, errChallenge }

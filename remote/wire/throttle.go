package wire

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxBackoff is the longest wait a server's words are taken to ask for.
const maxBackoff = time.Hour

// Codes that tell what kind of refusal it is whatever the text says (RFC 5530).
var (
	temporaryCodes = []string{"UNAVAILABLE", "INUSE", "LIMIT"}
	authCodes      = []string{"AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "PRIVACYREQUIRED"}
	lastingCodes   = []string{"OVERQUOTA", "TOOBIG", "NOPERM", "NONEXISTENT", "TRYCREATE", "ALREADYEXISTS", "CANNOT"}
)

// throttling are words by which servers without response codes say that they
// will not now. "Try again" alone is also said of a mistyped password.
var throttling = []string{
	"throttl", "backoff", "back off", "back-off", "too many connections", "too many simultaneous", "too many concurrent",
	"too many requests", "too many commands", "too many sessions", "too many users", "too many open", "too many active",
	"maximum number of connections", "connection limit", "connections from", "connections exceeded", "limit of connections",
	"number of connections", "try again later", "try later", "later again", "try again in", "try again after", "retry later",
	"retry after", "retry in", "temporar", "rate limit", "rate-limit", "ratelimit", "bandwidth",
	"overload", "not connected", "unavailable", "server busy", "server is busy", "too busy",
	"shutting down", "going down", "maintenance",
}

// Temporary reports whether a refusal with this response code and text is one
// that time cures.
func Temporary(code, text string) bool {
	code, text = strings.ToUpper(code), strings.ToLower(text)
	switch {
	case slices.Contains(temporaryCodes, code):
		return true
	case slices.Contains(authCodes, code), slices.Contains(lastingCodes, code):
		return false
	}
	return Backoff(text) > 0 || slices.ContainsFunc(throttling, func(words string) bool { return strings.Contains(text, words) })
}

// The ways servers say how long: "Suggested Backoff Time: 29523 milliseconds",
// "try again in 5 minutes", "Retry-After: 30", "please wait one minute",
// "blocked for an hour".
var (
	backoffTime = lazily(`(?i)back-?\s?off(?:\s+(?:time|for|period))?\s*[:=]?\s*` + amount + `\s*` + unit + `?\b`)
	retryAfter  = lazily(`(?i)retry[-_ ]?after\s*[:=]?\s*` + amount + `\s*` + unit + `?\b`)
	waitTime    = lazily(`(?i)\b(?:try|retry|again|wait|later|back|reconnect|(?:b?locked|throttled|suspended|disabled|` +
		`limited|unavailable|available|resumes?|resets?))\b[^.;\d]{0,40}?\b` + amount + `\s*` + unit + `\b`)
)

// lazily compiles a pattern when it is first needed, which in most runs is never.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

const (
	amount = `(\d{1,18}|an?|one|two|three|four|five|ten|fifteen|thirty|sixty|(?:a )?few|several)`
	unit   = `(milliseconds?|msecs?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d)`
)

var inWords = map[string]int64{
	"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "ten": 10, "fifteen": 15, "thirty": 30, "sixty": 60,
	"a few": 5, "few": 5, "several": 5,
}

// Backoff reads how long the server wants to be left alone out of its words, an
// hour at most; 0 when they do not say.
func Backoff(text string) time.Duration {
	if m := backoffTime().FindStringSubmatch(text); m != nil {
		return waiting(m[1], m[2], time.Millisecond)
	}
	if m := retryAfter().FindStringSubmatch(text); m != nil {
		return waiting(m[1], m[2], time.Second)
	}
	if m := waitTime().FindStringSubmatch(text); m != nil {
		return waiting(m[1], m[2], time.Second)
	}
	return 0
}

// waiting multiplies; a number without a unit is one of otherwise, a word
// without a unit says nothing.
func waiting(amount, unit string, otherwise time.Duration) time.Duration {
	n, inWord := inWords[strings.ToLower(amount)]
	if !inWord {
		n, _ = strconv.ParseInt(amount, 10, 64)
	}
	one := otherwise
	switch unit = strings.ToLower(unit); {
	case unit == "" && inWord:
		return 0
	case unit == "":
	case strings.HasPrefix(unit, "ms"), strings.HasPrefix(unit, "milli"):
		one = time.Millisecond
	case unit[0] == 's':
		one = time.Second
	case unit[0] == 'm':
		one = time.Minute
	case unit[0] == 'h':
		one = time.Hour
	default:
		one = 24 * time.Hour
	}
	if n > int64(maxBackoff/one) {
		return maxBackoff
	}
	return time.Duration(n) * one
}

// refusal is the error for a NO, BAD or BYE before the connection is ready; one
// that time cures, or that is about the credentials, is so whatever was being
// done.
func (c *Conn) refusal(kind Kind, doing string, st status, err error) *Error {
	e := &Error{Kind: kind, Doing: doing, Code: c.codeText(st.code), Text: c.shortText(st.text), Err: err}
	switch {
	case kind != KindBye && Temporary(st.code, st.text):
		e.Kind, e.Hint = KindUnavailable, "try again later; fewer connections may help"
	case slices.Contains(authCodes, st.code):
		e.Kind = KindAuth
	}
	return e
}

// codeText is a response code fit for an error.
func (c *Conn) codeText(code string) string {
	if code == "" || validAtom(code) && code[0] != '[' && len(code) <= maxCode && c.scrub(code) == code {
		return code
	}
	return ""
}

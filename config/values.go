package config

import (
	"encoding/hex"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// wrong records that the value is not of the type wanted, without showing it.
func (v value) wrong(want string) {
	have := "a date"
	switch v.v.(type) {
	case string:
		have = "a string"
	case int64:
		have = "an integer"
	case float64:
		have = "a number with a fraction"
	case bool:
		have = "a boolean"
	case []any:
		have = "a list"
	case map[string]any:
		have = "a table"
	}
	v.fail("must be %s, not %s", want, have)
}

// text returns a string that is not empty.
func (v value) text() (string, bool) {
	s, ok := v.v.(string)
	switch {
	case !ok:
		v.wrong("a string")
	case s == "":
		v.fail("must not be empty")
	case strings.ContainsRune(s, 0):
		v.fail("must not contain a NUL character")
	default:
		return s, true
	}
	return "", false
}

func (v value) boolean() (bool, bool) {
	b, ok := v.v.(bool)
	if !ok {
		v.wrong("true or false")
	}
	return b, ok
}

func (v value) integer(low, high int64) (int, bool) {
	n, ok := v.v.(int64)
	switch {
	case !ok:
		v.wrong("an integer")
	case n < low || n > high:
		v.fail("must be between %d and %d, not %d", low, high, n)
	default:
		return int(n), true
	}
	return 0, false
}

// texts returns a list of strings, or a single string as a list of one.
func (v value) texts() ([]string, bool) {
	if s, ok := v.v.(string); ok {
		v.v = []any{s}
	}
	list, ok := v.v.([]any)
	if !ok {
		v.wrong("a list of strings")
		return nil, false
	}
	out := make([]string, 0, len(list))
	for i, item := range list {
		s, ok := item.(string)
		if !ok || s == "" {
			v.fail("item %d must be a string that is not empty", i+1)
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}

// oneOf returns a string that is one of those allowed.
func (v value) oneOf(allowed ...string) (string, bool) {
	s, ok := v.text()
	if !ok {
		return "", false
	}
	for _, a := range allowed {
		if s == a {
			return s, true
		}
	}
	v.fail("must be one of %s, not %q%s", strings.Join(allowed, ", "), s, Suggest(s, allowed))
	return "", false
}

func (v value) duration(low time.Duration) (time.Duration, bool) {
	s, ok := v.text()
	if !ok {
		return 0, false
	}
	d, err := ParseDuration(s)
	switch {
	case err != nil:
		v.fail("%v", err)
	case d < low:
		v.fail("must be at least %v, not %q", low, s)
	default:
		return d, true
	}
	return 0, false
}

// file returns an absolute path: "~" is the home directory, the environment is
// not expanded, a relative path starts from the configuration file.
func (v value) file() (string, bool) {
	s, ok := v.text()
	if !ok {
		return "", false
	}
	if strings.HasPrefix(s, "$") {
		v.fail("environment variables are not expanded; write ~/… or the whole path")
		return "", false
	}
	if rest, ok := strings.CutPrefix(s, "~"); ok {
		home, err := os.UserHomeDir()
		switch {
		case rest != "" && rest[0] != '/':
			v.fail("only ~/… is expanded, not ~user")
			return "", false
		case err != nil:
			v.fail("cannot expand ~: %v", err)
			return "", false
		}
		s = home + rest
	}
	if !filepath.IsAbs(s) {
		s = filepath.Join(filepath.Dir(v.doc.file), s)
	}
	abs, err := filepath.Abs(s)
	if err != nil {
		v.fail("%v", err)
		return "", false
	}
	return abs, true
}

// ParseDuration reads a duration in Go's form that also knows days, weeks and
// years of 365 days: "90s", "1h30m", "30d", "2w", "1y". It takes no sign.
func ParseDuration(s string) (time.Duration, error) {
	units := map[string]time.Duration{
		"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
		"d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "y": 365 * 24 * time.Hour,
	}
	bad := fmt.Errorf("%q is no duration such as \"60s\", \"1h30m\", \"30d\", \"2w\" or \"1y\"", s)
	if s == "" {
		return 0, bad
	}
	var total float64
	for rest := s; rest != ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789."))
		n, err := strconv.ParseFloat(rest[:digits], 64)
		if err != nil {
			return 0, bad
		}
		rest = rest[digits:]
		letters := len(rest) - len(strings.TrimLeft(rest, "mshdwy"))
		unit, ok := units[rest[:letters]]
		if !ok {
			return 0, bad
		}
		rest = rest[letters:]
		total += n * float64(unit)
	}
	if total > math.MaxInt64/2 {
		return 0, fmt.Errorf("%q is too long a time", s)
	}
	return time.Duration(total), nil
}

// parseFingerprint reads the SHA-256 of a certificate as hex digits, with or
// without colons, as openssl and browsers print it.
func parseFingerprint(s string) (sum [32]byte, err error) {
	digits := strings.ReplaceAll(s, ":", "")
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) != len(sum) {
		return sum, fmt.Errorf("must be the SHA-256 of the certificate in 64 hex digits, not %q", s)
	}
	return [32]byte(b), nil
}

// isLoopback reports whether a host is this machine, by name or address.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

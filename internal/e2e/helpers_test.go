package e2e

import (
	"strings"
	"testing"
)

// contains reports whether any of the parts is in s.
func contains(s string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

// mustSay insists that the program's output has each of the parts.
func mustSay(t *testing.T, r result, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(r.output(), p) {
			t.Errorf("the output does not say %q:\n%v", p, r)
		}
	}
}

package dovecot

import (
	"os"
	"testing"
)

// Start runs a server until the test ends and shows its log if the test
// failed. Without Debian's dovecot-imapd the test is skipped, or fails where
// nothing may be skipped (Required).
func Start(t testing.TB, options ...Option) *Server {
	t.Helper()
	Need(t, Program, "dovecot-imapd")
	var o Options
	for _, set := range options {
		set(&o)
	}
	dir, err := os.MkdirTemp("", "dovecot")
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(dir, o)
	if err != nil {
		_ = os.RemoveAll(dir)
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("server log:\n%s", s.Log())
		}
		s.Stop()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Need skips the test, naming the Debian package, where the program is not
// installed; where Required it fails.
func Need(t testing.TB, program, debianPackage string) {
	t.Helper()
	if _, err := os.Stat(program); err == nil {
		return
	}
	if Required() {
		t.Fatalf("%s is missing: install the package %s", program, debianPackage)
	}
	t.Skipf("%s is missing: install the package %s", program, debianPackage)
}

// Required reports whether no test may be skipped: in CI, and when asked for.
func Required() bool {
	return os.Getenv("CI") == "true" || os.Getenv("IMAPSYNC_REQUIRE") == "1"
}

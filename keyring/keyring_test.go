package keyring

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	system "github.com/zalando/go-keyring"
)

func TestKeep(t *testing.T) {
	system.MockInit()
	ctx := context.Background()
	if _, err := Get(ctx, "s", "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an empty keyring says %v", err)
	}
	for _, secret := range []string{"first", "second"} {
		if err := Set(ctx, "s", "a", secret); err != nil {
			t.Fatal(err)
		}
		if have, err := Get(ctx, "s", "a"); have != secret || err != nil {
			t.Errorf("have %q, %v", have, err)
		}
	}
	if _, err := Get(ctx, "other", "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another service has it, too: %v", err)
	}
}

func TestNone(t *testing.T) {
	system.MockInitWithError(errors.New("no bus"))
	t.Cleanup(system.MockInit)
	_, err := Get(context.Background(), "s", "a")
	for _, err := range []error{err, Set(context.Background(), "s", "a", "x")} {
		var none *Unavailable
		if !errors.As(err, &none) || errors.Is(err, ErrNotFound) {
			t.Errorf("without a keyring: %v", err)
		}
	}
}

// TestTooLong: that a secret is too long is no matter of a keyring that is locked.
func TestTooLong(t *testing.T) {
	system.MockInitWithError(system.ErrSetDataTooBig)
	t.Cleanup(system.MockInit)
	if err := Set(context.Background(), "s", "a", "x"); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("a secret that is too long: %v", err)
	}
}

// TestNoSession: no session is started where the user has none, and one that
// the user has is used.
func TestNoSession(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("macOS and Windows have no D-Bus")
	}
	here := fmt.Sprintf("unix:path=/run/user/%d/bus", os.Getuid())
	for has, want := range map[string]string{"": here, "autolaunch:": here, "unix:path=/mine": "unix:path=/mine"} {
		t.Setenv(busAddress, has)
		noLaunch()
		if have := os.Getenv(busAddress); have != want {
			t.Errorf("with %q: %q, want %q", has, have, want)
		}
	}
}

// TestEndsWithContext: a keyring that waits for somebody to unlock it does not
// keep a run that is interrupted.
func TestEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("interrupted")
	locked := make(chan struct{})
	defer close(locked)
	_, err := await(ctx, func() (string, error) {
		cancel(why)
		<-locked
		return "late", nil
	})
	if !errors.Is(err, why) {
		t.Errorf("want the cause, have %v", err)
	}
}

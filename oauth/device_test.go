package oauth

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"imapsync/internal/authserver"
)

// TestDevice polls as RFC 8628 section 3.5 wants, by a clock that only the test
// moves: each slow_down adds five seconds.
func TestDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := authserver.New("me@example.org")
		s.Device = []string{"authorization_pending", "slow_down", "authorization_pending"}
		s.Interval = 2
		began := time.Now()
		var shown DeviceCode
		g, err := testClient("https://auth.test").Device(direct{s}.context(t.Context()), func(d DeviceCode) { shown = d })
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 2*time.Second+2*time.Second+7*time.Second+7*time.Second {
			t.Errorf("polled for %v", took)
		}
		if shown.Address != "https://login.example.org/device" || !strings.HasPrefix(shown.Code, "WDJB-") || !shown.Until.Equal(began.Add(10*time.Minute)) {
			t.Errorf("shown %+v", shown)
		}
		if g.Refresh == "" || !s.Accepts(g.Access) || !g.Expiry.Equal(time.Now().Add(time.Hour)) {
			t.Errorf("the grant lacks something, or the token lasts until %v", g.Expiry)
		}
	})
}

func TestDeviceRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*authserver.Server)
		kind   Kind
		says   string
	}{
		{"denied", func(s *authserver.Server) { s.Device = []string{"authorization_pending", "access_denied"} }, KindLogin, "access_denied"},
		{"expired", func(s *authserver.Server) { s.Device = []string{"expired_token"} }, KindLogin, "expired_token"},
		{"late", func(s *authserver.Server) {
			s.Device, s.Expires = slices.Repeat([]string{"authorization_pending"}, 1000), 60
		}, KindLogin, "in time"},
		{"down", func(s *authserver.Server) { s.Down = true }, KindUnavailable, "503"},
		{"no refresh", func(s *authserver.Server) { s.NoOnward = true }, KindRefused, "no refresh token"},
		{"echo", func(s *authserver.Server) { s.Device, s.Echo = []string{"invalid_request"}, true }, KindRefused, "you sent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := authserver.New("me@example.org")
				c.change(s)
				_, err := testClient("https://auth.test").Device(direct{s}.context(t.Context()), func(DeviceCode) {})
				if kindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
					t.Fatalf("have %v (%s)", err, kindOf(err))
				}
				secretless(t, err)
			})
		})
	}
	other := testClient("https://auth.test")
	other.Scopes = []string{"calendar"}
	var e *Error
	_, err := other.Device(direct{authserver.New("me")}.context(t.Context()), nil)
	if !errors.As(err, &e) || e.Kind != KindRefused || !strings.Contains(e.Hint, "with a browser") {
		t.Errorf("a scope that devices do not get: %v", err)
	}
	bare := testClient("https://auth.test")
	bare.DeviceURL = ""
	if _, err := bare.Device(t.Context(), nil); kindOf(err) != KindRefused {
		t.Errorf("without device_url: %v", err)
	}
}

// TestDeviceHiccup: that the network fails now and then does not cost the login.
func TestDeviceHiccup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := authserver.New("me@example.org")
		polls := 0
		flaky := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if polls++; polls == 2 || polls == 3 {
				http.Error(w, "gone", http.StatusBadGateway)
				return
			}
			s.ServeHTTP(w, r)
		})
		if _, err := testClient("https://auth.test").Device(direct{flaky}.context(t.Context()), func(DeviceCode) {}); err != nil {
			t.Error(err)
		}
	})
}

func TestDeviceInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := authserver.New("me@example.org")
		s.Device = slices.Repeat([]string{"authorization_pending"}, 1000)
		why := errors.New("interrupted")
		ctx, cancel := context.WithCancelCause(direct{s}.context(t.Context()))
		time.AfterFunc(time.Minute, func() { cancel(why) })
		if _, err := testClient("https://auth.test").Device(ctx, func(DeviceCode) {}); !errors.Is(err, why) {
			t.Errorf("have %v", err)
		}
	})
}

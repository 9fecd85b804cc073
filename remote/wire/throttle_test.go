package wire_test

import (
	"context"
	"testing"
	"time"

	"imapsync/remote/wire"
)

func TestBackoff(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"Request is throttled. Suggested Backoff Time: 29523 milliseconds": 29523 * time.Millisecond,
		"Request is throttled. Suggested Backoff Time: 800":                800 * time.Millisecond,
		"server busy, backoff for 2 minutes":                               2 * time.Minute,
		"Please try again in 5 minutes.":                                   5 * time.Minute,
		"try again after 30 sec":                                           30 * time.Second,
		"Retry-After: 45":                                                  45 * time.Second,
		"retry after 30 seconds":                                           30 * time.Second,
		"retry in 1500ms":                                                  1500 * time.Millisecond,
		"please wait one minute before you log in again":                   time.Minute,
		"come back in an hour":                                             time.Hour,
		"Account is temporarily locked for 15 minutes":                     15 * time.Minute,
		"Too many attempts, please try again in a few minutes":             5 * time.Minute,
		"Server unavailable, expected to be back in about 10 min":          10 * time.Minute,
		"wait 2h":                                         time.Hour,
		"try again in 99999999999 hours":                  time.Hour,
		"try again in 999999999999999 days":               time.Hour,
		"blocked for 24 hours":                            time.Hour,
		"Try again later":                                 0,
		"try again in 0 seconds":                          0,
		"Invalid login, try again (code 535)":             0,
		"3 failed attempts in 5 minutes":                  0,
		"try again, 3 more attempts":                      0,
		"retry after you have read 5 messages on the web": 0,
		"Mailbox has 30 seconds of silence":               0,
		"":                                                0,
	} {
		if got := wire.Backoff(text); got != want {
			t.Errorf("Backoff(%q) = %v, want %v", text, got, want)
		}
	}
}

// TestLoginRefusedForNow: what a server says to LOGIN or AUTHENTICATE when it
// will not now is no wrong password, and a wrong password is one whatever else
// is said.
func TestLoginRefusedForNow(t *testing.T) {
	for answer, kind := range map[string]wire.Kind{
		"NO [UNAVAILABLE] Temporary authentication failure.":                        wire.KindUnavailable,
		"NO [INUSE] mailbox locked":                                                 wire.KindUnavailable,
		"NO [LIMIT] Rate limit hit":                                                 wire.KindUnavailable,
		"NO [unavailable] later":                                                    wire.KindUnavailable,
		"NO [SERVERBUG] LOGIN Server error - Please try again later":                wire.KindUnavailable,
		"NO [ALERT] Too many simultaneous connections. (Failure)":                   wire.KindUnavailable,
		"NO [ALERT] Account exceeded command or bandwidth limits. (Failure)":        wire.KindUnavailable,
		"NO Request is throttled. Suggested Backoff Time: 29523 milliseconds":       wire.KindUnavailable,
		"BAD Request is throttled. Suggested Backoff Time: 29523 milliseconds":      wire.KindUnavailable,
		"BAD User is authenticated but not connected.":                              wire.KindUnavailable,
		"NO Maximum number of connections from user+IP exceeded":                    wire.KindUnavailable,
		"NO please wait 5 minutes":                                                  wire.KindUnavailable,
		"NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)":                   wire.KindAuth,
		"NO [AUTHENTICATIONFAILED] Too many login failures, try again in 5 minutes": wire.KindAuth,
		"NO [AUTHORIZATIONFAILED] service unavailable to you":                       wire.KindAuth,
		"NO [EXPIRED] password expired; temporary passwords last a day":             wire.KindAuth,
		"NO [ALERT] Invalid credentials (Failure)":                                  wire.KindAuth,
		"NO LOGIN failed.": wire.KindAuth,
		"NO Invalid login or password, please try again": wire.KindAuth,
		"NO": wire.KindAuth,
		"NO [ALERT] Application-specific password required: https://example.org/5 (Failure)": wire.KindAuth,
		"* BYE [UNAVAILABLE] Too many simultaneous connections":                              wire.KindBye,
		"* BYE [AUTHENTICATIONFAILED] wrong":                                                 wire.KindAuth,
		"* BAD Request is throttled. Suggested Backoff Time: 29523 milliseconds":             wire.KindBye,
	} {
		for _, how := range []string{"login", "plain"} {
			t.Run(how+" "+answer, func(t *testing.T) {
				e := dialError(t, kind, func(s *server) {
					s.write("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\r\n")
					tag := s.line()[:2] + " "
					if answer[0] == '*' {
						tag = ""
					}
					s.write("%s\r\n", tag+answer)
					s.quiet()
				}, auth(how))
				if kind != wire.KindBye && e.Hint == "" && answer[0] != '*' {
					t.Errorf("no hint: %v", e)
				}
			})
		}
	}
}

// TestHandshakeRefusedForNow: the same between greeting and readiness.
func TestHandshakeRefusedForNow(t *testing.T) {
	for name, script := range map[string]func(s *server){
		"STARTTLS": func(s *server) {
			s.write("* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n")
			s.write("%s NO [UNAVAILABLE] no TLS just now\r\n", s.expect("STARTTLS"))
			s.quiet()
		},
		"CAPABILITY": func(s *server) {
			s.write("* PREAUTH hi\r\n")
			s.write("%s BAD User is authenticated but not connected.\r\n", s.expect("CAPABILITY"))
			s.quiet()
		},
	} {
		t.Run(name, func(t *testing.T) {
			security := wire.Plain
			if name == "STARTTLS" {
				security = wire.StartTLS
			}
			dialError(t, wire.KindUnavailable, script, secure(security))
		})
	}
}

// TestCodeInAnErrorIsFit: a response code is shown like the text, without
// control characters, endless length or what was told to the server.
func TestCodeInAnErrorIsFit(t *testing.T) {
	for _, code := range []string{"\x1b[31m", "CORRECT", string(make([]byte, 5000))} {
		e := dialError(t, wire.KindAuth, func(s *server) {
			s.write("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\r\n")
			s.write("%s NO ["+code+"] no\r\n", s.expect("AUTHENTICATE"))
			s.quiet()
		}, func(o *wire.Options) {
			o.Secret = func(context.Context) (string, error) { return "correct", nil }
		})
		if e.Code != "" {
			t.Errorf("code %q", e.Code)
		}
	}
}

package wire_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"imapsync/internal/dovecot"
	"imapsync/remote/wire"
)

// onDovecot connects to a real server.
func onDovecot(t *testing.T, s *dovecot.Server, change func(*wire.Options)) (*wire.Conn, error) {
	t.Helper()
	o := options(s.Port)
	o.User = "jane"
	o.Secret = func(context.Context) (string, error) { return s.Password, nil }
	if change != nil {
		change(&o)
	}
	c, err := wire.Dial(t.Context(), o)
	if err == nil {
		t.Cleanup(func() { c.Close() })
	}
	return c, err
}

// TestDovecotLogin: every protection and every mechanism the server has.
func TestDovecotLogin(t *testing.T) {
	s := dovecot.Start(t, dovecot.WithTLS())
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	for _, security := range []wire.Security{wire.Plain, wire.StartTLS, wire.Implicit} {
		for _, mechanism := range []string{"auto", "plain", "login", "scram-sha-256"} {
			c, err := onDovecot(t, s, func(o *wire.Options) {
				o.Security, o.Auth, o.TLS = security, mechanism, &tls.Config{RootCAs: roots}
				if security == wire.Implicit {
					o.Port = s.TLSPort
				}
			})
			if err != nil {
				t.Errorf("%s, %s: %v", security, mechanism, err)
				continue
			}
			alive(t, c, client(t, c, nil)) // who it is, the server tells with its first answer
			if !c.HasCap("UIDPLUS") || (c.TLSState() != nil) != (security != wire.Plain) || !strings.Contains(c.ServerID(), "Dovecot") {
				t.Errorf("%s, %s: caps %v, server %q", security, mechanism, c.Caps(), c.ServerID())
			}
		}
	}
	_, err = onDovecot(t, s, func(o *wire.Options) {
		o.Secret = func(context.Context) (string, error) { return password, nil }
	})
	var e *wire.Error
	if !errors.As(err, &e) || e.Kind != wire.KindAuth || e.Code != "AUTHENTICATIONFAILED" {
		t.Errorf("wrong password: %v", err)
	}
	_, err = onDovecot(t, s, func(o *wire.Options) { o.Security = wire.StartTLS })
	if !errors.As(err, &e) || e.Kind != wire.KindTLS {
		t.Errorf("unknown authority: %v", err)
	}
}

// TestDovecotMail: messages go up and come down unchanged, with and without
// LITERAL+, also after a refusal.
func TestDovecotMail(t *testing.T) {
	for _, without := range []string{"", "LITERAL+"} {
		s := dovecot.Start(t, dovecot.WithQuota(1<<20), dovecot.Without(without))
		c, err := onDovecot(t, s, nil)
		if err != nil {
			t.Fatal(err)
		}
		cl := client(t, c, nil)
		messages := []string{"Subject: one\r\n\r\n8-bit \xff\x80 and )\r\n* BYE {3}\r\n", "x", strings.Repeat("0123456789abcd\r\n", 20_000)}
		for _, m := range messages {
			if data, err := appendMessage(cl, m); err != nil || data.UID == 0 {
				t.Fatalf("APPEND: %+v, %v (%v)", data, err, c.Err())
			}
		}
		_, err = appendMessage(cl, strings.Repeat("much too large\r\n", 100_000))
		var e *imap.Error
		if !errors.As(err, &e) || e.Code != imap.ResponseCodeOverQuota {
			t.Errorf("over quota: %v (%v)", err, c.Err())
		}
		if _, err := cl.Select("INBOX", &imap.SelectOptions{CondStore: true}).Wait(); err != nil {
			t.Fatal(err)
		}
		got, err := cl.Fetch(imap.UIDSet{{Start: 1}}, &imap.FetchOptions{UID: true, Flags: true, InternalDate: true, RFC822Size: true, ModSeq: true,
			BodySection: wholeBody.BodySection}).Collect()
		if err != nil || len(got) != len(messages) {
			t.Fatalf("%d messages, %v", len(got), err)
		}
		for i, m := range messages {
			if !bytes.Equal(got[i].BodySection[0].Bytes, []byte(m)) || got[i].RFC822Size != int64(len(m)) || got[i].ModSeq == 0 || got[i].InternalDate.IsZero() {
				t.Errorf("message %d came back changed", i)
			}
		}
		found, err := cl.UIDSearch(&imap.SearchCriteria{}, &imap.SearchOptions{ReturnAll: true}).Wait()
		if err != nil || len(found.AllUIDs()) != len(messages) {
			t.Errorf("SEARCH %v, %v", found.AllUIDs(), err)
		}
		list, err := cl.List("", "*", &imap.ListOptions{ReturnStatus: &imap.StatusOptions{NumMessages: true, UIDNext: true, UIDValidity: true, HighestModSeq: true}}).Collect()
		if err != nil || len(list) != 1 || int(*list[0].Status.NumMessages) != len(messages) {
			t.Errorf("LIST %+v, %v", list, err)
		}
		for _, n := range c.Notices() {
			if n.Kind == wire.NoticeDropped {
				t.Errorf("dropped: %+v", n)
			}
		}
		alive(t, c, cl)
	}
}

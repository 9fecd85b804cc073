package remote

import (
	"slices"
	"strings"
	"testing"

	"imapsync/internal/dovecot"
	"imapsync/mail"
	"imapsync/remote/wire"
)

// TestDovecotCompressed: an account whose connections are compressed works like
// any other, and its mail takes less on the wire.
func TestDovecotCompressed(t *testing.T) {
	srv := dovecot.Start(t, dovecot.WithCompress())
	a := accountAt(t, srv.Addr(), "alice", srv.Password, func(c *Config) { c.Wire.Compress = wire.CompressAlways })
	m := open(t, a, mail.Inbox)
	if !m.c.wire.Compressed() {
		t.Fatal("not compressed")
	}
	big := "Subject: big\r\n\r\n" + strings.Repeat("so much the same\r\n", 20_000)
	uids := mustAppend(t, m, outgoing(message(1), ":"), outgoing(big, ":"), outgoing(message(2), ":"))
	if got := uidsOf(snapshot(t, m, mail.Known{}, true)); !slices.Equal(got, uids) {
		t.Errorf("messages %v, want %v", got, uids)
	}
	bodies, errs, err := fetchAll(t, m, uids)
	if err != nil || len(errs) > 0 || bodies[uids[1]] != big {
		t.Errorf("bodies of %d messages, %v, %v", len(bodies), errs, err)
	}
	if st := a.Stats(); st.BytesIn > 50_000 || st.BytesOut > 50_000 {
		t.Errorf("%d bytes in, %d out", st.BytesIn, st.BytesOut)
	}
}

// TestDovecotCompressedWhenSlow: a mailbox that is open already is compressed by
// the next operation once the link is known to be slow, and so are connections
// that come later; nothing is before.
func TestDovecotCompressedWhenSlow(t *testing.T) {
	srv := dovecot.Start(t, dovecot.WithCompress())
	var link wire.Link
	a := accountAt(t, srv.Addr(), "alice", srv.Password, func(c *Config) { c.Wire.Compress, c.Wire.Link = wire.CompressAuto, &link })
	m := open(t, a, mail.Inbox)
	uids := mustAppend(t, m, outgoing(message(1), ":"))
	for range 4 {
		if m.c.wire.Compressed() {
			t.Error("compressed before the link is known to be slow")
		}
		link.Add(1e6)
	}
	if bodies, errs, err := fetchAll(t, m, uids); err != nil || len(errs) > 0 || bodies[uids[0]] == "" {
		t.Errorf("bodies of %d messages, %v, %v", len(bodies), errs, err)
	}
	if !m.c.wire.Compressed() || !open(t, a, mail.Inbox).c.wire.Compressed() {
		t.Error("not compressed on a slow link")
	}
}

package remote

import (
	"slices"
	"testing"

	"imapsync/internal/dovecot"
	"imapsync/mail"
)

// TestDovecotSessionLearnsOfArrivals: a session that selected a mailbox before
// another put a message there does nothing to it and says OK, unless it asks
// for news first.
func TestDovecotSessionLearnsOfArrivals(t *testing.T) {
	srv := dovecot.Start(t)
	a, other := accountAt(t, srv.Addr(), "early", srv.Password), accountAt(t, srv.Addr(), "early", srv.Password)
	var uids []mail.UID
	again := func() *Mailbox { // the connection that selected INBOX first, and has not heard of anything since
		t.Helper()
		m := open(t, a, mail.Inbox)
		if m.Mark().UIDNext > 1 {
			t.Fatal("another connection, or selected again")
		}
		return m
	}
	if err := a.CreateFolder(t.Context(), "A"); err != nil {
		t.Fatal(err)
	}
	m := open(t, a, mail.Inbox)
	m.Close()

	out := open(t, other, mail.Inbox)
	uids = append(uids, mustAppend(t, out, outgoing(message(1), ":"), outgoing(message(2), ":"))...)
	m = again()
	if err := m.Store(t.Context(), uids, mail.NewFlags(mail.Seen), mail.Flags{}); err != nil {
		t.Fatal(err)
	}
	for _, uid := range uids {
		if f, err := out.Flags(t.Context(), uids); err != nil || f[uid].System&mail.Seen == 0 {
			t.Errorf("flags of %d: %v, %v", uid, f, err)
		}
	}
	if err := out.Store(t.Context(), uids, mail.NewFlags(mail.Flagged), mail.Flags{}); err != nil {
		t.Fatal(err)
	}
	if f, err := m.Flags(t.Context(), uids); err != nil || f[uids[0]].System&mail.Flagged == 0 {
		t.Errorf("flags that another has set: %v, %v", f, err)
	}
	uids = mustAppend(t, out, outgoing(message(3), ":"))
	if bodies, errs, err := fetchAll(t, m, uids); err != nil || len(bodies) != 1 {
		t.Errorf("bodies %v, %v, %v", bodies, errs, err)
	}
	uids = mustAppend(t, out, outgoing(message(4), ":"))
	if _, err := m.Copy(t.Context(), uids, "A", 0); err != nil {
		t.Fatal(err)
	}
	m.Close()
	copies := open(t, a, "A")
	if got := uidsOf(snapshot(t, copies, mail.Known{}, true)); !slices.Equal(got, []mail.UID{1}) {
		t.Errorf("copies %v", got)
	}
	copies.Close()
	uids = mustAppend(t, out, outgoing(message(5), ":"))
	m = open(t, a, mail.Inbox)
	if err := m.Expunge(t.Context(), uids); err != nil {
		t.Fatal(err)
	}
	if f, err := out.Flags(t.Context(), uids); err != nil || len(f) != 0 {
		t.Errorf("not expunged: %v, %v", f, err)
	}
}

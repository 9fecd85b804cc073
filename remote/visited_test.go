package remote

import (
	"strings"
	"testing"

	"imapsync/mail"
)

// Flags told ahead count only for who asks next: when the connection has served
// another meanwhile, they are asked for again.
func TestForetoldOutlivesOtherUse(t *testing.T) {
	for name, between := range map[string]func(a *Account) error{
		"look":   func(a *Account) error { _, err := a.Look(t.Context(), "B", false, mail.Known{}, true); return err },
		"create": func(a *Account) error { return a.CreateFolder(t.Context(), "D") },
	} {
		t.Run(name, func(t *testing.T) {
			p, a := newPair(t)
			goOnFrom(t, a, changes[0], 1)
			if err := between(a); err != nil {
				t.Fatal(err)
			}
			p.mu.Lock()
			p.flags = `\Answered`
			p.mu.Unlock()
			m := open(t, a, "B")
			flags, err := m.Flags(t.Context(), []mail.UID{1})
			if err != nil || flags[1].System != mail.Answered {
				t.Errorf("flags %v, %v", flags, err)
			}
		})
	}
}

// A mailbox that was listed with another UIDVALIDITY than the SELECT ahead finds is
// refused, then and whenever it is opened.
func TestGoOnToAListedMailbox(t *testing.T) {
	p, a := newPairListing(t, `* LIST () "/" A`, `* LIST () "/" B`, "* STATUS B (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 9 HIGHESTMODSEQ 50)")
	p.mu.Lock()
	p.onB = func(c *fakeConn, tag string) {
		c.send("%s\n%s OK in", strings.ReplaceAll(selected, "UIDVALIDITY 9", "UIDVALIDITY 10"), tag)
	}
	p.mu.Unlock()
	goOnFrom(t, a, changes[0], 1)
	m, err := a.Open(t.Context(), "B", false)
	if err == nil {
		err = changes[1].do(t.Context(), m, []mail.UID{1})
		m.Close()
	}
	if err == nil || len(p.in("B")) > 1 {
		t.Errorf("%v, in B %q", err, p.in("B"))
	}
}

// The mark of a look is that of its SELECT, whatever is told afterwards.
func TestLookKeepsTheMarkOfItsSelect(t *testing.T) {
	w, a := listedTowns(t, 2)
	w.on["UID FETCH"] = func(c *fakeConn, tag, args string) {
		c.send("* 1 FETCH (FLAGS (\\Seen))\n* OK [HIGHESTMODSEQ 60] changed")
		w.command(c, tag, "UID FETCH", args)
	}
	s, err := a.Look(t.Context(), "F1", false, mail.Known{}, true)
	if err != nil || s.Mark.HighestModSeq != 50 {
		t.Errorf("%v, %+v", err, s.Mark)
	}
}

package syncer_test

import (
	"context"
	"testing"
	"time"

	"imapsync/conflict"
	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/syncer"
)

// wrongClock is what a clock a hundred years ahead leaves in the state.
const wrongClock = 100 * 365 * 24 * time.Hour

// What was recorded for a time that is yet to come is done at once, not in a hundred
// years.
func TestTimesToComeAreDue(t *testing.T) {
	b := newBench(t)
	b.edit(simworld.Remote, simworld.Add, mail.Inbox, "A")
	limited := func() {
		t.Helper()
		b.Begin(time.Hour)
		acc := b.account()
		acc.Policy = func(mail.FolderName) conflict.Policy {
			return conflict.Policy{Extent: conflict.Extent{MaxAge: 2 * wrongClock}}
		}
		if _, err := syncer.Run(context.Background(), acc, syncer.Options{Lanes: 1}, nil); err != nil {
			t.Fatal(err)
		}
	}
	limited()
	ahead := b.Now().Add(wrongClock)
	b.record(mail.Inbox, func(r *mail.FolderRecord) { r.FullCheck, r.Trimmed = ahead, ahead })
	limited()
	b.record(mail.Inbox, func(r *mail.FolderRecord) {
		if r.FullCheck.After(b.Now()) || r.Trimmed.After(b.Now()) {
			t.Errorf("full check %v, limits applied %v, now %v", r.FullCheck, r.Trimmed, b.Now())
		}
	})
}

func TestSetAsideUntilATimeToCome(t *testing.T) {
	b := newBench(t)
	s := &choosy{Remote: b.Server, refuses: "B"}
	b.remote = s
	b.edit(simworld.Local, simworld.Add, mail.Inbox, "B", with(mail.Seen))
	b.later(time.Hour, syncer.Options{})
	b.later(time.Hour, syncer.Options{})
	list, err := b.Record.Quarantine(context.Background())
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	list[0].Retry = b.Now().Add(wrongClock)
	b.commit(mail.Batch{Quarantine: &list})
	s.refuses = ""
	if f := b.later(time.Hour, syncer.Options{}); f != "" {
		t.Error(f)
	}
	b.settled()
}

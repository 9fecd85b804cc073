package syncer_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/syncer"
)

// TestVerifyPromisesNothingDenied: what the server does not allow to be changed stays
// as it is, and a verification does not say that a sync will change it.
func TestVerifyPromisesNothingDenied(t *testing.T) {
	b := newBench(t)
	for i := range 5 {
		b.edit(simworld.Remote, simworld.Add, "F", fmt.Sprint("M", i))
	}
	b.settled()
	b.edit(simworld.Remote, simworld.ReadOnly, "F", "")
	b.edit(simworld.Local, simworld.Change, "F", "M0", with(mail.Flagged))
	b.edit(simworld.Local, simworld.Delete, "F", "M1")
	b.edit(simworld.Local, simworld.Add, "F", "NEW")
	b.edit(simworld.Local, simworld.Rewrite, "F", "M2")
	b.edit(simworld.Local, simworld.Move, "F", "M3", to(mail.Inbox))
	for range 3 {
		b.run(syncer.Options{Full: true})
		b.Begin(time.Hour)
		found, report := b.verify(syncer.VerifyOptions{})
		for _, f := range found {
			if f.Severity != syncer.Harmless || strings.Contains(f.Text, "the next sync") {
				t.Errorf("%s %s: %s", f.Severity, f.Kind, f.Text)
			}
		}
		if report.Harmless < 4 {
			t.Errorf("%+v", found)
		}
	}
}

// TestVerifyDeniedFlags: a folder in which nothing but flags was changed is settled,
// and no run looks there again; that is no fault of the record.
func TestVerifyDeniedFlags(t *testing.T) {
	b := newBench(t)
	b.edit(simworld.Remote, simworld.Add, "F", "M")
	b.settled()
	b.edit(simworld.Remote, simworld.ReadOnly, "F", "")
	b.edit(simworld.Local, simworld.Change, "F", "M", with(mail.Flagged))
	for range 3 {
		b.run(syncer.Options{})
		b.Begin(time.Hour)
		if found, _ := b.verify(syncer.VerifyOptions{}); strings.Join(brief(found), ", ") != "harmless flags local" {
			t.Errorf("%+v", found)
		}
	}
}

package syncer_test

import (
	"context"
	"testing"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/plan"
	"imapsync/syncer"
)

// twinBench has a message that both sides hold, in a folder that is settled.
func twinBench(t *testing.T) *bench {
	b := newBench(t)
	b.edit(simworld.Remote, simworld.Create, "Label", "")
	b.edit(simworld.Remote, simworld.Add, mail.Inbox, "M", with(mail.Seen))
	b.settled()
	return b
}

// TestCopyOnServerIsDuplicated: a message that another client copied to a second
// folder is made from the file that the Maildir has.
func TestCopyOnServerIsDuplicated(t *testing.T) {
	b := twinBench(t)
	b.edit(simworld.Remote, simworld.Copy, mail.Inbox, "M", to("Label"))
	if r := b.run(syncer.Options{}); r.Counts[plan.CopyLocal] != 1 || r.Counts[plan.Download] != 0 || b.calls(simworld.Remote, "fetch") != 0 {
		t.Errorf("%v, %d messages fetched", r.Plan.Ops, b.calls(simworld.Remote, "fetch"))
	}
	b.settled()
	b.want("M=S Label/M=S")
}

// TestLabelsAreFetchedOnce: what lies in several folders of the server crosses the
// link once, in a first run, too.
func TestLabelsAreFetchedOnce(t *testing.T) {
	b := newBench(t)
	b.edit(simworld.Remote, simworld.Add, mail.Inbox, "M")
	for _, label := range []mail.FolderName{"L1", "L2"} {
		b.edit(simworld.Remote, simworld.Create, label, "")
		b.edit(simworld.Remote, simworld.Copy, mail.Inbox, "M", to(label))
	}
	if r := b.run(syncer.Options{}); r.Counts[plan.CopyLocal] != 2 || r.Counts[plan.Download] != 1 || b.calls(simworld.Remote, "fetch") != 1 {
		t.Errorf("%v, %d messages fetched", r.Plan.Ops, b.calls(simworld.Remote, "fetch"))
	}
	b.settled()
	b.want("M L1/M L2/M")
}

// TestTwinThatChanged: a file that was rewritten, or has gone, since it was
// recorded is no source.
func TestTwinThatChanged(t *testing.T) {
	for _, verb := range []simworld.Verb{simworld.Rewrite, simworld.Delete} {
		b := twinBench(t)
		b.edit(simworld.Remote, simworld.Copy, mail.Inbox, "M", to("Label"))
		b.local = &lateDeliver{b.Disk, func() { b.edit(simworld.Local, verb, mail.Inbox, "M") }}
		if r := b.run(syncer.Options{}); r.Counts[plan.CopyLocal] != 1 || b.calls(simworld.Remote, "fetch") != 1 {
			t.Errorf("%s: %v, %d messages fetched", verb, r.Plan.Ops, b.calls(simworld.Remote, "fetch"))
		}
		if got := simworld.EntriesText(b.List(simworld.Local)); got != "Label/M=S" && got != "M~=S Label/M=S" {
			t.Errorf("%s: the Maildir holds %s", verb, got)
		}
	}
}

// TestDraftTwin: a draft is no source, for a mail program writes into it.
func TestDraftTwin(t *testing.T) {
	b := newBench(t)
	b.edit(simworld.Remote, simworld.Create, "Label", "")
	b.edit(simworld.Remote, simworld.Add, mail.Inbox, "M", with(mail.Draft))
	b.settled()
	b.edit(simworld.Remote, simworld.Copy, mail.Inbox, "M", to("Label"))
	if r := b.run(syncer.Options{}); r.Counts[plan.CopyLocal] != 0 || r.Counts[plan.Download] != 1 {
		t.Errorf("%v", r.Plan.Ops)
	}
	b.settled()
	b.want("M=D Label/M=D")
}

// TestAlikeIsNoTwin: messages of one header, size and date are fetched, each for
// itself, unless the server says that they are one; in one folder even then.
func TestAlikeIsNoTwin(t *testing.T) {
	for _, silent := range []bool{false, true} {
		b := newBench(t)
		b.Server.NoObjects = silent
		b.edit(simworld.Remote, simworld.Add, mail.Inbox, "M")
		b.settled()
		b.edit(simworld.Remote, simworld.Add, mail.Inbox, "M!")
		b.edit(simworld.Remote, simworld.Add, "Label", "M!")
		b.edit(simworld.Remote, simworld.Add, "Label", "N")
		b.edit(simworld.Remote, simworld.Add, "Label", "N!")
		b.settled()
		b.want("M M! Label/M! Label/N Label/N!")
	}
}

// TestTwinsNeedTheServersWord: where it does not say which messages are one, each is
// fetched.
func TestTwinsNeedTheServersWord(t *testing.T) {
	b := twinBench(t)
	b.Server.NoObjects = true
	b.edit(simworld.Remote, simworld.Copy, mail.Inbox, "M", to("Label"))
	if r := b.run(syncer.Options{}); r.Counts[plan.CopyLocal] != 0 || r.Counts[plan.Download] != 1 || b.calls(simworld.Remote, "fetch ids") != 0 {
		t.Errorf("%v", r.Plan.Ops)
	}
	b.settled()
	b.want("M=S Label/M=S")
}

// lateDeliver is a Maildir that changes when a batch of files is begun.
type lateDeliver struct {
	*simworld.Disk
	before func()
}

func (l *lateDeliver) Deliver(ctx context.Context, folder mail.FolderName) (syncer.Delivery, error) {
	if l.before != nil {
		l.before()
		l.before = nil
	}
	return l.Disk.Deliver(ctx, folder)
}

package syncer_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/plan"
	"imapsync/syncer"
)

// ahead is a server to which messages are sent ahead of its answers: to so many,
// of which it stores some before the connection breaks, unless it stores all.
type ahead struct {
	*simworld.Server
	record       *simworld.Record
	sent, stored int
	uploads      int
	unjournalled int // messages given before their intents were durable
}

func (s *ahead) Open(ctx context.Context, folder mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	m, err := s.Server.Open(ctx, folder, readOnly)
	return aheadBox{m, s}, err
}

type aheadBox struct {
	syncer.Mailbox
	s *ahead
}

func (b aheadBox) Append(ctx context.Context, messages iter.Seq[mail.Outgoing], done func(int, mail.UID, error)) error {
	if b.s.uploads++; b.s.uploads > 1 {
		return b.Mailbox.Append(ctx, messages, done)
	}
	var taken []mail.Outgoing
	for out := range messages {
		taken = append(taken, out)
		if intents, err := b.s.record.Intents(ctx); err != nil || len(intents) < len(taken) {
			b.s.unjournalled++
		}
		if len(taken) == b.s.sent {
			break
		}
	}
	if len(taken) == b.s.stored {
		return b.Mailbox.Append(ctx, slices.Values(taken), done)
	}
	if err := b.Mailbox.Append(ctx, slices.Values(taken[:b.s.stored]), func(int, mail.UID, error) {}); err != nil {
		return err
	}
	return &mail.Fault{Scope: mail.ScopeFolder, Class: mail.ClassTemporary, Folder: mail.Inbox, Doing: "append", Err: errors.New("connection reset")}
}

// aheadBench has ten messages to be uploaded to such a server.
func aheadBench(t *testing.T, sent, stored int) (*bench, *ahead) {
	b := newBench(t)
	s := &ahead{Server: b.Server, record: b.Record, sent: sent, stored: stored}
	b.remote = s
	for i := range 10 {
		b.edit(simworld.Local, simworld.Add, mail.Inbox, fmt.Sprint("M", i))
	}
	return b, s
}

const tenMessages = "M0..M9"

// TestSendingGoesOnBeforeAnswers: a batch is given to be sent while none of those
// before it is answered, and not before its intents are durable.
func TestSendingGoesOnBeforeAnswers(t *testing.T) {
	b, s := aheadBench(t, 10, 10)
	if r := b.run(syncer.Options{Batch: 3}); r.Counts[plan.Upload] != 10 || s.uploads != 1 || s.unjournalled != 0 {
		t.Errorf("%d sent by %d uploads, %d without an intent", r.Counts[plan.Upload], s.uploads, s.unjournalled)
	}
	b.settled()
	b.want(tenMessages)
}

// TestSendingCutOff: when the connection breaks with two batches under way, each
// message is there once after the next run, whichever of them arrived.
func TestSendingCutOff(t *testing.T) {
	for stored := range 6 {
		b, s := aheadBench(t, 6, stored)
		r := b.run(syncer.Options{Batch: 3})
		if intents, err := b.Record.Intents(t.Context()); err != nil || len(intents) != 6 || r.Counts[plan.Upload] != 0 {
			t.Errorf("%d stored: %d intents are left, %d messages count as sent, %v", stored, len(intents), r.Counts[plan.Upload], err)
		}
		b.settled()
		b.want(tenMessages)
		if intents, _ := b.Record.Intents(t.Context()); len(intents) != 0 || s.unjournalled != 0 {
			t.Errorf("%d stored: %d intents are left, %d were sent without one", stored, len(intents), s.unjournalled)
		}
	}
}

// TestSendingAfterARefusal: when the rest of an upload is refused with a message,
// the batches after that are for another one.
func TestSendingAfterARefusal(t *testing.T) {
	b, _ := aheadBench(t, 0, 0)
	s := &overQuota{Server: b.Server, refuses: 4}
	b.remote = s
	if r := b.run(syncer.Options{Batch: 3}); r.Counts[plan.Upload] != 8 || len(r.Failures) != 2 || s.uploads != 2 {
		t.Errorf("%d sent by %d uploads, failures %v", r.Counts[plan.Upload], s.uploads, r.Failures)
	}
	if intents, err := b.Record.Intents(t.Context()); err != nil || len(intents) > 0 {
		t.Errorf("%d intents are left, %v", len(intents), err)
	}
	b.settled()
	b.want(tenMessages)
}

// overQuota is a server that refuses all messages of the first upload from one on.
type overQuota struct {
	*simworld.Server
	refuses int
	uploads int
}

func (s *overQuota) Open(ctx context.Context, folder mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	m, err := s.Server.Open(ctx, folder, readOnly)
	return overQuotaBox{m, s}, err
}

type overQuotaBox struct {
	syncer.Mailbox
	s *overQuota
}

func (b overQuotaBox) Append(ctx context.Context, messages iter.Seq[mail.Outgoing], done func(int, mail.UID, error)) error {
	if b.s.uploads++; b.s.uploads > 1 {
		return b.Mailbox.Append(ctx, messages, done)
	}
	i := 0
	for out := range messages {
		if i >= b.s.refuses {
			done(i, 0, &mail.Fault{Scope: mail.ScopeFolder, Folder: mail.Inbox, Doing: "append", Err: errors.New("NO [OVERQUOTA] full")})
		} else if err := b.Mailbox.Append(ctx, slices.Values([]mail.Outgoing{out}), func(_ int, uid mail.UID, err error) { done(i, uid, err) }); err != nil {
			return err
		}
		i++
	}
	return nil
}

// TestSmallUploadsGoTogether: what is to be uploaded into many folders goes over
// one connection in one batch, and each folder gets its own.
func TestSmallUploadsGoTogether(t *testing.T) {
	b, s := aheadBench(t, 30, 30)
	for i := range 10 {
		folder := mail.FolderName(fmt.Sprint("F", i))
		b.edit(simworld.Remote, simworld.Create, folder, "")
		b.edit(simworld.Remote, simworld.Add, folder, fmt.Sprint("R", i))
	}
	b.remote = s.Server
	b.settled()
	b.remote = s
	want := tenMessages
	b.edit(simworld.Local, simworld.Add, mail.Inbox, "M10")
	for i := range 10 {
		folder := mail.FolderName(fmt.Sprint("F", i))
		b.edit(simworld.Local, simworld.Add, folder, fmt.Sprint("L", i))
		want += fmt.Sprintf(" %[1]s/L%[2]d %[1]s/R%[2]d", folder, i)
	}
	s.sent, s.stored = 11, 11
	if r := b.run(syncer.Options{}); r.Counts[plan.Upload] != 11 || s.uploads != 1 || s.unjournalled != 0 {
		t.Errorf("%d sent by %d uploads, %d without an intent", r.Counts[plan.Upload], s.uploads, s.unjournalled)
	}
	b.settled()
	b.want("M0..M10" + want[len(tenMessages):])
}

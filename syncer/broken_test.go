package syncer_test

import (
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/syncer"
)

// brokenEngines do wrong what the histories are to find. Each has the promise it
// breaks and the most acts that the shortest history of it may have.
var brokenEngines = []struct {
	name    string
	promise string
	acts    int
	change  func(*syncer.Account)
}{
	{"leaves intents behind", "the record is right", 1,
		func(a *syncer.Account) { a.State = forgetful{State: a.State, settle: true} }},
	{"knows no intents", "nothing is doubled", 8,
		func(a *syncer.Account) { a.State = forgetful{State: a.State, intents: true} }},
	{"sends twice", "nothing is doubled", 1,
		func(a *syncer.Account) { a.Remote = sloppyServer{a.Remote, "append"} }},
	{"drops a deletion on the server", "what is deleted stays so", 6,
		func(a *syncer.Account) { a.Remote = sloppyServer{a.Remote, "expunge"} }},
	{"forgets to take flags away", "flags are merged", 7,
		func(a *syncer.Account) { a.Remote = sloppyServer{a.Remote, "store"} }},
	{"drops a deletion in the Maildir", "what is deleted stays so", 7,
		func(a *syncer.Account) { a.Local = sloppyDisk{a.Local, "remove"} }},
	{"leaves a moved file where it was", "nothing is doubled", 7,
		func(a *syncer.Account) { a.Local = sloppyDisk{a.Local, "move"} }},
	{"removes whatever became of a file", "nothing is lost", 6,
		func(a *syncer.Account) { a.Local = sloppyDisk{a.Local, "stamp"} }},
	{"expunges what is to go to the trash", "the trash holds what is deleted", 4,
		func(a *syncer.Account) { a.Remote = sloppyServer{a.Remote, "trash"} }},
	{"takes stubs for messages", "no stub is sent", 8,
		func(a *syncer.Account) { a.Local = sloppyDisk{a.Local, "stub"} }},
	{"leaves stubs beside their messages", "stubs stand for messages", 2,
		func(a *syncer.Account) { a.Local = sloppyDisk{a.Local, "discard"} }},
}

// The histories find each of these faults, and what is left of the history
// found is short enough to be read, and goes wrong again when it is read.
func TestHistoriesFindFaults(t *testing.T) {
	for _, b := range brokenEngines[:min(faults, len(brokenEngines))] {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			e := engineWith(b.change)
			for seed := uint64(1); ; seed++ {
				h := playBytes(t, e, seededHistory(seed))
				if simworld.PromiseOf(h.Failed()) != b.promise {
					if seed == 3000 {
						t.Fatalf("%d histories do not find it", seed)
					}
					continue
				}
				s := shrink(t, e, h.Story())
				if len(s.Acts) > b.acts {
					t.Errorf("seed %d: shrunk to %d acts:\n%s", seed, len(s.Acts), s)
				}
				read, err := simworld.ParseStory("shrunk", s.String())
				if err != nil {
					t.Fatal(err)
				}
				if again := playStory(t, e, read); simworld.PromiseOf(again.Failed()) != b.promise {
					t.Errorf("read again it breaks %v:\n%s", again.Failed(), s)
				}
				if right := playStory(t, engine, read); right.Failed() != nil {
					t.Errorf("the engine itself fails:\n%s\n%s", s, right.Log())
				}
				return
			}
		})
	}
}

// forgetful is a state that does not record all it is told.
type forgetful struct {
	syncer.State
	settle  bool // intents are not settled
	intents bool // intents are not told of
}

func (f forgetful) Commit(ctx context.Context, b mail.Batch) error {
	if f.settle {
		b.SettleIntents = nil
	}
	return f.State.Commit(ctx, b)
}

func (f forgetful) Intents(ctx context.Context) ([]*mail.Intent, error) {
	list, err := f.State.Intents(ctx)
	if !f.intents || err != nil || len(list) == 0 {
		return list, err
	}
	return nil, f.State.Commit(ctx, mail.Batch{SettleIntents: list})
}

// sloppyServer does one kind of command wrong.
type sloppyServer struct {
	syncer.Remote
	wrong string
}

func (s sloppyServer) Open(ctx context.Context, folder mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	mb, err := s.Remote.Open(ctx, folder, readOnly)
	if err != nil {
		return nil, err
	}
	return sloppyMailbox{mb, s.wrong}, nil
}

type sloppyMailbox struct {
	syncer.Mailbox
	wrong string
}

func (m sloppyMailbox) Append(ctx context.Context, messages iter.Seq[mail.Outgoing], done func(int, mail.UID, error)) error {
	if m.wrong == "append" {
		all := slices.Collect(messages)
		if err := m.Mailbox.Append(ctx, slices.Values(all[:1]), func(int, mail.UID, error) {}); err != nil {
			return err
		}
		messages = slices.Values(all)
	}
	return m.Mailbox.Append(ctx, messages, done)
}

func (m sloppyMailbox) StoreAndLook(ctx context.Context, changes []mail.FlagChange, refused func(int, error)) ([]mail.UID, error) {
	if m.wrong == "store" {
		for i := range changes {
			changes[i].Remove = mail.Flags{}
		}
	}
	return m.Mailbox.StoreAndLook(ctx, changes, refused)
}

func (m sloppyMailbox) Expunge(ctx context.Context, uids []mail.UID) error {
	if m.wrong == "expunge" {
		return nil
	}
	return m.Mailbox.Expunge(ctx, uids)
}

func (m sloppyMailbox) Move(ctx context.Context, uids []mail.UID, to mail.FolderName, validity uint32) (map[mail.UID]mail.UID, error) {
	if m.wrong == "trash" && to == "Trash" && validity == 0 {
		return nil, m.Mailbox.Expunge(ctx, uids)
	}
	return m.Mailbox.Move(ctx, uids, to, validity)
}

// sloppyDisk does one kind of change wrong.
type sloppyDisk struct {
	syncer.Local
	wrong string
}

func (d sloppyDisk) Move(ctx context.Context, folder mail.FolderName, key mail.Key, to mail.FolderName) (mail.Key, error) {
	if d.wrong == "move" {
		as := d.NewKey()
		return as, d.Local.(*simworld.Disk).Copy(ctx, folder, key, to, as)
	}
	return d.Local.Move(ctx, folder, key, to)
}

func (d sloppyDisk) Read(ctx context.Context, folder mail.FolderName, key mail.Key) (mail.Content, mail.FileStamp, time.Time, error) {
	c, stamp, date, err := d.Local.Read(ctx, folder, key)
	if d.wrong == "stub" {
		c.Whole = 0
	}
	return c, stamp, date, err
}

func (d sloppyDisk) Discard(ctx context.Context, folder mail.FolderName, key mail.Key, expected mail.Flags, stamp mail.FileStamp) error {
	if d.wrong == "discard" {
		return nil
	}
	return d.Local.Discard(ctx, folder, key, expected, stamp)
}

func (d sloppyDisk) Remove(ctx context.Context, folder mail.FolderName, key mail.Key, expected mail.Flags, stamp mail.FileStamp) error {
	switch d.wrong {
	case "remove":
		return nil
	case "stamp":
		stamp = mail.FileStamp{}
	}
	return d.Local.Remove(ctx, folder, key, expected, stamp)
}

package syncer_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/syncer"
)

type sealedFile struct{ syncer.Local }

func (s sealedFile) Read(ctx context.Context, f mail.FolderName, key mail.Key) (mail.Content, mail.FileStamp, time.Time, error) {
	if f == "U" {
		return mail.Content{}, mail.FileStamp{}, time.Time{}, &mail.Fault{Scope: mail.ScopeMessage, Folder: f, Err: errors.New("permission denied")}
	}
	return s.Local.Read(ctx, f, key)
}

type sealedMail struct{ syncer.Remote }

func (s sealedMail) Open(ctx context.Context, f mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	m, err := s.Remote.Open(ctx, f, readOnly)
	if err != nil || f != "U" {
		return m, err
	}
	return sealedBox{m}, nil
}

type sealedBox struct{ syncer.Mailbox }

func (sealedBox) Headers(_ context.Context, uids []mail.UID) (map[mail.UID]mail.Content, error) {
	withheld := map[mail.UID]mail.Content{}
	for _, uid := range uids {
		withheld[uid] = mail.Content{}
	}
	return withheld, nil
}

func (sealedBox) Fetch(_ context.Context, uids []mail.UID, got func(mail.UID, io.Reader, error) error) error {
	for _, uid := range uids {
		if err := got(uid, nil, &mail.Fault{Scope: mail.ScopeMessage, Err: errors.New("NO [UNAVAILABLE]")}); err != nil {
			return err
		}
	}
	return nil
}

// TestMovedAndUnreadable: what was moved cannot be read where it is now, so
// nothing shows that it is the message missing elsewhere, nor that it is not.
func TestMovedAndUnreadable(t *testing.T) {
	for _, side := range []simworld.Side{simworld.Local, simworld.Remote} {
		b := newBench(t)
		b.edit(simworld.Remote, simworld.Create, "U", "")
		b.edit(simworld.Remote, simworld.Add, mail.Inbox, "M")
		b.settled()
		b.edit(side, simworld.Move, mail.Inbox, "M", to("U"))
		b.local, b.remote = sealedFile{b.Disk}, sealedMail{b.Server}
		if r := b.run(syncer.Options{}); deletes(r) != 0 || len(r.Failures) == 0 {
			t.Errorf("moved on %s: %v, failures %v", side, r.Plan.Ops, r.Failures)
		}
		b.local, b.remote = b.Disk, b.Server
		b.settled()
		b.want("U/M")
	}
}

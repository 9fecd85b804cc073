package remote

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"imapsync/mail"
	"imapsync/remote/wire"
)

// selection is the mailbox selected on a connection; the zero value is none.
// imapclient's own idea of it is wrong after a SELECT that failed.
type selection struct {
	folder   mail.FolderName
	readOnly bool
	mark     mail.Mark
	space    mail.FlagSpace
	seen     mail.UID // the session knows of all messages below
	next     mail.UID // all messages below were there before the next upload; 0: not known
	fresh    bool     // nothing was done since the SELECT
	listed   bool     // it comes from Folders, not from a SELECT
}

// selected reports whether the connection has the mailbox selected.
func (m *Mailbox) selected() bool {
	return m.c.box.folder == m.folder && (m.readOnly || !m.c.box.readOnly)
}

// box is what is known of the mailbox.
func (m *Mailbox) box() *selection {
	if m.selected() {
		return &m.c.box
	}
	return &m.was
}

// selecting is a SELECT or EXAMINE on its way. Questions may follow it before
// its answer is in: a server carries out what depends on it in order (RFC 3501
// section 5.5), and package wire drops what still belongs to the mailbox that is
// left. Their answers count for nothing until wait was asked; commands that
// change anything are sent only then, for under another UIDVALIDITY, or in
// the mailbox a failed SELECT may leave selected, they would hit other messages.
type selecting struct {
	m     *Mailbox
	ctx   context.Context
	cmd   *imapclient.SelectCommand
	visit *wire.Visit // in the place of cmd
	once  sync.Once
	err   error

	// passing, unless 0, is the UIDVALIDITY expected where the mailbox does not
	// stay selected.
	passing uint32
}

// begin sends the SELECT or EXAMINE. The caller guards the connection.
func (m *Mailbox) begin(ctx context.Context) (*selecting, error) {
	m.c.arrive(ctx, "")
	name, err := m.a.serverName(ctx, m.c, m.folder)
	if err != nil {
		return nil, err
	}
	m.a.hear(m.c)
	m.was, m.c.box, m.c.foretold = *m.box(), selection{}, nil
	cmd := m.c.client.Select(name, &imap.SelectOptions{ReadOnly: m.readOnly, CondStore: m.c.condstore()})
	return &selecting{m: m, ctx: ctx, cmd: cmd}, nil
}

// ready is begin where the mailbox is not selected, else nil.
func (m *Mailbox) ready(ctx context.Context) (*selecting, error) {
	if m.selected() {
		return nil, nil
	}
	return m.begin(ctx)
}

// selectNow makes sure that the mailbox is selected.
func (m *Mailbox) selectNow(ctx context.Context) error {
	defer m.c.guard(ctx)()
	s, err := m.ready(ctx)
	if err != nil {
		return err
	}
	return s.wait()
}

// wait waits for the answer and judges it. It may be called from several
// goroutines; without a SELECT there is nothing to wait for.
func (s *selecting) wait() error {
	if s == nil {
		return nil
	}
	s.once.Do(func() { s.err = s.judge() })
	return s.err
}

// notSelected grades why a mailbox could not be selected.
func (m *Mailbox) notSelected(ctx context.Context, err error) error {
	f := m.fault("select")
	if refused(err) && !temporary(err) {
		f.Hint = fmt.Sprintf("while it cannot be opened, what is missing elsewhere may have been moved to it and is not taken for deleted; "+
			"if it never can, leave it out: folders = [\"*\", %q]", "!"+string(m.folder))
	}
	return m.c.grade(ctx, err, f)
}

func (s *selecting) judge() error {
	m := s.m
	c, a := m.c, m.a
	if s.visit != nil {
		if err := s.visit.Wait(); err != nil {
			return c.grade(s.ctx, err, m.fault("select"))
		}
		_, err := m.visited(s.ctx, s.visit)
		return err
	}
	data, err := s.cmd.Wait()
	if err != nil {
		return m.notSelected(s.ctx, err)
	}
	f := m.fault("select")
	if s.passing != 0 {
		if f.Err = sameValidity(s.passing, data.UIDValidity); f.Err != nil {
			return &f
		}
		return nil
	}
	mark := mail.Mark{UIDValidity: data.UIDValidity, UIDNext: mail.UID(data.UIDNext), Messages: data.NumMessages, HighestModSeq: data.HighestModSeq}
	box := m.selection(mark, spaceOf(data, a.hear(c), m.readOnly))
	if m.was.listed {
		f.Err = sameValidity(m.was.mark.UIDValidity, box.mark.UIDValidity)
	}
	if f.Err == nil {
		f.Err = a.remember(box)
	}
	if f.Err != nil {
		return &f
	}
	c.box = box
	return nil
}

// selection is the mailbox as a SELECT told of it. A server may tell a HIGHESTMODSEQ that
// is of no use here: because another client has asked for it before.
func (m *Mailbox) selection(mark mail.Mark, space mail.FlagSpace) selection {
	if !m.c.condstore() {
		mark.HighestModSeq = 0
	}
	return selection{folder: m.folder, readOnly: m.readOnly, mark: mark, space: space, seen: mark.UIDNext, next: mark.UIDNext}
}

// remember keeps what a SELECT told, and refuses a UIDVALIDITY that is not what
// it was earlier in the run: what was planned with the old UIDs would hit other
// messages.
func (a *Account) remember(box selection) error {
	validity := box.mark.UIDValidity
	if validity == 0 {
		return errors.New("the server gives no UIDVALIDITY, so its messages cannot be told apart for certain")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := sameValidity(a.boxes[box.folder].mark.UIDValidity, validity); err != nil {
		return err
	}
	a.boxes[box.folder] = box
	return nil
}

func sameValidity(before, now uint32) error {
	if before != 0 && before != now {
		return fmt.Errorf("UIDVALIDITY changed from %d to %d during the run; the next run matches the messages anew", before, now)
	}
	return nil
}

// told returns what the last SELECT of this run told of a mailbox, else what the
// last Folders did, which is nothing of the flags that can be stored.
func (a *Account) told(folder mail.FolderName, readOnly bool) selection {
	a.mu.Lock()
	defer a.mu.Unlock()
	if box, selected := a.boxes[folder]; selected && (readOnly || !box.readOnly) {
		return box
	}
	mark, listed := a.marks[folder]
	if !listed || readOnly || mark.UIDValidity == 0 || mark.UIDNext == 0 {
		return selection{}
	}
	return selection{folder: folder, mark: mark, space: mail.FullSpace(), seen: mark.UIDNext, next: mark.UIDNext, listed: true}
}

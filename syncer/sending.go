package syncer

import (
	"cmp"
	"context"
	"io"
	"maps"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"imapsync/mail"
)

// sending is an upload going on. The link shall not idle: while the answers to one
// batch are awaited the next is journalled and sent, and what is known of one is
// recorded beside. How far it is ahead of the answers is for the Mailbox to say.
type sending struct {
	*applier
	ctx      context.Context
	mb       Mailbox
	own      *folder                  // that of mb
	errand                            // what is not journalled yet
	more     *errands                 // that can go along
	under    [][]*departure           // batches of which answers are due, the oldest first
	answers  int                      // to the oldest
	err      error                    // why no more are journalled
	recorder errgroup.Group           // of one at a time
	halted   atomic.Bool              // a batch needs looking after before more are journalled
	silent   map[*folder][]*departure // of recorded batches, the recorder's
}

// carry uploads the messages for a folder, and those for others that can go along
// on its connection. After a refusal, or an answer without a UID, nothing more is
// journalled until all that is under way is answered and recorded: the next would
// often fare no better.
func (a *applier) carry(ctx context.Context, e errand, more *errands) error {
	for len(e.ops) > 0 {
		mb, err := a.open(ctx, e.to)
		if err != nil {
			a.failFolder(e.to)
			return err
		}
		s := &sending{applier: a, ctx: ctx, mb: mb, own: e.to, errand: e, more: more, silent: map[*folder][]*departure{}}
		s.recorder.SetLimit(1)
		if err := s.run(); err != nil {
			a.failFolder(s.to)
			return err
		}
		e = s.errand
	}
	return nil
}

// run journals, sends and records until all is sent or something is amiss.
func (s *sending) run() error {
	err := s.mb.Append(s.ctx, s.messages, s.answered)
	err = firstOf(err, s.err)
	recordErr := s.recorder.Wait()
	for _, deps := range s.under { // cut off
		recordErr = firstOf(recordErr, s.settleBatch(deps))
		for _, d := range deps {
			if !d.over {
				s.failFolder(d.to)
			}
		}
	}
	s.mb.Close() // what is looked for now may be in other mailboxes
	if recordErr == nil {
		recordErr = s.findAllSilent()
	}
	return firstOf(err, recordErr)
}

// messages gives what is to be sent. The intents of a batch are durable before its
// first message is given.
func (s *sending) messages(yield func(mail.Outgoing) bool) {
	for !s.halted.Load() {
		if s.err = s.interrupted(); s.err != nil {
			return
		}
		deps := s.next()
		if len(deps) == 0 {
			return
		}
		if s.err = s.journal(deps); s.err != nil {
			return
		}
		s.under = append(s.under, deps)
		for _, d := range deps {
			if !yield(s.outgoing(d)) {
				return
			}
		}
	}
}

// next takes a batch, of one folder or of several.
func (s *sending) next() (deps []*departure) {
	most := cmp.Or(s.opt.Batch, uploadMessages)
	for bytes := int64(0); len(deps) < most; {
		if len(s.ops) == 0 && !s.more.goesAlong(s.applier, &s.errand) {
			break
		}
		o := s.ops[0]
		if bytes += opBytes(o); bytes > uploadBytes && len(deps) > 0 {
			break
		}
		s.ops = s.ops[1:]
		deps = append(deps, s.depart(s.to, s.uidNext(), o))
	}
	return deps
}

// uidNext is what the messages will have for UIDs, or higher ones.
func (s *sending) uidNext() mail.UID {
	if s.to == s.own {
		return s.mb.Mark().UIDNext
	}
	return s.to.Remote.Mark.UIDNext
}

func (s *sending) outgoing(d *departure) mail.Outgoing {
	return mail.Outgoing{Folder: d.to.Name, Flags: d.op.Flags, Date: d.op.Row.Date, Size: d.op.Local.Content.Wire, Open: func() (io.ReadCloser, error) {
		body, err := s.Local.Open(s.ctx, d.op.Folder, d.op.Local.Key)
		if err != nil {
			return nil, err
		}
		return &hashing{body, mail.NewHasher(), d}, nil
	}}
}

// hashing hashes a body while it is sent, for the file may have been rewritten
// since it was read.
type hashing struct {
	io.ReadCloser
	h *mail.Hasher
	d *departure
}

// Close has what was read taken for what was sent.
func (r *hashing) Close() error {
	if r.h != nil {
		c := r.h.Content()
		r.d.sent, r.h = &c, nil
	}
	return r.ReadCloser.Close()
}

func (r *hashing) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.h.Write(p[:n])
	return n, err
}

// answered takes the answer to the next message, and has a batch recorded with the
// last.
func (s *sending) answered(_ int, uid mail.UID, err error) {
	deps := s.under[0]
	d := deps[s.answers]
	d.uid, d.err, d.over = uid, err, true
	if err != nil || uid == 0 {
		s.halted.Store(true)
	}
	if err == nil {
		s.emit(Event{Kind: EventMoved, Folder: d.to.Name, Op: d.op, Bytes: opBytes(d.op)})
	}
	if s.answers++; s.answers == len(deps) {
		s.under, s.answers = s.under[1:], 0
		s.recorder.Go(func() error { return s.settleBatch(deps) })
	}
}

// settleBatch records what is known of a batch.
func (s *sending) settleBatch(deps []*departure) error {
	silent, err := s.recordUploads(deps)
	for _, d := range silent {
		s.silent[d.to] = append(s.silent[d.to], d)
	}
	if err != nil {
		s.halted.Store(true)
		for _, d := range deps {
			s.failFolder(d.to)
		}
	}
	return err
}

// findAllSilent finds the copies of which the server told no UID. That it fails in
// one folder costs no other.
func (s *sending) findAllSilent() (err error) {
	for _, to := range slices.SortedFunc(maps.Keys(s.silent), func(x, y *folder) int { return cmp.Compare(x.Name, y.Name) }) {
		mb, failed := s.open(s.ctx, to)
		if failed == nil {
			failed = s.findSilent(s.ctx, mb, to, s.silent[to])
			mb.Close()
		}
		if failed != nil {
			s.failFolder(to)
			err = firstOf(err, failed)
		}
	}
	return err
}

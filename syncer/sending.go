package syncer

import (
	"context"
	"io"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"imapsync/mail"
	"imapsync/plan"
)

// sending is an upload going on. The link shall not idle: while the answers to one
// batch are awaited the next is journalled and sent, and what is known of one is
// recorded beside. How far it is ahead of the answers is for the Mailbox to say.
type sending struct {
	*applier
	ctx      context.Context
	mb       Mailbox
	to       *folder
	ops      []*plan.Op     // not journalled yet
	under    [][]*departure // batches of which answers are due, the oldest first
	answers  int            // to the oldest
	err      error          // why no more are journalled
	recorder errgroup.Group // of one at a time
	halted   atomic.Bool    // a batch needs looking after before more are journalled
	silent   []*departure   // of recorded batches, the recorder's
}

// send uploads messages into the mailbox, which is the caller's. After a refusal,
// or an answer without a UID, nothing more is journalled until all that is under
// way is answered and recorded: the next would often fare no better.
func (a *applier) send(ctx context.Context, mb Mailbox, to *folder, ops []*plan.Op) error {
	for len(ops) > 0 {
		s := &sending{applier: a, ctx: ctx, mb: mb, to: to, ops: ops}
		s.recorder.SetLimit(1)
		if err := s.run(); err != nil {
			return err
		}
		ops = s.ops
	}
	return nil
}

// run journals, sends and records until all is sent or something is amiss.
func (s *sending) run() error {
	err := firstOf(s.mb.Append(s.ctx, s.messages, s.answered), s.err)
	recordErr := s.recorder.Wait()
	for _, deps := range s.under { // cut off
		recordErr = firstOf(recordErr, s.settleBatch(deps))
	}
	if recordErr == nil && len(s.silent) > 0 {
		recordErr = s.findSilent(s.ctx, s.mb, s.to, s.silent)
	}
	return firstOf(err, recordErr)
}

// messages gives what is to be sent. The intents of a batch are durable before its
// first message is given.
func (s *sending) messages(yield func(mail.Outgoing) bool) {
	for len(s.ops) > 0 && !s.halted.Load() {
		if s.err = s.interrupted(); s.err != nil {
			return
		}
		n := s.batch(s.ops, uploadMessages, uploadBytes)
		deps, err := s.intendUploads(s.to, s.mb.Mark().UIDNext, s.ops[:n])
		if err != nil {
			s.err = err
			return
		}
		s.ops, s.under = s.ops[n:], append(s.under, deps)
		for _, d := range deps {
			if !yield(s.outgoing(d)) {
				return
			}
		}
	}
}

func (s *sending) outgoing(d *departure) mail.Outgoing {
	return mail.Outgoing{Flags: d.op.Flags, Date: d.op.Row.Date, Size: d.op.Local.Content.Wire, Open: func() (io.ReadCloser, error) {
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
		s.emit(Event{Kind: EventMoved, Folder: s.to.Name, Op: d.op, Bytes: opBytes(d.op)})
	}
	if s.answers++; s.answers == len(deps) {
		s.under, s.answers = s.under[1:], 0
		s.recorder.Go(func() error { return s.settleBatch(deps) })
	}
}

// settleBatch records what is known of a batch.
func (s *sending) settleBatch(deps []*departure) error {
	silent, err := s.recordUploads(s.to, deps)
	s.silent = append(s.silent, silent...)
	if err != nil {
		s.halted.Store(true)
	}
	return err
}

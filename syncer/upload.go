package syncer

import (
	"context"
	"errors"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"imapsync/mail"
	"imapsync/plan"
)

// A batch takes two durable transactions; its size is how long an interrupted run
// goes on, and how much the next has to compare after a lost answer.
const (
	uploadMessages = 500
	uploadBytes    = 8 << 20

	// awaitedMessages is a batch where each message costs round trips: several
	// batches of a folder are under way then, over as many connections.
	awaitedMessages = 50
)

// upload sends several batches for a folder at once, where literals are awaited.
// When one fails those under way go on, for to cut them off would leave open what
// became of their messages.
func (a *applier) upload(ctx context.Context, f *folder, ops []*plan.Op) error {
	ops = a.sendable(f, ops)
	var g errgroup.Group
	g.SetLimit(a.opt.Lanes)
	var failed atomic.Bool
	for len(ops) > 0 && !failed.Load() {
		n := a.batch(ops, awaitedMessages, uploadBytes)
		batch := ops[:n]
		ops = ops[n:]
		g.Go(func() error {
			err := a.carry(ctx, errand{f, batch}, nil)
			if err != nil {
				failed.Store(true)
			}
			return err
		})
	}
	return g.Wait()
}

// sendable leaves out, and names, what no APPEND can carry. Some servers would
// store such a message altered and say OK.
func (a *applier) sendable(f *folder, ops []*plan.Op) []*plan.Op {
	var out []*plan.Op
	for _, o := range ops {
		if c := o.Local.Content; c != nil && c.NUL {
			a.failTransfer(o, &mail.Fault{Scope: mail.ScopeMessage, Folder: f.Name, Message: "file " + string(o.Local.Key), Doing: "upload",
				Err: errNUL, Hint: "it stays in the Maildir only; mend or remove the file"})
			continue
		}
		if a.contentOf(o).Whole > 0 {
			a.failTransfer(o, &mail.Fault{Scope: mail.ScopeMessage, Folder: f.Name, Message: "file " + string(o.Local.Key), Doing: "upload",
				Err: errStub, Hint: "it stays in the Maildir only; remove the file if the message is of no more use"})
			continue
		}
		out = append(out, o)
	}
	return out
}

var errStub = errors.New("the file is a stub (" + mail.StubField + "), and the server has not the message that it stands for")

var errNUL = errors.New("the message holds a NUL byte, which IMAP cannot carry (RFC 3501 section 9, CHAR8)")

// naming says in an error which message it is about.
func naming(err error, o *plan.Op) error {
	var f *mail.Fault
	if !errors.As(err, &f) || f.Message != "" {
		return err
	}
	named := *f
	named.Message = "file " + string(o.Local.Key)
	return &named
}

// departure is one message of a batch on its way to the server, or to another
// mailbox there.
type departure struct {
	op     *plan.Op
	to     *folder
	intent *mail.Intent
	sent   *mail.Content // what really went out by APPEND
	uid    mail.UID
	over   bool // the server's answer is known
	err    error
}

// depart prepares one message to go to a folder, where all messages from next on
// may be it.
func (a *applier) depart(to *folder, next mail.UID, o *plan.Op) *departure {
	in := &mail.Intent{Kind: mail.IntentUpload, Folder: to.Name, Key: o.Local.Key, Flags: o.Row.Flags,
		Content: o.Row.Content, UIDValidity: to.validity, UIDNext: next, Date: o.Row.Date}
	if o.Kind == plan.Upload {
		in.Flags, in.Content = o.Flags, *a.contentOf(o)
		if o.Marked != nil {
			in.Flags = *o.Marked
		}
	}
	if o.Old != nil {
		in.Replaces, in.ReplacesIn, in.ReplacesUID, in.DropReplaced = o.Old.ID, o.Old.Folder, o.Remote.UID, o.DropOld
		if o.Kind == plan.Upload { // the file gets the server's part of the flags in a step of its own
			if in.Flags = o.Flags.Intersect(o.Local.Flags); o.Marked != nil {
				in.Flags = in.Flags.Union(theMark)
			}
		}
	}
	return &departure{op: o, to: to, intent: in}
}

// journal writes down what is about to be sent.
func (a *applier) journal(deps []*departure) error {
	var b mail.Batch
	for _, d := range deps {
		b.AddIntents = append(b.AddIntents, d.intent)
	}
	return a.commit(b)
}

// contentOf is the content the file had when it was read; a message uploaded
// again because the server lost it was not read in this run.
func (a *applier) contentOf(o *plan.Op) *mail.Content {
	if o.Local.Content == nil {
		o.Local.Content = &o.Row.Content
	}
	return o.Local.Content
}

// recordUploads settles what is known of the batch, and returns the copies of
// which the server told no UID. One that may or may not have arrived keeps its
// intent for the next run.
func (a *applier) recordUploads(deps []*departure) (silent []*departure, err error) {
	var b mail.Batch
	var done []*plan.Op
	for _, d := range deps {
		switch {
		case !d.over:
			a.trouble(d.to.Name)
			a.trouble(d.op.Folder)
		case d.err != nil:
			b.SettleIntents = append(b.SettleIntents, d.intent)
			a.failTransfer(d.op, naming(d.err, d.op))
		case d.uid == 0:
			silent = append(silent, d)
		default:
			d.settle(&b)
			done = append(done, d.op)
		}
	}
	return silent, a.record(b, done...)
}

// settle puts the row of a copy whose UID is known, takes the file away from
// the row that had it before, and removes the intent.
func (d *departure) settle(b *mail.Batch) {
	row, in := d.op.Row, d.intent
	switch old := d.op.Old; {
	case old == nil:
	case d.op.DropOld:
		b.Drop = append(b.Drop, old)
	default:
		old.Key, old.UID = "", d.op.Remote.UID
		b.Put = append(b.Put, old)
	}
	place(row, in.Folder, d.uid, in.Key)
	keepMark(d.op)
	if d.op.Kind == plan.Upload {
		row.Flags, row.Content = in.Flags, in.Content
		row.RemoteSize = 0
		if d.sent != nil {
			row.Content = *d.sent
		}
		if d.op.Local.Stamp != nil {
			row.File = *d.op.Local.Stamp
		}
	}
	b.Put = append(b.Put, row)
	if in.ID != 0 { // a MOVE is not journalled
		b.SettleIntents = append(b.SettleIntents, in)
	}
}

// findSilent finds copies by identity where the server told no UID: it has no
// UIDPLUS, or a message to be copied was gone. One lane at a time, for two that
// put equal messages into one folder would find the same.
func (a *applier) findSilent(ctx context.Context, mb Mailbox, f *folder, silent []*departure) error {
	a.finding <- struct{}{}
	defer func() { <-a.finding }()
	intents := make([]*mail.Intent, len(silent))
	for i, d := range silent {
		intents[i] = d.intent
	}
	rows, err := a.State.Rows(ctx, f.Name)
	if err != nil {
		return err
	}
	search := copySearch{mb: mb, rows: rows}
	found, err := search.find(ctx, intents, silent[0].op.Kind == plan.Upload)
	if err != nil {
		return err
	}
	var b mail.Batch
	var done []*plan.Op
	for i, d := range silent {
		if d.uid = found[intents[i]].UID; d.uid == 0 {
			a.trouble(f.Name)
			a.trouble(d.op.Folder)
			if d.op.Kind == plan.Upload {
				a.fail(f.Name, d.op, naming(&mail.Fault{Scope: mail.ScopeMessage, Folder: f.Name, Doing: "upload",
					Err: errNotFound, Hint: "look for it on the server before the next run, which sends it again"}, d.op))
			}
			continue
		}
		a.foundMark(d, found[intents[i]].Flags)
		d.settle(&b)
		done = append(done, d.op)
	}
	return a.record(b, done...)
}

var errNotFound = errors.New("the server took it and does not show it")

// copyRemote has the server copy messages it holds to the folders in which the
// Maildir has them too.
func (a *applier) copyRemote(ctx context.Context, f *folder, ops []*plan.Op) error {
	targets, groups := byTarget(ops)
	for _, name := range targets {
		to := a.target(name)
		if to == nil {
			a.trouble(f.Name)
			continue
		}
		for _, group := range distinct(groups[name]) {
			if err := a.interrupted(); err != nil {
				return err
			}
			if err := a.copyGroup(ctx, f, to, group); err != nil {
				return err
			}
		}
	}
	return nil
}

// distinct splits operations so that no group names a UID twice: a UID set
// cannot say that a message is to be copied twice.
func distinct(ops []*plan.Op) [][]*plan.Op {
	var groups [][]*plan.Op
	times := map[mail.UID]int{}
	for _, o := range ops {
		n := times[o.Remote.UID]
		times[o.Remote.UID]++
		if n == len(groups) {
			groups = append(groups, nil)
		}
		groups[n] = append(groups[n], o)
	}
	return groups
}

func (a *applier) copyGroup(ctx context.Context, f, to *folder, ops []*plan.Op) error {
	deps := make([]*departure, 0, len(ops))
	for _, o := range ops {
		deps = append(deps, a.depart(to, to.Remote.Mark.UIDNext, o))
	}
	if err := a.journal(deps); err != nil {
		return err
	}
	copied, copyErr := a.transfer(ctx, f, ops, func(mb Mailbox, uids []mail.UID) (map[mail.UID]mail.UID, error) {
		return mb.Copy(ctx, uids, to.Name, to.validity)
	})
	for _, d := range deps {
		d.uid, d.over = copied[d.op.Remote.UID], copyErr == nil || copied[d.op.Remote.UID] != 0
	}
	if err := a.findMarks(ctx, to, deps); err != nil {
		return firstOf(copyErr, err)
	}
	return firstOf(copyErr, a.recordArrivals(ctx, to, deps))
}

// findMarks asks for the flags of copies where what is marked as deleted is removed:
// a mark that the original got in the last moment came along.
func (a *applier) findMarks(ctx context.Context, to *folder, deps []*departure) error {
	if !a.Policy(to.Name).Expunge.Any() {
		return nil
	}
	var uids []mail.UID
	for _, d := range deps {
		if d.uid != 0 {
			uids = append(uids, d.uid)
		}
	}
	if len(uids) == 0 {
		return nil
	}
	mb, err := a.open(ctx, to)
	if err != nil {
		return err
	}
	defer mb.Close()
	flags, err := mb.Flags(ctx, uids)
	for _, d := range deps {
		a.foundMark(d, flags[d.uid])
	}
	return err
}

// foundMark has the row of a copy say that it is marked, if it is: then it is the file
// that is not, and the mark is taken off, where else the copy would be removed.
func (a *applier) foundMark(d *departure, flags mail.Flags) {
	if d.op.Kind == plan.CopyRemote && d.op.Old == nil && flags.System&mail.Deleted != 0 && a.Policy(d.to.Name).Expunge.Any() {
		d.op.Marked = new(d.op.Row.Flags.Union(theMark))
		a.mu.Lock()
		a.carried[d.op.Row] = true
		a.mu.Unlock()
		a.trouble(d.to.Name)
	}
}

// firstOf returns the error that came first, unless the other costs more. An
// interruption hides none that ends the run.
func firstOf(err, other error) error {
	hides := errors.Is(other, errInterrupted) && accountScope(err)
	if err == nil || accountScope(other) && !hides {
		return other
	}
	return err
}

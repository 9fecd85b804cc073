package remote

import (
	"errors"
	"fmt"

	"github.com/emersion/go-imap/v2"

	"imapsync/mail"
	"imapsync/remote/wire"
)

// A batch is an APPEND of so many messages or bytes (MULTIAPPEND, RFC 3502),
// which the server stores in one transaction.
const (
	batchMessages = 50
	batchBytes    = 4 << 20
)

// batchable reports whether a message may go out in a batch: the server takes
// them, its refusal could be told from a lie (RFC 3502 has it store all or
// nothing), and the message can be read before it is sent.
func (u *upload) batchable(message *mail.Outgoing) bool {
	c := u.m.c
	return u.at.refused == nil && u.at.m.box().next != 0 && c.has("UIDPLUS") &&
		message.Size > 0 && message.Size <= min(wholeUpload, c.wire.MultiAppendLimit())
}

// add sends one message as part of a batch. One that cannot be read is left
// out, but keeps its place among the answers.
func (u *upload) add(i int, message *mail.Outgoing) error {
	if u.batch != nil && (u.batch.messages() == batchMessages || u.batch.size+message.Size > batchBytes) {
		u.closeBatch()
	}
	if u.batch == nil {
		if err := u.settle(aheadMessages-batchMessages, aheadBytes-batchBytes); err != nil {
			return err
		}
		if !u.batchable(message) { // the answers say so
			return u.sendSingly(i, message)
		}
	}
	body, err := u.read(message)
	if err != nil {
		err = u.grade(u.at, err)
	}
	if u.batch == nil {
		if err != nil {
			u.queue(&sent{i: i, err: err})
			return nil
		}
		u.batch = &sent{to: u.at, i: i, multi: u.m.c.wire.MultiAppend(u.at.name)}
	}
	u.batch.members = append(u.batch.members, member{*message, err})
	if err != nil {
		return nil
	}
	u.batch.size += message.Size
	flags := u.at.m.box().space.Storable(message.Flags).IMAP()
	u.batch.multi.Add(flags, appendDate(message), body)
	return nil
}

// closeBatch ends the batch that is being sent, if there is one.
func (u *upload) closeBatch() {
	if u.batch != nil {
		u.batch.multi.End()
		u.queue(u.batch)
		u.batch = nil
	}
}

// concludeBatch tells the answer to a batch. The messages of one that was
// refused are sent again one by one, so that each gets an answer of its own;
// where the next would fare no better all of them have this one.
func (u *upload) concludeBatch(p *sent) error {
	if p.err == nil {
		u.tell(p, nil)
		return nil
	}
	if err := u.checkNothing(p); err != nil {
		return err
	}
	if !tooLarge(p.err) && !hasCode(p.err, imap.ResponseCodeOverQuota) {
		if err := u.grade(p.to, p.err); p.to.refused != nil {
			u.tell(p, err)
			return nil
		}
	}
	pending, count, bytes, at := u.pending, u.count, u.bytes, u.at
	u.pending, u.count, u.bytes, u.at = nil, 0, 0, p.to
	for k := range p.members {
		if message := &p.members[k]; message.left != nil {
			u.queue(&sent{i: p.i + k, err: message.left})
		} else if err := u.sendSingly(p.i+k, &message.Outgoing); err != nil {
			return err
		}
	}
	if err := u.settle(0, 0); err != nil {
		return err
	}
	u.pending, u.count, u.bytes, u.at = pending, count, bytes, at
	return nil
}

// tell tells what became of the messages of a batch, those that were sent all
// having the same fate.
func (u *upload) tell(p *sent, err error) {
	uids := p.uids
	for k, message := range p.members {
		switch {
		case message.left != nil:
			u.done(p.i+k, 0, message.left)
		case err != nil:
			u.done(p.i+k, 0, err)
		default:
			u.done(p.i+k, uids[0], nil)
			uids = uids[1:]
		}
	}
}

// checkNothing makes sure that a batch which the server refused left nothing in
// the mailbox: it would be doubled. Every message that came since the upload
// began must be one of those that we were told of. Where it is not, perhaps for
// another client's, the batch ends as if its answer had been lost.
func (u *upload) checkNothing(p *sent) error {
	for _, q := range u.pending {
		u.await(q)
	}
	m := p.to.m
	f := m.fault("append messages")
	if next := m.box().next; next != 0 {
		if err := u.selectBox(m); err != nil {
			return err
		}
		if err := m.c.client.Noop().Wait(); err != nil {
			return m.c.grade(u.ctx, err, f)
		}
		set, err := found(m.sendSearch(&imap.SearchCriteria{UID: []imap.UIDSet{from(next)}}))
		if err != nil {
			return m.c.grade(u.ctx, err, f)
		}
		if p.to.knows(set, next) {
			return nil
		}
	}
	m.box().next = 0
	f.Class = mail.ClassTemporary
	f.Err = fmt.Errorf("%w, but the mailbox has messages that were not there before: %w", errBatch, asRefusal(p.err))
	f.Hint = "the next run compares them with what was to be uploaded"
	return &f
}

var errBatch = errors.New("a batch of messages was refused as a whole")

// knows reports whether we were told of all messages of a set from next on. The
// set may hold the last message below: "n:*" means that too (RFC 3501 section
// 6.4.8).
func (t *target) knows(set imap.UIDSet, next mail.UID) bool {
	if count(set) > count(t.told)+1 {
		return false
	}
	known := true
	each(set, func(uid mail.UID) { known = known && (uid < next || t.told.Contains(imap.UID(uid))) })
	return known
}

// awaitBatch waits for the answer to a batch: the UIDs of the messages that were
// sent, each 0 unless the server tells all of them in this mailbox.
func (u *upload) awaitBatch(p *sent) ([]mail.UID, error) {
	answer, err := p.multi.Wait()
	if err != nil {
		return nil, err
	}
	if answer.Status != "OK" {
		return nil, refusalOf(answer)
	}
	uids := make([]mail.UID, 0, len(p.members))
	for _, message := range p.members {
		if message.left == nil {
			uids = append(uids, 0)
		}
	}
	if answer.Code != "APPENDUID" {
		return uids, nil
	}
	validity, told, ok := wire.AppendedUIDs(answer.Args, len(uids))
	if ok && validity == p.to.m.Mark().UIDValidity {
		for k, uid := range told {
			uids[k] = mail.UID(uid)
		}
	}
	return uids, nil
}

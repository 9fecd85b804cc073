package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"imapsync/mail"
	"imapsync/remote/wire"
)

// So many messages and bytes are sent ahead of the server's answers, more of
// them where no literal is awaited: there the link would idle.
const (
	awaitedMessages = 16
	awaitedBytes    = 4 << 20
	aheadMessages   = 400
	aheadBytes      = 16 << 20
)

// wholeUpload is up to which size a message is read before its literal is begun,
// so that one that cannot be read, or is not as long as was said, costs nothing.
// No more than one is in memory at a time.
const wholeUpload = 256 << 10

// Append uploads messages into this mailbox, and those that name one into another,
// taking them from the sequence while earlier ones are on their way, and calling
// done once for each in order: with its new UID, with 0 when the server does not
// tell (APPENDUID, RFC 4315 section 3), or with an error that costs this message.
// After a refusal that concerns the folder (OVERQUOTA, TRYCREATE, a throttle) the
// rest of what goes there is not sent, and done is called with that refusal. The
// error returned ends the upload: for the messages taken and
// without a call to done it is not known whether they were stored. The sequence
// and done are called by this goroutine.
func (m *Mailbox) Append(ctx context.Context, messages iter.Seq[mail.Outgoing], done func(i int, uid mail.UID, err error)) error {
	u := upload{m: m, ctx: ctx, limit: m.c.appendLimit(), done: done, targets: map[mail.FolderName]*target{}}
	u.stop = m.use(ctx)
	defer func() { u.stop() }()
	if err := u.turnTo(m.folder); err != nil {
		return err
	}
	i := 0
	for message := range messages {
		if err := u.send(i, &message); err != nil {
			return err
		}
		i++
	}
	if err := u.settleAll(); err != nil {
		return err
	}
	for _, t := range u.targets {
		if box := t.m.box(); box.next != 0 {
			each(t.told, func(uid mail.UID) { box.next = max(box.next, uid+1) })
		}
	}
	return nil
}

// hasKeyword reports whether flags are among those that a mailbox need not be
// able to store; those of RFC 3501 section 2.3.2 an APPEND may always name.
func hasKeyword(flags mail.Flags) bool {
	return flags.System&mail.Forwarded != 0 || len(flags.Keywords()) > 0
}

// upload is an Append going on.
type upload struct {
	m       *Mailbox // the caller's
	ctx     context.Context
	limit   int64 // of a message, in bytes
	done    func(i int, uid mail.UID, err error)
	stop    func() // ends the guard of the connection in use
	targets map[mail.FolderName]*target
	at      *target // of what is being sent
	pending []*sent
	count   int    // of messages in pending
	bytes   int64  // of pending
	batch   *sent  // the last of pending while messages are added to it
	body    []byte // of the message being sent
}

// sent is an APPEND whose answer is due: of one message, of a batch, or of one
// that was not sent for err.
type sent struct {
	to      *target
	on      *conn
	i       int // the first message
	size    int64
	cmd     *imapclient.AppendCommand
	multi   *wire.MultiAppend
	members []member

	waited bool       // the answer is known:
	uids   []mail.UID // of the messages sent, 0 where not told
	err    error
}

// member is a message of a batch.
type member struct {
	mail.Outgoing
	left error // why it was left out
}

// send sends one message once there is room in the window. The mailbox need not be
// selected for an APPEND unless a flag may be among those it cannot store (RFC 3501
// section 6.3.11).
func (u *upload) send(i int, message *mail.Outgoing) error {
	folder := message.Folder
	if folder == "" {
		folder = u.m.folder
	}
	if folder != u.at.m.folder {
		if err := u.turnTo(folder); err != nil {
			return err
		}
	}
	if u.at.m.box().listed && hasKeyword(message.Flags) {
		if err := u.selectNow(); err != nil {
			return err
		}
	}
	if u.batchable(message) {
		return u.add(i, message)
	}
	u.closeBatch()
	return u.sendSingly(i, message)
}

// sendSingly sends one message by an APPEND of its own.
func (u *upload) sendSingly(i int, message *mail.Outgoing) error {
	messages, bytes := awaitedMessages, int64(awaitedBytes)
	if u.m.c.has("LITERAL+") {
		messages, bytes = aheadMessages, aheadBytes
	}
	if err := u.settle(messages-1, max(0, bytes-message.Size)); err != nil {
		return err
	}
	if u.at.refused != nil {
		u.queue(&sent{i: i, err: u.at.refused})
		return nil
	}
	if message.Size <= wholeUpload {
		body, err := u.read(message)
		if err != nil {
			u.queue(&sent{i: i, err: u.grade(u.at, err)})
			return nil
		}
		cmd := u.begin(message)
		_, _ = cmd.Write(body) // where it fails the answer says why
		u.end(i, message, cmd)
		return nil
	}
	if err := u.fits(message); err != nil {
		u.queue(&sent{i: i, err: u.grade(u.at, err)})
		return nil
	}
	body, err := message.Open()
	if err != nil {
		u.queue(&sent{i: i, err: u.grade(u.at, err)})
		return nil
	}
	defer body.Close()
	return u.stream(i, message, body)
}

// fits refuses what is larger than the server takes.
func (u *upload) fits(message *mail.Outgoing) error {
	if message.Size > u.limit {
		return fmt.Errorf("its %d bytes are more than the %d the server takes (APPENDLIMIT)", message.Size, u.limit)
	}
	return nil
}

// read reads a whole message. It is good until the next is read.
func (u *upload) read(message *mail.Outgoing) ([]byte, error) {
	if err := u.fits(message); err != nil {
		return nil, err
	}
	body, err := message.Open()
	if err != nil {
		return nil, err
	}
	defer body.Close()
	u.body = slices.Grow(u.body[:0], int(message.Size)+1) // the read that finds the end needs room too
	n, whole := 0, u.body[:message.Size+1]
	for n < len(whole) && err == nil {
		var more int
		more, err = body.Read(whole[n:])
		n += more
	}
	if err != nil && err != io.EOF {
		return nil, err
	}
	if int64(n) != message.Size {
		return nil, errSize
	}
	return whole[:n], nil
}

// queue has settle tell the fate of what was sent or left out.
func (u *upload) queue(p *sent) {
	if p.to == nil {
		p.to = u.at
	}
	p.on = u.m.c
	u.pending = append(u.pending, p)
	u.bytes += p.size
	u.count += p.messages()
}

func (p *sent) messages() int { return max(1, len(p.members)) }

// appendLimit is the size of the largest message the server takes, if it says
// so for all mailboxes (RFC 7889 section 2).
func (c *conn) appendLimit() int64 {
	for _, capability := range c.wire.Caps() {
		if s, ok := strings.CutPrefix(capability, "APPENDLIMIT="); ok {
			if limit, err := strconv.ParseInt(s, 10, 64); err == nil {
				return limit
			}
		}
	}
	return math.MaxInt64
}

func (u *upload) begin(message *mail.Outgoing) *imapclient.AppendCommand {
	options := &imap.AppendOptions{Flags: imapFlags(u.at.m.box().space.Storable(message.Flags)), Time: appendDate(message)}
	return u.m.c.client.Append(u.at.name, message.Size, options)
}

// appendDate is the internal date to be given, zero where IMAP cannot write it.
func appendDate(message *mail.Outgoing) time.Time {
	if year := message.Date.Year(); year > 0 && year <= 9999 {
		return message.Date
	}
	return time.Time{}
}

func (u *upload) end(i int, message *mail.Outgoing, cmd *imapclient.AppendCommand) {
	_ = cmd.Close() // where it fails the answer says why
	u.queue(&sent{i: i, size: message.Size, cmd: cmd})
}

// errSize is a message that was written to since its size was taken.
var errSize = fmt.Errorf("the message is no longer of the size it had: %w", mail.ErrChanged)

// stream sends a large message as it is read. If it cannot be read to its end,
// or is not as long as announced, the only way out of the literal is to cut the
// connection. The answers to earlier messages are awaited first, and what they
// ask for is done on the next connection.
func (u *upload) stream(i int, message *mail.Outgoing, body io.Reader) error {
	cmd := u.begin(message)
	err := copyExactly(cmd, body, message.Size)
	if err == nil {
		u.end(i, message, cmd)
		return nil
	}
	fault := u.grade(u.at, err)
	for _, p := range u.pending {
		u.await(p)
	}
	u.m.c.kill(fault)
	_ = cmd.Close()
	_, _ = cmd.Wait()
	u.stop()
	u.stop = func() {}
	if err := u.reconnect(); err != nil {
		return err
	}
	if err := u.settle(0, 0); err != nil {
		return err
	}
	u.done(i, 0, fault)
	return nil
}

// reconnect puts a new connection in the place of one that was cut. Which
// messages of a mailbox are old stays known, unless it is another by now.
func (u *upload) reconnect() error {
	old := make(map[*target]selection, len(u.targets))
	for _, t := range u.targets {
		old[t] = *t.m.box()
	}
	if err := u.m.reopen(u.ctx); err != nil {
		return err
	}
	u.stop = u.m.use(u.ctx)
	for t, was := range old {
		if t.m != u.m {
			t.m.c, t.m.was = u.m.c, u.m.a.told(t.m.folder, false)
		}
		box := t.m.box()
		if box.next = was.next; box.mark.UIDValidity != was.mark.UIDValidity {
			box.next = 0
		}
	}
	return nil
}

// copyExactly copies size bytes, at least one, and makes sure that there are no
// more before it writes the last. Errors of the connection are not its concern.
func copyExactly(w io.Writer, r io.Reader, size int64) error {
	buf := make([]byte, 64<<10)
	for left := size - 1; left > 0; {
		n, err := io.ReadFull(r, buf[:min(left, int64(len(buf)))])
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errSize
		} else if err != nil {
			return err
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return nil
		}
		left -= int64(n)
	}
	last, err := io.ReadAll(io.LimitReader(r, 2))
	if err != nil {
		return err
	}
	if len(last) != 1 {
		return errSize
	}
	_, _ = w.Write(last)
	return nil
}

// settleAll waits for all answers.
func (u *upload) settleAll() error {
	u.closeBatch()
	return u.settle(0, 0)
}

// settle waits for the oldest answers until no more than so many messages and
// bytes are on their way.
func (u *upload) settle(messages int, bytes int64) error {
	for u.count > messages || u.bytes > bytes {
		p := u.pending[0]
		u.pending = u.pending[1:]
		u.bytes -= p.size
		u.count -= p.messages()
		if err := u.conclude(p); err != nil {
			return err
		}
	}
	return nil
}

// conclude waits for an answer and tells it.
func (u *upload) conclude(p *sent) error {
	u.await(p)
	switch {
	case p.cmd == nil && p.multi == nil:
		u.done(p.i, 0, p.err)
	case p.err != nil && !refused(p.err):
		return p.on.grade(u.ctx, p.err, p.to.m.fault("append messages"))
	case p.multi != nil:
		return u.concludeBatch(p)
	case p.err != nil:
		u.done(p.i, 0, u.grade(p.to, p.err))
	default:
		u.done(p.i, p.uids[0], nil)
	}
	return nil
}

// await waits for an answer. Once a message has a UID that we do not know, what
// a refused batch left cannot be told from it.
func (u *upload) await(p *sent) {
	if p.waited {
		return
	}
	p.waited = true
	switch {
	case p.multi != nil:
		p.uids, p.err = u.awaitBatch(p)
	case p.cmd != nil:
		var data *imap.AppendData
		if data, p.err = p.cmd.Wait(); p.err != nil {
			return
		}
		p.uids = make([]mail.UID, 1)
		if u.m.c.has("UIDPLUS") && data.UIDValidity == p.to.m.Mark().UIDValidity {
			p.uids[0] = mail.UID(data.UID)
		}
	}
	for _, uid := range p.uids {
		if uid == 0 {
			p.to.m.box().next = 0
		} else {
			p.to.told.AddNum(imap.UID(uid))
		}
	}
}

// tooLarge reports whether it is the message that exceeds a limit: of an APPEND,
// LIMIT (RFC 5530 section 3) mostly means that, unless the words are about the
// connection.
func tooLarge(err error) bool {
	return hasCode(err, imap.ResponseCodeLimit, "TOOBIG") && !wire.Temporary("", asRefusal(err).err.Text)
}

// grade tells what an error costs: this message, or the folder when the next
// message would fare no better.
func (u *upload) grade(to *target, err error) error {
	f := to.m.fault("append message")
	if mail.ScopeOf(err) == mail.ScopeAccount { // the disk, not the message
		return err
	}
	if !refused(err) {
		f.Scope, f.Err = mail.ScopeMessage, err
		return &f
	}
	if tooLarge(err) {
		f.Scope, f.Err = mail.ScopeMessage, asRefusal(err)
		return &f
	}
	concernsFolder := temporary(err) || hasCode(err, imap.ResponseCodeOverQuota, imap.ResponseCodeTryCreate,
		imap.ResponseCodeNonExistent, imap.ResponseCodeNoPerm)
	if hasCode(err, imap.ResponseCodeOverQuota) {
		f.Hint = "the account is full: delete mail there or ask for more room"
	}
	if !concernsFolder {
		f.Scope = mail.ScopeMessage
	}
	graded := u.m.c.grade(u.ctx, err, f)
	if concernsFolder && to.refused == nil {
		to.refused = graded
	}
	return graded
}

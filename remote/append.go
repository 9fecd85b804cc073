package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"imapsync/mail"
	"imapsync/remote/wire"
)

// So many messages or bytes are sent ahead of the server's answers.
const (
	appendMessages = 16
	appendBytes    = 4 << 20
)

// wholeUpload is up to which size a message is read before its APPEND is begun,
// so that one that cannot be read, or is not as long as was said, costs nothing.
const wholeUpload = 256 << 10

// Append uploads messages into this mailbox (RFC 3501 section 6.3.11), calling
// done once for each in order: with its new UID, with 0 when the server does
// not tell (APPENDUID, RFC 4315 section 3), or with an error that costs this
// message. After a refusal that concerns the folder (OVERQUOTA, TRYCREATE, a
// throttle) the rest is not sent, and done is called with that refusal. The
// error returned ends the batch: for the messages without a call to done it is
// not known whether they were stored.
func (m *Mailbox) Append(ctx context.Context, messages []mail.Outgoing, done func(i int, uid mail.UID, err error)) error {
	name, err := m.a.serverName(ctx, m.c, m.folder)
	if err != nil {
		return err
	}
	u := upload{m: m, ctx: ctx, name: name, done: done}
	u.stop = m.use(ctx)
	defer func() { u.stop() }()
	for i := range messages {
		if err := u.send(i, &messages[i]); err != nil {
			return err
		}
	}
	return u.settle(0, 0)
}

// upload is an Append going on.
type upload struct {
	m       *Mailbox
	ctx     context.Context
	name    string
	done    func(i int, uid mail.UID, err error)
	stop    func() // ends the guard of the connection in use
	pending []sent
	bytes   int64 // of pending
	refused error // a refusal that concerns the folder
}

// sent is a message whose answer is due, or one that was not sent for err.
type sent struct {
	i    int
	size int64
	cmd  *imapclient.AppendCommand
	err  error
}

// send sends one message once there is room in the window.
func (u *upload) send(i int, message *mail.Outgoing) error {
	if err := u.settle(appendMessages-1, max(0, appendBytes-message.Size)); err != nil {
		return err
	}
	if u.refused != nil {
		u.pending = append(u.pending, sent{i: i, err: u.refused})
		return nil
	}
	if limit := u.m.c.appendLimit(); message.Size > limit {
		u.skip(i, fmt.Errorf("its %d bytes are more than the %d the server takes (APPENDLIMIT)", message.Size, limit))
		return nil
	}
	body, err := message.Open()
	if err != nil {
		u.skip(i, err)
		return nil
	}
	defer body.Close()
	if message.Size > wholeUpload {
		return u.stream(i, message, body)
	}
	whole, err := io.ReadAll(io.LimitReader(body, message.Size+1))
	if err == nil && int64(len(whole)) != message.Size {
		err = errSize
	}
	if err != nil {
		u.skip(i, err)
		return nil
	}
	cmd := u.begin(message)
	_, _ = cmd.Write(whole) // where it fails the answer says why
	u.end(i, message, cmd)
	return nil
}

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

// skip leaves a message out for a reason of our own.
func (u *upload) skip(i int, err error) {
	u.pending = append(u.pending, sent{i: i, err: u.grade(err)})
}

func (u *upload) begin(message *mail.Outgoing) *imapclient.AppendCommand {
	options := &imap.AppendOptions{Flags: imapFlags(u.m.box().space.Storable(message.Flags))}
	if year := message.Date.Year(); year > 0 && year <= 9999 && !message.Date.IsZero() {
		options.Time = message.Date
	}
	return u.m.c.client.Append(u.name, message.Size, options)
}

func (u *upload) end(i int, message *mail.Outgoing, cmd *imapclient.AppendCommand) {
	_ = cmd.Close() // where it fails the answer says why
	u.pending = append(u.pending, sent{i: i, size: message.Size, cmd: cmd})
	u.bytes += message.Size
}

// errSize is a message that was written to since its size was taken.
var errSize = fmt.Errorf("the message is no longer of the size it had: %w", mail.ErrChanged)

// stream sends a large message as it is read. If it cannot be read to its end,
// or is not as long as announced, the only way out of the literal is to cut the
// connection; the answers to earlier messages are awaited first.
func (u *upload) stream(i int, message *mail.Outgoing, body io.Reader) error {
	cmd := u.begin(message)
	err := copyExactly(cmd, body, message.Size)
	if err == nil {
		u.end(i, message, cmd)
		return nil
	}
	if err := u.settle(0, 0); err != nil {
		return err
	}
	fault := u.grade(err)
	u.m.c.kill(fault)
	_ = cmd.Close()
	_, _ = cmd.Wait()
	u.done(i, 0, fault)
	u.stop()
	u.stop = func() {}
	if err := u.m.reopen(u.ctx); err != nil {
		return err
	}
	u.stop = u.m.use(u.ctx)
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

// settle waits for the oldest answers until no more than so many messages and
// bytes are on their way.
func (u *upload) settle(messages int, bytes int64) error {
	for len(u.pending) > messages || u.bytes > bytes {
		p := u.pending[0]
		u.pending = u.pending[1:]
		if p.cmd == nil {
			u.done(p.i, 0, p.err)
			continue
		}
		data, err := p.cmd.Wait()
		u.bytes -= p.size
		switch {
		case err == nil && u.m.c.has("UIDPLUS") && data.UIDValidity == u.m.Mark().UIDValidity:
			u.done(p.i, mail.UID(data.UID), nil)
		case err == nil:
			u.done(p.i, 0, nil)
		case refused(err):
			u.done(p.i, 0, u.grade(err))
		default:
			return u.m.c.grade(u.ctx, err, u.m.fault("append messages"))
		}
	}
	return nil
}

// tooLarge reports whether it is the message that exceeds a limit: of an APPEND,
// LIMIT (RFC 5530 section 3) mostly means that, unless the words are about the
// connection.
func tooLarge(err error) bool {
	return hasCode(err, imap.ResponseCodeLimit, "TOOBIG") && !wire.Temporary("", asRefusal(err).err.Text)
}

// grade tells what an error costs: this message, or the folder when the next
// message would fare no better.
func (u *upload) grade(err error) error {
	f := u.m.fault("append message")
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
	if concernsFolder && u.refused == nil {
		u.refused = graded
	}
	return graded
}

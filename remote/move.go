package remote

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"

	"imapsync/mail"
	"imapsync/remote/wire"
)

// Copy copies messages to another mailbox (RFC 3501 section 6.4.7) and returns
// their new UIDs where the server tells (COPYUID, RFC 4315 section 3); one that
// does not, or tells them under another UIDVALIDITY than given (0: any), gives
// an empty map. With an error the map holds what was copied
// before it.
func (m *Mailbox) Copy(ctx context.Context, uids []mail.UID, to mail.FolderName, validity uint32) (map[mail.UID]mail.UID, error) {
	return m.transfer(ctx, uids, to, validity, "copy to "+string(to), func(set imap.UIDSet, name string, sent func()) (src, dst imap.NumSet, told uint32, err error) {
		cmd := m.c.client.Copy(set, name)
		sent()
		data, err := cmd.Wait()
		if err != nil {
			return nil, nil, 0, err
		}
		return data.SourceUIDs, data.DestUIDs, data.UIDValidity, nil
	})
}

// Move moves messages by UID MOVE (RFC 6851), and returns as Copy does. On a
// server without MOVE it is an error: imapclient would then expunge without
// waiting for the copy.
func (m *Mailbox) Move(ctx context.Context, uids []mail.UID, to mail.FolderName, validity uint32) (map[mail.UID]mail.UID, error) {
	doing := "move to " + string(to)
	if !m.c.has("MOVE") {
		f := m.fault(doing)
		f.Err = errors.New("the server has no MOVE")
		return nil, &f
	}
	return m.transfer(ctx, uids, to, validity, doing, func(set imap.UIDSet, name string, sent func()) (src, dst imap.NumSet, told uint32, err error) {
		cmd := m.c.client.Move(set, name)
		sent()
		data, err := cmd.Wait()
		if err != nil {
			return nil, nil, 0, err
		}
		return data.SourceUIDs, data.DestUIDs, data.UIDValidity, nil
	})
}

// transfer sends one command for each set, each awaited.
func (m *Mailbox) transfer(ctx context.Context, uids []mail.UID, to mail.FolderName, validity uint32, doing string,
	send func(set imap.UIDSet, name string, sent func()) (src, dst imap.NumSet, told uint32, err error)) (map[mail.UID]mail.UID, error) {
	copied := map[mail.UID]mail.UID{}
	if err := m.selectNow(ctx); err != nil {
		return copied, err
	}
	defer m.use(ctx)()
	if err := m.see(uids); err != nil {
		return copied, m.c.grade(ctx, err, m.fault(doing))
	}
	name, err := m.a.serverName(ctx, m.c, to)
	if err != nil {
		return copied, err
	}
	all := sets(sorted(uids))
	for i, set := range all {
		m.a.hear(m.c)
		src, dst, told, err := send(set, name, func() {
			if i == len(all)-1 {
				m.goOn()
			}
		})
		if err != nil {
			return copied, m.c.grade(ctx, err, m.fault(doing))
		}
		if !m.c.has("UIDPLUS") || validity != 0 && told != validity {
			continue
		}
		from, to := inOrder(src, dst, m.a.hear(m.c))
		for i, uid := range from {
			if set.Contains(imap.UID(uid)) {
				copied[uid] = to[i]
			}
		}
	}
	return copied, nil
}

// inOrder reads COPYUID, whose two sets correspond in the order in which they
// are written. imapclient sorts them, so the text of the response code is read,
// which package wire keeps; without it nothing is said, for a wrong guess would
// give one message the flags of another.
func inOrder(src, dst imap.NumSet, notices []wire.Notice) (from, to []mail.UID) {
	from, to = ascending(src), ascending(dst)
	if len(from) != len(to) {
		return nil, nil
	}
	for _, n := range notices {
		words := strings.Fields(n.Text)
		if n.Kind != wire.NoticeStatus || n.Name != "COPYUID" || len(words) != 3 {
			continue
		}
		a, b := parseSet(words[1]), parseSet(words[2])
		if slices.Equal(sorted(a), from) && slices.Equal(sorted(b), to) && len(a) == len(b) {
			return a, b
		}
	}
	return nil, nil
}

func ascending(set imap.NumSet) (uids []mail.UID) {
	if s, ok := set.(imap.UIDSet); ok && count(s) <= maxAbsurd {
		each(s, func(uid mail.UID) { uids = append(uids, uid) })
	}
	return uids
}

// parseSet reads a set of UIDs in the order in which it is written; nil when it
// is malformed or absurd.
func parseSet(s string) (uids []mail.UID) {
	for part := range strings.SplitSeq(s, ",") {
		first, last, ranged := strings.Cut(part, ":")
		if !ranged {
			last = first
		}
		a, errA := strconv.ParseUint(first, 10, 32)
		b, errB := strconv.ParseUint(last, 10, 32)
		if b < a {
			a, b = b, a // a range is the same either way round (RFC 3501 section 9, seq-range)
		}
		if errA != nil || errB != nil || a == 0 || uint64(len(uids))+b-a >= maxAbsurd {
			return nil
		}
		for ; a <= b; a++ {
			uids = append(uids, mail.UID(a))
		}
	}
	return uids
}

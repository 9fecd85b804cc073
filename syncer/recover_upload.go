package syncer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"imapsync/mail"
)

// recoverUploads looks for messages on the server, from the UIDNEXT the
// intents were made at, and compares whole contents before adopting one.
func (r *run) recoverUploads(ctx context.Context, byFolder map[mail.FolderName][]*mail.Intent) error {
	waits := slices.Clone(lateWaits)
	for _, name := range slices.Sorted(maps.Keys(byFolder)) {
		if err := r.recoverFolder(ctx, name, byFolder[name], &waits); err != nil {
			names := []mail.FolderName{name}
			for _, in := range byFolder[name] {
				if isTrashing(in) { // else it would be copied once more
					names = append(names, in.ReplacesIn)
				}
			}
			if err := r.leaveIntents(ctx, names, err); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) recoverFolder(ctx context.Context, name mail.FolderName, intents []*mail.Intent, waits *[]time.Duration) error {
	gone, err := r.Remote.Missing(ctx, name)
	if err != nil {
		return err
	}
	if gone {
		return r.commit(mail.Batch{SettleIntents: intents})
	}
	mb, err := r.Remote.Open(ctx, name, false)
	if err != nil {
		return err
	}
	defer mb.Close()
	rows, err := r.State.Rows(ctx, name)
	if err != nil {
		return err
	}
	b := mail.Batch{SettleIntents: intents}
	valid := slices.DeleteFunc(slices.Clone(intents), func(in *mail.Intent) bool { return in.UIDValidity != mb.Mark().UIDValidity })
	if len(valid) == 0 {
		return r.commit(b)
	}
	if err := r.unnumber(ctx, name, mb.Mark().UIDValidity, rows, &b); err != nil {
		return err
	}
	found, err := r.findLate(ctx, mb, rows, valid, waits)
	if err != nil {
		return err
	}
	if r.Select == nil || r.Select(name) {
		b.Folders = []mail.FolderRecord{unsettledRecord(name, mb.Mark().UIDValidity)}
	}
	for _, in := range valid {
		f := found[in]
		switch {
		case f.UID == 0:
		case isTrashing(in):
			err = r.adoptTrashed(ctx, in, &b)
		default:
			err = r.adoptUpload(ctx, in, f, rows, &b)
		}
		if err != nil {
			return err
		}
	}
	return r.commit(b)
}

// lateWaits are the waits between looks for copies that are not there yet: the session
// that asked for them is gone, but the server may still be busy with what it asked. What
// comes after the last look is on the server twice.
var lateWaits = []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}

// findLate finds the copies that intents have created, and looks again where some are
// missing as long as there are waits left, which it takes away.
func (r *run) findLate(ctx context.Context, mb Mailbox, rows []*mail.Base, intents []*mail.Intent, waits *[]time.Duration) (map[*mail.Intent]mail.Remote, error) {
	search := copySearch{mb: mb, rows: rows}
	found, missing, told := map[*mail.Intent]mail.Remote{}, intents, false
	for {
		come, err := search.find(ctx, missing, false)
		if err != nil {
			return nil, err
		}
		maps.Copy(found, come)
		missing = slices.DeleteFunc(slices.Clone(missing), func(in *mail.Intent) bool { return come[in].UID != 0 })
		if len(missing) == 0 || len(*waits) == 0 {
			return found, nil
		}
		if !told {
			told = true
			r.note(intents[0].Folder, fmt.Sprintf("of what was being sent when a session broke off, %d are not on the server; it may still be busy with them: looking again in a moment", len(missing)))
		}
		wait := (*waits)[0]
		*waits = (*waits)[1:]
		if err := r.Wait(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// unnumber takes their UIDs from rows that are of another mailbox than the one which
// has the name now: the run that was cut short made it, to have a trash.
func (r *run) unnumber(ctx context.Context, name mail.FolderName, validity uint32, rows []*mail.Base, b *mail.Batch) error {
	records, err := r.folderRecords(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(records, func(rec mail.FolderRecord) bool { return rec.Folder == name })
	if i < 0 || records[i].Mark.UIDValidity == validity {
		return nil
	}
	for _, row := range rows {
		if row.UID = 0; row.Key == "" {
			b.Drop = append(b.Drop, row)
		} else {
			b.Put = append(b.Put, row)
		}
	}
	return nil
}

// adoptUpload makes the row of a copy that arrived and takes the file away from
// the row that had it, as the run would have done. A message uploaded again
// because the server had lost it keeps its row.
func (r *run) adoptUpload(ctx context.Context, in *mail.Intent, found mail.Remote, rows []*mail.Base, b *mail.Batch) error {
	row := &mail.Base{}
	for _, old := range rows {
		if old.Key == in.Key && old.ID != in.Replaces {
			row = old
		}
	}
	row.Folder, row.UID, row.Key, row.Flags, row.Content = in.Folder, found.UID, in.Key, in.Flags, in.Content
	row.RemoteSize, row.Date, row.File = found.Size, in.Date, mail.FileStamp{}
	if in.Replaces == 0 && found.Flags.System&mail.Deleted != 0 && r.Policy(in.Folder).Expunge.Any() { // as of foundMark
		row.Flags = row.Flags.Union(theMark)
	}
	b.Put = append(b.Put, row)
	line := recovered(in, row)
	if in.Replaces == 0 {
		b.Log = append(b.Log, line)
		return nil
	}
	olds, err := r.State.Rows(ctx, in.ReplacesIn)
	if err != nil {
		return err
	}
	for _, old := range olds {
		switch {
		case old.ID != in.Replaces:
		case in.DropReplaced:
			b.Drop = append(b.Drop, old)
		default:
			left := line
			left.Action, left.Folder, left.Key, left.UID = mail.ActionLeft, old.Folder, old.Key, in.ReplacesUID
			b.Log = append(b.Log, left)
			old.UID, old.Key = in.ReplacesUID, ""
			b.Put = append(b.Put, old)
		}
	}
	b.Log = append(b.Log, line)
	return nil
}

// copySearch looks for copies in a mailbox, where the messages of rows are none. What
// one look has seen the next leaves out: a message that comes later has a higher UID.
type copySearch struct {
	mb   Mailbox
	rows []*mail.Base
	seen mail.Known // by the last look
}

// find finds the messages that intents have created, each message for one intent. Of
// copies that the server has surely stored, altered ones whose header differs are known
// by their body.
func (c *copySearch) find(ctx context.Context, intents []*mail.Intent, stored bool) (map[*mail.Intent]mail.Remote, error) {
	if len(intents) == 0 {
		return nil, nil
	}
	first := c.unseen()
	s, err := c.mb.Snapshot(ctx, c.seen, first == 0)
	if err != nil {
		return nil, err
	}
	if s.Doubt != "" {
		return nil, &mail.Fault{Scope: mail.ScopeFolder, Class: mail.ClassTemporary, Folder: s.Folder, Doing: "look for copies of an interrupted run",
			Err: errors.New("the server may not show all messages: " + s.Doubt), Hint: "the next run looks again"}
	}
	c.seen = knownBy(s)
	from, headers := intents[0].UIDNext, map[mail.Digest]bool{}
	for _, in := range intents {
		from = min(from, in.UIDNext)
		headers[in.Content.Header] = true
	}
	for _, row := range c.rows {
		delete(s.Messages, row.UID)
	}
	var uids []mail.UID
	for _, uid := range sortedUIDs(s.Messages) {
		if uid >= max(first, from) {
			uids = append(uids, uid)
		}
	}
	contents, err := wholeContents(ctx, c.mb, uids, headers)
	if err != nil {
		return nil, err
	}
	found := matchCopies(intents, uids, s.Messages, func(in *mail.Intent, uid mail.UID) bool {
		c, ok := contents[uid]
		return ok && (c.SameMessage(in.Content) || in.Content.StandsFor(c))
	})
	if !stored || len(found) == len(intents) {
		return found, nil
	}
	return found, findAltered(ctx, c.mb, intents, uids, s.Messages, found)
}

// unseen is the UID from which on messages have not been seen.
func (c *copySearch) unseen() mail.UID {
	if len(c.seen.UIDs) == 0 {
		return 0
	}
	return c.seen.UIDs[len(c.seen.UIDs)-1] + 1
}

// knownBy is what is known of a mailbox when it was listed.
func knownBy(s mail.RemoteSnapshot) mail.Known {
	uids := append(sortedUIDs(s.Messages), s.Same...)
	slices.Sort(uids)
	return mail.Known{Mark: s.Mark, UIDs: uids}
}

// matchCopies gives each intent the first message that is its, from the UIDNEXT
// it was made at on.
func matchCopies(intents []*mail.Intent, uids []mail.UID, messages map[mail.UID]mail.Remote, same func(*mail.Intent, mail.UID) bool) map[*mail.Intent]mail.Remote {
	found := map[*mail.Intent]mail.Remote{}
	taken := map[mail.UID]bool{}
	for _, in := range intents {
		for _, uid := range uids {
			if !taken[uid] && uid >= in.UIDNext && same(in, uid) {
				found[in], taken[uid] = messages[uid], true
				break
			}
		}
	}
	return found
}

// findAltered adds to found the copies that the server did not store as sent.
func findAltered(ctx context.Context, mb Mailbox, intents []*mail.Intent, uids []mail.UID, messages map[mail.UID]mail.Remote, found map[*mail.Intent]mail.Remote) error {
	taken := map[mail.UID]bool{}
	for _, m := range found {
		taken[m.UID] = true
	}
	missing := slices.DeleteFunc(slices.Clone(intents), func(in *mail.Intent) bool { return found[in].UID != 0 })
	uids = slices.DeleteFunc(slices.Clone(uids), func(uid mail.UID) bool { return taken[uid] })
	contents, err := fetchContents(ctx, mb, uids)
	if err != nil {
		return err
	}
	empty := mail.NewHasher().Content().Body
	maps.Copy(found, matchCopies(missing, uids, messages, func(in *mail.Intent, uid mail.UID) bool {
		c, ok := contents[uid]
		return ok && c.Body == in.Content.Body && c.Body != empty
	}))
	return nil
}

// wholeContents fetches those messages whose header block is wanted.
func wholeContents(ctx context.Context, mb Mailbox, uids []mail.UID, headers map[mail.Digest]bool) (map[mail.UID]mail.Content, error) {
	if len(uids) == 0 {
		return nil, nil
	}
	blocks, err := mb.Headers(ctx, uids)
	if err != nil {
		return nil, err
	}
	var fetch []mail.UID
	for _, uid := range uids {
		if c, ok := blocks[uid]; ok && headers[c.Header] {
			fetch = append(fetch, uid)
		}
	}
	return fetchContents(ctx, mb, fetch)
}

func fetchContents(ctx context.Context, mb Mailbox, uids []mail.UID) (map[mail.UID]mail.Content, error) {
	contents := map[mail.UID]mail.Content{}
	if len(uids) == 0 {
		return contents, nil
	}
	err := mb.Fetch(ctx, uids, func(uid mail.UID, body io.Reader, err error) error {
		if err != nil {
			if errors.Is(err, mail.ErrChanged) {
				return nil
			}
			return err
		}
		h := mail.NewHasher()
		if _, err := io.Copy(h, body); err != nil {
			return err
		}
		contents[uid] = h.Content()
		return nil
	})
	return contents, err
}

func sortedUIDs(m map[mail.UID]mail.Remote) []mail.UID {
	uids := make([]mail.UID, 0, len(m))
	for uid := range m {
		uids = append(uids, uid)
	}
	slices.Sort(uids)
	return uids
}

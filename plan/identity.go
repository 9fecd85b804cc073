package plan

import (
	"slices"
	"strconv"
	"strings"

	"imapsync/conflict"
	"imapsync/mail"
)

// thinHeader is the number of fields below which a header block is no identity:
// every message sent has more (From, Date, To, Subject, Message-ID).
const thinHeader = 4

// sameMessage reports whether a remote message is the one of the content: by
// its bytes where they were fetched, else by its header block and its size
// less the fields sync tools add. Unsure lists the cases where the header does
// not suffice; for those the caller fetches the whole before deciding.
func sameMessage(c mail.Content, r mail.Remote) bool {
	if r.Content == nil {
		return false
	}
	if c.Whole > 0 { // a stub tells no more than its header and the size of the whole
		return c.Header == r.Content.Header && c.Net == announcedNet(r)
	}
	if !r.Content.Body.IsZero() {
		return c.SameMessage(*r.Content)
	}
	return r.Content.Fields >= thinHeader && c.Header == r.Content.Header && c.Net == announcedNet(r)
}

// IsCopy reports whether a file of that name and header block is the copy that
// offlineimap made of a message: it writes bodies anew, so that a few differ, but
// the name has the message's UID (",U=42,FMD5=…"), and the header block is the same.
func IsCopy(key mail.Key, header mail.Digest, uid mail.UID, message mail.Content) bool {
	if message.Fields < thinHeader || header != message.Header {
		return false
	}
	before, _, ok := strings.Cut(string(key), ",FMD5=")
	i := strings.LastIndex(before, ",U=")
	return ok && i >= 0 && before[i+len(",U="):] == strconv.FormatUint(uint64(uid), 10)
}

// isCopyOf is IsCopy of a new file that is no draft.
func isCopyOf(l *mail.Local, r mail.Remote) bool {
	return l != nil && (l.Flags.System|r.Flags.System)&mail.Draft == 0 && l.Content != nil && r.Content != nil && IsCopy(l.Key, l.Content.Header, r.UID, *r.Content)
}

// announcedNet is the announced size less the fields sync tools add.
func announcedNet(r mail.Remote) int64 { return r.Size - (r.Content.Wire - r.Content.Net) }

// Candidate is a remote message of which more must be known.
type Candidate struct {
	Folder mail.FolderName
	UID    mail.UID
	Size   int64
}

// NeedHeaders lists the new remote messages that could be a message the Maildir
// or the base knows already: all of a folder that has new files, too, or is
// re-matched, and those of a size that has gone missing elsewhere on the server.
// Where new messages stay on their side
// whatever they are, those of the size of a new file do, and nobody is looked for
// whose file stays.
func NeedHeaders(in Input) []Candidate {
	j := joinSides(in)
	pairing := map[*Folder]bool{}
	sizes := map[int64]bool{}
	for _, l := range j.localNew {
		if p := in.policy(l.localIn.Name); p.Pulls(conflict.New) || p.Pushes(conflict.New) {
			pairing[l.localIn] = true
		} else if l.local.Content != nil {
			sizes[l.local.Content.Wire] = true
		}
	}
	for _, t := range j.triples {
		if t.remote != nil || t.base == nil || stays(t, in, j.byFolder[t.base.Folder]) {
			continue
		}
		if t.rematch {
			pairing[j.byFolder[t.base.Folder]] = true
			pairing[t.localIn] = true // where it may have been moved on both sides
		}
		sizes[t.base.RemoteSize] = true
		sizes[t.base.Content.Wire] = true
	}
	for _, row := range in.Unseen {
		sizes[row.RemoteSize], sizes[row.Content.Wire] = true, true
	}
	var need []Candidate
	for _, n := range j.remoteNew {
		if n.remote.Content != nil {
			continue
		}
		if pairing[n.remoteIn] || sizes[n.remote.Size] {
			need = append(need, Candidate{n.remoteIn.Name, n.remote.UID, n.remote.Size})
		}
	}
	return need
}

// stays reports whether the file of a message that left its mailbox stays where it
// is, wherever that went.
func stays(t *triple, in Input, f *Folder) bool {
	return deletionLack(t, in, f).any() && in.notPulled(f.Name, conflict.New).any()
}

// File is a file of the Maildir as a listing showed it.
type File struct {
	Folder mail.FolderName
	Key    mail.Key
	Row    *mail.Base // that it belongs to by its name; nil for a new one
}

// Unverified lists the files that decide on others, by a listing of names or by
// the content they had when they were last read: those whose message is about to
// be taken for a new one on the server; and those of which there is a new file of
// the same content or the same name elsewhere, that may be a copy or the file
// itself, moved while the folders were listed. So may each of two new files be.
func Unverified(in Input) (files []File) {
	j := join(in)
	copied, alike, named := map[mail.Digest]bool{}, map[mail.Digest]int{}, map[mail.Key]int{}
	for _, t := range slices.Concat(j.localNew, j.triples) {
		if t.local == nil || t.local.Content == nil {
			continue
		}
		named[t.local.Key]++
		alike[t.local.Content.Digest]++
		if t.base == nil {
			copied[t.local.Content.Digest] = true
		}
	}
	for _, row := range j.agreed {
		if copied[row.Content.Digest] {
			files = append(files, File{row.Folder, row.Key, row})
		}
	}
	for _, t := range slices.Concat(j.localNew, j.triples) {
		switch {
		case t.local == nil:
		case t.base == nil || t.local.Key != t.base.Key || t.localIn.Name != t.base.Folder:
			if c := t.local.Content; named[t.local.Key] > 1 || c != nil && alike[c.Digest] > 1 {
				files = append(files, File{Folder: t.localIn.Name, Key: t.local.Key})
			}
		case t.local.Stamp == nil && t.renumbered() || copied[t.base.Content.Digest]:
			files = append(files, File{t.base.Folder, t.base.Key, t.base})
		}
	}
	return files
}

// renumbered reports whether the row's message has another place or number.
func (t *triple) renumbered() bool {
	return t.remote != nil && (t.remoteIn.Name != t.base.Folder || t.remote.UID != t.base.UID)
}

// Missing reports on which sides a message that the base knows is nowhere to be
// found in the folders observed, so that a deletion would be decided, or that
// one of a renumbered folder be sent again. Deletions that are not propagated
// need no proof.
func Missing(in Input) (local, remote bool) {
	j := join(in)
	for _, t := range j.triples {
		if t.base == nil || t.base.Key == "" || deletionLack(t, in, j.byFolder[t.base.Folder]).any() {
			continue
		}
		local = local || t.local == nil
		remote = remote || t.remote == nil
	}
	return local, remote
}

// NeedBodies lists the new remote messages whose header block does not settle
// which known message they are: because several share it, because it is thin,
// because the sizes differ, which a server may have got wrong, or because the text
// may have changed under it.
func NeedBodies(in Input) []Candidate {
	j := joinSides(in)
	known := map[mail.Digest][]*triple{} // what a remote message could turn out to be
	for _, t := range append(j.triples[:len(j.triples):len(j.triples)], j.localNew...) {
		if t.remote == nil {
			h := contentOf(t).Header
			known[h] = append(known[h], t)
		}
	}
	byHeader := remotesByHeader(j.remoteNew)
	var need []Candidate
	for _, n := range j.remoteNew {
		if c := n.remote.Content; c == nil || !c.Body.IsZero() {
			continue
		}
		if !j.settled(n, known[n.remote.Content.Header], byHeader[n.remote.Content.Header]) {
			need = append(need, Candidate{n.remoteIn.Name, n.remote.UID, n.remote.Size})
		}
	}
	return need
}

// settled reports whether the header block alone tells which of the known
// messages n is, or that it is none of them.
func (j *joined) settled(n *triple, known, rivals []*triple) bool {
	var partner *triple
	for _, t := range known {
		if !j.couldBe(t, n) || contentOf(t).Whole > 0 { // of a stub the whole would tell nothing more
			continue
		}
		if partner != nil {
			return false
		}
		partner = t
	}
	if partner == nil {
		return true
	}
	contenders := 0
	for _, r := range rivals {
		if j.couldBe(partner, r) {
			contenders++
		}
	}
	return contenders == 1 && j.tells(partner, n)
}

// tells reports whether header block and size are enough to take n for t, the one
// message that it could be. They are not of what people write on, for a draft keeps
// its header and often its size; nor without a Message-ID, for what a program sends
// differs in its text alone; nor of a message that was moved if its date is another,
// which COPY and MOVE keep (RFC 3501 section 6.4.7).
func (j *joined) tells(t, n *triple) bool {
	c := n.remote.Content
	sized := contentOf(t).Net == announcedNet(*n.remote) || t.base == nil && isCopyOf(t.local, *n.remote)
	return sized && c.Fields >= thinHeader && !c.NoID && !j.writtenOn(t, n) && sameDate(t, n)
}

// writtenOn reports whether t or n is a draft, or t was edited in the Maildir.
func (j *joined) writtenOn(t, n *triple) bool {
	drafts, draft := n.remoteIn.Drafts, n.remote.Flags.System&mail.Draft
	if t.base != nil {
		f := j.byFolder[t.base.Folder]
		drafts, draft = drafts || f != nil && f.Drafts, draft|t.base.Flags.System&mail.Draft
	}
	if t.local != nil {
		drafts, draft = drafts || t.localIn.Drafts || t.local.Edited, draft|t.local.Flags.System&mail.Draft
	}
	return drafts || draft != 0
}

// sameDate reports whether n has the date that is recorded of t. There is none of new
// messages; and who numbers a folder anew may date it anew.
func sameDate(t, n *triple) bool {
	if t.base == nil || t.rematch && t.base.Folder == n.remoteIn.Name {
		return true
	}
	return !t.base.Date.IsZero() && t.base.Date.Unix() == n.remote.Date.Unix()
}

// couldBe reports whether the rules allow the new remote message n to be t.
func (j *joined) couldBe(t, n *triple) bool {
	if t.base == nil {
		return t.localIn == n.remoteIn
	}
	return t.base.Key != ""
}

func contentOf(t *triple) mail.Content {
	if t.base != nil {
		return t.base.Content
	}
	if t.local.Content != nil {
		return *t.local.Content
	}
	return mail.Content{}
}

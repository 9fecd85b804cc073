package plan

import (
	"slices"

	"imapsync/conflict"
	"imapsync/mail"
)

// triple is one message as base, local and remote know it. The places are
// where the file and the message lie now.
type triple struct {
	base     *mail.Base
	local    *mail.Local
	localIn  *Folder
	remote   *mail.Remote
	remoteIn *Folder
	rematch  bool

	added, removed mail.Flags // changes to the original of which the message is a copy
}

// joined is the outcome of joining all folders: messages with a base row or
// with both sides, and what is left over on one side.
type joined struct {
	agreed    []*mail.Base // both sides are as the row says; none of these is in triples
	triples   []*triple
	localNew  []*triple         // only local
	remoteNew []*triple         // only remote
	postponed []mail.FolderName // folders with messages left for a later run
	away      []*triple         // left on the server by a limit, and to be looked at
	left      []*mail.Base      // of others that are as their rows say
	byFolder  map[mail.FolderName]*Folder
	withheld  map[mail.Digest]mail.FolderName
}

func join(in Input) *joined {
	j := joinSides(in)
	j.findMovedMessages()
	j.postponeUnseen(in.Unseen)
	j.pairNew()
	j.carryFlags(in)
	return j
}

// joinSides does what can be done without knowing new remote messages.
func joinSides(in Input) *joined {
	j := &joined{byFolder: map[mail.FolderName]*Folder{}, withheld: in.Withheld}
	moving := slices.ContainsFunc(in.Folders, func(f *Folder) bool {
		return slices.ContainsFunc(f.Base, func(row *mail.Base) bool { return row.Key == "" && !row.RemoteOnly })
	})
	for _, f := range in.Folders {
		j.byFolder[f.Name] = f
		j.joinRows(f, !moving)
	}
	j.findMovedFiles()
	return j
}

// joinRows matches base rows by key and UID; what no row claims is new. A folder
// has up to a million messages, of which a run finds few changed: where all
// three agree it is only noted, if apart allows that. It does not where a row
// gave its file to a copy: see carryFlags. What is marked as deleted may be to go.
func (j *joined) joinRows(f *Folder, apart bool) {
	files, messages := 0, 0
	var away []*mail.Base
	if apart {
		j.agreed = slices.Grow(j.agreed, len(f.Base))
	}
	for _, row := range f.Base {
		l, hasFile := f.Local.Messages[row.Key]
		r, hasMessage := f.Remote.Messages[row.UID]
		hasFile, hasMessage = hasFile && row.Key != "", hasMessage && row.UID != 0
		if hasFile {
			files++
		}
		if hasMessage {
			messages++
		}
		if row.RemoteOnly {
			away = append(away, row)
			continue
		}
		if apart && hasFile && hasMessage && !l.Edited && !hasMark(row.Flags) && l.Flags.Equal(row.Flags) && r.Flags.Equal(row.Flags) {
			j.agreed = append(j.agreed, row)
			continue
		}
		t := &triple{base: row, rematch: row.UID == 0}
		if hasFile {
			t.local, t.localIn = new(l), f
		}
		if hasMessage {
			t.remote, t.remoteIn = new(r), f
		}
		j.triples = append(j.triples, t)
	}
	if files < len(f.Local.Messages) {
		for _, k := range unclaimed(f.Local.Messages, f.Base, func(row *mail.Base) mail.Key { return row.Key }) {
			j.localNew = append(j.localNew, &triple{local: new(f.Local.Messages[k]), localIn: f})
		}
	}
	j.joinAway(f, away)
	if messages < len(f.Remote.Messages) {
		for _, u := range unclaimed(f.Remote.Messages, f.Base, func(row *mail.Base) mail.UID { return row.UID }) {
			j.remoteNew = append(j.remoteNew, &triple{remote: new(f.Remote.Messages[u]), remoteIn: f})
		}
	}
}

// unclaimed are the messages that no row names, sorted.
func unclaimed[K mail.Key | mail.UID, V any](messages map[K]V, rows []*mail.Base, name func(*mail.Base) K) []K {
	claimed := make(map[K]bool, len(rows))
	for _, row := range rows {
		claimed[name(row)] = true
	}
	var left []K
	for k := range messages {
		if !claimed[k] {
			left = append(left, k)
		}
	}
	slices.Sort(left)
	return left
}

// findMovedFiles gives rows whose file is gone a new file of equal content:
// the same key elsewhere before any key in the same folder before the rest, and
// of equal messages those with the flags of the row. Rows that still have their
// message come before those that have lost it, too: given a file, such a row has
// it deleted, and so would another that lacks the file be.
func (j *joined) findMovedFiles() {
	byDigest := map[mail.Digest][]*triple{}
	for _, n := range j.localNew {
		if c := n.local.Content; c != nil && !c.Digest.IsZero() {
			byDigest[c.Digest] = append(byDigest[c.Digest], n)
		}
	}
	if len(byDigest) == 0 {
		return
	}
	fits := []func(t, n *triple) bool{
		func(t, n *triple) bool { return n.local.Key == t.base.Key },
		func(t, n *triple) bool { return t.remote != nil && n.localIn.Name == t.base.Folder },
		func(t, _ *triple) bool { return t.remote != nil },
		func(t, n *triple) bool { return n.localIn.Name == t.base.Folder },
		func(*triple, *triple) bool { return true },
	}
	for i := range 2 * len(fits) {
		fit, alike := fits[i/2], i%2 == 0
		for _, t := range j.triples {
			if t.local != nil || t.base.Key == "" {
				continue
			}
			for _, n := range byDigest[t.base.Content.Digest] {
				if n.local != nil && fit(t, n) && (!alike || n.local.Flags.Equal(t.base.Flags)) {
					t.local, t.localIn, n.local = n.local, n.localIn, nil
					break
				}
			}
		}
	}
	j.findWrittenStubs()
	j.localNew = compact(j.localNew)
}

// findWrittenStubs gives rows of stubs that are gone a new stub of the same message:
// somebody wrote into it, and some programs make a new file of that. Taken for a
// deletion it would cost the message, of which the stub has next to nothing. So it
// would where the row is from a backup, and had the whole then, or the stub of which
// the whole has come since.
func (j *joined) findWrittenStubs() {
	lost := slices.DeleteFunc(slices.Clone(j.triples), func(t *triple) bool { return t.local != nil || t.base.Key == "" })
	files := make(map[mail.Digest][]*triple, len(lost))
	for _, t := range lost {
		files[t.base.Content.Header] = nil
	}
	for _, n := range j.localNew {
		if n.local == nil || n.local.Content == nil {
			continue
		}
		if list, wanted := files[n.local.Content.Header]; wanted {
			files[n.local.Content.Header] = append(list, n)
		}
	}
	for _, t := range lost {
		for _, n := range files[t.base.Content.Header] {
			if n.local != nil && standsFor(n.local.Content, t.base) {
				t.local, t.localIn, n.local = n.local, n.localIn, nil
				t.base.Content = *t.local.Content
				break
			}
		}
	}
}

// standsFor reports whether a file of the row's header is of the row's message, where
// one of them is a stub.
func standsFor(file *mail.Content, row *mail.Base) bool {
	switch {
	case row.Content.Whole > 0 && file.Whole > 0:
		return file.Whole == row.Content.Whole
	case row.Content.Whole > 0:
		return file.Net == row.Content.Net
	}
	return file.Whole > 0 && (file.Whole == row.RemoteSize || file.Net == row.Content.Net)
}

// findMovedMessages gives rows whose message is gone on the server a new
// message of the same identity: where the file was moved to, before the folder
// both were in, before the rest, and of equal messages those with the flags of
// the file, or of the row where there is none. Rows without a file come last, and
// those whose number means nothing after those known to have left their folder:
// the others are sent again, which is what a folder that lost them needs. And
// what was edited is not what came, where anybody else's message may be.
func (j *joined) findMovedMessages() {
	byHeader := remotesByHeader(j.remoteNew)
	if len(byHeader) == 0 {
		return
	}
	fits := []func(t, n *triple) bool{
		func(t, n *triple) bool { return t.localIn == n.remoteIn && t.base.Folder != n.remoteIn.Name },
		func(t, n *triple) bool { return t.localIn == n.remoteIn },
		func(t, n *triple) bool { return t.local != nil && t.base.Folder == n.remoteIn.Name },
		func(t, _ *triple) bool { return t.local != nil && !t.rematch },
		func(t, _ *triple) bool { return t.local != nil },
		func(t, n *triple) bool { return t.base.Folder == n.remoteIn.Name },
		func(*triple, *triple) bool { return true },
		func(*triple, *triple) bool { return true }, // edited ones, too
	}
	for i := range 2 * len(fits) {
		fit, alike := fits[i/2], i%2 == 0
		for _, t := range j.triples {
			if t.remote != nil || t.base.Key == "" || j.doubtful(t) { // an original to be deleted is never guessed
				continue
			}
			if t.local != nil && t.local.Edited && i/2 < len(fits)-1 {
				continue
			}
			flags := t.base.Flags
			if t.local != nil {
				flags = t.local.Flags
			}
			for _, n := range byHeader[t.base.Content.Header] {
				if n.remote != nil && n.base == nil && fit(t, n) && (!alike || n.remote.Flags.Equal(flags)) && sameMessage(t.base.Content, *n.remote) {
					t.remote, t.remoteIn, n.remote = n.remote, n.remoteIn, nil
					break
				}
			}
		}
	}
	j.postpone(byHeader)
	j.remoteNew, j.localNew = compact(j.remoteNew), compact(j.localNew)
}

// postpone leaves new messages alone that may be ones missing without proof.
func (j *joined) postpone(byHeader map[mail.Digest][]*triple) {
	for _, t := range j.triples {
		if t.remote != nil || !j.doubtful(t) {
			continue
		}
		for _, n := range byHeader[t.base.Content.Header] {
			if n.remote != nil && n.base == nil && sameMessage(t.base.Content, *n.remote) {
				j.leave(n)
			}
		}
	}
}

// postponeUnseen leaves new messages alone that may have been moved there from
// a folder that could not be looked into: its row may be in the middle of a move
// in the Maildir, too. Those that were not asked for their header go by size.
func (j *joined) postponeUnseen(unseen []*mail.Base) {
	if len(unseen) == 0 {
		return
	}
	sizes := map[int64]bool{}
	byHeader := map[mail.Digest][]*mail.Base{}
	for _, row := range unseen {
		sizes[row.RemoteSize], sizes[row.Content.Wire] = true, true
		byHeader[row.Content.Header] = append(byHeader[row.Content.Header], row)
	}
	for _, n := range j.remoteNew {
		if n.base != nil {
			continue
		}
		mayBe := n.remote.Content == nil && sizes[n.remote.Size]
		if c := n.remote.Content; c != nil {
			for _, row := range byHeader[c.Header] {
				mayBe = mayBe || sameMessage(row.Content, *n.remote)
			}
		}
		if mayBe {
			j.leave(n)
		}
	}
	j.remoteNew, j.localNew = compact(j.remoteNew), compact(j.localNew)
}

// leave leaves a new message to a later run, and with it the new file that it
// would be paired with, or that would be sent.
func (j *joined) leave(n *triple) {
	j.postponed = append(j.postponed, n.remoteIn.Name)
	for _, l := range j.localNew {
		if c := n.remote.Content; c != nil && l.local != nil && l.local.Content != nil && l.localIn == n.remoteIn && sameMessage(*l.local.Content, *n.remote) {
			l.local = nil
			break
		}
	}
	n.remote = nil
}

// doubtful reports whether the row's message is missing on the server without
// proof, so that an equal one elsewhere may be a copy; or may be one that the
// server does not give.
func (j *joined) doubtful(t *triple) bool {
	if _, withheld := j.withheld[t.base.Content.Header]; withheld {
		return true
	}
	f := j.byFolder[t.base.Folder]
	return f != nil && f.Remote.Doubt != "" && !t.rematch
}

// pairNew makes one message of a local and a remote one that are both new in
// the same folder and have the same identity. Of equal messages those with equal
// flags are meant for each other, as far as the server stores them. Copies that differ come last, but for a stub,
// which would be sent else.
func (j *joined) pairNew() {
	byHeader := remotesByHeader(j.remoteNew)
	same := func(l, r *triple) bool { return sameMessage(*l.local.Content, *r.remote) }
	fits := []func(l, r *triple) bool{
		func(l, r *triple) bool {
			return r.remoteIn.Remote.Space.Storable(l.local.Flags).Equal(r.remote.Flags) && same(l, r)
		},
		same,
		func(l, r *triple) bool { return isCopyOf(l.local, *r.remote) },
	}
	for i := range 2 * len(fits) {
		fit, stubs := fits[i%len(fits)], i >= len(fits)
		for _, n := range j.localNew {
			if n.local == nil || n.local.Content == nil || (n.local.Content.Whole > 0) != stubs {
				continue
			}
			for _, r := range byHeader[n.local.Content.Header] {
				if r.remote != nil && r.remoteIn == n.localIn && fit(n, r) {
					j.triples = append(j.triples, &triple{base: r.base, local: n.local, localIn: n.localIn, remote: r.remote, remoteIn: r.remoteIn})
					n.local, r.remote = nil, nil
					break
				}
			}
		}
	}
	j.localNew, j.remoteNew = compact(j.localNew), compact(j.remoteNew)
}

// carryFlags has the copy of a message get what somebody did to the flags of the
// original, which is still to be deleted, since the copy was made. Which of
// several equal messages is the copy nothing tells. An original that stays for now
// keeps its flags to itself.
func (j *joined) carryFlags(in Input) {
	copies := map[mail.Digest][]*triple{}
	var originals []*triple
	for _, t := range j.triples {
		if t.base != nil && t.base.Key == "" && !t.base.RemoteOnly && t.remote != nil && !t.remoteIn.Remote.Denied.Delete &&
			!in.notPushed(t.base.Folder, conflict.Deletions).any() { // else it stays
			originals = append(originals, t)
			copies[t.base.Content.Digest] = nil
		}
	}
	for _, c := range j.triples {
		if c.base != nil && c.base.Key != "" {
			if list, wanted := copies[c.base.Content.Digest]; wanted {
				copies[c.base.Content.Digest] = append(list, c)
			}
		}
	}
	for _, t := range originals {
		list := slices.DeleteFunc(slices.Clone(copies[t.base.Content.Digest]), func(c *triple) bool { return c.base.ID < t.base.ID })
		if len(list) == 1 {
			now := t.remoteIn.Remote.Space.Complete(t.base.Flags, t.remote.Flags)
			list[0].added, list[0].removed = now.Minus(t.base.Flags), t.base.Flags.Minus(now)
			list[0].added.System &^= mail.Deleted // the mark of an EXPUNGE of ours that was cut short
		}
	}
}

func remotesByHeader(remotes []*triple) map[mail.Digest][]*triple {
	m := map[mail.Digest][]*triple{}
	for _, n := range remotes {
		if c := n.remote.Content; c != nil {
			m[c.Header] = append(m[c.Header], n)
		}
	}
	return m
}

// compact drops the leftovers that found a partner.
func compact(ts []*triple) []*triple {
	out := ts[:0]
	for _, t := range ts {
		if t.local != nil || t.remote != nil {
			out = append(out, t)
		}
	}
	return out
}

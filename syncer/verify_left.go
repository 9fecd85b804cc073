package syncer

import (
	"fmt"
	"maps"
	"slices"

	"imapsync/mail"
)

// left is what has no counterpart in its own folder: a row whose file or message
// is not there, or a file or message of no row.
type left struct {
	row    *mail.Base // nil of what is new
	key    mail.Key
	uid    mail.UID
	digest mail.Digest // of the file, where one is meant
	same   same
	other  bool // lost: the other side still has it
	unseen bool // the next run would not be shown it
	never  bool // lost: the server has not deleted it but forgotten it
	twin   bool // new: the folder has another of the same content on this side
	nul    bool // new: IMAP cannot carry it
	found  bool // lost: it lies elsewhere; new: it is one that is lost elsewhere

	at    *comparison // new: the folder it is in
	where *left       // lost: what it was found to be
	half  *left       // lost: the other side's, lost as well
}

// leftovers lists the files and messages of no row, and pairs those of them that
// are the same message, and rows without UID with their messages.
func (c *comparison) leftovers() {
	keys, uids := map[mail.Key]bool{}, map[mail.UID]bool{}
	for _, row := range c.Base {
		keys[row.Key], uids[row.UID] = true, true
	}
	c.claimIntended(keys, uids)
	files, mails := map[same]int{}, map[same]int{}
	for _, f := range c.files {
		files[sameOf(f.Content)]++
	}
	for _, m := range c.mails {
		mails[sameOf(m)]++
	}
	for _, uid := range sortedUIDs(c.Remote.Messages) {
		if content, read := c.mails[uid]; read && !uids[uid] {
			id := sameOf(content)
			c.newMails = append(c.newMails, &left{uid: uid, same: id, twin: mails[id] > 1, unseen: c.unseen(uid, nil)})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.Local.Messages)) {
		if f, read := c.files[key]; read && !keys[key] {
			id := sameOf(f.Content)
			c.newFiles = append(c.newFiles, &left{key: key, digest: f.Digest, same: id, twin: files[id] > 1, unseen: c.blind, nul: f.NUL})
		}
	}
	bySame := map[same][]*left{}
	for _, n := range c.newMails {
		bySame[n.same] = append(bySame[n.same], n)
	}
	c.matchUnnumbered(bySame)
	c.matchNew(bySame)
}

// claimIntended leaves out what an interrupted run has made or was about to.
func (c *comparison) claimIntended(keys map[mail.Key]bool, uids map[mail.UID]bool) {
	for _, in := range c.intents {
		keys[in.Key] = true
		if in.Kind == mail.IntentDownload {
			uids[in.UID] = true
			continue
		}
		for uid, m := range c.mails {
			if uid >= in.UIDNext && m.SameMessage(in.Content) && !uids[uid] {
				uids[uid] = true
				break
			}
		}
	}
}

// matchUnnumbered finds the messages of rows without UID, as the next run will.
func (c *comparison) matchUnnumbered(bySame map[same][]*left) {
	for _, row := range c.Base {
		if row.UID != 0 || row.Key == "" {
			continue
		}
		id := sameOf(row.Content)
		n := Finding{Kind: FoundUnnumbered, Severity: Pending, Side: "remote", Key: row.Key,
			Text: "the server's number of the message is not known, and it was not found there: the next sync uploads it"}
		if c.Remote.Denied.Insert {
			n.Severity, n.Text = Harmless, "the server's number of the message is not known, and it was not found there"+staysLocal
		}
		if m := take(bySame, id); m != nil {
			m.found = true
			if c.renumbered {
				continue
			}
			n.Severity, n.UID, n.Text = Pending, m.uid, "the server's number of the message is not known: the next sync finds it by its content"
			c.addUnseen(n, m.unseen)
		} else if _, hasFile := c.Local.Messages[row.Key]; hasFile && c.Remote.Exists {
			c.add(n)
		}
	}
}

// matchNew pairs files and messages of no row.
func (c *comparison) matchNew(bySame map[same][]*left) {
	for _, f := range c.newFiles {
		m := take(bySame, f.same)
		if m == nil {
			continue
		}
		f.found, m.found = true, true
		if !c.Known { // told of the folder
			c.pairs++
			continue
		}
		c.addUnseen(Finding{Kind: FoundUnpaired, Severity: Pending, UID: m.uid, Key: f.key,
			Text: "the same message is on both sides, and the record does not know it: the next sync pairs them, nothing is copied"}, m.unseen || f.unseen)
	}
}

// take returns one of that identity which has no counterpart yet.
func take[K comparable](m map[K][]*left, id K) *left {
	for len(m[id]) > 0 {
		n := m[id][0]
		if m[id] = m[id][1:]; !n.found {
			return n
		}
	}
	return nil
}

// link finds what was lost in one place and is new in another: it was moved. The
// same folder comes before the others, as in a run.
func link(folders []*comparison) {
	files, mails := map[mail.Digest][]*left{}, map[same][]*left{}
	for _, c := range folders {
		for _, n := range c.newFiles {
			n.at = c
			files[n.digest] = append(files[n.digest], n)
		}
		for _, n := range c.newMails {
			n.at = c
			mails[n.same] = append(mails[n.same], n)
		}
	}
	for _, within := range []bool{true, false} {
		for _, c := range folders {
			for _, l := range c.lostFiles {
				l.pair(pick(files[l.digest], c, within))
			}
			for _, l := range c.lostMails {
				l.pair(pick(mails[l.same], c, within))
			}
		}
	}
}

func pick(list []*left, c *comparison, within bool) *left {
	for _, n := range list {
		if !n.found && (!within || n.at == c) {
			return n
		}
	}
	return nil
}

func (l *left) pair(n *left) {
	if n != nil && !l.found {
		l.found, n.found, l.where = true, true, n
	}
}

// conclude tells of what is left when all folders are known.
func (c *comparison) conclude() {
	c.concludeFolder()
	c.wrong = c.blind || c.blindRemote || c.rewound || slices.ContainsFunc(c.findings, Finding.repairable)
	for _, l := range c.lostFiles {
		if c.Local.Exists || l.found {
			c.concludeLostFile(l)
		}
	}
	for _, l := range c.lostMails {
		c.concludeLostMail(l)
	}
	if c.Known && c.Local.Exists && c.Remote.Exists {
		for _, n := range c.newFiles {
			c.concludeNew(n, "local", "in the Maildir", "uploads it")
		}
		for _, n := range c.newMails {
			c.concludeNew(n, "remote", "on the server", "downloads it")
		}
	}
	for _, e := range c.edits {
		if c.wrong {
			c.put = append(c.put, e.unpaired)
			e.Text += "; but the record is wrong about this folder, so with --repair both contents are kept"
		}
		c.add(e.Finding)
	}
	c.concludeMarks()
}

func (c *comparison) concludeLostFile(l *left) {
	n := Finding{Kind: FoundMissing, Severity: Pending, Side: "local", UID: l.uid, Key: l.key}
	gone := l.half != nil && !l.half.found
	switch {
	case l.found && l.where.at == c && !gone:
		n.Kind, n.Text = FoundMoved, "the file has another name now, "+string(l.where.key)+": the next sync takes note of it"
	case l.found && gone:
		n.Kind, n.Text = FoundMoved, "moved "+l.whither()+" in the Maildir, and deleted on the server: the next sync settles which counts"
	case l.found && l.half != nil:
		n.Kind, n.Text = FoundMoved, "moved "+l.whither()+" in the Maildir, and moved on the server: the next sync brings both to one place"
	case l.found && (l.where.at.Remote.Denied.Insert || c.Remote.Denied.Delete):
		n.Kind, n.Severity, n.Text = FoundMoved, Harmless, "moved "+l.whither()+" in the Maildir"+staysLocal
	case l.found:
		n.Kind, n.Text = FoundMoved, "moved "+l.whither()+" in the Maildir: the next sync does the same on the server"
	case gone:
		n.Text = "gone from the Maildir and from the server: the next sync forgets it"
	case l.half != nil:
		n.Text = "deleted in the Maildir, and moved on the server: the next sync settles which counts"
	case l.other && c.Remote.Denied.Delete:
		n.Severity, n.Text = Harmless, "deleted in the Maildir"+staysLocal
	case l.other:
		n.Text = "deleted in the Maildir since the last run: the next sync deletes it on the server, unless it was flagged there meanwhile"
	default:
		n.Text = "gone from the Maildir: the next sync looks for it on the server by its content"
	}
	if c.wrong && !l.found {
		c.drop = append(c.drop, l.row)
		if l.other {
			n.Text += comesBack
		}
	}
	c.addUnseen(n, l.unseen && n.Severity != Harmless)
}

func (c *comparison) concludeLostMail(l *left) {
	n := Finding{Kind: FoundMissing, Severity: Pending, Side: "remote", UID: l.uid, Key: l.key}
	forgotten := l.never && !l.found
	switch {
	case l.found && l.where.at == c:
		n.Kind, n.Text = FoundMoved, fmt.Sprintf("the message has another number on the server now, %d: the next sync takes note of it", l.where.uid)
	case l.found:
		n.Kind, n.Text = FoundMoved, "moved "+l.whither()+" on the server: the next sync moves the file"
	case l.half != nil: // told of the file
		return
	case forgotten:
		n.Severity = Wrong
		n.Text = "the server gives out this number anew, so it has not deleted the message but forgotten it: a sync would delete it in the Maildir" +
			repairText("the next sync looks for it by content and else uploads it again")
	default:
		n.Text = "deleted on the server since the last run: the next sync deletes it in the Maildir, unless it was flagged there meanwhile"
	}
	if c.wrong && l.half == nil && (!l.found || l.unseen) {
		c.put = append(c.put, c.unpaired(l.row, false))
		if !forgotten && !l.found {
			n.Text += comesBack
		}
	}
	c.addUnseen(n, l.unseen)
}

// comesBack is added to a deletion in a folder of which the record is wrong.
const comesBack = "; but the record is wrong about this folder, so with --repair the deletion is not believed, and the message comes back"

// whither says where a lost one was moved to.
func (l *left) whither() string { return fmt.Sprintf("to %q", string(l.where.at.Name)) }

func (c *comparison) concludeNew(l *left, side, where, does string) {
	n := Finding{Kind: FoundNew, Severity: Pending, Side: side, UID: l.uid, Key: l.key, Text: "new " + where + ": the next sync " + does}
	switch {
	case l.found:
		return
	case l.nul && side == "local":
		n.Text = "it holds a NUL, which IMAP cannot carry: it stays in the Maildir alone, and every sync names it"
	case side == "local" && c.Remote.Denied.Insert:
		n.Severity, n.Text = Harmless, "new in the Maildir"+staysLocal
	case l.twin:
		n.Kind = FoundDuplicate
		n.Text = "the folder has the same content " + where + " more than once, and this one is new: copied or delivered twice; the next sync " + does + ", and does not merge them"
	}
	c.addUnseen(n, l.unseen && n.Severity != Harmless)
}

// concludeFolder tells of a folder that is not on both sides.
func (c *comparison) concludeFolder() {
	n := Finding{Kind: FoundFolder, Severity: Pending}
	local, remote := counted(len(c.newFiles)), counted(len(c.newMails))
	switch {
	case c.Remote.Doubt != "": // told as a failure
		return
	case c.Local.Exists && c.Remote.Exists && !c.Known:
		n.Text = fmt.Sprintf("never synchronised, with %s in the Maildir and %s on the server, of which %d are the same: the next sync pairs those and copies the rest both ways", local, remote, c.pairs)
	case c.Local.Exists && c.Remote.Exists:
		return
	case c.Remote.Exists && c.Known && c.Remote.Denied.Delete:
		n.Severity, n.Side, n.Text = Harmless, "local", "the folder was deleted or renamed in the Maildir"+staysLocal
	case c.Local.Exists && !c.Known:
		n.Side, n.Text = "local", "a new folder in the Maildir, with "+local+": the next sync makes it on the server"
	case c.Remote.Exists && !c.Known:
		n.Side, n.Text = "remote", "a new folder on the server, with "+remote+": the next sync makes it in the Maildir"
	case c.Local.Exists:
		n.Side, n.Text = "remote", "the folder was deleted or renamed on the server: the next sync removes it from the Maildir once each of its messages is settled"
	case c.Remote.Exists:
		n.Side, n.Text = "local", "the folder was deleted or renamed in the Maildir: the next sync removes it from the server once each of its messages is settled"
	default:
		n.Text = "the folder is gone from both sides: the next sync forgets it"
	}
	c.add(n)
}

func counted(n int) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprintf("%d messages", n)
}

// concludeMarks tells of a record that would keep a run from looking, or knows
// more than the server.
func (c *comparison) concludeMarks() {
	was, now := c.record.Mark, c.Remote.Mark
	n := Finding{Kind: FoundWatermark, Severity: Wrong}
	if c.blind {
		n.Side, n.Text = "local", "the record takes the Maildir's folder for unchanged since the last run, which it is not: a sync would not look there"+
			repairText("the next sync compares the folder in full")
		c.add(n)
	}
	if c.blindRemote {
		n.Side, n.Text = "remote", "the record says that it knows all of the server's changes, which it does not: a sync would not ask for them"+
			repairText("the next sync compares the folder in full")
		c.add(n)
	}
	if !c.record.Settled || !c.Remote.Exists || c.renumbered || now.UIDNext == 0 {
		return
	}
	if now.UIDNext < was.UIDNext || now.HighestModSeq < was.HighestModSeq {
		n.Side, n.Severity = "remote", Pending
		if c.rewound {
			n.Severity = Wrong
		}
		n.Text = fmt.Sprintf("the record has seen more than the server has given out (UIDNEXT %d, now %d; HIGHESTMODSEQ %d, now %d): "+
			"the server was restored from a backup, and its numbers may stand for other messages: the next sync compares the folder in full",
			was.UIDNext, now.UIDNext, was.HighestModSeq, now.HighestModSeq)
		c.add(n)
	}
}

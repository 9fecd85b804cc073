package syncer

import (
	"fmt"

	"imapsync/mail"
	"imapsync/plan"
)

// same is the identity of a content: two with the same are the same message
// (mail.Content.SameMessage).
type same struct{ header, body mail.Digest }

func sameOf(c mail.Content) same { return same{c.Header, c.Body} }

// judge compares one row with its file and its message.
func (c *comparison) judge(row *mail.Base) {
	_, hasFile := c.Local.Messages[row.Key]
	_, hasMail := c.Remote.Messages[row.UID]
	hasFile, hasMail = hasFile && row.Key != "", hasMail && row.UID != 0
	if row.RemoteOnly {
		c.judgeAway(row, hasMail)
		return
	}
	if row.Key == "" {
		c.judgeHalfMoved(row, hasMail)
		return
	}
	if c.judgeContent(row, hasFile) {
		return // nothing else that the row says means anything
	}
	var file, message *left
	if !hasFile {
		file = &left{row: row, key: row.Key, uid: row.UID, digest: row.Content.Digest, other: hasMail, unseen: c.blind && c.Local.Exists}
		c.lostFiles = append(c.lostFiles, file)
	}
	if row.UID != 0 && !hasMail && c.Remote.Exists && c.Remote.Doubt == "" {
		message = &left{row: row, key: row.Key, uid: row.UID, same: sameOf(row.Content), other: hasFile,
			unseen: c.unseen(row.UID, row), never: c.beyond(row.UID), half: file}
		c.lostMails = append(c.lostMails, message)
	}
	if file != nil {
		file.half = message
	}
	c.judgeFlags(row, hasFile, hasMail)
}

// beyond reports whether the server would give out the UID again, so that it has
// not deleted that message but forgotten it.
func (c *comparison) beyond(uid mail.UID) bool {
	beyond := c.Remote.Mark.UIDNext != 0 && uid >= c.Remote.Mark.UIDNext
	c.rewound = c.rewound || beyond
	return beyond
}

// judgeHalfMoved is for a row that has given its file to a copy: its message is
// to be deleted, so it had better be the one.
func (c *comparison) judgeHalfMoved(row *mail.Base, hasMail bool) {
	n := Finding{Kind: FoundHalfMoved, Severity: Pending, Side: "remote", UID: row.UID,
		Text: "its copy has taken its place: the next sync deletes this original on the server"}
	if got, read := c.mails[row.UID]; read && !got.SameMessage(row.Content) && !c.altered(got, row.Content) {
		n.Kind, n.Severity = FoundPairing, Wrong
		n.Text = "the record takes it for the original of a moved message, to be deleted, but it is another message: a sync would delete the wrong one" +
			repairText("the record forgets it, and the next sync treats the message as new")
		c.drop = append(c.drop, row)
	} else if !hasMail {
		n.Text = "its copy has taken its place, and it is gone from the server: the next sync forgets it"
	} else if c.Remote.Denied.Delete {
		n.Severity, n.Text = Harmless, "its copy has taken its place: the server does not allow this original to be deleted, and it stays"
	}
	c.add(n)
}

// judgeAway is for a message that a limit leaves on the server. What is recorded of
// its content is from when it was held, and pairs a file that is put back with it.
func (c *comparison) judgeAway(row *mail.Base, hasMail bool) {
	n := Finding{Kind: FoundMissing, Severity: Pending, Side: "remote", UID: row.UID}
	got, read := c.mails[row.UID]
	switch {
	case row.UID == 0 || !c.Remote.Exists || c.Remote.Doubt != "":
	case !hasMail:
		n.Text = "gone from the server, where a limit had left it: the next sync forgets it"
		c.addUnseen(n, c.unseen(row.UID, row))
	case read && !got.SameMessage(row.Content):
		n.Kind, n.Severity = FoundPairing, Wrong
		n.Text = "the message on the server, where a limit leaves it, is another than the one recorded: a file put back would be paired with it" +
			repairText("the record forgets it, and the next sync treats the message as new")
		c.drop = append(c.drop, row)
		c.add(n)
	default:
		c.judgeFlags(row, false, true)
	}
}

// judgeContent compares contents and reports whether the row is wrong about
// them.
func (c *comparison) judgeContent(row *mail.Base, hasFile bool) bool {
	file, fileRead := c.files[row.Key]
	message, mailRead := c.mails[row.UID]
	mailRead = mailRead && row.UID != 0
	otherFile := fileRead && file.Digest != row.Content.Digest
	otherMail := mailRead && !message.SameMessage(row.Content) && !row.Content.StandsFor(message)
	reference := row.Content
	if fileRead {
		reference = file.Content
	}
	n := Finding{Severity: Wrong, UID: row.UID, Key: row.Key}
	switch {
	case otherFile && mailRead && message.SameMessage(file.Content):
		n.Kind, n.Text = FoundStale, "file and message are the same, but the record has another content for them: it is wrong or from another time"+
			repairText("the record takes over what both sides have")
		fixed := *row
		fixed.Content, fixed.File = file.Content, file.stamp
		c.put = append(c.put, &fixed)
	case otherMail && c.altered(message, reference):
		c.add(Finding{Kind: FoundAltered, Severity: Harmless, Side: "remote", UID: row.UID, Key: row.Key,
			Text: "the server stores the message with another header than it was sent with; the body is the same"})
		return otherFile && c.judgeEdited(row, file, false)
	case otherMail && plan.IsCopy(row.Key, reference.Header, row.UID, message) && !c.isKnown(message):
		c.add(Finding{Kind: FoundAltered, Severity: Harmless, Side: "local", UID: row.UID, Key: row.Key,
			Text: "the file is as offlineimap wrote it, with another body than the message has on the server; header and UID are the same"})
		return otherFile && c.judgeEdited(row, file, false)
	case otherMail:
		c.judgePairing(row, hasFile)
		return true
	case otherFile:
		return c.judgeEdited(row, file, mailRead)
	default:
		return false
	}
	c.add(n)
	return true
}

// judgePairing is for a row that ties a file to another message.
func (c *comparison) judgePairing(row *mail.Base, hasFile bool) {
	n := Finding{Kind: FoundPairing, Severity: Wrong, UID: row.UID, Key: row.Key,
		Text: "the message on the server is another than the file: the record pairs what does not belong together, for numbers or names were mixed up; " +
			"flags and deletions of the one would strike the other"}
	if hasFile {
		n.Text += repairText("the record forgets the pair, and the next sync matches both by their whole content, copies what has no match and deletes nothing")
		c.put = append(c.put, c.unpaired(row, true))
	} else {
		n.Text = "the message on the server is another than the one recorded, whose file is gone from the Maildir: a sync would delete the wrong message" +
			repairText("the record forgets it, and the next sync treats the message as new")
		c.drop = append(c.drop, row)
	}
	c.add(n)
}

// judgeEdited is for a file that is no longer what was recorded, and reports
// whether that is wrong. A new stamp tells an edit, which a run sees when it
// compares in full; the same stamp tells damage, which it never sees. Where no
// stamp was recorded, which lasts no longer than a run, nothing tells an edit.
func (c *comparison) judgeEdited(row *mail.Base, file fileContent, intact bool) bool {
	n := Finding{Kind: FoundEdited, Severity: Pending, Side: "local", UID: row.UID, Key: row.Key}
	still := ""
	if intact {
		still = "; the message on the server is as recorded"
	}
	switch {
	case c.isElsewhere(file.Content):
		n.Kind, n.Severity = FoundPairing, Wrong
		n.Text = "the file has the content of another message of the folder: names were mixed up, or it was overwritten" + still +
			"; a sync would take it for an edit and delete the message" +
			repairText("the record forgets the pair, and the next sync matches both by their whole content, copies what has no match and deletes nothing")
		c.put = append(c.put, c.unpaired(row, true))
		c.add(n)
		return true
	case file.stamp != row.File && row.File != (mail.FileStamp{}):
		n.Text = "the file was written since the last run: probably edited in place, else damaged" + still +
			": sync --full, or the next full check, puts the new content in the place of the old on the server"
		if c.Remote.Denied.Insert || c.Remote.Denied.Delete {
			n.Severity, n.Text = Harmless, "the file was written since the last run: probably edited in place, else damaged"+still+staysLocal
		}
		c.edits = append(c.edits, edit{n, c.unpaired(row, true)})
		return false
	}
	n.Severity = Wrong
	n.Text = "the file has another content than recorded, yet its size and time are the same: probably damaged on disk, else edited by a program that set the time back" + still +
		"; a sync does not notice"
	if row.File == (mail.FileStamp{}) {
		n.Text = "the file has another content than recorded, and its size and time were not recorded: edited, damaged or never this message" + still +
			"; a sync would take it for an edit and delete the message"
	}
	n.Text += repairText("the next sync keeps both, the file and the server's message, each as a message of its own")
	c.put = append(c.put, c.unpaired(row, true))
	c.add(n)
	return true
}

// staysLocal is added to a change of the Maildir that no sync carries out: see plan's deny.
const staysLocal = ": the server does not allow this change there, and it stays in the Maildir alone"

// repairText says what --repair does about a finding. A run deletes nothing
// because of it.
func repairText(does string) string { return ". With --repair " + does }

// altered reports whether a server stored what it was sent with a header of its
// own: the body is the same, and the whole is no other message of the folder.
func (c *comparison) altered(message, sent mail.Content) bool {
	return message.Body == sent.Body && message.Body != mail.NewHasher().Content().Body && !c.isKnown(message)
}

// isKnown reports whether any row or file of the folder has the content.
func (c *comparison) isKnown(content mail.Content) bool {
	c.index()
	return c.known[sameOf(content)]
}

// isElsewhere reports whether another row or a message of the folder has the
// content of a file, which is then no edit of its own row's.
func (c *comparison) isElsewhere(file mail.Content) bool {
	c.index()
	return c.elsewhere[sameOf(file)]
}

func (c *comparison) index() {
	if c.known != nil {
		return
	}
	c.known, c.elsewhere = map[same]bool{}, map[same]bool{}
	for _, row := range c.Base {
		c.known[sameOf(row.Content)], c.elsewhere[sameOf(row.Content)] = true, true
	}
	for _, f := range c.files {
		c.known[sameOf(f.Content)] = true
	}
	for _, m := range c.mails {
		c.elsewhere[sameOf(m)] = true
	}
}

// judgeFlags compares flags with those agreed on last.
func (c *comparison) judgeFlags(row *mail.Base, hasFile, hasMail bool) {
	local, remote := row.Flags, row.Flags
	if hasFile {
		local = c.localFlags(row)
	}
	if hasMail {
		remote = c.remoteFlags(row)
	}
	n := Finding{Kind: FoundFlags, Severity: Pending, UID: row.UID, Key: row.Key}
	byLocal, byRemote := !local.Equal(row.Flags), !remote.Equal(row.Flags)
	unseen := false
	switch {
	case !byLocal && !byRemote:
		return
	case byLocal && byRemote && local.Equal(remote):
		n.Text = fmt.Sprintf("flags are %s on both sides, were %s: the next sync takes note of it", local, row.Flags)
		unseen = c.blind && c.unseen(row.UID, row)
	case byLocal && c.Remote.Space.ReadOnly:
		n.Severity, n.Side, n.Text = Harmless, "local", fmt.Sprintf("flags differ: were %s, now %s in the Maildir%s", row.Flags, local, staysLocal)
		if byRemote {
			n.Severity, n.Text = Pending, n.Text+fmt.Sprintf("; now %s on the server: the next sync changes them in the Maildir", remote)
			unseen = c.unseen(row.UID, row)
		}
	case byLocal && byRemote:
		n.Text = fmt.Sprintf("flags differ: were %s, now %s in the Maildir and %s on the server: the next sync gives both sides both changes", row.Flags, local, remote)
		unseen = c.blind || c.unseen(row.UID, row)
	case byLocal:
		n.Side, n.Text = "local", fmt.Sprintf("flags differ: were %s, now %s in the Maildir: the next sync changes them on the server", row.Flags, local)
		unseen = c.blind
	default:
		n.Side, n.Text = "remote", fmt.Sprintf("flags differ: were %s, now %s on the server: the next sync changes them in the Maildir", row.Flags, remote)
		unseen = c.unseen(row.UID, row)
	}
	c.addUnseen(n, unseen)
}

// addUnseen adds a finding; what the next run would not be shown is wrong.
func (c *comparison) addUnseen(n Finding, unseen bool) {
	if unseen {
		n.Severity = Wrong
		n.Text += "; but it would not look, for the record takes this side for unchanged"
	}
	c.add(n)
}

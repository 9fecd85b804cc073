package syncer

import "imapsync/mail"

// Repair changes the state alone, and makes it know less, never more: a row that
// is wrong loses its UID, or is dropped where its file is gone as well, and its
// folder is compared in full by the next run. A row without UID is found again
// by content and else uploaded; a message without a row is paired or downloaded;
// neither is ever read as a deletion. In a folder of which the record is wrong no
// deletion and no edit is believed at all, for it may be one more error of the
// record. So the run after a repair deletes no message of the folders repaired,
// save the originals of moves that an interrupted run had half done and what a
// folder held that is gone as a whole, and copies only contents that the other
// side has not. That run is the user's to begin: what people deleted in other
// folders it carries out.

// repairable reports whether the state is wrong and can be corrected.
func (f Finding) repairable() bool {
	return f.Severity == Wrong && f.Kind != FoundUnreadable && f.Kind != FoundState
}

// unpaired makes a row one that must be found again. Where its content is in
// doubt, it gets that of the file, no flags, so that those of both sides are
// united, and no size, so that a message of the same header is not taken for it
// before the whole was compared.
func (c *comparison) unpaired(row *mail.Base, inDoubt bool) *mail.Base {
	fixed := *row
	fixed.UID = 0
	if inDoubt {
		fixed.Flags, fixed.RemoteSize = mail.Flags{}, 0
		if f, read := c.files[row.Key]; read {
			fixed.Content, fixed.File, fixed.Date = f.Content, f.stamp, f.date
		}
		fixed.Content.Net = unknownSize
	}
	return &fixed
}

// repair corrects the state of a folder in which something is wrong, in one
// transaction.
func (v *verifier) repair(c *comparison) error {
	if !v.ask.Repair {
		return nil
	}
	b := mail.Batch{Put: c.put, Drop: c.drop}
	repaired := false
	for i := range c.findings {
		n := &c.findings[i]
		if !n.repairable() {
			continue
		}
		repaired, n.Repaired = true, true
		b.Log = append(b.Log, mail.Entry{Folder: c.Name, Key: n.Key, UID: n.UID, Action: mail.ActionRepair, Rule: "verify", Reason: n.Text})
	}
	if !repaired {
		return nil
	}
	b.Folders = []mail.FolderRecord{unsettledRecord(c.Name, c.record.Mark.UIDValidity)}
	return v.commit(b)
}

package plan

import (
	"imapsync/conflict"
	"imapsync/mail"
)

// A stub is a file that stands for a message which was not fetched whole. Its row
// is as any other: it is moved, flagged and deleted as the message it stands for,
// and copied on the server where it is copied here. What is never done is to send
// it: the field at its top (mail.StubField) tells it wherever it lies, with or
// without a row.

// part tells how much of a message is fetched.
func (d *decider) part(f *Folder, r *mail.Remote, flags mail.Flags) conflict.Part {
	if f.Fetch[r.UID] {
		return conflict.Whole
	}
	return d.extent(f).Part(r.Size, flags)
}

// complete fetches the whole of a message that is a stub no longer wanted, once
// everything else was done with it.
func (d *decider) complete(t *triple, out conflict.Outcome) {
	if t.base == nil {
		d.completePaired(t, out)
		return
	}
	if t.base.Content.Whole == 0 || t.base.RemoteOnly || t.base.Folder != out.Folder || t.remoteIn.Name != out.Folder || t.localIn.Name != out.Folder {
		return
	}
	flags := out.Flags
	if !d.policy(out.Folder).Pulls(conflict.Flags) {
		flags = t.local.Flags
	}
	d.fetch(t.remoteIn, t.base, flags)
}

// completePaired has the next run look at a stub that this one only records, if the
// whole of its message is wanted.
func (d *decider) completePaired(t *triple, out conflict.Outcome) {
	c := t.local.Content
	if c == nil || c.Whole == 0 || t.remoteIn.Name != out.Folder || t.localIn.Name != out.Folder {
		return
	}
	if d.wholeWanted(t.remoteIn, t.remote.UID, t.remote.Size, out.Flags) != "" {
		d.again(out.Folder, Again{Files: true})
	}
}

func (d *decider) completeRow(f *Folder, row *mail.Base) {
	if row.Content.Whole > 0 {
		d.fetch(f, row, row.Flags)
	}
}

func (d *decider) fetch(f *Folder, row *mail.Base, flags mail.Flags) {
	why := conflict.Outcome{Rule: conflict.RuleLimit, Reason: d.wholeWanted(f, row.UID, row.RemoteSize, flags)}
	if why.Reason == "" || d.dropped(row) {
		return
	}
	r := &mail.Remote{UID: row.UID, Flags: row.Flags, Size: row.RemoteSize, Date: row.Date}
	d.add(&Op{Kind: Fetch, Folder: f.Name, Row: row, Remote: r, Flags: flags, Part: conflict.Whole}, why)
}

// wholeWanted tells why the whole of a stub's message is to be fetched, "" if it is not.
func (d *decider) wholeWanted(f *Folder, uid mail.UID, size int64, flags mail.Flags) string {
	e := d.extent(f)
	switch {
	case f.Fetch[uid]:
		return "the whole was asked for"
	case d.intoLocal(f.Name).any(): // no more comes where nothing new comes
		return ""
	case e.Upgrade && flags.System&mail.Flagged != 0:
		return "flagged: the whole is fetched"
	case f.Trim && e.Part(size, flags) == conflict.Whole:
		return "the whole is within the limits now"
	}
	return ""
}

// dropped reports whether the plan has just dropped the row's file.
func (d *decider) dropped(row *mail.Base) bool {
	n := len(d.plan.Ops)
	return n > 0 && d.plan.Ops[n-1].Kind == Drop && d.plan.Ops[n-1].Row == row
}

// keepWhole is for a stub that was edited in the Maildir: what is on the server is
// more than what was edited, so it stays.
func keepWhole(out conflict.Outcome) conflict.Outcome {
	out.Action, out.Rule, out.Conflict = conflict.KeepBoth, conflict.RuleEditedChanged, true
	out.Reason = "edited in the Maildir, where it was a stub: both kept"
	return out
}

// stubGoes is for a message that was deleted on the server and changed in the
// Maildir, where it was a stub: there is nothing to send back.
func stubGoes(out conflict.Outcome) conflict.Outcome {
	out.Action, out.Rule, out.Conflict = conflict.DeleteLocal, conflict.RuleDeletionWins, true
	out.Reason = "deleted on the server though changed in the Maildir, where it was a stub, of which nothing can be sent back"
	return out
}

// leftover returns the row of the message that a stub of no row stands for, where
// the folder holds the whole of that. A run that was cut short after it had fetched
// the whole leaves such a stub, or a backup brings it. Of equal messages it is that of
// the one with its flags, or of one for which there was none yet.
func (d *decider) leftover(t *triple) (found *mail.Base) {
	c := t.local.Content
	if c == nil || c.Whole == 0 {
		return nil
	}
	for _, row := range t.localIn.Base {
		if row.Key == "" || row.Content.Whole > 0 || row.Content.Header != c.Header || row.RemoteSize != c.Whole && row.Content.Net != c.Net {
			continue
		}
		file, here := t.localIn.Local.Messages[row.Key]
		_, there := t.localIn.Remote.Messages[row.UID]
		switch {
		case !here || !there:
		case row.Flags.Equal(t.local.Flags), file.Flags.Equal(t.local.Flags):
			return row
		case found == nil || d.tidied[found] && !d.tidied[row]:
			found = row
		}
	}
	return found
}

// tidy removes a leftover stub, whose flags the message gets: somebody may have set
// one while the whole was fetched. Where the message's file says as much, nothing is to
// be waited for: once that is gone the stub would be taken for one of an equal message.
// To which of them it belongs is a guess, on which none is deleted.
func (d *decider) tidy(t *triple, row *mail.Base) {
	f := t.localIn
	l, r := f.Local.Messages[row.Key], f.Remote.Messages[row.UID]
	why := conflict.Outcome{Rule: conflict.RuleLimit, Reason: "a stub of a message that is held as well"}
	told := t.local.Flags
	if d.policy(f.Name).Expunge.Any() {
		told.System &^= mail.Deleted
	}
	if !l.Edited && told.Minus(l.Flags).IsEmpty() {
		d.add(&Op{Kind: Tidy, Folder: f.Name, Local: t.local}, why)
		return
	}
	if l.Edited || !f.Local.Space.Complete(row.Flags, l.Flags).Equal(row.Flags) || !f.Remote.Space.Complete(row.Flags, r.Flags).Equal(row.Flags) {
		d.plan.Unproven[f.Name], d.kept[f.Name] = "a stub is left until nothing else is to be done with its message", true
		return
	}
	var first *Op // the flags that only the stub's name tells
	if flags := row.Flags.Union(told); !flags.Equal(row.Flags) && !d.tidied[row] {
		if !d.policy(f.Name).Pulls(conflict.Flags) { // the Maildir gets none now
			d.kept[f.Name] = true
			d.again(f.Name, Again{Files: true})
			return
		}
		d.tidied[row] = true
		agreed, push := flags, d.policy(f.Name).Pushes(conflict.Flags)
		if !push {
			d.again(f.Name, Again{Files: true})
		}
		if !push || f.Remote.Space.ReadOnly {
			agreed = row.Flags
		}
		first = d.add(&Op{Kind: SetFlags, Folder: f.Name, Row: row, Local: &l, Remote: &r, Flags: flags, Agreed: agreed,
			OnLocal: true, OnRemote: push && Changes(f.Remote.Space, r.Flags, flags)}, why)
	}
	d.add(&Op{Kind: Tidy, Folder: f.Name, Local: t.local, After: first}, why)
}

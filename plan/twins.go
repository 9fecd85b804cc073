package plan

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"imapsync/conflict"
	"imapsync/mail"
)

// Twins are messages of the same content in several folders: a mail under several
// labels, or copied there by another client. The Maildir needs it from the server
// once. Which messages are twins only the server can tell without sending them: by
// EMAILID (RFC 8474 section 5.1) or X-GM-MSGID. Size and date (INTERNALDATE, which
// COPY keeps: RFC 3501 section 6.4.7) tell which are not.

// Message is a message of a mailbox.
type Message struct {
	Folder mail.FolderName
	UID    mail.UID
}

// likeness is the same for messages of one announced size and one date, 0 where
// either is not known. Others may share it: it only says of which it is worth asking
// what identifies them.
func likeness(size int64, date time.Time) uint64 {
	if size <= 0 || date.IsZero() {
		return 0
	}
	return uint64(size)<<32 ^ uint64(date.Unix())
}

// alike is a message that may have a twin.
type alike struct {
	like uint64
	Message
}

// NeedObjects lists the messages of which it must be known what identifies their
// contents: new ones that are to be downloaded and have the size and date of a
// message in another folder, and these. There may be a million new messages.
func NeedObjects(in Input) []Message {
	j := joinSides(in)
	var all []alike
	for _, n := range j.remoteNew {
		l := likeness(n.remote.Size, n.remote.Date)
		if l != 0 && n.remote.Flags.System&mail.Draft == 0 && in.policy(n.remoteIn.Name).Pulls(conflict.New) {
			all = append(all, alike{l, Message{n.remoteIn.Name, n.remote.UID}})
		}
	}
	byLike := func(a, b alike) int { return cmp.Compare(a.like, b.like) }
	slices.SortFunc(all, byLike)
	var rows []alike
	if len(all) > 0 {
		j.eachKept(in.Twins, func(row *mail.Base) {
			a := alike{likeness(row.RemoteSize, row.Date), Message{row.Folder, row.UID}}
			if _, wanted := slices.BinarySearchFunc(all, a, byLike); wanted && a.like != 0 {
				rows = append(rows, a)
			}
		})
	}
	all = append(all, rows...)
	slices.SortStableFunc(all, byLike)
	var need []Message
	for i := 0; i < len(all); {
		first, apart := i, false
		for ; i < len(all) && all[i].like == all[first].like; i++ {
			apart = apart || all[i].Folder != all[first].Folder
		}
		for _, a := range all[first:i] {
			if apart {
				need = append(need, a.Message)
			}
		}
	}
	return need
}

// eachKept calls do for each row whose message both sides have, unaltered.
func (j *joined) eachKept(twins []*mail.Base, do func(*mail.Base)) {
	for _, row := range j.agreed {
		do(row)
	}
	for _, t := range j.triples {
		if t.base != nil && t.base.Key != "" && t.local != nil && t.remote != nil && !t.local.Edited {
			do(t.base)
		}
	}
	for _, row := range twins {
		do(row)
	}
}

// copyTwins has messages that are to be downloaded copied from files that the
// Maildir has, or will have by then, in other folders. Drafts are fetched each for
// itself: mail programs rewrite them in place. A stub is neither copied nor a copy.
func (d *decider) copyTwins(j *joined) {
	if len(d.in.Objects) == 0 {
		return
	}
	wanted := map[string][]*Op{}
	for _, o := range d.plan.Ops {
		if id := d.in.Objects[Message{o.Folder, remoteUID(o)}]; id != "" && o.Kind == Download && o.After == nil && twinnable(o) {
			wanted[id] = append(wanted[id], o)
		}
	}
	known := map[string][]*mail.Base{}
	if len(wanted) > 0 {
		j.eachKept(d.in.Twins, func(row *mail.Base) {
			id := d.in.Objects[Message{row.Folder, row.UID}]
			if wanted[id] != nil && row.Flags.System&mail.Draft == 0 && !d.in.goes(row, nil, nil) {
				known[id] = append(known[id], row)
			}
		})
	}
	for id, ops := range wanted {
		rows := known[id]
		for _, o := range ops {
			if row := twinOf(o, rows); row != nil {
				o.copyOf(row)
			} else {
				rows = append(rows, o.Row)
			}
		}
	}
}

func remoteUID(o *Op) mail.UID {
	if o.Remote == nil {
		return 0
	}
	return o.Remote.UID
}

// twinnable reports whether a message that is to be downloaded may be copied from
// elsewhere.
func twinnable(o *Op) bool {
	return conflict.ParsePart(string(o.Part)) == conflict.Whole && o.Flags.System&mail.Draft == 0
}

// twinOf finds the row whose file is what o would download, nil where there is
// none or where rows differ that should not.
func twinOf(o *Op, rows []*mail.Base) *mail.Base {
	var twin *mail.Base
	for _, row := range rows {
		if row.Folder == o.Folder || !IsTwin(o.Remote, row) {
			continue
		}
		if twin != nil && twin.Content.Digest != row.Content.Digest {
			return nil
		}
		twin = row
	}
	return twin
}

// IsTwin reports whether nothing that is known of the row contradicts the server,
// which says that it is of the same message: its size, its date and what was fetched
// of it.
func IsTwin(r *mail.Remote, row *mail.Base) bool {
	if like := likeness(r.Size, r.Date); row.Content.Whole > 0 || like == 0 || like != likeness(row.RemoteSize, row.Date) {
		return false
	}
	return r.Content == nil || row.Content.Header.IsZero() || sameMessage(row.Content, *r)
}

func (o *Op) copyOf(row *mail.Base) {
	o.Kind, o.Source = CopyLocal, row
	o.Rule, o.Reason = conflict.RuleCopied, "copied on the server: the Maildir has the content in "+strconv.Quote(string(row.Folder))
}

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

func byLike(a, b alike) int { return cmp.Compare(a.like, b.like) }

// NeedObjects lists the messages of which it must be known what identifies their
// contents: new ones that are to be downloaded and have the size and date of a
// message in another folder, and these. There may be a million new messages.
func NeedObjects(in Input) []Message {
	if !in.hasNewMail() {
		return nil
	}
	j := joinSides(in)
	var all []alike
	for _, n := range j.remoteNew {
		l := likeness(n.remote.Size, n.remote.Date)
		if l != 0 && n.remote.Flags.System&mail.Draft == 0 && in.policy(n.remoteIn.Name).Pulls(conflict.New) {
			all = append(all, alike{l, Message{n.remoteIn.Name, n.remote.UID}})
		}
	}
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

// Copy is a new message that may be one which the base knows in another folder.
type Copy struct {
	New Message
	Of  *mail.Base
}

// Copies lists the new messages that may be copies of known ones, which were seen on
// the server in other folders, too. By what was asked of them so far nothing tells
// that they are others. If one of the known is gone by now, it was moved.
func Copies(in Input) (copies []Copy) {
	if !in.hasNewMail() {
		return nil
	}
	j := join(in)
	var news []alike
	for _, n := range j.remoteNew {
		if l := likeness(n.remote.Size, n.remote.Date); l != 0 && n.base == nil {
			news = append(news, alike{l, Message{n.remoteIn.Name, n.remote.UID}})
		}
	}
	slices.SortFunc(news, byLike)
	look := func(row *mail.Base) {
		l := likeness(row.RemoteSize, row.Date)
		i, _ := slices.BinarySearchFunc(news, alike{like: l}, byLike)
		for ; l != 0 && i < len(news) && news[i].like == l; i++ {
			if n := news[i].Message; n.Folder != row.Folder && in.mayBe(j.byFolder[n.Folder].Remote.Messages[n.UID], n, row) {
				copies = append(copies, Copy{n, row})
			}
		}
	}
	if len(news) == 0 {
		return nil
	}
	for _, row := range slices.Concat(j.agreed, in.Twins) {
		look(row)
	}
	for _, t := range j.triples {
		if t.base != nil && t.base.Key != "" && t.remote != nil && !t.renumbered() {
			look(t.base)
		}
	}
	return copies
}

// hasNewMail reports whether a mailbox has messages that no row names, which is seldom
// in a large one that is looked at as a whole.
func (in Input) hasNewMail() bool {
	return slices.ContainsFunc(in.Folders, func(f *Folder) bool {
		named := 0
		for _, row := range f.Base {
			if _, there := f.Remote.Messages[row.UID]; there && row.UID != 0 {
				named++
			}
		}
		return named < len(f.Remote.Messages)
	})
}

// mayBe reports whether the new message may be that of the row, by what the server
// says identifies them, or by what of it was fetched.
func (in Input) mayBe(r mail.Remote, n Message, row *mail.Base) bool {
	if a, b := in.Objects[n], in.Objects[Message{row.Folder, row.UID}]; a != "" && b != "" {
		return a == b
	}
	return r.Content == nil || row.Content.Header.IsZero() || r.Content.Header == row.Content.Header
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

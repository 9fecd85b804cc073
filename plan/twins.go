package plan

import (
	"slices"
	"strconv"
	"time"

	"imapsync/conflict"
	"imapsync/mail"
)

// Twins are messages of the same content in several folders: a mail under several
// labels, or copied there by another client. The Maildir needs it from the server
// once. Nobody tells which messages are twins; size and date (INTERNALDATE, which
// COPY keeps: RFC 3501 section 6.4.7) tell which are not.

// likeness is the same for messages of one announced size and one date, 0 where
// either is not known. Others may share it: it only says whose header is worth
// asking for.
func likeness(size int64, date time.Time) uint64 {
	if size <= 0 || date.IsZero() {
		return 0
	}
	return uint64(size)<<32 ^ uint64(date.Unix())
}

// alike are the likenesses of new messages that are those of other messages, too,
// sorted. There may be a million new messages.
func (j *joined) alike(twins []*mail.Base) []uint64 {
	all := make([]uint64, 0, len(j.remoteNew))
	for _, n := range j.remoteNew {
		if l := likeness(n.remote.Size, n.remote.Date); l != 0 {
			all = append(all, l)
		}
	}
	slices.Sort(all)
	var shared []uint64
	for i := 1; i < len(all); i++ {
		if all[i] == all[i-1] {
			shared = append(shared, all[i])
		}
	}
	j.eachKept(twins, func(row *mail.Base) {
		if l := likeness(row.RemoteSize, row.Date); l != 0 {
			if _, wanted := slices.BinarySearch(all, l); wanted {
				shared = append(shared, l)
			}
		}
	})
	slices.Sort(shared)
	return slices.Compact(shared)
}

// eachKept calls do for each row whose message both sides have, unaltered.
func (j *joined) eachKept(twins []*mail.Base, do func(*mail.Base)) {
	if len(j.remoteNew) == 0 {
		return
	}
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
// Maildir has, or will have by then. Drafts are fetched each for itself: mail
// programs rewrite them in place. A stub is neither
// copied nor a copy.
func (d *decider) copyTwins(j *joined) {
	wanted := map[mail.Digest][]*Op{}
	for _, o := range d.plan.Ops {
		if o.Kind == Download && o.After == nil && twinnable(o) {
			wanted[o.Remote.Content.Header] = append(wanted[o.Remote.Content.Header], o)
		}
	}
	known := map[mail.Digest][]*mail.Base{}
	if len(wanted) > 0 {
		j.eachKept(d.in.Twins, func(row *mail.Base) {
			if wanted[row.Content.Header] != nil && row.Flags.System&mail.Draft == 0 && !d.in.goes(row, nil, nil) {
				known[row.Content.Header] = append(known[row.Content.Header], row)
			}
		})
	}
	for header, ops := range wanted {
		rows := known[header]
		for _, o := range ops {
			if row := twinOf(o, rows); row != nil {
				o.copyOf(row)
			} else {
				rows = append(rows, o.Row)
			}
		}
	}
}

// twinnable reports whether enough is known of a message that is to be downloaded
// to recognise it elsewhere.
func twinnable(o *Op) bool {
	c := o.Remote.Content
	return conflict.ParsePart(string(o.Part)) == conflict.Whole && c != nil && !c.Header.IsZero() && c.Fields >= thinHeader && o.Flags.System&mail.Draft == 0 && likeness(o.Remote.Size, o.Remote.Date) != 0
}

// twinOf finds the row whose file is what o would download, nil where there is
// none or where rows differ that might be.
func twinOf(o *Op, rows []*mail.Base) *mail.Base {
	var twin *mail.Base
	for _, row := range rows {
		if !IsTwin(o.Remote, row) {
			continue
		}
		if twin != nil && twin.Content.Digest != row.Content.Digest {
			return nil
		}
		twin = row
	}
	return twin
}

// IsTwin reports whether the message of the row is surely the same: the header
// block, the size less what sync tools add, the announced size and the date are.
// Of a row that is itself still to be downloaded the first two are not known yet.
func IsTwin(r *mail.Remote, row *mail.Base) bool {
	if row.Content.Whole > 0 || row.RemoteSize != r.Size || row.Date.Unix() != r.Date.Unix() {
		return false
	}
	return row.Content.Header.IsZero() || sameMessage(row.Content, *r)
}

func (o *Op) copyOf(row *mail.Base) {
	o.Kind, o.Source = CopyLocal, row
	o.Rule, o.Reason = conflict.RuleCopied, "copied on the server: the Maildir has the content in "+strconv.Quote(string(row.Folder))
}

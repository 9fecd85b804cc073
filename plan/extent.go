package plan

import (
	"cmp"
	"math"
	"slices"
	"time"

	"imapsync/conflict"
	"imapsync/mail"
)

// The limits of a folder (conflict.Extent) decide which of its messages the
// Maildir holds. They concern the Maildir alone: what is beyond them stays on the
// server, and its row says so, for without a row it would be new in each run, and
// with an ordinary one it would have been deleted here.
//
// A new message is judged when it is seen first, and one that was left behind
// when its flags change: unread, flagged or a draft it is fetched. All others are
// judged anew once a day or when the limits were changed, and a file is dropped
// only where nothing else is to be done with its message. So a message that was
// just read does not vanish under the reader's eyes, and no run makes work for
// the next.

// extent is what a folder's limits come to in this run.
type extent struct {
	conflict.Extent
	since time.Time // nothing older is held
	first age       // nor anything before this one
}

// age orders the messages of a folder.
type age struct {
	date int64
	uid  mail.UID
}

func (a age) compare(b age) int {
	return cmp.Or(cmp.Compare(a.date, b.date), cmp.Compare(a.uid, b.uid))
}

// ageOf takes a message of which the server told no date for the newest.
func ageOf(date time.Time, uid mail.UID) age {
	if date.IsZero() {
		return age{math.MaxInt64, uid}
	}
	return age{date.Unix(), uid}
}

func (d *decider) extent(f *Folder) extent {
	e, known := d.extents[f]
	if known {
		return e
	}
	e.Extent = d.policy(f.Name).Extent
	if e.MaxAge > 0 {
		e.since = d.in.Now.Add(-e.MaxAge)
	}
	if n := len(f.Remote.Messages); e.MaxMessages > 0 && n > e.MaxMessages {
		e.first = f.ages()[n-e.MaxMessages]
	}
	d.extents[f] = e
	return e
}

// ages are those of all messages on the server, the oldest first.
func (f *Folder) ages() []age {
	ages := make([]age, 0, len(f.Remote.Messages))
	known := make(map[mail.UID]bool, len(f.Base))
	for _, row := range f.Base {
		if _, there := f.Remote.Messages[row.UID]; there && row.UID != 0 {
			known[row.UID] = true
			ages = append(ages, ageOf(row.Date, row.UID))
		}
	}
	for uid, r := range f.Remote.Messages {
		if !known[uid] {
			ages = append(ages, ageOf(r.Date, uid))
		}
	}
	slices.SortFunc(ages, age.compare)
	return ages
}

// beyond reports whether a message of these flags is left on the server, and why.
func (d *decider) beyond(f *Folder, date time.Time, uid mail.UID, flags mail.Flags) (why string, left bool) {
	e := d.extent(f)
	switch {
	case e.Unlimited() || conflict.Wanted(flags):
		return "", false
	case !date.IsZero() && date.Before(e.since):
		return "older than max_age", true
	case ageOf(date, uid).compare(e.first) < 0:
		return "not among the newest max_messages", true
	}
	return "", false
}

// joinAway notes what limits left on the server. Those that a new file of the
// folder may be are joined as new messages are: who puts back a file that was
// dropped, or brings one from elsewhere, does not want it sent a second time.
func (j *joined) joinAway(f *Folder, rows []*mail.Base) {
	if len(rows) == 0 {
		return
	}
	mayBe := newFiles(f, j.localNew)
	for _, row := range rows {
		r, there := f.Remote.Messages[row.UID]
		switch {
		case !there || row.UID == 0:
			j.away = append(j.away, &triple{base: row})
		case f.Fetch[row.UID]:
			j.away = append(j.away, unheld(row, r, f))
		case mayBe.one(row):
			j.remoteNew = append(j.remoteNew, unheld(row, r, f))
		case !r.Flags.Equal(row.Flags):
			j.away = append(j.away, unheld(row, r, f))
		default:
			j.left = append(j.left, row)
		}
	}
}

// unheld is a message on the server that is not held here, with all that is known
// of it.
func unheld(row *mail.Base, r mail.Remote, f *Folder) *triple {
	t := &triple{base: row, remote: &r, remoteIn: f}
	t.remote = t.dated()
	if c := row.Content; r.Content == nil && !c.Header.IsZero() {
		if c.Whole > 0 { // of a stub's message no more than the header is known
			c = mail.Content{Header: c.Header, Fields: c.Fields, Wire: c.Whole, Net: c.Net}
		}
		t.remote.Content = &c
	}
	return t
}

// candidates are what tells which messages new files may be.
type candidates struct {
	sizes, dates map[int64]bool
	headers      map[mail.Digest]bool
}

func newFiles(f *Folder, localNew []*triple) candidates {
	c := candidates{map[int64]bool{}, map[int64]bool{}, map[mail.Digest]bool{}}
	for _, n := range localNew {
		if n.localIn == f && n.local.Content != nil {
			c.sizes[n.local.Content.Wire], c.sizes[n.local.Content.Net], c.sizes[n.local.Content.Whole] = true, true, true
			c.dates[n.local.Date.Unix()] = true
			c.headers[n.local.Content.Header] = true
		}
	}
	return c
}

// one reports whether the message may be one of the files: by its header if that
// is known, else by its size or date, for to fetch the headers of all that a large
// folder leaves on the server would be too much for a single new file.
func (c candidates) one(row *mail.Base) bool {
	if len(c.headers) == 0 {
		return false
	}
	if !row.Content.Header.IsZero() {
		return c.headers[row.Content.Header]
	}
	return c.sizes[row.RemoteSize] || !row.Date.IsZero() && c.dates[row.Date.Unix()]
}

// away settles what limits left on the server.
func (d *decider) away(j *joined) {
	for _, row := range j.left {
		f := j.byFolder[row.Folder]
		d.kept[f.Name] = true
		if !f.Trim {
			continue
		}
		if _, left := d.beyond(f, row.Date, row.UID, row.Flags); !left {
			d.decideAway(unheld(row, f.Remote.Messages[row.UID], f), f)
		}
	}
	for _, t := range j.away {
		d.decideAway(t, j.byFolder[t.base.Folder])
	}
}

// keepLike has no file dropped of which there is a copy that is not sent: once the
// original is gone that would be taken for the file put back.
func (d *decider) keepLike(c *mail.Content) {
	if c == nil {
		return
	}
	d.plan.Ops = slices.DeleteFunc(d.plan.Ops, func(o *Op) bool { return o.Kind == Drop && o.Row.Content.Digest == c.Digest })
}

// expungesAway removes a message that a limit left on the server and somebody has
// marked as deleted there, and reports whether it does. To be copied to the trash it
// would need a file.
func (d *decider) expungesAway(t *triple, f *Folder) bool {
	_, _, remote := d.states(t)
	out := d.marked(t, conflict.Merge(nil, nil, remote, d.policy(f.Name)), nil, nil, remote)
	if out.Rule != conflict.RuleExpunged || out.Action != conflict.DeleteRemote || d.copiesToTrash(f.Name) {
		return false
	}
	d.alone(t, out)
	return true
}

// decideAway settles one message that a limit left on the server.
func (d *decider) decideAway(t *triple, f *Folder) {
	why := conflict.Outcome{Rule: conflict.RuleLimit, Folder: f.Name}
	if t.remote == nil {
		if f.Remote.Doubt != "" {
			d.kept[f.Name] = true
			return
		}
		why.Reason = "gone from the server, where a limit had left it"
		d.add(&Op{Kind: Forget, Folder: f.Name, Row: t.base}, why)
		return
	}
	if d.expungesAway(t, f) {
		return
	}
	d.kept[f.Name] = true
	why.Flags = f.Remote.Space.Complete(t.base.Flags, t.remote.Flags)
	_, left := d.beyond(f, t.remote.Date, t.remote.UID, why.Flags)
	closed := d.intoLocal(f.Name) // nothing comes back where nothing new comes
	changed := !why.Flags.Equal(t.base.Flags)
	switch {
	case f.Fetch[t.base.UID]:
		why.Reason = "asked for"
		d.download(t, why)
	case !closed.any() && conflict.Wanted(why.Flags):
		why.Reason = "unread, flagged or a draft on the server: fetched whatever the limits"
		d.download(t, why)
	case changed && conflict.Wanted(why.Flags):
		d.remember(t, closed, "unread, flagged or a draft on the server, where a limit had left it")
	case !closed.any() && f.Trim && !left:
		why.Reason = "within the limits now"
		d.download(t, why)
	case changed:
		why.Reason = "its flags changed on the server, where a limit leaves it"
		d.add(&Op{Kind: Leave, Folder: f.Name, Row: t.base, Remote: t.remote, Flags: why.Flags}, why)
	}
}

// leave has a new message stay on the server.
func (d *decider) leave(t *triple, limit string) {
	f := t.remoteIn
	d.kept[f.Name] = true
	row := &mail.Base{Folder: f.Name, UID: t.remote.UID, RemoteSize: t.remote.Size, Date: t.remote.Date}
	d.add(&Op{Kind: Leave, Folder: f.Name, Row: row, Remote: t.remote, Flags: t.remote.Flags},
		conflict.Outcome{Rule: conflict.RuleLimit, Reason: limit + ": left on the server"})
}

// trim drops the file of a message that is beyond the limits, where both sides
// are as the row says.
func (d *decider) trim(f *Folder, row *mail.Base) {
	if !f.Trim || row.Folder != f.Name || row.UID == 0 || f.Fetch[row.UID] {
		return
	}
	limit, left := d.beyond(f, row.Date, row.UID, row.Flags)
	if !left {
		return
	}
	l := f.Local.Messages[row.Key]
	d.add(&Op{Kind: Drop, Folder: f.Name, Row: row, Local: &l, Remote: &mail.Remote{UID: row.UID, Flags: row.Flags}},
		conflict.Outcome{Rule: conflict.RuleLimit, Reason: limit + ": it stays on the server"})
}

// mayBeDropped leaves a message on the server whose file is missing where limits are
// judged anew and would have dropped it, and reports whether it does. A state from a
// backup does not know what was dropped since, and because of a limit nothing is
// deleted on the server. That somebody deleted the file is less likely: what is beyond
// the limits has been so for a day at most.
func (d *decider) mayBeDropped(t *triple, out conflict.Outcome) bool {
	f := t.remoteIn
	if out.Action != conflict.DeleteRemote || out.Rule == conflict.RuleExpunged || t.local != nil || t.base == nil || !f.Dropped ||
		f.Name != t.base.Folder || t.remote.UID != t.base.UID {
		return false
	}
	flags := f.Remote.Space.Complete(t.base.Flags, t.remote.Flags)
	limit, left := d.beyond(f, t.base.Date, t.base.UID, flags)
	if !left { // it may have been dropped before somebody made it unread
		if limit, left = d.beyond(f, t.base.Date, t.base.UID, t.base.Flags); !left {
			return false
		}
	}
	d.kept[f.Name] = true
	d.add(&Op{Kind: Leave, Folder: f.Name, Row: t.base, Remote: t.remote, Flags: flags},
		conflict.Outcome{Rule: conflict.RuleLimit, Reason: limit + ", and the file is gone as if a limit had dropped it: left on the server"})
	return true
}

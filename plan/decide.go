package plan

import (
	"imapsync/conflict"
	"imapsync/mail"
)

// decider turns joined messages into operations.
type decider struct {
	in       Input
	plan     *Plan
	byFolder map[mail.FolderName]*Folder
	kept     map[mail.FolderName]bool // folders that hold a message when the plan is done
	left     map[mail.FolderName]bool // folders of messages that are left as they are
	// staying counts the messages of a folder that the base has there and that
	// both sides still have.
	staying map[mail.FolderName]int
	moves   map[move]mail.Digest // contents of files on their way
	extents map[*Folder]extent
	tidied  map[*mail.Base]bool // rows that get the flags of a leftover stub
}

// move is a file on its way to a folder.
type move struct {
	to  mail.FolderName
	key mail.Key
}

// halfMoved reports whether a file is the other name of one that is to be moved
// there: where a file system has no rename that spares what is there, a move is
// a link and an unlink, and this is what a crash between the two leaves.
func (d *decider) halfMoved(t *triple) bool {
	c := t.local.Content
	return c != nil && !c.Digest.IsZero() && d.moves[move{t.localIn.Name, t.local.Key}] == c.Digest
}

func (d *decider) add(o *Op, why conflict.Outcome) *Op {
	o.Rule, o.Reason, o.Conflict = why.Rule, why.Reason, why.Conflict
	d.plan.Ops = append(d.plan.Ops, o)
	return o
}

func (d *decider) policy(folder mail.FolderName) conflict.Policy {
	p := d.in.policy(folder)
	p.Trash = d.in.Trash
	if p.Expunge.Any() && !d.oneSided(folder, p.Expunge) {
		p.Expunge = conflict.ExpungeBoth
	}
	return p
}

// decide settles one message that has a base row, or both sides.
func (d *decider) decide(t *triple) {
	switch {
	case t.base != nil && d.remembersDeletion(t):
		return
	case t.base != nil && (t.remote == nil || t.local == nil && t.base.Key != "") && d.unproven(t):
		return
	case t.base != nil && t.base.Key == "" && !t.base.RemoteOnly:
		d.finishMove(t)
		return
	case t.rematch && (t.local == nil || t.remote == nil):
		d.rematchHalf(t)
		return
	}
	base, local, remote := d.states(t)
	out := conflict.Merge(base, local, remote, d.policy(place(t)))
	switch after := d.marked(t, out, base, local, remote); {
	case local == nil || remote == nil || after.Rule != conflict.RuleExpunged:
		out = after
	case d.expunges(t, after, local, remote):
		return
	}
	if out.Action == conflict.Replace && t.base.Content.Whole > 0 {
		out = keepWhole(out)
	}
	if out.Action == conflict.Upload && t.base != nil && t.base.Content.Whole > 0 && !t.local.Edited {
		out = stubGoes(out)
	}
	if d.mayBeDropped(t, out) {
		return
	}
	if (local != nil || remote != nil) && (out.Action == conflict.DeleteLocal || out.Action == conflict.DeleteRemote || out.Action == conflict.Forget) {
		d.alone(t, out)
		return
	}
	switch out.Action {
	case conflict.Settle, conflict.Nothing:
		if t.localIn != t.remoteIn && d.remembersMove(t, out) {
			return
		}
		d.kept[out.Folder] = true
		if t.base != nil && t.base.Folder == out.Folder {
			d.staying[out.Folder]++
		}
		d.settle(t, out, local, remote)
		if out.Action == conflict.Nothing && t.inPlace() {
			d.trim(t.localIn, t.base)
		}
		d.complete(t, out)
	case conflict.Download:
		d.download(t, out)
	case conflict.Upload:
		d.upload(t, out)
	case conflict.Forget:
		d.add(&Op{Kind: Forget, Folder: t.base.Folder, Row: t.base}, out)
	case conflict.Replace:
		d.replace(t, out)
	case conflict.KeepBoth:
		d.keepBoth(t, out)
	}
}

// finishMove settles a row that gave its file to a copy: the first half of a
// move or replacement was done, so the original goes, whatever happened to it,
// for the copy takes that along.
func (d *decider) finishMove(t *triple) {
	why := conflict.Outcome{Rule: conflict.RuleMoved, Reason: "its copy took its place"}
	if t.remote == nil {
		d.add(&Op{Kind: Forget, Folder: t.base.Folder, Row: t.base}, why)
		return
	}
	if l := d.in.notPushed(t.base.Folder, conflict.Deletions); l.any() {
		d.remember(t, l, why.Reason)
		return
	}
	d.add(&Op{Kind: DeleteRemote, Folder: t.remoteIn.Name, Row: t.base, Remote: t.remote, Moved: true}, why)
}

// unproven notes a message missing on a side without proof and keeps it.
func (d *decider) unproven(t *triple) bool {
	var f *Folder
	for _, f = range d.in.Folders {
		if f.Name == t.base.Folder {
			break
		}
	}
	doubt := ""
	withheld, isHeld := d.in.Withheld[t.base.Content.Header]
	switch {
	case t.remote == nil && isHeld:
		doubt = mayBeWithheld(withheld)
	case t.remote == nil && f.Remote.Doubt != "": // re-matched, it would be sent a second time
		doubt = f.Remote.Doubt
	case t.local == nil && f.Local.Doubt != "":
		doubt = f.Local.Doubt
	default:
		return false
	}
	for _, at := range []*Folder{f, t.localIn, t.remoteIn} {
		if at != nil {
			d.plan.Unproven[at.Name] = doubt
		}
	}
	return true
}

func mayBeWithheld(in mail.FolderName) string {
	return "they may be messages in " + string(in) + " that the server does not give"
}

func place(t *triple) mail.FolderName {
	if t.base != nil {
		return t.base.Folder
	}
	return t.localIn.Name
}

// states says what conflict needs of the message; flags a side cannot store
// are taken to be as the base has them.
func (d *decider) states(t *triple) (base, local, remote *conflict.State) {
	var agreed mail.Flags
	if t.base != nil && !t.base.RemoteOnly { // of that both sides never agreed on anything
		base = &conflict.State{Folder: t.base.Folder, Flags: t.base.Flags}
		agreed = t.base.Flags
	}
	if t.local != nil {
		local = &conflict.State{Folder: t.localIn.Name, Edited: t.local.Edited,
			Flags: t.localIn.Local.Space.Complete(agreed, t.local.Flags)}
	}
	if t.remote != nil {
		remote = &conflict.State{Folder: t.remoteIn.Name,
			Flags: t.remoteIn.Remote.Space.Complete(agreed, t.remote.Flags).Union(t.added).Minus(t.removed)}
	}
	return base, local, remote
}

// settle brings a message that both sides have to one place and one set of
// flags. A new pair's base starts with the flags both already share, so that
// whatever one side has more counts as added by it, crash or no crash.
func (d *decider) settle(t *triple, out conflict.Outcome, local, remote *conflict.State) {
	row := t.base
	if row == nil || row.RemoteOnly {
		row = &mail.Base{Folder: out.Folder, UID: t.remote.UID, Key: t.local.Key, Content: *t.local.Content,
			Flags: local.Flags.Intersect(remote.Flags), RemoteSize: t.remote.Size, Date: t.remote.Date, File: fileOf(t.local)}
		if t.base != nil {
			row.ID = t.base.ID
		}
	}
	var marked *mail.Flags
	if takesOff(row.Flags, local, remote, out) {
		marked = new(row.Flags.Union(theMark))
	}
	before := len(d.plan.Ops)
	row = d.bringTogether(t, row, out, marked)
	out.Conflict = out.Conflict && len(d.plan.Ops) == before
	d.flags(t, row, out, local, remote)
}

// Changes reports whether a side that shows have must be told to reach want.
func Changes(space mail.FlagSpace, have, want mail.Flags) bool {
	return !space.Storable(want.Minus(have)).IsEmpty() || !space.Storable(have.Minus(want)).IsEmpty()
}

// bringTogether plans the move or the record that puts file and message into
// one folder, and returns the row the message has afterwards.
func (d *decider) bringTogether(t *triple, row *mail.Base, out conflict.Outcome, marked *mail.Flags) *mail.Base {
	op := &Op{Folder: t.localIn.Name, To: out.Folder, Row: row, Local: t.local, Remote: t.remote, Marked: marked}
	switch {
	case t.localIn.Name != out.Folder:
		op.Kind = MoveLocal
	case t.remoteIn.Name != out.Folder && d.in.Features.Move && !t.remoteIn.Remote.Denied.Delete:
		op.Kind, op.Folder = MoveRemote, t.remoteIn.Name
	case t.remoteIn.Name != out.Folder:
		return d.moveByCopy(t, out, marked)
	case t.base == nil || t.base.RemoteOnly || row.Folder != out.Folder || row.Key != t.local.Key || row.UID != t.remote.UID:
		op.Kind, op.Folder = Pair, out.Folder
		if out.Rule == conflict.RuleAgree {
			out.Rule, out.Reason = conflict.RuleRematch, "the same message under another name or number"
		}
	default:
		return row
	}
	d.add(op, out)
	return row
}

// moveByCopy moves on a server without MOVE: the copy is journalled, and the
// original, whose row has given its file away, is then deleted as any message
// without a file is.
func (d *decider) moveByCopy(t *triple, out conflict.Outcome, marked *mail.Flags) *mail.Base {
	row := *t.base
	if marked != nil {
		row.Flags = *marked
	}
	row.ID, row.Folder, row.UID, row.Key = 0, out.Folder, 0, t.local.Key
	first := d.add(&Op{Kind: CopyRemote, Folder: t.remoteIn.Name, To: out.Folder, Row: &row, Old: t.base,
		Local: t.local, Remote: t.remote, Flags: t.remote.Flags}, out)
	out.Conflict = false
	d.add(&Op{Kind: DeleteRemote, Folder: t.remoteIn.Name, Row: t.base, Remote: t.remote, Moved: true, After: first}, out)
	return &row
}

// rematchHalf settles a row of a re-matched folder that only one side has: it
// is copied to the other, for without UIDs no absence is a deletion.
func (d *decider) rematchHalf(t *triple) {
	why := conflict.Outcome{Rule: conflict.RuleRematch}
	switch {
	case t.remote != nil:
		why.Reason, why.Flags, why.Folder = "found again on the server only: copied, for the folder was renumbered", t.remote.Flags.Union(t.added).Minus(t.removed), t.remoteIn.Name
		_, _, remote := d.states(t)
		if out := d.marked(t, why, nil, nil, remote); out.Rule == conflict.RuleExpunged && (out.Action != conflict.DeleteRemote || !d.copiesToTrash(t.remoteIn.Name)) {
			d.alone(t, out)
			return
		}
		d.download(t, why)
	case t.local != nil:
		why.Reason, why.Flags, why.Folder = "not found again on the server: copied, for the folder was renumbered", t.local.Flags, t.localIn.Name
		_, local, _ := d.states(t)
		out := d.marked(t, why, nil, local, nil)
		if out.Rule == conflict.RuleExpunged {
			d.alone(t, out)
			return
		}
		d.upload(t, out)
	default:
		why.Reason = "gone from the Maildir and not found again on the renumbered server"
		d.add(&Op{Kind: Forget, Folder: t.base.Folder, Row: t.base}, why)
	}
}

func (d *decider) download(t *triple, out conflict.Outcome) {
	if l := d.intoLocal(out.Folder); l.any() && !t.remoteIn.Fetch[t.remote.UID] {
		d.remember(t, l, out.Reason)
		return
	}
	row := t.base
	if row == nil {
		row = &mail.Base{Folder: out.Folder, UID: t.remote.UID, RemoteSize: t.remote.Size, Date: t.remote.Date}
	}
	d.kept[out.Folder] = true
	flags := out.Flags.Minus(t.added).Union(t.removed)
	r := t.dated()
	d.add(&Op{Kind: Download, Folder: out.Folder, Row: row, Remote: r, Flags: flags, Part: d.part(t.remoteIn, r, flags)}, out)
	if !flags.Equal(out.Flags) { // what the copy is to get of its original
		out.Conflict = false
		d.add(&Op{Kind: SetFlags, Folder: out.Folder, Row: row, Local: &mail.Local{Flags: flags}, Remote: t.remote, Flags: out.Flags, Agreed: out.Flags,
			OnLocal: true, OnRemote: Changes(t.remoteIn.Remote.Space, t.remote.Flags, out.Flags)}, out)
	}
}

// dated is the remote message with the date and size that the base knows: of
// messages in the base a listing does not ask for them.
func (t *triple) dated() *mail.Remote {
	r := *t.remote
	if t.base != nil && r.Date.IsZero() {
		r.Date = t.base.Date
	}
	if t.base != nil && r.Size == 0 {
		r.Size = t.base.RemoteSize
	}
	return &r
}

func (d *decider) upload(t *triple, out conflict.Outcome) {
	if l := d.intoRemote(out.Folder); l.any() {
		d.remember(t, l, out.Reason)
		return
	}
	row := t.base
	if row == nil {
		row = newRow(t)
	}
	d.kept[out.Folder] = true
	op := d.add(&Op{Kind: Upload, Folder: out.Folder, Row: row, Local: t.local, Flags: out.Flags}, out)
	d.takeOff(t, op, out)
}

// takeOff takes the mark off a file that is sent without. The row has it first, for
// else it would be news of the Maildir if the run ended in between.
func (d *decider) takeOff(t *triple, op *Op, out conflict.Outcome) {
	if !hasMark(t.local.Flags) || hasMark(out.Flags) {
		return
	}
	op.Marked, out.Conflict = new(out.Flags.Union(theMark)), false
	if !d.policy(out.Folder).Pulls(conflict.Flags) {
		d.again(out.Folder, Again{Files: true})
		return
	}
	d.add(&Op{Kind: SetFlags, Folder: out.Folder, Row: op.Row, Local: t.local, Remote: &mail.Remote{Flags: out.Flags}, Flags: out.Flags, Agreed: out.Flags, OnLocal: true, After: op}, out)
}

func newRow(t *triple) *mail.Base {
	row := &mail.Base{Folder: t.localIn.Name, Key: t.local.Key, Date: t.local.Date, File: fileOf(t.local)}
	if t.local.Content != nil {
		row.Content = *t.local.Content
	}
	return row
}

func fileOf(l *mail.Local) mail.FileStamp {
	if l.Stamp == nil {
		return mail.FileStamp{}
	}
	return *l.Stamp
}

// replace uploads the new content of an edited message as a row of its own and
// deletes the old, whose row has given its file away. The new one has the flags
// of the file alone where those of the server are not pulled.
func (d *decider) replace(t *triple, out conflict.Outcome) {
	if l := d.intoRemote(out.Folder); l.any() {
		d.remember(t, l, out.Reason)
		return
	}
	d.kept[out.Folder] = true
	row := newRow(t)
	if !d.policy(out.Folder).Pulls(conflict.Flags) {
		off := out.Rule == conflict.RuleDeletionYields
		if out.Flags = t.local.Flags; off {
			out.Flags = out.Flags.Minus(theMark)
		}
	}
	first := d.add(&Op{Kind: Upload, Folder: out.Folder, Row: row, Old: t.base, Local: t.local, Remote: t.remote, Flags: out.Flags}, out)
	if d.takeOff(t, first, out); first.Marked == nil && !out.Flags.Equal(t.local.Flags) {
		sent := &mail.Remote{Flags: out.Flags}
		d.add(&Op{Kind: SetFlags, Folder: out.Folder, Row: row, Local: t.local, Remote: sent, Flags: out.Flags, Agreed: out.Flags, OnLocal: true, After: first}, out)
	}
	if l := d.in.notPushed(t.remoteIn.Name, conflict.Deletions); l.any() {
		d.remember(&triple{base: t.base, remote: t.remote, remoteIn: t.remoteIn}, l, out.Reason)
		return
	}
	d.add(&Op{Kind: DeleteRemote, Folder: t.remoteIn.Name, Row: t.base, Remote: t.remote, Moved: true, After: first}, out)
}

// keepBoth makes the edited file a message of its own and brings the server's
// version back as another file. The old row is dropped with the upload, so that
// the server's version is a new message from then on.
func (d *decider) keepBoth(t *triple, out conflict.Outcome) {
	if l := d.intoRemote(out.Folder).or(d.intoLocal(t.remoteIn.Name)); l.any() {
		d.remember(t, l, out.Reason)
		return
	}
	d.kept[out.Folder], d.kept[t.remoteIn.Name] = true, true
	first := d.add(&Op{Kind: Upload, Folder: out.Folder, Row: newRow(t), Old: t.base, DropOld: true, Local: t.local, Remote: t.remote, Flags: out.Flags}, out)
	d.takeOff(t, first, out)
	out.Conflict = false
	row := &mail.Base{Folder: t.remoteIn.Name, UID: t.remote.UID, RemoteSize: t.base.RemoteSize, Date: t.base.Date}
	r := t.dated()
	d.add(&Op{Kind: Download, Folder: t.remoteIn.Name, Row: row, Remote: r, Flags: t.remote.Flags, Part: d.part(t.remoteIn, r, t.remote.Flags), After: first}, out)
}

// newLocal settles a file that nothing on the server or in the base is: the
// server copies the content where it has it, else it is sent.
func (d *decider) newLocal(t *triple, sources map[mail.Digest]*source) {
	_, local, _ := d.states(t)
	out := conflict.Merge(nil, local, nil, d.policy(place(t)))
	out = d.marked(t, out, nil, local, nil)
	if l := d.intoRemote(t.localIn.Name); l.any() && out.Rule != conflict.RuleExpunged {
		d.remember(t, l, "new in the Maildir")
		d.keepLike(t.local.Content)
		return
	}
	if f := t.localIn; f.Remote.Doubt != "" && !(f.Settled && f.Remote.Exists) { // the server may have it
		d.plan.Unproven[f.Name], d.kept[f.Name] = f.Remote.Doubt, true
		return
	}
	if c := t.local.Content; c != nil {
		if in, isHeld := d.in.Withheld[c.Header]; isHeld {
			d.plan.Unproven[t.localIn.Name], d.kept[t.localIn.Name] = mayBeWithheld(in), true
			return
		}
	}
	if row := d.leftover(t); row != nil { // before it is taken for a copy of an equal stub
		d.tidy(t, row)
		return
	}
	if out.Rule == conflict.RuleExpunged {
		d.alone(t, out)
		return
	}
	if t.local.Content != nil {
		// A copy has the flags of its source, and where those of the file cannot be set then, it is sent.
		src := sources[t.local.Content.Digest]
		if src != nil && (src.remote.Flags.Equal(out.Flags) || d.policy(out.Folder).Pushes(conflict.Flags)) {
			d.copyRemote(t, out, src)
			return
		}
	}
	d.upload(t, out)
}

// newRemote settles a message that nothing in the Maildir or in the base is. In
// a folder not settled yet a file that could not be read may be it.
func (d *decider) newRemote(t *triple) {
	if t.base != nil {
		d.decideAway(t, t.remoteIn)
		return
	}
	_, _, remote := d.states(t)
	out := conflict.Merge(nil, nil, remote, d.policy(t.remoteIn.Name))
	after := d.marked(t, out, nil, nil, remote)
	first := after.Action == conflict.DeleteRemote && d.copiesToTrash(t.remoteIn.Name) // it needs a row, and so a file
	goes := after.Rule == conflict.RuleExpunged && !first
	if l := d.intoLocal(t.remoteIn.Name); l.any() && !goes {
		d.remember(t, l, "new on the server")
		return
	}
	if f := t.remoteIn; !f.Settled && f.mayHaveUnread(t.remote.Size) {
		d.plan.Unproven[f.Name], d.kept[f.Name] = "files that cannot be read may be new messages of the server", true
		return
	}
	if goes {
		d.alone(t, after)
		return
	}
	if why, left := d.beyond(t.remoteIn, t.remote.Date, t.remote.UID, t.remote.Flags); left {
		d.leave(t, why)
		return
	}
	if first {
		d.goOn(t.remoteIn.Name)
	}
	d.download(t, out)
}

// mayHaveUnread reports whether a file that could not be read may be a message
// of the size: on the wire each line is longer by one.
func (f *Folder) mayHaveUnread(wire int64) bool {
	for _, size := range f.Unread {
		if size < 0 || size <= wire && wire <= size+size/4 {
			return true
		}
	}
	return false
}

package plan

import (
	"time"

	"imapsync/conflict"
	"imapsync/mail"
)

// Plan is what one run on one account does: operations in the order they are
// carried out, held ones included, and what cannot be decided now.
type Plan struct {
	Ops   []*Op
	Holds []mail.Hold
	// Unproven are folders in which messages are missing on one side without
	// proof; they are left alone until a later run.
	Unproven map[mail.FolderName]string
	// GoOn are folders in which there is more to do once the plan is carried out, as
	// for what the server has moved to the trash.
	GoOn []mail.FolderName
	// Remembered are changes that the policy has not propagated, and Again says
	// where they must be seen again.
	Remembered []Remembered
	Again      map[mail.FolderName]Again
}

// Folder is one folder with all that was observed of it.
type Folder struct {
	Name    mail.FolderName
	Known   bool      // the base has a record of it
	Settled bool      // and all that was seen in it was carried out
	Mark    mail.Mark // of the record: of a folder that is not settled the UIDVALIDITY alone
	Base    []*mail.Base
	Quiet   int // rows not in Base: both sides are as they say, and nothing of them matters here
	Local   mail.LocalSnapshot
	Remote  mail.RemoteSnapshot
	Unread  []int64           // sizes of new files that could not be read; negative where not even that is known
	Fetch   map[mail.UID]bool // messages that are wanted whole
	Drafts  bool              // it is for drafts, which mail programs rewrite
	Trim    bool              // the limits are to be applied to all of its messages, not to new ones alone
	Dropped bool              // likewise, and they may have been since the base was written
}

// Input is everything a decision rests on.
type Input struct {
	Folders  []*Folder
	Sources  []*mail.Base                    // rows of unchanged folders with contents that new files have too
	Twins    []*mail.Base                    // rows of unchanged folders with sizes that new messages on the server have too
	Objects  map[Message]string              // what the server says identifies the contents of messages that may be twins
	Unseen   []*mail.Base                    // rows of folders that could not be looked into
	Withheld map[mail.Digest]mail.FolderName // headers of new messages whose bodies the server did not give, and where
	Features mail.Features
	Policy   func(mail.FolderName) conflict.Policy
	Guard    Guard
	Now      time.Time // for limits by age

	Trash       mail.FolderName // where deletions on the server move messages to; "" expunges them
	TrashSynced bool            // what is in it reaches the Maildir
}

// Make decides.
func Make(in Input) *Plan {
	j := join(in)
	d := &decider{in: in, plan: &Plan{Unproven: map[mail.FolderName]string{}, Again: map[mail.FolderName]Again{}}, byFolder: j.byFolder, kept: map[mail.FolderName]bool{}, left: map[mail.FolderName]bool{}, moves: map[move]mail.Digest{}, staying: map[mail.FolderName]int{}, extents: map[*Folder]extent{}, tidied: map[*mail.Base]bool{}}
	for _, f := range in.Folders {
		d.kept[f.Name] = f.Quiet > 0
		d.staying[f.Name] = f.Quiet
	}
	for _, row := range j.agreed {
		d.kept[row.Folder] = true
		d.staying[row.Folder]++
		d.trim(j.byFolder[row.Folder], row)
		d.completeRow(j.byFolder[row.Folder], row)
	}
	for _, t := range j.triples {
		d.decide(t)
	}
	sources := j.sources(in)
	for _, l := range j.localNew {
		if !d.halfMoved(l) {
			d.newLocal(l, sources)
		}
	}
	for _, r := range j.remoteNew {
		d.newRemote(r)
	}
	d.away(j)
	for _, name := range j.postponed {
		d.plan.Unproven[name] = "new messages there may be those missing elsewhere without proof"
		d.kept[name] = true
	}
	d.copyTwins(j)
	d.deny()
	in.Guard.hold(d.plan, d.staying)
	d.folders()
	d.deny()
	d.followTrash()
	order(d.plan.Ops)
	return d.plan
}

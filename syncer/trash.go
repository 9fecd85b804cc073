package syncer

import (
	"context"
	"errors"
	"slices"
	"strings"

	"imapsync/mail"
	"imapsync/plan"
)

// findTrash settles where deletions on the server move messages to, once its
// folders are known: "" where it marks none and the account leaves it to the server.
func (r *run) findTrash(remotes []mail.RemoteFolder) {
	r.trash, r.trashThere = r.Trash, false
	for _, f := range remotes {
		byUse := slices.ContainsFunc(f.Attrs, func(a string) bool { return strings.EqualFold(a, `\Trash`) })
		if r.TrashByUse && byUse && f.Selectable && (r.trash == "" || f.Name < r.trash) {
			r.trash = f.Name
		}
		r.trashThere = r.trashThere || f.Selectable && f.Name == r.trash
	}
}

// trashSynced reports whether what is in the trash reaches the Maildir in this run.
func (r *run) trashSynced() bool {
	return r.trash != "" && (r.Select == nil || r.Select(r.trash)) && r.wanted(r.trash)
}

var errNoTrash = &mail.Fault{Doing: "delete on the server", Err: errors.New(`trash = "auto", and the server marks no mailbox as \Trash (SPECIAL-USE, RFC 6154)`),
	Hint: `nothing is deleted there; name the folder, as in trash = "Trash"`}

// trashless reports whether an operation is a deletion that is to go to a trash that
// there is none of.
func (r *run) trashless(o *plan.Op) bool {
	return r.TrashByUse && r.trash == "" && o.Kind == plan.DeleteRemote && !o.Moved
}

// withoutTrash leaves such deletions out, and tells of them.
func (a *applier) withoutTrash(f *folder, ops []*plan.Op) []*plan.Op {
	left := slices.DeleteFunc(slices.Clone(ops), a.trashless)
	if len(left) < len(ops) {
		a.failTrash(f.Name)
	}
	return left
}

func (r *run) failTrash(name mail.FolderName) {
	fault := *errNoTrash
	fault.Scope, fault.Folder = mail.ScopeFolder, name
	r.fail(name, nil, &fault)
}

// holdTrashless has a plan that is only shown say what a run would do: leave such
// deletions out, with what builds on them. It returns their folders.
func (r *run) holdTrashless(p *plan.Plan) []mail.FolderName {
	var refused []mail.FolderName
	for _, o := range p.Ops {
		if !o.Held && r.trashless(o) {
			o.Held = true
			refused = append(refused, o.Folder)
		}
	}
	for _, o := range p.Ops {
		removal := o.Kind == plan.RemoveLocal || o.Kind == plan.RemoveRemote
		o.Held = o.Held || o.After != nil && o.After.Held || removal && slices.Contains(refused, o.Folder)
	}
	slices.Sort(refused)
	return slices.Compact(refused)
}

// readyTrash makes sure that the server has the trash folder that deletions go to,
// and returns its mark where copies are to be looked for from there on. It is asked
// before the mailbox of the deletions is opened: see transfer.
func (a *applier) readyTrash(ctx context.Context, ops []*plan.Op) (mark mail.Mark, err error) {
	i := slices.IndexFunc(ops, func(o *plan.Op) bool { return o.To != "" })
	if i < 0 {
		return mark, nil
	}
	to := ops[i].To
	if err := a.makeTrash(ctx, to); err != nil || a.features.Move {
		return mark, err
	}
	mb, err := a.Remote.Open(ctx, to, false)
	if err != nil {
		return mark, err
	}
	defer mb.Close()
	return mb.Mark(), nil
}

// makeTrash creates the trash folder where the server has none of its name.
func (a *applier) makeTrash(ctx context.Context, name mail.FolderName) error {
	a.making <- struct{}{}
	defer func() { <-a.making }()
	if a.trashThere {
		return nil
	}
	if err := a.Remote.CreateFolder(ctx, name); err != nil {
		return err
	}
	a.trashThere = true
	return nil
}

var theMark = mail.Flags{System: mail.Deleted}

// moveToTrash moves messages out of the mailbox to the trash, or copies them there and
// returns the rows of the originals, to be expunged. They lie there unmarked, for an
// EXPUNGE would take them. If they are refused they are marked again and stay.
func (a *applier) moveToTrash(ctx context.Context, mb Mailbox, f *folder, ops []*plan.Op, marked []*plan.Op, mark mail.Mark) (originals []*mail.Base, err error) {
	if err := a.unmark(ctx, mb, f, marked); err != nil {
		return nil, err
	}
	uids := make([]mail.UID, 0, len(ops))
	for _, o := range ops {
		uids = append(uids, o.Remote.UID)
	}
	if a.features.Move {
		_, err = mb.Move(ctx, uids, ops[0].To, 0)
	} else {
		originals, err = a.copyToTrash(ctx, mb, f, ops, mark)
	}
	if err != nil && len(marked) > 0 && !accountScope(err) {
		_ = storeMark(ctx, mb, marked, mail.FlagChange{Add: theMark}) // on what was moved before it does nothing
	}
	return originals, err
}

// unmark takes the mark off messages. Their rows say before that they were not
// marked, for else it would read as taken off by somebody if the run ended now; the
// next one has to see then that they are.
func (a *applier) unmark(ctx context.Context, mb Mailbox, f *folder, marked []*plan.Op) error {
	var b mail.Batch
	for _, o := range marked {
		if o.Row.ID != 0 && o.Row.Flags.System&mail.Deleted != 0 {
			o.Row.Flags = o.Row.Flags.Minus(theMark)
			b.Put = append(b.Put, o.Row)
		}
	}
	if len(b.Put) > 0 {
		b.Folders = a.forgetFlags(f)
		if err := a.commit(b); err != nil {
			return err
		}
	}
	if len(marked) == 0 {
		return nil
	}
	return storeMark(ctx, mb, marked, mail.FlagChange{Remove: theMark})
}

func storeMark(ctx context.Context, mb Mailbox, ops []*plan.Op, change mail.FlagChange) (err error) {
	for _, o := range ops {
		change.UIDs = append(change.UIDs, o.Remote.UID)
	}
	storeErr := mb.StoreAll(ctx, []mail.FlagChange{change}, func(_ int, refusal error) { err = refusal })
	return firstOf(storeErr, err)
}

// copyToTrash does in place of a MOVE what can be done without: a COPY, journalled
// as an upload without a file. When it is done the message has two rows: one for
// the original, to be expunged whatever happens to it, and one to be found again by
// identity, which is in the trash.
func (a *applier) copyToTrash(ctx context.Context, mb Mailbox, f *folder, ops []*plan.Op, mark mail.Mark) (originals []*mail.Base, err error) {
	var begun, done mail.Batch
	uids := make([]mail.UID, 0, len(ops))
	for _, o := range ops {
		uids = append(uids, o.Remote.UID)
		begun.AddIntents = append(begun.AddIntents, &mail.Intent{Kind: mail.IntentUpload, Folder: o.To, Content: o.Row.Content,
			UIDValidity: mark.UIDValidity, UIDNext: mark.UIDNext, Date: o.Row.Date,
			Replaces: o.Row.ID, ReplacesIn: f.Name, ReplacesUID: o.Remote.UID})
	}
	if err := a.commit(begun); err != nil {
		return nil, err
	}
	if _, err := mb.Copy(ctx, uids, ops[0].To, 0); err != nil {
		return nil, err // what of it was copied the next run finds out
	}
	done.SettleIntents = begun.AddIntents
	for _, o := range ops {
		original := part(o.Row, f.Name, o.Remote.UID)
		originals = append(originals, original)
		done.Put = append(done.Put, o.Row, original)
	}
	return originals, a.commit(done)
}

// part splits the row of a message that was copied to the trash.
func part(row *mail.Base, folder mail.FolderName, uid mail.UID) (original *mail.Base) {
	original = &mail.Base{Folder: folder, UID: uid, Flags: row.Flags, Content: row.Content, RemoteSize: row.RemoteSize, Date: row.Date}
	row.UID = 0
	return original
}

// isTrashing reports whether an intent is that of a copy to the trash.
func isTrashing(in *mail.Intent) bool { return in.Kind == mail.IntentUpload && in.Key == "" }

// adoptTrashed records a copy to the trash that an earlier run made.
func (r *run) adoptTrashed(ctx context.Context, in *mail.Intent, b *mail.Batch) error {
	rows, err := r.State.RowsOf(ctx, []mail.Digest{in.Content.Digest})
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.ID == in.Replaces {
			b.Put = append(b.Put, row, part(row, in.ReplacesIn, in.ReplacesUID))
			b.Log = append(b.Log, recovered(in, row))
		}
	}
	return nil
}

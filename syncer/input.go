package syncer

import (
	"context"

	"imapsync/mail"
	"imapsync/plan"
)

// input is everything the plan rests on.
func (r *run) input(ctx context.Context) (plan.Input, error) {
	in := plan.Input{Policy: r.Policy, Now: r.Now(), Guard: plan.Guard{Limits: r.Limits,
		Local: map[mail.FolderName]int{}, Remote: map[mail.FolderName]int{}, Confirmed: r.confirmed},
		Trash: r.trash, TrashSynced: r.trashSynced()}
	if err := r.loadUnseen(ctx); err != nil {
		return in, err
	}
	in.Unseen, in.Twins, in.Withheld = r.unseen, r.twins, r.withheldHeaders
	in.Objects = r.objects
	var digests []mail.Digest
	observed := map[mail.FolderName]bool{}
	for _, f := range r.sorted() {
		name := f.Name
		if f.failed {
			in.Guard.Local[name], in.Guard.Remote[name] = f.record.Rows-f.record.RemoteOnly, f.record.Rows-f.record.RemoteOnly
			continue
		}
		observed[name] = true
		in.Folders = append(in.Folders, &f.Folder)
		// What a limit leaves on the server no Maildir that was emptied by mistake can delete.
		held := heldRows(f.Base)
		in.Guard.Local[name] = max(len(f.Local.Messages), held) + f.Quiet
		in.Guard.Remote[name] = max(len(f.Remote.Messages)-(len(f.Base)-held), held) + f.Quiet
		digests = append(digests, newDigests(f)...)
	}
	for name, rec := range r.skipped {
		in.Guard.Local[name], in.Guard.Remote[name] = rec.Rows-rec.RemoteOnly, rec.Rows-rec.RemoteOnly
	}
	features, err := r.Remote.Features(ctx)
	if err != nil {
		return in, err
	}
	in.Features, r.features = features, features
	if len(digests) == 0 || r.moved || r.foreign {
		return in, nil
	}
	rows, err := r.State.RowsOf(ctx, digests)
	if err != nil {
		return in, err
	}
	unseen := map[mail.Digest]bool{}
	for _, row := range rows {
		switch f := r.folders[row.Folder]; {
		case f != nil && f.failed:
			unseen[row.Content.Digest] = true
		case r.skipped[row.Folder] != nil && !observed[row.Folder]:
			in.Sources = append(in.Sources, row)
		}
	}
	r.postpone(unseen)
	return in, nil
}

// postpone leaves files alone that may have been moved here from a folder that
// could not be looked into; and with them those of the same content that are
// missing, for one of them may be such a file.
func (r *run) postpone(unseen map[mail.Digest]bool) {
	if len(unseen) == 0 {
		return
	}
	var in mail.FolderName
	for _, f := range r.folders {
		known := map[mail.Key]bool{}
		for _, row := range f.Base {
			known[row.Key] = true
		}
		for key, l := range f.Local.Messages {
			if !known[key] && l.Content != nil && unseen[l.Content.Digest] {
				delete(f.Local.Messages, key)
				r.trouble(f.Name)
				in = f.Name
			}
		}
	}
	for _, f := range r.folders {
		for _, row := range f.Base {
			if _, there := f.Local.Messages[row.Key]; in != "" && !there && row.Key != "" && unseen[row.Content.Digest] {
				f.Local.Doubt = mayLieIn(in)
			}
		}
	}
}

// newDigests are the contents of the files that no row of the folder has.
func newDigests(f *folder) []mail.Digest {
	var digests []mail.Digest
	for _, l := range f.Local.Messages {
		if l.Content != nil && !l.Edited {
			digests = append(digests, l.Content.Digest)
		}
	}
	return digests
}

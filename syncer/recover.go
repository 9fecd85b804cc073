package syncer

import (
	"context"
	"fmt"

	"imapsync/mail"
)

// recover settles the intents an earlier run left: a copy that was made is
// adopted, one that was not is forgotten.
func (r *run) recover(ctx context.Context) error {
	intents, err := r.State.Intents(ctx)
	if err != nil || len(intents) == 0 || r.foreign {
		return err
	}
	if r.opt.DryRun {
		r.note("", fmt.Sprintf("an earlier run was cut short in the middle of %d copies; the next run settles them first", len(intents)))
		return nil
	}
	records, err := r.State.Folders(ctx)
	if err != nil {
		return err
	}
	validity := map[mail.FolderName]uint32{}
	for _, rec := range records {
		validity[rec.Folder] = rec.Mark.UIDValidity
	}
	downloads, uploads := map[mail.FolderName][]*mail.Intent{}, map[mail.FolderName][]*mail.Intent{}
	for _, in := range intents {
		switch {
		case r.moved || in.Kind == mail.IntentDownload && in.UIDValidity != validity[in.Folder]:
			// The UIDs mean nothing any more; both copies are new and are
			// matched by identity.
			if err := r.commit(mail.Batch{SettleIntents: []*mail.Intent{in}}); err != nil {
				return err
			}
		case in.Kind == mail.IntentDownload:
			downloads[in.Folder] = append(downloads[in.Folder], in)
		default:
			uploads[in.Folder] = append(uploads[in.Folder], in)
		}
	}
	if err := r.recoverDownloads(ctx, downloads); err != nil {
		return err
	}
	return r.recoverUploads(ctx, uploads)
}

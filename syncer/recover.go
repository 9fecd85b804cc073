package syncer

import (
	"context"
	"errors"
	"fmt"

	"imapsync/mail"
)

// recover settles the intents an earlier run left: a copy that was made is
// adopted, one that was not is forgotten.
func (r *run) recover(ctx context.Context) error {
	if err := r.recoverRemovals(ctx); err != nil {
		return err
	}
	intents, err := r.State.Intents(ctx)
	if err != nil || len(intents) == 0 || r.foreign {
		return err
	}
	if r.opt.DryRun {
		r.note("", fmt.Sprintf("an earlier run was cut short in the middle of %d copies; the next run settles them first", len(intents)))
		return nil
	}
	if err := r.openLog(); err != nil {
		return err
	}
	r.outdate()
	records, err := r.folderRecords(ctx)
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

// recoverRemovals forgets the messages whose files a run removed that was cut
// short before it could record that. If the server has one of them after all,
// because it only seemed to be gone there, it is new then and comes back.
func (r *run) recoverRemovals(ctx context.Context) error {
	rows, err := r.State.Removing(ctx)
	if err != nil || len(rows) == 0 || r.opt.DryRun || r.foreign {
		return err
	}
	records, err := r.folderRecords(ctx)
	if err != nil {
		return err
	}
	if err := r.openLog(); err != nil {
		return err
	}
	if _, err := r.Local.Folders(ctx); err != nil {
		return err
	}
	hidden, unsettled := map[mail.FolderName]bool{}, map[mail.FolderName]bool{}
	for _, rec := range records {
		hidden[rec.Folder] = r.Local.LeftOut(rec) != nil
	}
	var b mail.Batch
	for _, row := range rows {
		if hidden[row.Folder] { // whether its files are gone, the next run may see
			continue
		}
		_, err := r.Local.Stat(ctx, row.Folder, row.Key, row.Flags)
		switch {
		case err == nil:
			b.Staying = append(b.Staying, row)
		case errors.Is(err, mail.ErrChanged):
			b.Drop = append(b.Drop, row)
			unsettled[row.Folder] = true
		case accountScope(err) || ctx.Err() != nil:
			return err
		}
	}
	for _, rec := range records {
		if unsettled[rec.Folder] {
			b.Folders = append(b.Folders, unsettledRecord(rec.Folder, rec.Mark.UIDValidity))
		}
	}
	return r.commit(b)
}

// recovered is the history line of a copy that an earlier run made and did not
// come to record.
func recovered(in *mail.Intent, row *mail.Base) mail.Entry {
	return mail.Entry{Folder: row.Folder, Key: row.Key, UID: row.UID, Action: string(in.Kind), Rule: "interrupted",
		Reason: "found where an earlier run had put it that was cut short"}
}

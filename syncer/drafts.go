package syncer

import (
	"context"
	"slices"
	"strings"

	"imapsync/mail"
)

// watchDrafts looks at the files of drafts, which mail programs write in place:
// that changes neither the file's name nor, mostly, its directory's time. Other
// messages are looked at in full checks only. It is done once for those in folders
// that are for drafts by their names, before they are scanned, and again for those
// that the server says are.
func (r *run) watchDrafts(ctx context.Context, holdsDrafts func(*folder) bool) error {
	var folders []mail.FolderName
	for _, f := range r.sorted() {
		if holdsDrafts(f) {
			folders = append(folders, f.Name)
		}
	}
	rows, err := r.State.Drafts(ctx, folders)
	if err != nil {
		return err
	}
	for _, row := range rows {
		f := r.folders[row.Folder]
		if f == nil || f.loaded == nil && !f.Local.Exists || row.Key == "" || f.rewritten {
			continue
		}
		stamp, err := r.Local.Stat(ctx, row.Folder, row.Key, row.Flags)
		if accountScope(err) || ctx.Err() != nil {
			return err
		}
		f.rewritten = err != nil || stamp != row.File
	}
	return nil
}

// marksDrafts reports whether the folder is the one for drafts by SPECIAL-USE (RFC
// 6154) alone.
func (f *folder) marksDrafts() bool {
	isDrafts := func(attr string) bool { return strings.EqualFold(attr, `\Drafts`) }
	return f.remote != nil && slices.ContainsFunc(f.remote.Attrs, isDrafts) && !f.namesDrafts()
}

// forDrafts reports it by either.
func (f *folder) forDrafts() bool { return f.marksDrafts() || f.namesDrafts() }

// namesDrafts reports it by the name that most mail programs give it.
func (f *folder) namesDrafts() bool {
	components := f.Name.Components()
	return strings.EqualFold(components[len(components)-1], "Drafts")
}

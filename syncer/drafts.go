package syncer

import (
	"context"
	"slices"
	"strings"

	"imapsync/mail"
)

// watchDrafts looks at the files of drafts, which mail programs write in place:
// that changes neither the file's name nor, mostly, its directory's time. Other
// messages are looked at in full checks only.
func (r *run) watchDrafts(ctx context.Context) error {
	var folders []mail.FolderName
	for _, f := range r.sorted() {
		if f.holdsDrafts() {
			folders = append(folders, f.Name)
		}
	}
	rows, err := r.State.Drafts(ctx, folders)
	if err != nil {
		return err
	}
	for _, row := range rows {
		f := r.folders[row.Folder]
		if f == nil || !f.Local.Exists || row.Key == "" || f.rewritten {
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

// holdsDrafts reports whether the folder is the one for drafts: by SPECIAL-USE
// (RFC 6154), or by the name that most mail programs give it.
func (f *folder) holdsDrafts() bool {
	isDrafts := func(attr string) bool { return strings.EqualFold(attr, `\Drafts`) }
	if f.remote != nil && slices.ContainsFunc(f.remote.Attrs, isDrafts) {
		return true
	}
	components := f.Name.Components()
	return strings.EqualFold(components[len(components)-1], "Drafts")
}

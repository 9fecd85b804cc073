package syncer

import (
	"context"

	"imapsync/mail"
)

// holdings is what a folder has: the contents of its files by their keys. One that
// stands for a kept message is taken out, so that of two equal messages that were
// deleted, and one that came back, the other is put back.
type holdings map[mail.Key]mail.Content

// holdings looks at the folder. The files of the keys that are to be put back are
// left out, for an undo that was cut short may have put them there.
func (u *undo) holdings(ctx context.Context, name mail.FolderName, kept []mail.Kept, snap mail.LocalSnapshot) (holdings, error) {
	rows, err := u.State.Rows(ctx, name)
	if err != nil {
		return nil, err
	}
	for _, k := range kept {
		delete(snap.Messages, k.Key)
	}
	there := holdings{}
	for _, row := range rows {
		if _, ok := snap.Messages[row.Key]; ok {
			there[row.Key] = row.Content
		}
	}
	for key := range snap.Messages {
		if _, known := there[key]; known {
			continue
		}
		content, _, _, err := u.Local.Read(ctx, name, key)
		if accountScope(err) || ctx.Err() != nil {
			return nil, firstOf(ctx.Err(), err)
		}
		if err == nil {
			there[key] = content
		}
	}
	return there, nil
}

// message puts one message back, unless its folder has it: another client may have
// restored it on the server, and once more would be a double on both sides.
func (u *undo) message(ctx context.Context, k mail.Kept, there holdings) (returned, error) {
	content, err := u.keeper.Content(ctx, k)
	if err != nil {
		return returned{}, err
	}
	for key, c := range there {
		if !sameOrStub(content, c) {
			continue
		}
		now, _, _, err := u.Local.Read(ctx, k.Folder, key)
		if err != nil || !sameOrStub(content, now) { // gone, or rewritten since the row was made
			delete(there, key)
			continue
		}
		delete(there, key)
		return returned{k, key, true}, nil
	}
	key, err := u.keeper.Restore(ctx, k)
	if err == nil && u.run == NoRun { // of several runs, which may have deleted the same message
		there[key] = content
	}
	return returned{Kept: k, as: key}, err
}

// sameOrStub reports whether a file of the folder is the kept message, or what a
// kept stub stands for.
func sameOrStub(kept, there mail.Content) bool {
	return kept.SameMessage(there) || kept.StandsFor(there)
}

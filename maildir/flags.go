package maildir

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"imapsync/mail"
)

// SetFlags takes flags away from and adds flags to whatever the file has now; a
// flag in both is added. A file in new/ that gets a flag moves to cur/, nothing
// else leaves new/. Keywords for which the folder has no letter left are left
// out (LocalSnapshot.Space says so beforehand). mail.ErrChanged when the file is
// gone. Durable after Sync.
func (m *Maildir) SetFlags(ctx context.Context, name mail.FolderName, key mail.Key, add, remove mail.Flags) error {
	f, err := m.folder(name)
	if err != nil {
		return err
	}
	if words := add.Keywords(); len(words) > 0 {
		if _, err := f.withKeywords(ctx, words); err != nil {
			return err
		}
	}
	err = f.onFile(ctx, key, func(p place) error {
		n := parseName(p.file)
		t, err := f.tableFor(n.letters, add.Union(remove))
		if err != nil {
			return err
		}
		before := n.letters
		n.letters = t.change(before, add, remove)
		if n.letters == before {
			return f.still(p)
		}
		gained := t.change(before, add, mail.Flags{}) != before
		to := place{inNew: p.inNew && !gained}
		to.file = n.file(to.inNew)
		err = renameNew(f.at(p), f.at(to))
		if errors.Is(err, fs.ErrExist) && sameFile(f.at(p), f.at(to)) {
			err = os.Remove(f.at(p)) // what an interrupted linkNew left
		}
		if err == nil {
			f.moved(key, to)
		}
		return err
	})
	return f.message(key, "set flags", err)
}

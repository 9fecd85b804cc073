package maildir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"imapsync/mail"
)

// Move moves a file to another folder, keeping its key if it is free there, its
// flags and its place in new; equal files of that key go. A file of that key and content there is what a
// move that was cut short left: then only the first goes. mail.ErrChanged when
// the file is gone. Durable after Sync of the other folder and then of this one.
func (m *Maildir) Move(ctx context.Context, name mail.FolderName, key mail.Key, to mail.FolderName) (mail.Key, error) {
	const doing = "move message"
	if name == to {
		return key, nil
	}
	x, err := m.transfer(ctx, name, to)
	if err != nil {
		return "", err
	}
	as := key
	err = x.from.onFile(ctx, key, func(p place) error {
		half, err := x.halfDone(ctx, p, key)
		if half {
			return x.endHalf(p, key)
		}
		if err != nil {
			return err
		}
		q, err := x.place(ctx, p, key)
		if err != nil {
			return err
		}
		copies, _, err := x.from.copies(ctx, key, p)
		if err != nil {
			return err
		}
		if err = x.rename(p, q); errors.Is(err, fs.ErrExist) {
			if q, err = x.place(ctx, p, m.NewKey()); err == nil {
				err = x.rename(p, q)
			}
		}
		if err == nil {
			as = parseName(q.file).key
			x.from.gone(key)
			x.to.moved(as, q)
			err = x.from.unlink(copies)
		}
		return err
	})
	if errors.Is(err, mail.ErrChanged) { // or it is the other folder that is not there
		if lacking := x.to.complete(); lacking != nil {
			return "", x.to.writing("", "move message into folder", lacking)
		}
	}
	return as, x.from.message(key, doing, err)
}

// endHalf takes away the file that the other folder has already, for sure.
func (x transfer) endHalf(p place, key mail.Key) error {
	err := x.to.m.syncDirs(x.to.subdirs()...)
	if err == nil {
		err = os.Remove(x.from.at(p))
	}
	if err == nil {
		x.from.gone(key)
	}
	return err
}

// halfDone reports whether the file is in the other folder already: renameNew
// is a link and an unlink on some file systems, and a copy across two.
func (x transfer) halfDone(ctx context.Context, p place, key mail.Key) (half bool, err error) {
	if _, taken := x.to.known(key); !taken {
		return false, nil
	}
	err = x.to.onFile(ctx, key, func(q place) (err error) {
		half, err = sameContent(ctx, x.from.at(p), x.to.at(q))
		return err
	})
	if errors.Is(err, mail.ErrChanged) { // gone again
		return false, nil
	}
	return half, err
}

// noLink reports whether a hard link failed in a way that a copy need not.
func noLink(err error) bool {
	return errors.Is(err, syscall.EXDEV) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EMLINK) ||
		errors.Is(err, errors.ErrUnsupported)
}

// transfer is a message's way from one folder to another.
type transfer struct{ from, to *folder }

func (m *Maildir) transfer(ctx context.Context, name, to mail.FolderName) (x transfer, err error) {
	if err := ctx.Err(); err != nil {
		return x, err
	}
	if x.from, err = m.folder(name); err != nil {
		return x, err
	}
	if x.to, err = m.folder(to); err != nil {
		return x, err
	}
	return x, x.to.listOnce(ctx)
}

// place returns where a file goes under a key, or under a new one when that is
// taken.
func (x transfer) place(ctx context.Context, p place, key mail.Key) (place, error) {
	if _, taken := x.to.known(key); taken {
		key = x.to.m.NewKey()
	}
	return x.renamed(ctx, p, key)
}

// renamed returns the place for a file in the other folder, where letters may
// stand for other keywords. A keyword letter that says nothing here goes along
// unless it would say something there.
func (x transfer) renamed(ctx context.Context, p place, key mail.Key) (place, error) {
	n := parseName(p.file)
	n.key = key
	if hasKeywordLetter(n.letters) {
		from, err := x.from.keywords()
		if err != nil {
			return place{}, err
		}
		if n.letters, err = x.to.adopted(ctx, n.letters, from); err != nil {
			return place{}, err
		}
	}
	return place{file: n.file(p.inNew), inNew: p.inNew}, nil
}

// adopted returns what says here the same as letters say by another folder's
// table.
func (f *folder) adopted(ctx context.Context, letters string, from table) (string, error) {
	flags := from.flags(letters)
	to, err := f.withKeywords(ctx, flags.Keywords())
	if err != nil {
		return "", err
	}
	var stray []byte
	for i := 0; i < len(letters); i++ {
		if c := letters[i]; from.meaning(c).IsEmpty() && to.meaning(c).IsEmpty() {
			stray = append(stray, c)
		}
	}
	return to.change(string(stray), flags, mail.Flags{}), nil
}

// rename moves the file, by a copy where the folders are on different file
// systems. When the file was renamed under the copy, the copy goes again.
func (x transfer) rename(p, q place) error {
	from, to := x.from.at(p), x.to.at(q)
	err := renameNew(from, to)
	if !errors.Is(err, syscall.EXDEV) {
		return err
	}
	if err = x.to.complete(); err != nil {
		return err
	}
	err = copyFile(from, x.to.tmp(parseName(q.file).key), to, x.to.m.fsync)
	if err == nil {
		err = x.to.m.syncDirs(filepath.Dir(to))
	}
	if err == nil {
		if err = os.Remove(from); err != nil {
			os.Remove(to)
		}
	}
	return err
}

func (f *folder) subdirs() []string {
	return []string{filepath.Join(f.path, "cur"), filepath.Join(f.path, "new")}
}

package maildir

import (
	"context"
	"errors"
	"os"

	"imapsync/mail"
)

// Link stores one message that another file of the Maildir has as a hard link to
// it, which costs neither the bytes nor an fsync. mail.ErrChanged where that file
// is gone, or is not exactly as it was when the stamp was taken, or has not the
// date for its mtime, by which a delivery that was cut short is recognised.
func (d *Delivery) Link(n mail.NewFile, from mail.FolderName, key mail.Key, stamp mail.FileStamp) error {
	const doing = "link message"
	if err := checkKey(n.Key); err != nil {
		return d.f.message(n.Key, doing, err)
	}
	source, err := d.f.m.folder(from)
	if err != nil {
		return err
	}
	tmp := d.f.tmp(n.Key)
	err = source.onFile(context.Background(), key, func(p place) error { return os.Link(source.at(p), tmp) })
	if err != nil {
		return source.message(key, doing, err)
	}
	fi, err := os.Lstat(tmp)
	if err == nil && ((mail.FileStamp{Size: fi.Size(), MTime: fi.ModTime().UnixNano()}) != stamp || fi.ModTime().Unix() != n.Date.Unix()) {
		err = mail.ErrChanged
	}
	if err != nil {
		return errors.Join(d.f.message(n.Key, doing, err), os.Remove(tmp))
	}
	d.files = append(d.files, &newFile{NewFile: n})
	return nil
}

package maildir

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"imapsync/mail"
)

// Duplicate stores one message that another file of the Maildir has, without its
// bytes crossing the link. It is a file of its own, not a second name, for what a
// program writes into one of them in place is not meant for the other. mail.ErrChanged
// where that file is gone, or is not exactly as it was when the stamp was taken.
func (d *Delivery) Duplicate(n mail.NewFile, from mail.FolderName, key mail.Key, stamp mail.FileStamp) (mail.FileStamp, error) {
	const doing = "duplicate message"
	if err := checkKey(n.Key); err != nil {
		return mail.FileStamp{}, d.f.message(n.Key, doing, err)
	}
	source, err := d.f.m.folder(from)
	if err != nil {
		return mail.FileStamp{}, err
	}
	var in *rawFile
	err = source.onFile(context.Background(), key, func(p place) (err error) {
		in, err = openFile(source.at(p))
		return err
	})
	if err != nil {
		return mail.FileStamp{}, source.message(key, doing, err)
	}
	defer in.Close()
	tmp := d.f.tmp(n.Key)
	file, err := createFile(tmp)
	if err != nil {
		return mail.FileStamp{}, d.f.writing(n.Key, doing, err)
	}
	if err = copyUnchanged(file, in, stamp); err == nil && hasFileTime(n.Date) {
		err = os.Chtimes(tmp, time.Time{}, n.Date)
	}
	var copied fileInfo
	if err == nil {
		copied, err = file.stat()
	}
	if err != nil {
		_ = file.Close()
	} else {
		err = d.finish(file, n)
	}
	if err != nil {
		os.Remove(tmp)
	}
	if errors.Is(err, mail.ErrChanged) {
		return mail.FileStamp{}, d.f.message(n.Key, doing, err)
	}
	return copied.FileStamp, d.f.writing(n.Key, doing, err)
}

// copyUnchanged copies a file that must have the stamp before and after.
func copyUnchanged(to io.Writer, from *rawFile, stamp mail.FileStamp) error {
	as := func() bool {
		now, err := from.stat()
		return err == nil && now.FileStamp == stamp
	}
	if !as() {
		return mail.ErrChanged
	}
	n, err := io.Copy(to, from)
	if err == nil && (n != stamp.Size || !as()) {
		err = mail.ErrChanged
	}
	return err
}

package maildir

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"imapsync/mail"
)

// grade makes err a fault of the given scope, or of the account where what
// failed would fail for every folder. It passes on nil, faults and the errors of
// a context.
func grade(scope mail.Scope, folder mail.FolderName, key mail.Key, doing string, err error) error {
	var already *mail.Fault
	if err == nil || errors.As(err, &already) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	f := &mail.Fault{Scope: scope, Folder: folder, Message: string(key), Doing: doing, Err: err}
	switch {
	case errors.Is(err, mail.ErrChanged):
		f.Scope = mail.ScopeMessage
	case errors.Is(err, syscall.ENOSPC):
		f.Scope, f.Hint = mail.ScopeAccount, "the disk is full: make room and run again"
	case errors.Is(err, syscall.EDQUOT):
		f.Scope, f.Hint = mail.ScopeAccount, "the disk quota is used up: make room and run again"
	case errors.Is(err, syscall.EROFS):
		f.Scope, f.Hint = mail.ScopeAccount, "the file system is mounted read-only"
	case errors.Is(err, syscall.EIO):
		f.Scope, f.Hint = mail.ScopeAccount, "the disk reports an error: look at the kernel's log"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		f.Scope, f.Hint = mail.ScopeAccount, "too many open files: raise the limit (ulimit -n)"
	case errors.Is(err, fs.ErrPermission):
		f.Hint = "check the owner and mode of the file and its directories"
	case errors.Is(err, syscall.ENOTDIR) && scope == mail.ScopeFolder:
		f.Hint = "a file is where a directory must be: move it away"
	case errors.Is(err, syscall.ENAMETOOLONG):
		f.Hint = "the name is longer than the file system allows"
	}
	return f
}

// message, inFolder and account grade an error that costs as much.
func (f *folder) message(key mail.Key, doing string, err error) error {
	return grade(mail.ScopeMessage, f.name, key, doing, err)
}

func (f *folder) inFolder(doing string, err error) error {
	return grade(mail.ScopeFolder, f.name, "", doing, err)
}

// writing grades an error of creating files, of one message where key is given,
// unless no other file could be made there either.
func (f *folder) writing(key mail.Key, doing string, err error) error {
	hinders := errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOTDIR)
	if key == "" || hinders {
		return f.inFolder(doing, err)
	}
	return f.message(key, doing, err)
}

func account(doing string, err error) error {
	return grade(mail.ScopeAccount, "", "", doing, err)
}

package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"imapsync/mail"
)

// Dovecot changes dovecot-keywords only while it holds dovecot-uidlist.lock,
// writes dovecot-keywords.lock and renames it into place; the modification time
// must grow by whole seconds for others to notice (maildir-keywords.c). A lock
// file holds "PID:HOST" and is stale after two minutes, or at once when its
// process of this host is dead. One that holds nothing is from a process that
// was killed, or lost the power, before it could say who it is: an instant
// after it made the file.
const (
	uidList      = "dovecot-uidlist"
	keywordsLock = uidList + ".lock"
	lockStale    = 2 * time.Minute
	lockOwned    = 2 * time.Second
	lockPatience = 10 * time.Second
	lockPoll     = 50 * time.Millisecond
)

// withKeywords returns the folder's table after giving letters to those of the
// keywords that have none, as far as there is room.
func (f *folder) withKeywords(ctx context.Context, keywords []string) (table, error) {
	t, err := f.keywords()
	if err != nil || !t.lacks(keywords) {
		return t, err
	}
	f.keywordMu.Lock()
	defer f.keywordMu.Unlock()
	// The names first, then the table: whoever uses a letter has entered it first,
	// so that one in use is not taken for one whose meaning is lost.
	used, err := f.usedLetters(ctx)
	if err != nil {
		return t, err
	}
	if t, err = f.keywords(); err != nil || !t.lacks(keywords) || !t.space(used).AnyKeyword {
		return t, err
	}
	unlock, err := f.lockKeywords(ctx)
	if err != nil {
		return t, err
	}
	defer unlock()
	if t, err = f.keywords(); err != nil || !t.lacks(keywords) {
		return t, err
	}
	for _, k := range keywords {
		if i := t.free(used); i >= 0 && t.letter(k) == 0 {
			t[i] = k
		}
	}
	return t, f.inFolder("write keywords", f.writeKeywords(t))
}

func (t table) lacks(keywords []string) bool {
	for _, k := range keywords {
		if t.letter(k) == 0 {
			return true
		}
	}
	return false
}

// usedLetters returns the letters in file names as of the last listing.
func (f *folder) usedLetters(ctx context.Context) (uint32, error) {
	if err := f.listOnce(ctx); err != nil {
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.index.letters, nil
}

func (f *folder) writeKeywords(t table) error {
	path := filepath.Join(f.path, keywordsFile)
	mtime := time.Now()
	if info, err := os.Stat(path); err == nil && mtime.Unix() <= info.ModTime().Unix() {
		mtime = info.ModTime().Add(time.Second)
	}
	tmp := path + ".lock"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return writeFile(path, tmp, t.text(), &mtime)
}

// lockKeywords takes Dovecot's lock, waiting for it a while.
func (f *folder) lockKeywords(ctx context.Context) (unlock func(), err error) {
	path := filepath.Join(f.path, keywordsLock)
	owner := fmt.Sprintf("%d:%s", os.Getpid(), f.m.host)
	deadline := time.Now().Add(lockPatience)
	for {
		lock, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			_, err = lock.WriteString(owner)
			if cerr := lock.Close(); err == nil {
				err = cerr
			}
			if err != nil {
				os.Remove(path)
				return nil, f.inFolder("lock keywords", err)
			}
			return func() { os.Remove(path) }, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, f.inFolder("lock keywords", err)
		}
		if f.staleLock(path) {
			os.Remove(path)
			continue
		}
		if time.Now().After(deadline) {
			return nil, &mail.Fault{Scope: mail.ScopeFolder, Class: mail.ClassTemporary, Folder: f.name,
				Doing: "lock keywords", Err: err, Hint: "another program holds this lock; remove the file if it does not run"}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lockPoll):
		}
	}
}

// staleLock reports whether the lock's owner is surely no longer at work.
func (f *folder) staleLock(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	if time.Since(info.ModTime()) > lockStale {
		return true
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	if len(text) == 0 {
		return time.Since(info.ModTime()) > lockOwned
	}
	number, host, _ := strings.Cut(string(text), ":")
	pid, err := strconv.Atoi(number)
	return err == nil && pid > 0 && host == f.m.host && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

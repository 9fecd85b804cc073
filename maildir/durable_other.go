//go:build !linux

package maildir

import "os"

// renameNew renames a file without writing over another: EEXIST then.
func renameNew(from, to string) error { return linkNew(from, to) }

func syncAll(dir *os.File) error { return dir.Sync() }

// canSyncAll reports that only Linux has syncfs.
func canSyncAll(*os.File) (device uint64, ok bool) { return 0, false }

// hasOurClock reports that it is not known whose clock a file system has.
func hasOurClock(string) bool { return false }

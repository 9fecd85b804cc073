package maildir

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// renameNew renames a file without writing over another: EEXIST then.
func renameNew(from, to string) error {
	err := retry(func() error {
		return unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	})
	switch {
	case errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.EOPNOTSUPP):
		return linkNew(from, to) // not every file system knows RENAME_NOREPLACE (NFS)
	case err != nil:
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// syncAll makes every file of the directory's file system durable that was
// written since the directory was opened.
func syncAll(dir *os.File) error { return unix.Syncfs(int(dir.Fd())) }

// canSyncAll reports whether syncAll keeps its promise here, and the device of the
// directory's file system: the kernel tells write errors to syncfs only since 5.8,
// and network and FUSE file systems need not pass it on.
func canSyncAll(dir *os.File) (device uint64, ok bool) {
	var fs unix.Statfs_t
	var st unix.Stat_t
	ok = kernelReports() && unix.Fstatfs(int(dir.Fd()), &fs) == nil && isOurs(&fs) && unix.Fstat(int(dir.Fd()), &st) == nil
	return uint64(st.Dev), ok
}

// hasOurClock reports whether the times of a directory's changes are surely by the
// clock of this machine: over a network they are by another's.
func hasOurClock(dir string) bool {
	var st unix.Statfs_t
	return retry(func() error { return unix.Statfs(dir, &st) }) == nil && isOurs(&st)
}

// isOurs reports whether a file system is one of this kernel.
func isOurs(st *unix.Statfs_t) bool {
	switch int64(st.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, unix.TMPFS_MAGIC:
		return true
	}
	return false
}

var kernelReports = sync.OnceValue(func() bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	var major, minor int
	_, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor)
	return err == nil && (major > 5 || major == 5 && minor >= 8)
})

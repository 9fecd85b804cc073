//go:build linux

package tracer

import (
	"syscall"

	"golang.org/x/sys/unix"
)

const auditArch = unix.AUDIT_ARCH_X86_64

func init() {
	shapes[unix.SYS_OPEN] = opening(byPath(Create), 1)
	shapes[unix.SYS_LINK] = byPaths(Link)
	shapes[unix.SYS_RENAME] = byPaths(Rename)
	shapes[unix.SYS_UNLINK] = byPath(Unlink)
	shapes[unix.SYS_RMDIR] = byPath(Unlink)
	shapes[unix.SYS_MKDIR] = byPath(Mkdir)
	shapes[unix.SYS_CHMOD] = byPath(Attr)
}

// refuse makes the call at which a thread has stopped return an error without
// being carried out.
func refuse(tid int, errno syscall.Errno) error {
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &regs); err != nil {
		return err
	}
	regs.Orig_rax = ^uint64(0)
	regs.Rax = -uint64(errno)
	return unix.PtraceSetRegs(tid, &regs)
}

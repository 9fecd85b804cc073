//go:build linux

package tracer

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const auditArch = unix.AUDIT_ARCH_AARCH64

// ntARMSystemCall is the register set that holds the number of the system call
// (linux/elf.h, NT_ARM_SYSTEM_CALL).
const ntARMSystemCall = 0x404

// refuse makes the call at which a thread has stopped return an error without
// being carried out.
func refuse(tid int, errno syscall.Errno) error {
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &regs); err != nil {
		return err
	}
	regs.Regs[0] = -uint64(errno)
	if err := unix.PtraceSetRegs(tid, &regs); err != nil {
		return err
	}
	none := int32(-1)
	set := unix.Iovec{Base: (*byte)(unsafe.Pointer(&none))}
	set.SetLen(int(unsafe.Sizeof(none)))
	_, _, e := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SETREGSET, uintptr(tid), ntARMSystemCall, uintptr(unsafe.Pointer(&set)), 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

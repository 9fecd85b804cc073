//go:build linux && (amd64 || arm64)

package tracer

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// launchEnv makes Launch become the program given as the arguments.
const launchEnv = "IMAPSYNC_TRACER_LAUNCH"

// Launch does nothing in a test process. In one that Run has started it lays
// the filter and becomes the program, or exits with 126.
func Launch() {
	if os.Getenv(launchEnv) == "" {
		return
	}
	runtime.LockOSThread()
	err := filterCalls()
	if err == nil {
		env := slices.DeleteFunc(os.Environ(), func(e string) bool { return len(e) > len(launchEnv) && e[:len(launchEnv)+1] == launchEnv+"=" })
		err = syscall.Exec(os.Args[1], os.Args[1:], env)
	}
	fmt.Fprintln(os.Stderr, "tracer:", err)
	os.Exit(126)
}

// filterCalls has the kernel stop this thread, and what it becomes, at the
// calls of shapes.
func filterCalls() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	program := filterProgram()
	set := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&set))); errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	return nil
}

// filterProgram is the filter for the kernel's packet filter, which reads a
// struct seccomp_data (linux/seccomp.h).
func filterProgram() []unix.SockFilter {
	const (
		load     = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal    = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		anyBit   = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		end      = unix.BPF_RET | unix.BPF_K
		nrAt     = 0
		archAt   = 4
		argsAt   = 16
		argWidth = 8
	)
	program := []unix.SockFilter{
		{Code: load, K: archAt},
		{Code: equal, K: auditArch, Jt: 1},
		{Code: end, K: unix.SECCOMP_RET_ALLOW},
		{Code: load, K: nrAt},
	}
	for _, nr := range slices.Sorted(maps.Keys(shapes)) {
		if s := shapes[nr]; s.opens() {
			program = append(program,
				unix.SockFilter{Code: equal, K: uint32(nr), Jf: 4},
				unix.SockFilter{Code: load, K: uint32(argsAt + argWidth*s.flags)}, // the low half: both machines are little-endian
				unix.SockFilter{Code: anyBit, K: unix.O_CREAT | unix.O_TRUNC, Jf: 1},
				unix.SockFilter{Code: end, K: unix.SECCOMP_RET_TRACE},
				unix.SockFilter{Code: end, K: unix.SECCOMP_RET_ALLOW})
			continue
		}
		program = append(program,
			unix.SockFilter{Code: equal, K: uint32(nr), Jf: 1},
			unix.SockFilter{Code: end, K: unix.SECCOMP_RET_TRACE})
	}
	return append(program, unix.SockFilter{Code: end, K: unix.SECCOMP_RET_ALLOW})
}

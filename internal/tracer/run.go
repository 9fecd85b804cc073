//go:build linux && (amd64 || arm64)

package tracer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Action is what happens at the chosen step.
type Action string

// The actions.
const (
	Kill Action = "kill"      // SIGKILL before the call
	Fail Action = "fail"      // the call returns Plan.Errno and does nothing
	Cut  Action = "power cut" // Kill, then undo what is not durable; see the package comment
)

// Plan says which calls are steps and what happens at one of them.
type Plan struct {
	Dirs   []string        // calls on files elsewhere do not count; sends always do
	Counts func(Call) bool // which calls are steps; nil is all
	At     int             // the step, from 1; 0 only counts

	Do    Action
	Errno syscall.Errno   // of Fail
	Then  func(Call) bool // calls after the step that Fail too, steps or not; nil is none

	Loss    Loss   // of Cut
	Scratch string // for Cut: a directory on the file system of Dirs, outside them

	Limit time.Duration // a run that takes longer is made to show its goroutines, and then killed
}

// Result is how the run ended.
type Result struct {
	Code           int // exit code, -1 after a signal
	Stdout, Stderr string
	Steps          []Call
	Struck         *Call // the step at which the action was taken; nil if the run had fewer
	Hung           bool
}

// Run runs a program, given by its path and arguments, to its end. An error
// says that it could not be traced; errors.Is ErrNotPermitted where the system
// does not allow it.
func Run(plan Plan, program ...string) (Result, error) {
	type end struct {
		Result
		err error
	}
	done := make(chan end)
	go func() {
		// Only the thread that has started a program may trace it. It is not
		// unlocked, so it ends with this run and takes along what it traces.
		runtime.LockOSThread()
		r, err := trace(plan, program)
		done <- end{r, err}
	}()
	e := <-done
	return e.Result, e.err
}

// ErrNotPermitted says that this process may not trace others.
var ErrNotPermitted = errors.New("tracing is not permitted here")

// tracer is one run.
type tracer struct {
	plan   Plan
	pid    int
	known  map[int]bool // threads that have made their first stop
	disk   *disk        // nil unless the power is to be cut
	result Result
	err    error // the first
}

func trace(plan Plan, program []string) (Result, error) {
	t := &tracer{plan: plan, known: map[int]bool{}}
	if plan.Do == Cut {
		t.disk = newDisk(plan)
	}
	output, err := t.start(program)
	if err != nil {
		return t.result, err
	}
	watchdog := time.AfterFunc(plan.Limit, func() { _ = syscall.Kill(t.pid, syscall.SIGQUIT) })
	killer := time.AfterFunc(plan.Limit+10*time.Second, func() { _ = syscall.Kill(t.pid, syscall.SIGKILL) })
	t.watch()
	t.result.Hung = !watchdog.Stop()
	killer.Stop()
	output.Wait()
	if t.err == nil && t.disk != nil && t.result.Struck != nil {
		t.err = t.disk.cut()
	}
	return t.result, t.err
}

// start starts the program and stops it at its first instruction.
func (t *tracer) start(program []string) (output *sync.WaitGroup, err error) {
	output = &sync.WaitGroup{}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return output, err
	}
	defer null.Close()
	files := []uintptr{null.Fd()}
	for _, text := range []*string{&t.result.Stdout, &t.result.Stderr} {
		r, w, err := os.Pipe()
		if err != nil {
			return output, err
		}
		defer w.Close()
		files = append(files, w.Fd())
		output.Go(func() {
			all, _ := io.ReadAll(r)
			*text = string(all)
			r.Close()
		})
	}
	self, err := os.Executable()
	if err != nil {
		return output, err
	}
	t.pid, err = syscall.ForkExec(self, append([]string{self}, program...), &syscall.ProcAttr{
		Env: append(os.Environ(), launchEnv+"=1"), Files: files, Sys: &syscall.SysProcAttr{Ptrace: true, Setpgid: true},
	})
	if err != nil {
		return output, notPermitted(err)
	}
	var status unix.WaitStatus
	if _, err := wait(t.pid, &status); err != nil {
		return output, err
	}
	t.known[t.pid] = true
	const options = unix.PTRACE_O_EXITKILL | unix.PTRACE_O_TRACESECCOMP | unix.PTRACE_O_TRACESYSGOOD |
		unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACEEXEC
	if err := unix.PtraceSetOptions(t.pid, options); err != nil {
		return output, notPermitted(err)
	}
	return output, unix.PtraceCont(t.pid, 0)
}

func notPermitted(err error) error {
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) {
		return fmt.Errorf("%w: %w", ErrNotPermitted, err)
	}
	return err
}

// wait waits for a stop or the end of a thread of this run; a process group,
// below zero, stands for any: this process has other children, and others wait
// for those.
func wait(tid int, status *unix.WaitStatus) (int, error) {
	for {
		got, err := unix.Wait4(tid, status, unix.WALL|unix.WNOTHREAD, nil)
		if !errors.Is(err, syscall.EINTR) {
			return got, err
		}
	}
}

// watch lets the program run until all of it has ended.
func (t *tracer) watch() {
	for {
		var status unix.WaitStatus
		tid, err := wait(-t.pid, &status)
		if err != nil { // ECHILD
			return
		}
		t.event(tid, status)
	}
}

// event deals with a thread's stop and lets it go on.
func (t *tracer) event(tid int, status unix.WaitStatus) {
	if !status.Stopped() {
		if tid == t.pid {
			t.result.Code = status.ExitStatus()
		}
		return
	}
	signal := status.StopSignal()
	switch first := !t.known[tid]; {
	case first && signal == unix.SIGSTOP:
		t.known[tid] = true
		signal = 0
	case signal == unix.SIGTRAP && status>>16 == unix.PTRACE_EVENT_SECCOMP:
		t.call(tid)
		return
	case signal == unix.SIGTRAP || signal == unix.SIGTRAP|0x80:
		signal = 0
	}
	_ = unix.PtraceCont(tid, int(signal)) // fails only when the thread has been killed
}

// syscallInfo is struct ptrace_syscall_info (linux/ptrace.h).
type syscallInfo struct {
	op   uint8
	_    [3]uint8
	arch uint32
	_    [2]uint64 // instruction and stack pointers
	nr   uint64    // or the value returned
	args [6]uint64 // meaningless on return
	_    [2]uint64 // what later kernels add
}

func info(tid int) (i syscallInfo, err error) {
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(tid), unsafe.Sizeof(i), uintptr(unsafe.Pointer(&i)), 0, 0)
	if errno != 0 {
		return i, errno
	}
	return i, nil
}

// call deals with a thread that is about to make one of the calls of shapes.
func (t *tracer) call(tid int) {
	i, err := info(tid)
	if err != nil { // killed
		return
	}
	stopped := &tracee{proc: fmt.Sprintf("/proc/%d", tid), tid: tid, args: i.args}
	c, counts := stopped.call(int(i.nr))
	if !counts || c.Kind != Send && !slices.ContainsFunc(t.plan.Dirs, c.Under) {
		_ = unix.PtraceCont(tid, 0)
		return
	}
	struck := t.result.Struck != nil
	if !struck && (t.plan.Counts == nil || t.plan.Counts(c)) {
		t.result.Steps = append(t.result.Steps, c)
		if len(t.result.Steps) == t.plan.At {
			t.result.Struck = &c
		}
	}
	switch {
	case t.result.Struck == nil:
		t.carryOut(tid, c)
	case t.plan.Do == Fail:
		if !struck || t.plan.Then != nil && t.plan.Then(c) {
			t.fail(refuse(tid, t.plan.Errno))
		}
		_ = unix.PtraceCont(tid, 0)
	default: // a thread that is killed while it stands here does not make the call
		_ = syscall.Kill(t.pid, syscall.SIGKILL)
	}
}

// carryOut lets the call be made, and waits for what becomes of it where the
// disk has to know.
func (t *tracer) carryOut(tid int, c Call) {
	if t.disk == nil || c.Kind == Send {
		_ = unix.PtraceCont(tid, 0)
		return
	}
	t.fail(t.disk.before(&c))
	if unix.PtraceSyscall(tid, 0) != nil {
		return
	}
	var status unix.WaitStatus
	if _, err := wait(tid, &status); err != nil {
		return
	}
	if !status.Stopped() || status.StopSignal() != unix.SIGTRAP|0x80 {
		t.event(tid, status)
		return
	}
	if i, err := info(tid); err == nil && int64(i.nr) >= 0 {
		t.disk.after(c)
	}
	_ = unix.PtraceCont(tid, 0)
}

func (t *tracer) fail(err error) {
	if t.err == nil && err != nil && !errors.Is(err, syscall.ESRCH) {
		t.err = err
	}
}

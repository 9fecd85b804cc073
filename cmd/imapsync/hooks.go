package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"imapsync/mail"
	"imapsync/maildir"
	"imapsync/plan"
	"imapsync/syncer"
)

// news is what a run did, as its hooks are told.
type news struct {
	counts  map[plan.Kind]int // of what changed a side
	changes int
	arrived []arrival
	unseen  int      // of these
	files   []string // of these, those that are still there
}

// arrival is a message that was downloaded.
type arrival struct {
	folder mail.FolderName
	key    mail.Key
}

// newNews returns nil, which keeps nothing, where no hook is configured.
func (l *lane) newNews() *news {
	if l.Hooks.AfterSync+l.Hooks.OnNewMail+l.Hooks.OnError == "" {
		return nil
	}
	return &news{counts: map[plan.Kind]int{}}
}

// done counts an operation that was carried out.
func (n *news) done(o *plan.Op) {
	if n == nil {
		return
	}
	switch o.Kind {
	case plan.Pair, plan.Leave, plan.Forget, plan.ForgetFolder, plan.RenameFolder:
		return // of the record alone
	case plan.SetFlags:
		if !o.OnLocal && !o.OnRemote {
			return
		}
	case plan.Download, plan.CopyLocal:
		n.arrived = append(n.arrived, arrival{o.Row.Folder, o.Row.Key})
		if o.Row.Flags.System&mail.Seen == 0 {
			n.unseen++
		}
	}
	n.counts[o.Kind]++
	n.changes++
}

// locate finds the files of what arrived: a mail reader may have renamed or
// moved them meanwhile. Only the root's own path can hold a line end, and
// lines cannot tell such paths.
func (n *news) locate(ctx context.Context, dir *maildir.Maildir) {
	if n == nil {
		return
	}
	n.files = nil
	for _, a := range n.arrived {
		if path, err := dir.Path(ctx, a.folder, a.key); err == nil && !strings.ContainsAny(path, "\r\n") {
			n.files = append(n.files, path)
		}
	}
}

// hookObject is the event "hook".
type hookObject struct {
	head
	Hook    string  `json:"hook"`
	Error   string  `json:"error,omitempty"`
	Seconds float64 `json:"seconds"`
}

// hookRun is what a hook is told.
type hookRun struct {
	*lane
	*news
	hook   string
	code   int
	report *syncer.Report
	err    error
}

// hookVariables are the environment variables of a hook.
var hookVariables = []struct {
	name, text string
	value      func(h *hookRun) string
}{
	{"IMAPSYNC_ACCOUNT", "The account's name.", func(h *hookRun) string { return h.Name }},
	{"IMAPSYNC_MAILDIR", "The root of its Maildir.", func(h *hookRun) string { return h.Maildir }},
	{"IMAPSYNC_HOOK", "Which hook it is: after_sync, on_new_mail or on_error.", func(h *hookRun) string { return h.hook }},
	{"IMAPSYNC_CONFIG", "The configuration where -c or this variable named one, so that imapsync reads the same in a hook.", (*hookRun).config},
	{"IMAPSYNC_OUTCOME", "done, held, failed or interrupted.", func(h *hookRun) string { return outcomeOf(h.code) }},
	{"IMAPSYNC_EXIT", "The exit code that this account alone would give.", func(h *hookRun) string { return strconv.Itoa(h.code) }},
	{"IMAPSYNC_NEW", "How many messages were downloaded. The paths of their files are on standard input, one a line, absolute, but for " +
		"files that are gone already. Line ends in folder names are written as %0A; where maildir itself holds one, no paths are given.",
		func(h *hookRun) string { return strconv.Itoa(len(h.arrived)) }},
	{"IMAPSYNC_UNSEEN", "How many of these were not read yet.", func(h *hookRun) string { return strconv.Itoa(h.unseen) }},
	{"IMAPSYNC_UPLOADED", "How many messages were uploaded.", func(h *hookRun) string { return h.count(plan.Upload) }},
	{"IMAPSYNC_FLAGGED", "How many messages got other flags, on either side.", func(h *hookRun) string { return h.count(plan.SetFlags) }},
	{"IMAPSYNC_MOVED", "How many messages were moved or copied to another folder, on either side.",
		func(h *hookRun) string { return h.count(plan.MoveLocal, plan.MoveRemote, plan.CopyRemote) }},
	{"IMAPSYNC_DELETED", "How many messages were deleted, on either side.",
		func(h *hookRun) string { return h.count(plan.DeleteLocal, plan.DeleteRemote) }},
	{"IMAPSYNC_CHANGES", "How many changes were made in all, those of folders among them.", func(h *hookRun) string { return strconv.Itoa(h.changes) }},
	{"IMAPSYNC_HELD", "How many deletions are held.", func(h *hookRun) string { return strconv.Itoa(heldIn(h.report)) }},
	{"IMAPSYNC_FAILURES", "How many messages and folders failed.", func(h *hookRun) string { return strconv.Itoa(len(h.report.Failures)) }},
	{"IMAPSYNC_ERROR", "The first error in words; empty where there was none.", (*hookRun).firstError},
}

func (h *hookRun) count(kinds ...plan.Kind) string {
	n := 0
	for _, k := range kinds {
		n += h.counts[k]
	}
	return strconv.Itoa(n)
}

func (h *hookRun) config() string {
	if h.configFile == "" {
		return os.Getenv("IMAPSYNC_CONFIG")
	}
	file, err := filepath.Abs(h.configFile)
	if err != nil {
		return h.configFile
	}
	return file
}

func (h *hookRun) firstError() string {
	err := h.err
	if len(h.report.Failures) > 0 {
		err = h.report.Failures[0]
	}
	if err == nil {
		return ""
	}
	return strings.Join(strings.Fields(plain(err.Error())), " ")
}

func heldIn(r *syncer.Report) int {
	held := 0
	for _, h := range r.Held {
		held += h.Count
	}
	return held
}

// runHooks runs the hooks that are due after a run, in turn with those of other
// accounts. That one fails is told, and changes nothing of the run's outcome.
func (l *lane) runHooks(ctx context.Context, n *news, report *syncer.Report, err error, code int) {
	if n == nil {
		return
	}
	if report == nil {
		report = &syncer.Report{}
	}
	failed := code != exitDone && code != exitBusy && code != exitInterrupted
	for _, due := range []struct {
		name, command string
		is            bool
	}{
		{"after_sync", l.Hooks.AfterSync, n.changes > 0 || l.Hooks.Always && code != exitBusy},
		{"on_new_mail", l.Hooks.OnNewMail, len(n.arrived) > 0},
		{"on_error", l.Hooks.OnError, failed},
	} {
		if due.is && due.command != "" {
			h := &hookRun{l, n, due.name, code, report, err}
			h.show(ctx, due.command)
		}
	}
}

// show runs one hook and tells how it went.
func (h *hookRun) show(ctx context.Context, command string) {
	h.hooking.Lock()
	defer h.hooking.Unlock()
	began := h.now()
	err := h.exec(ctx, command)
	object := hookObject{head: h.out.head("hook", h.Name), Hook: h.hook, Seconds: h.now().Sub(began).Seconds()}
	if err != nil {
		object.Error = err.Error()
		h.out.line(h.out.stderr, fmt.Sprintf("%s: %s: the hook %s: %v; the sync itself is not affected", programName, h.Name, h.hook, err))
	}
	h.out.object(object)
}

// hookGrace is how long a hook that is stopped, or what one left behind that
// keeps its output open, is waited for.
const hookGrace = 2 * time.Second

// exec runs a hook in a process group of its own (setpgid(2)), so that what it
// started is stopped with it. One that begins after an interruption may finish:
// nobody would tell it of those messages again.
func (h *hookRun) exec(ctx context.Context, command string) error {
	if ctx.Err() != nil {
		ctx = context.WithoutCancel(ctx)
	}
	limited, cancel := context.WithTimeout(ctx, h.Hooks.Timeout)
	defer cancel()
	said := &lines{out: h.out}
	defer said.flush()
	cmd := exec.CommandContext(limited, "sh", "-c", command)
	cmd.Env = os.Environ()
	for _, v := range hookVariables {
		cmd.Env = append(cmd.Env, v.name+"="+v.value(h))
	}
	var paths strings.Builder
	for _, f := range h.files {
		paths.WriteString(f + "\n")
	}
	cmd.Stdin = strings.NewReader(paths.String())
	cmd.Stdout, cmd.Stderr = said, said
	cmd.WaitDelay = hookGrace
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	signal := func(s syscall.Signal) error { return syscall.Kill(-cmd.Process.Pid, s) }
	cmd.Cancel = func() error { return signal(syscall.SIGTERM) }
	err := cmd.Run()
	switch {
	case limited.Err() != nil && cmd.Process != nil:
		_ = signal(syscall.SIGKILL) // whoever is left
		if ctx.Err() != nil {
			return errInterrupted
		}
		return fmt.Errorf("it was stopped, for it took longer than %v", h.Hooks.Timeout)
	case errors.Is(err, exec.ErrWaitDelay):
		return nil // the command itself ended well
	}
	return err
}

// lines passes what a command prints on to standard error, line by line.
type lines struct {
	out  *output
	rest []byte
}

// maxHookLine is how much of a line is gathered before it is passed on.
const maxHookLine = 64 << 10

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		i := bytes.IndexByte(l.rest, '\n')
		if i < 0 {
			break
		}
		l.out.line(l.out.stderr, string(l.rest[:i]))
		l.rest = l.rest[i+1:]
	}
	if len(l.rest) > maxHookLine {
		l.flush()
	}
	return len(p), nil
}

// flush passes on a last line without an end.
func (l *lines) flush() {
	if len(l.rest) > 0 {
		l.out.line(l.out.stderr, string(l.rest))
		l.rest = nil
	}
}

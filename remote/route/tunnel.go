package route

import (
	"context"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"imapsync/remote/wire"
)

// grace is how long a command may take to end by itself when its connection is
// closed, and once more when it was told to end, before it is killed.
const grace = time.Second

// Tunnel makes connections out of processes: each is a shell command whose
// standard input and output are the connection. The command runs in a session
// of its own (setsid(2)): Ctrl-C ends it no sooner than the run, and it cannot
// ask on the terminal.
type Tunnel struct {
	command string

	mu     sync.Mutex
	closed bool
	open   map[*pipe]struct{}
}

// NewTunnel returns a tunnel by a command for sh -c. It starts nothing.
func NewTunnel(command string) *Tunnel {
	return &Tunnel{command: command, open: map[*pipe]struct{}{}}
}

// DialContext starts the command. The process outlives ctx; it ends with the
// connection.
func (t *Tunnel) DialContext(context.Context, string, string) (net.Conn, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, net.ErrClosed
	}
	p, err := start(t.command)
	if err != nil {
		return nil, &wire.Error{Kind: wire.KindConfig, Doing: "start the tunnel's command", Err: err}
	}
	t.open[p] = struct{}{}
	go func() {
		p.wait()
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.open, p)
	}()
	return p, nil
}

// Close closes what is open, and returns when all processes have ended.
func (t *Tunnel) Close() error {
	t.mu.Lock()
	t.closed = true
	var left []*pipe
	for p := range t.open {
		left = append(left, p)
	}
	t.mu.Unlock()
	for _, p := range left {
		p.Close()
	}
	for _, p := range left {
		<-p.gone
	}
	return nil
}

// start runs a command with a pipe to its input and one from its output. Not a
// socket: some programs behave otherwise when they are started on one.
func start(command string) (*pipe, error) {
	input, toInput, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer input.Close()
	fromOutput, output, err := os.Pipe()
	if err != nil {
		toInput.Close()
		return nil, err
	}
	defer output.Close()
	p := &pipe{in: fromOutput, out: toInput, gone: make(chan struct{})}
	p.cmd = exec.Command("sh", "-c", command)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = input, output, &p.said
	p.cmd.WaitDelay = grace // for what it leaves running, such as the master of ssh's connections
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := p.cmd.Start(); err != nil {
		toInput.Close()
		fromOutput.Close()
		return nil, err
	}
	return p, nil
}

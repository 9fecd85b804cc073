package route

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"

	"imapsync/remote/wire"
)

// pipe is the connection to one process.
type pipe struct {
	in, out *os.File // what the process says, what it is told
	cmd     *exec.Cmd
	said    tail // on standard error
	closing sync.Once

	gone chan struct{} // closed when the process has ended and was waited for
	err  error         // of Wait; set before gone is closed
}

func (p *pipe) wait() {
	p.err = p.cmd.Wait()
	close(p.gone)
}

func (p *pipe) Read(b []byte) (int, error) {
	n, err := p.in.Read(b)
	return n, p.explained(err)
}

func (p *pipe) Write(b []byte) (int, error) {
	n, err := p.out.Write(b)
	return n, p.explained(err)
}

// Close ends the connection at once and the process in time.
func (p *pipe) Close() error {
	var err error
	p.closing.Do(func() {
		err = errors.Join(p.out.Close(), p.in.Close())
		go p.end()
	})
	return err
}

// end makes sure that the process ends, with all it has started, which makes up
// a process group.
func (p *pipe) end() {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if p.goneWithin(grace) {
			return
		}
		_ = syscall.Kill(-p.cmd.Process.Pid, signal)
	}
}

func (p *pipe) goneWithin(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.gone:
		return true
	case <-timer.C:
		return false
	}
}

// explained makes of an I/O error what the command has to say about it.
func (p *pipe) explained(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return late{p.said.String()}
	case errors.Is(err, os.ErrClosed):
		return net.ErrClosed
	}
	e := &wire.Error{Kind: wire.KindNetwork, Doing: "talk through the tunnel",
		Hint: "run the command by hand: it must speak IMAP on its standard input and output, and can ask nothing on a terminal"}
	what := "its command closed the connection"
	if p.goneWithin(grace) {
		what = "its command has ended"
		if p.err != nil {
			what += " (" + p.err.Error() + ")"
		}
		if code := p.cmd.ProcessState.ExitCode(); code == 126 || code == 127 { // of the shell
			e.Kind = wire.KindConfig
		}
	}
	if said := p.said.String(); said != "" {
		what += ": " + said
	}
	e.Err = ended(what)
	return e
}

// ended is the end of the process, which is that of the stream.
type ended string

func (e ended) Error() string { return string(e) }

func (ended) Unwrap() error { return io.EOF }

// late is a deadline that has passed, a net.Error: crypto/tls gives up a
// connection after anything else.
type late struct{ said string }

func (e late) Error() string {
	if e.said == "" {
		return os.ErrDeadlineExceeded.Error()
	}
	return fmt.Sprintf("%v; the tunnel's command says: %s", os.ErrDeadlineExceeded, e.said)
}

func (late) Unwrap() error   { return os.ErrDeadlineExceeded }
func (late) Timeout() bool   { return true }
func (late) Temporary() bool { return true }

func (p *pipe) SetReadDeadline(t time.Time) error  { return p.in.SetReadDeadline(t) }
func (p *pipe) SetWriteDeadline(t time.Time) error { return p.out.SetWriteDeadline(t) }

func (p *pipe) SetDeadline(t time.Time) error {
	return errors.Join(p.SetReadDeadline(t), p.SetWriteDeadline(t))
}

func (p *pipe) LocalAddr() net.Addr  { return addr("this process") }
func (p *pipe) RemoteAddr() net.Addr { return addr(fmt.Sprintf("process %d", p.cmd.Process.Pid)) }

// addr is an address in words.
type addr string

func (addr) Network() string  { return "route" }
func (a addr) String() string { return string(a) }

// maxSaid bounds what is kept of standard error: its end, which says why.
const maxSaid = 1000

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	t.text = t.text[max(0, len(t.text)-maxSaid):]
	return len(b), nil
}

// String is what was said in one line, without control characters.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(string(t.text), "?"), func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r)
	}), " ")
}

package dovecot

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Program is the server's binary, of Debian's package dovecot-imapd.
const Program = "/usr/sbin/dovecot"

// Password is every user's password; Dovecot cannot take one with blanks here.
const Password = "correct-horse"

// startTimeout bounds how long a server may take to greet its first client.
const startTimeout = 30 * time.Second

// errPortTaken says that another process took the chosen port first.
var errPortTaken = errors.New("port taken")

// Server is a running Dovecot.
type Server struct {
	Host    string
	Port    int // plain, offering STARTTLS with Options.TLS
	TLSPort int // TLS from the first byte; 0 without Options.TLS

	Password    string
	CAFile      string // the certificate, with Options.TLS
	Fingerprint string // hex SHA-256 of the certificate, with Options.TLS
	Dir         string // everything the server owns
	Separator   string
	Prefix      string

	cmd     *exec.Cmd
	exited  chan struct{} // closed when the master process has been waited for
	started chan struct{} // closed when the server listens

	mu  sync.Mutex
	log strings.Builder
}

// New starts a server whose files are below dir, which must be reachable by
// the user nobody when the caller is root. The path must be short: sockets lie
// in it. The caller must Stop the server.
func New(dir string, o Options) (*Server, error) {
	for {
		s, err := start(dir, o)
		if !errors.Is(err, errPortTaken) {
			return s, err
		}
	}
}

// Addr is host:port of the plain port.
func (s *Server) Addr() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// TLSAddr is host:port of the TLS port.
func (s *Server) TLSAddr() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.TLSPort)) }

// Log returns what the server logged so far but for clients coming and going.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// Stop ends the server and its processes. The master process is waited for; what
// it left behind is killed.
func (s *Server) Stop() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	// To the whole group, which only the server's processes are in: the master
	// alone would let its clients finish first.
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(5 * time.Second):
	}
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.exited
}

// Start starts a stopped server again, on its ports and with what lies in its
// directory.
func (s *Server) Start() error {
	owner, err := runAs()
	if err != nil {
		return err
	}
	s.exited, s.started = make(chan struct{}), make(chan struct{})
	if err := owner.give(s.Dir); err != nil {
		return err
	}
	if err := s.run(owner); err != nil {
		return err
	}
	return s.await()
}

func start(dir string, o Options) (*Server, error) {
	s := &Server{Host: "127.0.0.1", Password: Password, Dir: dir}
	owner, err := runAs()
	if err != nil {
		return nil, err
	}
	if err := s.configure(o, owner); err != nil {
		return nil, err
	}
	if err := s.Start(); err != nil {
		s.Stop()
		if strings.Contains(s.Log(), "Address already in use") {
			return nil, errPortTaken
		}
		return nil, fmt.Errorf("%w\n%s", err, s.Log())
	}
	return s, nil
}

// configure chooses the ports and writes the configuration and certificate.
func (s *Server) configure(o Options, owner account) error {
	if o.Separator == "" {
		o.Separator = "/"
	}
	if o.MaxUserConnections == 0 {
		o.MaxUserConnections = 100
	}
	location, known := mailLocations[o.Format]
	if !known {
		return fmt.Errorf("dovecot: unknown mailbox format %q", o.Format)
	}
	s.Separator, s.Prefix = o.Separator, o.Prefix
	s.Port = freePort()
	data := confData{Options: o, Dir: s.Dir, User: owner.user, Group: owner.group, Password: s.Password,
		Capability: strings.Join(o.announced(), " "), MailLocation: location, Port: s.Port}
	if o.TLS {
		s.TLSPort, s.CAFile = freePort(), filepath.Join(s.Dir, "cert.pem")
		data.TLSPort, data.CertFile, data.KeyFile = s.TLSPort, s.CAFile, filepath.Join(s.Dir, "key.pem")
		var err error
		if s.Fingerprint, err = writeCert(data.CertFile, data.KeyFile); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(s.Dir, "acl"), []byte(strings.Join(o.Shared, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	text, err := data.render()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.Dir, "dovecot.conf"), []byte(text), 0o644)
}

// run starts the master process in its own group. The goroutine keeps its
// thread, because the kernel's parent-death signal is tied to it, and gives it
// back in the end: were the thread to end with it, so would all processes with
// such a signal that were ever started from it.
func (s *Server) run(owner account) error {
	s.cmd = exec.Command(Program, "-F", "-c", filepath.Join(s.Dir, "dovecot.conf"))
	s.cmd.Dir = s.Dir
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM, Credential: owner.credential}
	pipe, err := s.cmd.StderrPipe()
	if err != nil {
		return err
	}
	outcome := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := s.cmd.Start()
		outcome <- err
		if err != nil {
			return
		}
		s.readLog(pipe)
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	return <-outcome
}

// readLog collects the log until the last of the server's processes is gone.
func (s *Server) readLog(pipe io.Reader) {
	listening := false
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		if !routine(lines.Text()) {
			s.mu.Lock()
			s.log.WriteString(lines.Text() + "\n")
			s.mu.Unlock()
		}
		if !listening && strings.Contains(lines.Text(), "starting up") {
			listening = true
			close(s.started)
		}
	}
}

func routine(line string) bool {
	return strings.Contains(line, "Info: Login: ") || strings.Contains(line, "Info: Disconnected: ")
}

// await returns when the server greets with its capabilities: before that its
// authentication process is not up.
func (s *Server) await() error {
	select {
	case <-s.started:
	case <-s.exited:
		return errors.New("dovecot: ended while starting")
	case <-time.After(startTimeout):
		return errors.New("dovecot: did not start in time")
	}
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(startTimeout))
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if strings.Contains(lines.Text(), "CAPABILITY") {
			return nil
		}
	}
	return errors.New("dovecot: closed the connection without a greeting")
}

// freePort finds a port below those the kernel gives to outgoing connections,
// so that only another server can take it before Dovecot does.
func freePort() int {
	for {
		port := 20000 + rand.IntN(12000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			l.Close()
			return port
		}
	}
}

// account is whom the server runs as.
type account struct {
	user, group string
	uid, gid    int
	credential  *syscall.Credential // nil: as we do
}

func runAs() (account, error) {
	root := os.Geteuid() == 0
	u, err := user.Current()
	if root {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return account{}, err
	}
	g, err := user.LookupGroupId(u.Gid)
	if err != nil {
		return account{}, err
	}
	a := account{user: u.Username, group: g.Name}
	if a.uid, err = strconv.Atoi(u.Uid); err != nil {
		return account{}, err
	}
	if a.gid, err = strconv.Atoi(u.Gid); err != nil {
		return account{}, err
	}
	if root {
		a.credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return a, nil
}

// give hands the directory over to the account the server runs as.
func (a account) give(dir string) error {
	if a.credential == nil {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, a.uid, a.gid)
	})
}

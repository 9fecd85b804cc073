//go:build linux && (amd64 || arm64)

package sweep

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"imapsync/internal/dovecot"
	"imapsync/internal/imaptest"
	"imapsync/internal/phone"
	"imapsync/internal/proxy"
	"imapsync/internal/tracer"
)

// site is one account in which the run is made again and again.
type site struct {
	t      testing.TB
	server *dovecot.Server
	user   string
	root   string       // holds everything local, and the templates
	proxy  *proxy.Proxy // between the program and the server
	side   *proxy.Proxy // between the other client and the server
	want   *world       // after a run that nothing happened to
}

// newSite makes an account and the templates of the run, which prepare has
// given something to do.
func newSite(t testing.TB, server *dovecot.Server, user string, prepare func(*site)) *site {
	t.Helper()
	root := filepath.Join(scratch, filepath.Base(t.Name())+"-"+user)
	s := &site{t: t, server: server, user: user, root: root,
		proxy: imaptest.Proxy(t, server.Addr()), side: imaptest.Proxy(t, server.Addr())}
	t.Cleanup(func() { s.check(os.RemoveAll(root)) })
	s.check(os.MkdirAll(s.live(), 0o700))
	config := fmt.Sprintf("state_dir = %q\n[accounts.test]\nhost = \"127.0.0.1\"\nport = %d\ntls = \"none\"\nuser = %q\npassword = %q\nmaildir = %q\n",
		s.state(), s.proxy.Port(), user, server.Password, s.mail())
	s.check(os.WriteFile(s.config(), []byte(config), 0o600))
	prepare(s)
	s.save()
	if code, output := s.sync("--full"); code != 0 {
		t.Fatalf("undisturbed: exit %d\n%s", code, output)
	}
	s.want = s.look()
	if err := s.idle(); err != nil {
		t.Fatalf("undisturbed: %v", err)
	}
	return s
}

func (s *site) live() string   { return filepath.Join(s.root, "live") }
func (s *site) mail() string   { return filepath.Join(s.live(), "Mail") }
func (s *site) state() string  { return filepath.Join(s.live(), "state") }
func (s *site) aside() string  { return filepath.Join(s.root, "aside") }
func (s *site) config() string { return filepath.Join(s.root, "config.toml") }
func (s *site) home() string   { return filepath.Join(s.server.Dir, "home", s.user) }

func (s *site) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// save makes what there is the template.
func (s *site) save() {
	s.t.Helper()
	s.copyTree(s.live(), s.live()+".template")
	s.copyTree(s.home(), s.home()+".template")
}

// restore puts the template in place.
func (s *site) restore() {
	s.t.Helper()
	s.proxy.Reset()
	s.copyTree(s.live()+".template", s.live())
	s.copyTree(s.home()+".template", s.home())
	s.check(os.RemoveAll(s.aside()))
	s.check(os.Mkdir(s.aside(), 0o700))
}

// copyTree replaces a directory by a copy of another: other inodes, the same
// owners and times.
func (s *site) copyTree(from, to string) {
	s.t.Helper()
	s.check(os.RemoveAll(to))
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		s.t.Fatalf("cp: %v\n%s", err, out)
	}
}

// runLimit is when a run counts as hung.
const runLimit = 2 * time.Minute

// sync runs the program undisturbed, and waits until the server has done all
// that it was told.
func (s *site) sync(args ...string) (code int, output string) {
	s.t.Helper()
	file, err := binary()
	s.check(err)
	ctx, cancel := context.WithTimeout(s.t.Context(), runLimit)
	defer cancel()
	out, err := exec.CommandContext(ctx, file, append([]string{"-c", s.config(), "sync"}, args...)...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	s.proxy.Wait()
	if ctx.Err() != nil {
		return -1, fmt.Sprintf("hung\n%s", out)
	}
	if exit != nil {
		return exit.ExitCode(), string(out)
	}
	return 0, string(out)
}

// strike makes the run with something happening at a step.
func (s *site) strike(plan tracer.Plan) tracer.Result {
	s.t.Helper()
	file, err := binary()
	s.check(err)
	plan.Dirs, plan.Scratch, plan.Limit = []string{s.mail(), s.state()}, s.aside(), runLimit
	r, err := tracer.Run(plan, file, "-c", s.config(), "sync", "--full")
	if errors.Is(err, tracer.ErrNotPermitted) && !dovecot.Required() {
		s.t.Skip(err)
	}
	s.check(err)
	s.proxy.Wait()
	return r
}

// phone does something with another client.
func (s *site) phone(do func(c *phone.Client) error) {
	s.t.Helper()
	c, err := phone.Dial(s.side.Addr(), s.user, s.server.Password)
	s.check(err)
	err = do(c)
	_ = c.Close()
	s.side.Wait()
	s.check(err)
}

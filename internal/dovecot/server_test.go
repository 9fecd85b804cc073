package dovecot_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"imapsync/internal/dovecot"
)

// dialogue sends lines and returns everything the server answered.
func dialogue(t *testing.T, conn net.Conn, lines ...string) string {
	t.Helper()
	defer conn.Close()
	fmt.Fprint(conn, strings.Join(append(lines, "z LOGOUT"), "\r\n")+"\r\n")
	var answer strings.Builder
	for s := bufio.NewScanner(conn); s.Scan(); {
		answer.WriteString(s.Text() + "\n")
	}
	return answer.String()
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func mustContain(t *testing.T, answer string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(answer, want) {
			t.Errorf("answer lacks %q:\n%s", want, answer)
		}
	}
}

var login = fmt.Sprintf("a LOGIN alice %q", dovecot.Password)

func TestLoginAndFormats(t *testing.T) {
	for _, format := range []string{"sdbox", "mdbox", "maildir"} {
		s := dovecot.Start(t, dovecot.WithFormat(format))
		answer := dialogue(t, dial(t, s.Addr()), login, "b CREATE Box", "c SELECT Box")
		mustContain(t, answer, "a OK", "b OK", "c OK [READ-WRITE]", "CONDSTORE")
		answer = dialogue(t, dial(t, s.Addr()), "a LOGIN alice wrong")
		mustContain(t, answer, "a NO [AUTHENTICATIONFAILED]")
	}
}

func TestCapabilitiesTakenAway(t *testing.T) {
	s := dovecot.Start(t, dovecot.Without("CONDSTORE", "MOVE", "LITERAL+"))
	answer := dialogue(t, dial(t, s.Addr()), login, "b CAPABILITY")
	mustContain(t, answer, "b OK", "UIDPLUS")
	for _, line := range strings.Split(answer, "\n") {
		if strings.HasPrefix(line, "* CAPABILITY") && (strings.Contains(line, "CONDSTORE") || strings.Contains(line, " MOVE") || strings.Contains(line, "LITERAL+")) {
			t.Errorf("still announced: %s", line)
		}
	}
}

func TestNamespaceAndQuota(t *testing.T) {
	s := dovecot.Start(t, dovecot.WithNamespace("INBOX.", "."), dovecot.WithQuota(1000))
	big := strings.Repeat("x", 2000)
	answer := dialogue(t, dial(t, s.Addr()), login, "b NAMESPACE", "c CREATE INBOX.A.B", `d LIST "" *`,
		fmt.Sprintf("e APPEND INBOX {%d+}\r\n%s", len(big), big))
	mustContain(t, answer, `* NAMESPACE (("INBOX." "."))`, `"." INBOX.A.B`, "e NO [OVERQUOTA]")
}

func TestTLS(t *testing.T) {
	s := dovecot.Start(t, dovecot.WithTLS())
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	conn, err := tls.Dial("tcp", s.TLSAddr(), &tls.Config{RootCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	mustContain(t, dialogue(t, conn, login), "a OK")
	mustContain(t, dialogue(t, dial(t, s.Addr()), "a CAPABILITY"), "STARTTLS")
}

func TestStopLeavesNoProcess(t *testing.T) {
	dir, err := os.MkdirTemp("", "dovecot")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	dovecot.Need(t, dovecot.Program, "dovecot-imapd")
	s, err := dovecot.New(dir, dovecot.Options{})
	if err != nil {
		t.Fatal(err)
	}
	conn := dial(t, s.Addr())
	defer conn.Close()
	fmt.Fprint(conn, login+"\r\n")
	for lines := bufio.NewScanner(conn); lines.Scan() && !strings.HasPrefix(lines.Text(), "a "); {
	}
	pids := processes(t, s)
	if len(pids) < 3 {
		t.Fatalf("only %d processes while a client is logged in", len(pids))
	}
	var handles []unix.PollFd
	for _, pid := range pids {
		// Unlike its number, this tells of a process's end though nobody waits for it.
		handle, err := unix.PidfdOpen(pid, 0)
		if err == unix.ESRCH {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(handle)
		handles = append(handles, unix.PollFd{Fd: int32(handle), Events: unix.POLLIN})
	}
	s.Stop()
	for i := range handles {
		ended, err := unix.Poll(handles[i:i+1], 10_000)
		for err == unix.EINTR {
			ended, err = unix.Poll(handles[i:i+1], 10_000)
		}
		if err != nil || ended == 0 {
			t.Errorf("process %d of %d is left over: %v", i, len(handles), err)
		}
	}
}

// processes returns the master process and its children.
func processes(t *testing.T, s *dovecot.Server) []int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Dir, "run", "master.pid"))
	if err != nil {
		t.Fatal(err)
	}
	master, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	pids := []int{master}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range stats {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it ended meanwhile
		}
		// pid (name) state ppid; the name may hold anything but not ") ".
		fields := strings.Fields(string(stat[strings.LastIndex(string(stat), ") ")+2:]))
		if ppid, err := strconv.Atoi(fields[1]); err == nil && slices.Contains(pids, ppid) {
			pid, err := strconv.Atoi(strings.Fields(string(stat))[0])
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

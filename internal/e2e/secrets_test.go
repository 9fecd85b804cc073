package e2e

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"imapsync/internal/dovecot"
)

// needles are the forms in which a secret could be anywhere: as it is, quoted,
// in hexadecimal, and what it alone makes of the base64 of anything that holds
// it.
func needles(secret string) []string {
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(secret)
	json := strings.Trim(strconv.QuoteToASCII(secret), `"`)
	code := hex.EncodeToString([]byte(secret))
	list := []string{secret, quoted, json, code, strings.ToUpper(code), strings.ToUpper(secret)}
	for before, from := range []int{0, 2, 3} {
		whole := base64.RawStdEncoding.EncodeToString([]byte("xx"[:before] + secret))
		core := whole[from : len(whole)-1]
		list = append(list, core, strings.NewReplacer("+", "-", "/", "_").Replace(core))
	}
	return list
}

// mustHide insists that the secret is in no form in the text.
func mustHide(t *testing.T, where, text, secret string) {
	t.Helper()
	for _, needle := range needles(secret) {
		if at := strings.Index(text, needle); at >= 0 {
			t.Errorf("%s: the secret, as %q, is in %q", where, needle, text[max(0, at-100):min(len(text), at+len(needle)+100)])
		}
	}
}

// mustHideFiles looks into every file below the directories, and at its name.
func mustHideFiles(t *testing.T, secret string, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(file)
			mustHide(t, file, file+"\n"+string(text), secret)
			return err
		})
		if err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
	}
}

// processes is what anybody may see of the program and of what it started: the
// arguments of each, and the environment.
func processes() string {
	var b strings.Builder
	for _, what := range []string{"cmdline", "environ"} {
		files, _ := filepath.Glob("/proc/[0-9]*/" + what)
		for _, file := range files {
			if parent, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline")); what == "environ" && !strings.Contains(string(parent), binaryDir) {
				continue
			}
			text, _ := os.ReadFile(file) // it may have ended
			b.Write(text)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// sources are the ways to give a secret; the command also writes down how it
// and its parent were started. in is a directory of its own.
func sources(t *testing.T, in, secret string) map[string]string {
	t.Helper()
	file, script := filepath.Join(in, "only-here"), filepath.Join(in, "ask")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("#!/bin/sh\nup=$(cut -d' ' -f4 /proc/$PPID/stat)\nfor p in $$ $PPID $up; do cat /proc/$p/cmdline /proc/$p/environ; done >>%q\ncat %q\n",
		filepath.Join(in, "seen"), file)
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"password":         fmt.Sprintf("password = '''%s'''", secret),
		"password_file":    fmt.Sprintf("password_file = %q", file),
		"password_command": fmt.Sprintf("password_command = %q", script),
		"token_command":    fmt.Sprintf("token_command = %q", script),
	}
}

// hide runs the program with the secret from one source, or from each and in
// each way of talking where it is "", and looks everywhere.
func hide(t *testing.T, port int, secret, only, auth string, code int) {
	t.Helper()
	ways := [][]string{{"-vv", "sync"}, {"--json", "-vv", "check"}, {"--json", "sync", "--full"}, {"-v", "check"}, {"status"}}
	if only != "" {
		ways = ways[:2]
	}
	for source, line := range sources(t, t.TempDir(), secret) {
		if only != "" && only != source || only == "" && source == "token_command" {
			continue
		}
		dir, private := t.TempDir(), t.TempDir()
		config := filepath.Join(private, "config.toml")
		text := fmt.Sprintf("state_dir = %q\n[accounts.test]\nhost = '127.0.0.1'\nport = %d\ntls = 'none'\nuser = 'alice'\nauth = %q\nmaildir = %q\n%s\n",
			filepath.Join(dir, "state"), port, auth, filepath.Join(dir, "Mail"), line)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range ways {
			where := fmt.Sprintf("%s by %s: %v", source, auth, args)
			r := run(t, append([]string{"-c", config}, args...)...)
			if args[0] != "status" && r.code != code {
				t.Errorf("%s: want exit %d, got %v", where, code, r)
			}
			mustHide(t, where, r.output(), secret)
		}
		mustHideFiles(t, secret, dir)
		if script := regexp.MustCompile(`_command = "(.*)"`).FindStringSubmatch(line); script != nil {
			seen, err := os.ReadFile(filepath.Join(filepath.Dir(script[1]), "seen"))
			if err != nil || !strings.Contains(string(seen), "imapsync") {
				t.Errorf("%s: the command was not run, or saw nothing of its parent: %v", source, err)
			}
			mustHide(t, source+": what its command sees", string(seen), secret)
		}
	}
}

// TestSecretsWithDovecot: the right password and wrong ones, by each mechanism.
func TestSecretsWithDovecot(t *testing.T) {
	server := dovecot.Start(t)
	for auth, source := range map[string]string{"auto": "", "plain": "password_file", "login": "password_command", "scram-sha-256": "password"} {
		hide(t, server.Port, server.Password, source, auth, 0)
		hide(t, server.Port, `Wrong-"qu\oted-7Qz`, source, auth, 3)
	}
	hide(t, server.Port, "Wröng-unmißtakable-7Qz", "password_file", "login", 3)
}

// parrot is a server that says back what it is told, in every place where a
// server has words. It also looks at the processes that run meanwhile.
type parrot struct {
	caps   string
	accept bool

	mu    sync.Mutex
	told  []string // credentials, in every form they had
	procs strings.Builder
}

func (p *parrot) listen(t *testing.T) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				p.serve(conn)
			})
		}
	})
	return l.Addr().(*net.TCPAddr).Port
}

var literalSize = regexp.MustCompile(`\{(\d+)\+?\}$`)

func (p *parrot) serve(conn net.Conn) {
	br := bufio.NewReader(conn)
	say := func(format string, args ...any) { fmt.Fprintf(conn, format+"\r\n", args...) }
	say("* OK [CAPABILITY IMAP4rev1 %s] hello", p.caps)
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		for m := literalSize.FindStringSubmatch(line); m != nil; m = literalSize.FindStringSubmatch(line) {
			say("+ go on")
			n, _ := strconv.Atoi(m[1])
			text := make([]byte, n)
			if _, err := io.ReadFull(br, text); err != nil {
				return
			}
			p.hear(string(text))
			rest, _ := br.ReadString('\n')
			line = line[:len(line)-len(m[0])] + string(text) + strings.TrimRight(rest, "\r\n")
		}
		tag, rest, _ := strings.Cut(line, " ")
		name, args, _ := strings.Cut(rest, " ")
		if name == "LOGIN" || name == "AUTHENTICATE" {
			p.hear(args)
			_, payload, _ := strings.Cut(args, " ")
			p.hear(payload)
			if !p.refuse(say, br, tag, args) {
				continue
			}
		}
		p.answer(say, tag, name)
	}
}

// refuse ends a login as it is to end; ok is true where it went well.
func (p *parrot) refuse(say func(string, ...any), br *bufio.Reader, tag, args string) (ok bool) {
	raw, _ := base64.StdEncoding.DecodeString(args[strings.LastIndexByte(args, ' ')+1:])
	p.hear(strings.ReplaceAll(string(raw), "\x00", " "))
	p.mu.Lock()
	p.procs.WriteString(processes())
	p.mu.Unlock()
	say("* OK [ALERT] %s", p.words())
	if p.accept {
		return true
	}
	if strings.Contains(args, "BEARER") || strings.Contains(args, "XOAUTH2") {
		challenge := fmt.Sprintf(`{"status":"401","schemes":"Bearer","scope":%q}`, p.words())
		say("+ %s", base64.StdEncoding.EncodeToString([]byte(challenge)))
		if _, err := br.ReadString('\n'); err != nil {
			return false
		}
	}
	say("%s NO [AUTHENTICATIONFAILED] not by %s", tag, p.words())
	return false
}

// answer is a mailbox with nothing in it, and many words.
func (p *parrot) answer(say func(string, ...any), tag, name string) {
	switch name {
	case "CAPABILITY":
		say("* CAPABILITY IMAP4rev1 %s", p.caps)
	case "LIST":
		say(`* LIST () "/" INBOX`)
	case "STATUS":
		say(`* STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 7)`)
	case "SELECT", "EXAMINE":
		say("* 0 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 1] x\r\n* NO [ALERT] %s\r\n* X%s x\r\n* FLAGS (%s)", p.words(), p.words(), p.words())
	}
	say("%s OK done %s", tag, p.words())
}

func (p *parrot) hear(s string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.told) < 8 {
		p.told = append(p.told, strings.NewReplacer("\r", " ", "\n", " ").Replace(s))
	}
}

func (p *parrot) words() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.told, ", ")
}

// TestSecretsWithAParrot: a server that echoes what it is told, with passwords
// that travel as literals, with tokens, accepted and refused.
func TestSecretsWithAParrot(t *testing.T) {
	for _, c := range []struct{ caps, secret, source, auth string }{
		{"", "unmistakable-Passw0rd-7Qz", "password", "login"},
		{"", `quoted-"unmistak\able-7Qz`, "password_file", "login"},
		{"", "literal-unmißtäkable-7Qz", "password_command", "auto"},
		{"SASL-IR AUTH=PLAIN", "unmistakable-Passw0rd-7Qz", "password", "plain"},
		{"SASL-IR AUTH=XOAUTH2", "ya29.unmistakable-T0ken-7Qz", "token_command", "xoauth2"},
		{"SASL-IR AUTH=OAUTHBEARER", "ya29.unmistakable-T0ken-7Qz", "token_command", "oauthbearer"},
	} {
		for _, accept := range []bool{true, false} {
			p := &parrot{caps: c.caps, accept: accept}
			code := 3
			if accept {
				code = 0
			}
			hide(t, p.listen(t), c.secret, c.source, c.auth, code)
			p.mu.Lock()
			if told := strings.Join(p.told, "\n"); !strings.Contains(told, c.secret) && !strings.Contains(told, needles(c.secret)[1]) {
				t.Errorf("%s: the server was told %q", c.auth, told)
			}
			seen := p.procs.String()
			p.mu.Unlock()
			if !strings.Contains(seen, binaryDir) {
				t.Error("the program was not among the processes")
			}
			mustHide(t, c.auth+": arguments and environment", seen, c.secret)
		}
	}
}

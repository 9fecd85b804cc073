package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"imapsync/mail"
	"imapsync/remote"
	"imapsync/state"
	"imapsync/syncer"
)

func (p *program) checkCommand() *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "look at each step from the host's name to the state file",
		ArgsUsage: "[ACCOUNT...]",
		Description: "Tries name lookup, connection, TLS, login, what the server can do, quota, the Maildir and the state, " +
			"each with a verdict and what to do. It changes nothing; whether a directory can be written it finds out with a file that it removes again.",
		Action: func(c *cli.Context) error {
			lanes, err := p.lanes(c, false)
			if err != nil {
				return err
			}
			code := exitDone
			for _, l := range lanes {
				k := &checker{lane: l}
				k.server(c.Context)
				db := k.state(c.Context)
				k.maildir(c.Context, db)
				if db != nil {
					if err := db.Close(); err != nil {
						k.fail("state", err)
					}
				}
				if c.Context.Err() != nil {
					return context.Cause(c.Context)
				}
				code = worse(code, k.code)
			}
			return ended(code)
		},
	}
}

// checker looks at one account, a step at a time.
type checker struct {
	*lane
	code int
}

// verdict is how a step of a check went.
type verdict string

const (
	verdictOK   verdict = "ok"
	verdictWarn verdict = "warn"
	verdictFail verdict = "fail"
)

// finding is the outcome of one step; in JSON the event "check".
type finding struct {
	head
	Step    string  `json:"step"`
	Verdict verdict `json:"verdict"`
	Text    string  `json:"text"`
	Hint    string  `json:"hint,omitempty"`
}

func (k *checker) tell(step string, v verdict, text, hint string) {
	k.out.object(finding{k.out.head("check", k.Name), step, v, text, hint})
	say := k.out.say
	if step == "capabilities" && v == verdictOK {
		say = k.out.detail // what matters of the list is told as extensions
	}
	say("%s: %-4s %s: %s", k.Name, v, step, text)
	if hint != "" {
		k.out.say("%s:      what to do: %s", k.Name, hint)
	}
}

// fail tells of a step that failed. That it was interrupted the check tells as a whole.
func (k *checker) fail(step string, err error) {
	if exitCode(err) == exitInterrupted {
		return
	}
	k.code = worse(k.code, exitCode(err))
	text := err.Error()
	var fault *mail.Fault
	if errors.As(err, &fault) {
		text = strings.TrimSuffix(text, " ("+fault.Hint+")")
	}
	k.tell(step, verdictFail, text, k.advice(err))
}

// stage is what package wire told of one step of a connection.
type stage struct {
	name, detail string
	err          error
}

// server looks at everything from the host's name to the quota.
func (k *checker) server(ctx context.Context) {
	config, err := k.serverConfig(ctx)
	if err != nil {
		k.fail("configuration", err)
		return
	}
	var stages []stage // of the last attempt to connect
	config.Connections = 1
	config.Wire.Stage = func(name, detail string, err error) {
		if name == "dns" || name == string(config.Wire.Via) {
			stages = nil
		}
		stages = append(stages, stage{name, detail, err})
	}
	server := remote.New(config)
	defer server.Close()
	probe, err := server.Probe(ctx)
	if err != nil {
		server.Close() // waits for a connection that nobody waits for, and that tells of its stages
	}
	failed := false
	for _, s := range stages {
		switch {
		case s.err == nil:
			k.tell(s.name, verdictOK, s.detail, "")
		case !failed:
			failed = true
			k.fail(s.name, err)
		}
		if (s.name == "tcp" || s.name == string(config.Wire.Via)) && s.err == nil && k.TLS == "none" {
			k.noTLS()
		}
	}
	if err != nil {
		if !failed {
			k.fail("server", err)
		}
		return
	}
	k.certificate(probe.TLS)
	k.abilities(probe)
	k.quota(probe.Quota)
	for _, w := range server.Warnings() {
		k.tell("server", verdictWarn, w, "")
	}
}

func (k *checker) noTLS() {
	text := "none: password and mail cross the network in clear"
	if k.Tunnel != "" {
		k.tell("tls", verdictOK, "none: it is for the tunnel to protect the connection", "")
		return
	}
	if !k.Insecure {
		k.tell("tls", verdictOK, "none: the server is on this machine", "")
		return
	}
	k.tell("tls", verdictWarn, text, `set tls = "implicit" or "starttls"`)
}

// soon is how long before its end a certificate is worth a warning.
const soon = 14 * 24 * time.Hour

func (k *checker) certificate(s *tls.ConnectionState) {
	if s == nil || len(s.PeerCertificates) == 0 {
		return
	}
	end := s.PeerCertificates[0].NotAfter
	if left := end.Sub(k.now()); left < soon {
		k.tell("certificate", verdictWarn, "valid only until "+end.Format(time.DateOnly), "tell the server's owner to renew it")
	}
}

func (k *checker) abilities(p *remote.Probe) {
	if p.Server != "" {
		k.tell("server", verdictOK, p.Server, "")
	}
	disabled := ""
	if len(k.DisableExtensions) > 0 {
		disabled = "; disabled by the configuration: " + strings.Join(k.DisableExtensions, " ")
	}
	k.tell("folders", verdictOK, fmt.Sprintf("separator %q, prefix %q", p.Delimiter, p.Prefix), "")
	for _, a := range p.Abilities {
		text := a.Name + " is used: " + a.Use
		if !a.Offered {
			text = a.Name + " is not there: " + a.Use
		}
		k.tell("extension", verdictOK, text, "")
	}
	if disabled != "" {
		k.tell("extension", verdictWarn, strings.TrimPrefix(disabled, "; "), "")
	}
}

// nearlyFull is the part of a quota, in percent, from which it is worth a
// warning.
const nearlyFull = 90

func (k *checker) quota(quotas []remote.Quota) {
	for _, q := range quotas {
		text := fmt.Sprintf("%s %d of %d used", strings.ToLower(q.Resource), q.Used, q.Limit)
		if q.Resource == "STORAGE" {
			text = fmt.Sprintf("storage %s of %s used", size(q.Used), size(q.Limit))
		}
		if q.Limit > 0 && q.Used >= q.Limit/100*nearlyFull {
			k.tell("quota", verdictWarn, text, "make room on the server before uploads are refused")
			continue
		}
		k.tell("quota", verdictOK, text, "")
	}
}

// state looks at the state file and returns it, nil where it cannot be used.
func (k *checker) state(ctx context.Context) *state.DB {
	db, err := state.OpenReadOnly(ctx, k.stateFile())
	if err != nil {
		k.fail("state", err)
		return nil
	}
	identity, err := db.Account(ctx)
	if err == nil {
		err = db.Check(ctx)
	}
	if err != nil {
		k.fail("state", errors.Join(err, db.Close()))
		return nil
	}
	text := "sound, " + k.stateFile()
	if identity == (mail.Identity{}) {
		text = "none yet: the first sync makes " + k.stateFile()
	}
	k.writable("state", "state_dir", k.stateDir, text)
	return db
}

// maildir looks whether the root is the one the state knows, nil where there is
// none to ask, and can be written.
func (k *checker) maildir(ctx context.Context, known *state.DB) {
	dir, err := k.openMaildir()
	if _, unknown := k.loginName(ctx); err == nil && known != nil && unknown == nil {
		err = syncer.CheckIdentity(ctx, k.account(dir, nil, known))
	}
	if err != nil {
		k.fail("maildir", err)
		return
	}
	text := "writable, " + k.Maildir
	if _, err := os.Stat(k.Maildir); errors.Is(err, fs.ErrNotExist) {
		text = "none yet: the first sync makes " + k.Maildir
	}
	k.writable("maildir", "maildir", k.Maildir, text)
}

// writable tells the text if the directory that the key names can be written,
// or made where it is not there.
func (k *checker) writable(step, key, dir, text string) {
	at, err := tryWriting(dir)
	if err != nil {
		k.fail(step, &mail.Fault{Scope: mail.ScopeAccount, Doing: "make a file in " + at, Err: err, Hint: setPlace(key)})
		return
	}
	k.tell(step, verdictOK, text, "")
}

// tryWriting makes and removes a file in dir or, where it is not there, in the
// nearest directory above, and tells in which. To ask for permission would not
// do: it says nothing of a /proc or a server's file system.
func tryWriting(dir string) (at string, err error) {
	for at = dir; at != filepath.Dir(at); at = filepath.Dir(at) {
		if _, err := os.Lstat(at); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	file, err := os.CreateTemp(at, ".imapsync-check-*")
	if err == nil {
		err = errors.Join(file.Close(), os.Remove(file.Name()))
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err // without the name that nobody chose
	}
	return at, err
}

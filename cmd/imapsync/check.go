package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"imapsync/mail"
	"imapsync/remote"
	"imapsync/state"
)

func (p *program) checkCommand() *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "look at each step from the host's name to the state file",
		ArgsUsage: "[ACCOUNT...]",
		Description: "Tries name lookup, connection, TLS, login, what the server can do, quota, the Maildir and the state, " +
			"each with a verdict and what to do. It changes nothing.",
		Action: func(c *cli.Context) error {
			lanes, err := p.lanes(c, false)
			if err != nil {
				return err
			}
			code := exitDone
			for _, l := range lanes {
				k := &checker{lane: l}
				k.server(c.Context)
				if c.Context.Err() != nil {
					return context.Cause(c.Context)
				}
				known := k.state(c.Context)
				k.maildir(c.Context, known)
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
	k.out.say("%s: %-4s %s: %s", k.Name, v, step, text)
	if hint != "" {
		k.out.say("%s:      what to do: %s", k.Name, hint)
	}
}

// fail tells of a step that failed.
func (k *checker) fail(step string, err error) {
	k.code = worse(k.code, exitCode(err))
	text, hint := err.Error(), ""
	var fault *mail.Fault
	if errors.As(err, &fault) {
		hint = fault.Hint
		text = strings.TrimSuffix(text, " ("+hint+")")
	}
	k.tell(step, verdictFail, text, hint)
}

// stage is what package wire told of one step of a connection.
type stage struct {
	name, detail string
	err          error
}

// server looks at everything from the host's name to the quota.
func (k *checker) server(ctx context.Context) {
	options, err := k.wireOptions()
	if err != nil {
		k.fail("configuration", err)
		return
	}
	var stages []stage // of the last attempt to connect
	options.Stage = func(name, detail string, err error) {
		if name == "dns" {
			stages = nil
		}
		stages = append(stages, stage{name, detail, err})
	}
	server := remote.New(remote.Config{Wire: options, Connections: 1})
	defer server.Close()
	probe, err := server.Probe(ctx)
	failed := false
	for _, s := range stages {
		switch {
		case s.err == nil:
			k.tell(s.name, verdictOK, s.detail, "")
		case !failed:
			failed = true
			k.fail(s.name, err)
		}
		if s.name == "tcp" && s.err == nil && k.TLS == "none" {
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

// state looks at the state file and returns the marker of the Maildir it
// belongs to, "" where nothing is known.
func (k *checker) state(ctx context.Context) (marker string) {
	db, err := state.OpenReadOnly(ctx, k.stateFile())
	if err != nil {
		k.fail("state", err)
		return ""
	}
	defer db.Close()
	identity, err := db.Account(ctx)
	if err == nil {
		err = db.Check(ctx)
	}
	switch {
	case err != nil:
		k.fail("state", err)
	case identity == mail.Identity{}:
		k.tell("state", verdictOK, "none yet: the first sync makes "+k.stateFile(), "")
	default:
		k.tell("state", verdictOK, "sound, "+k.stateFile(), "")
	}
	return identity.Marker
}

// maildir looks whether the root is there, is the one known, and can be
// written.
func (k *checker) maildir(ctx context.Context, known string) {
	dir, err := k.openMaildir()
	if err != nil {
		k.fail("maildir", err)
		return
	}
	marker, exists, err := dir.Marker(ctx)
	switch {
	case err != nil:
		k.fail("maildir", err)
		return
	case known != "" && (!exists || marker != known):
		k.fail("maildir", &mail.Fault{Scope: mail.ScopeAccount, Class: mail.ClassHeld, Doing: k.Maildir,
			Err:  errors.New("it is not the Maildir that was synchronised last: missing, empty or another one"),
			Hint: "is it mounted, and is maildir right? Until then nothing is deleted on the server"})
		return
	}
	place, text := k.Maildir, "writable, "+k.Maildir
	for {
		if _, err := os.Stat(place); !errors.Is(err, os.ErrNotExist) || place == filepath.Dir(place) {
			break
		}
		place, text = filepath.Dir(place), "none yet: the first sync makes "+k.Maildir
	}
	if err := unix.Access(place, unix.W_OK|unix.X_OK); err != nil {
		k.fail("maildir", &mail.Fault{Scope: mail.ScopeAccount, Doing: "write in " + place, Err: err,
			Hint: "make it writable for the user that runs imapsync"})
		return
	}
	k.tell("maildir", verdictOK, text, "")
}

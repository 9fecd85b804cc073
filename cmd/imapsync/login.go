package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"imapsync/oauth"
	"imapsync/remote"
)

// loginOptions are how a login is to be done.
type loginOptions struct {
	device, noBrowser, stdin bool
}

func (p *program) loginCommand() *cli.Command {
	var how loginOptions
	return &cli.Command{
		Name:      "login",
		Usage:     "log in by OAuth 2, or put a password into the system's keyring",
		ArgsUsage: "ACCOUNT",
		Description: "For an account with the key oauth it has you log in with the provider, in a browser on this machine, or with --device on any other; " +
			"the refresh token is kept in the system's keyring, or in NAME.oauth in the state directory, which only you can read, where there is no keyring. " +
			"For an account with keyring = true it asks for the password. Either way it tries the login at the mail server before it keeps anything. " +
			"Google gives access to mail to no device: use the browser there; on a machine without one give --no-browser, forward the port that the address names " +
			"(ssh -L PORT:127.0.0.1:PORT) and open the address where the browser is.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "device", Usage: "log in on another device, with a code", Destination: &how.device},
			&cli.BoolFlag{Name: "no-browser", Usage: "print the address and open no browser", Destination: &how.noBrowser},
			&cli.BoolFlag{Name: "stdin", Usage: "read the password from the first line of standard input", Destination: &how.stdin},
		},
		Action: func(c *cli.Context) error {
			if err := atMost(c, 1); err != nil {
				return err
			}
			lanes, err := p.lanes(c, false)
			if err != nil {
				return err
			}
			if len(lanes) != 1 {
				return usagef("login: name the account; one login at a time")
			}
			l := lanes[0]
			if err := l.loginFits(how); err != nil {
				return err
			}
			return p.inTurn(c.Context, lanes, func(ctx context.Context, l *lane) error { return p.login(ctx, l, how) })
		},
	}
}

// loginFits refuses options that have no meaning for the account.
func (l *lane) loginFits(how loginOptions) error {
	switch {
	case l.OAuth == nil && !l.Secret.InKeyring():
		from := l.Secret.Source()
		if from == "" {
			from = "auth = \"external\""
		}
		return usagef("login: account %s logs in by %s, for which there is nothing to keep; for a login by OAuth 2 set oauth, "+
			"for a password in the system's keyring keyring = true", l.Name, from)
	case l.OAuth != nil && how.stdin:
		return usagef("login: --stdin is for a password; account %s logs in by OAuth 2", l.Name)
	case l.OAuth == nil && (how.device || how.noBrowser):
		return usagef("login: --device and --no-browser are for OAuth 2; account %s logs in with a password", l.Name)
	case how.device && how.noBrowser:
		return usagef("login: --device opens no browser anyway: give it alone")
	}
	return nil
}

// loginObject is a step of a login; in JSON the event "login".
type loginObject struct {
	head
	Step    string     `json:"step"`
	Address string     `json:"address,omitempty"`
	Code    string     `json:"code,omitempty"`
	Until   *time.Time `json:"until,omitempty"`
	Place   string     `json:"place,omitempty"`
}

// login has the user log in, tries that at the mail server and keeps it.
func (p *program) login(ctx context.Context, l *lane, how loginOptions) error {
	keep, err := p.newLogin(ctx, l, how)
	if err != nil {
		return err
	}
	return keep(ctx)
}

// newLogin has the user log in and tries that at the mail server. The lane's
// connections use it from then on; keep has later runs use it, too.
func (p *program) newLogin(ctx context.Context, l *lane, how loginOptions) (keep func(context.Context) error, err error) {
	var put func(context.Context) (place string, err error)
	if l.OAuth != nil {
		grant, err := p.authorize(ctx, l, how)
		if err != nil {
			return nil, l.tokenFault(err)
		}
		l.secret = given(grant.Access)
		put = func(ctx context.Context) (string, error) {
			place, err := l.grants().Keep(ctx, grant)
			return place, l.tokenFault(err)
		}
	} else {
		password, err := p.password(ctx, l, how.stdin)
		if err != nil {
			return nil, err
		}
		l.secret = given(password)
		put = func(ctx context.Context) (string, error) {
			return "the system's keyring", l.Secret.Keep(ctx, password)
		}
	}
	if err := l.tryLogin(ctx); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		place, err := put(ctx)
		if err != nil {
			return err
		}
		p.out.object(loginObject{head: p.out.head("login", l.Name), Step: "done", Place: place})
		p.out.say("%s: logged in as %s; kept in %s", l.Name, l.User, place)
		return nil
	}, nil
}

// authorize has the user log in with the provider.
func (p *program) authorize(ctx context.Context, l *lane, how loginOptions) (*oauth.Grant, error) {
	if how.device {
		return l.OAuth.Device(ctx, func(d oauth.DeviceCode) {
			p.out.object(loginObject{head: p.out.head("login", l.Name), Step: "open", Address: d.Address, Code: d.Code, Until: &d.Until})
			p.prompt(l.Name+": on any device open", "", "  "+d.Address, "",
				fmt.Sprintf("and give there the code  %s  (good until %s); log in as %s.", d.Code, d.Until.Local().Format(time.TimeOnly), l.User))
		})
	}
	return l.OAuth.Browser(ctx, l.User, func(address string) {
		p.out.object(loginObject{head: p.out.head("login", l.Name), Step: "open", Address: address})
		if !how.noBrowser && p.browse(address) == nil {
			p.prompt(fmt.Sprintf("%s: log in as %s in the browser. If none has opened, open", l.Name, l.User), "", "  "+address, "")
			return
		}
		p.prompt(l.Name+": in a browser on this machine open", "", "  "+address, "", "and log in as "+l.User+".")
	})
}

// prompt tells the user what to do now; it is no result.
func (p *program) prompt(lines ...string) {
	p.out.line(p.out.stderr, lines...)
}

// password gets the password from who has it.
func (p *program) password(ctx context.Context, l *lane, stdin bool) (password string, err error) {
	switch {
	case stdin:
		password, err = p.console.line(ctx)
	case p.console.terminal:
		password, err = p.console.askHidden(ctx, fmt.Sprintf("Password of %s at %s:", l.User, l.Host))
	default:
		return "", usagef("there is no terminal to ask for the password; give --stdin and the password on standard input")
	}
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return "", err
	case password == "" || strings.ContainsRune(password, 0):
		return "", usagef("that is no password: it is empty, or holds a NUL character")
	}
	return password, nil
}

// given gives a secret that is kept nowhere yet.
func given(secret string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return secret, nil }
}

// tryLogin logs in once.
func (l *lane) tryLogin(ctx context.Context) error {
	c, err := l.serverConfig(ctx)
	if err != nil {
		return err
	}
	c.Connections = 1
	server := remote.New(c)
	_, err = server.Probe(ctx)
	return errors.Join(err, server.Close())
}

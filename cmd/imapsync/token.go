package main

import (
	"context"
	"errors"
	"path/filepath"

	"imapsync/config"
	"imapsync/keyring"
	"imapsync/mail"
	"imapsync/oauth"
	"imapsync/remote/wire"
)

// grants is where what a login by OAuth 2 gave is kept.
func (l *lane) grants() oauth.Store {
	return oauth.Store{File: filepath.Join(l.stateDir, l.Name+".oauth")}
}

// useTokens has connections log in with access tokens of the account's grant.
func (l *lane) useTokens(o *wire.Options) {
	source := oauth.NewSource(l.OAuth, l.grants(), l.now)
	o.Secret = func(ctx context.Context) (string, error) {
		token, err := source.Token(ctx)
		return token, l.tokenFault(err)
	}
	o.Refused = func() {
		_ = source.Refused(context.Background()) // at worst it is refused once more
	}
}

// tokenFault says what it means for a run that there is no access token.
func (l *lane) tokenFault(err error) error {
	var e *oauth.Error
	if !errors.As(err, &e) {
		return err
	}
	fault := &mail.Fault{Scope: mail.ScopeAccount, Class: mail.ClassAuth, Err: err}
	hint := e.Hint
	switch {
	case e.Kind == oauth.KindLogin:
		hint = "run: " + l.command("login", l.Name)
	case e.Kind == oauth.KindKeyring:
		hint = keyring.Advice + ", if it has the token of an earlier login; before the first, or where there is no keyring, run: " + l.command("login", l.Name)
	case e.Kind == oauth.KindUnavailable:
		fault.Class = mail.ClassTemporary
	case e.Kind == oauth.KindStore:
		fault.Class = mail.ClassFailed
		hint = "make sure that you can write in " + l.stateDir + ", then run: " + l.command("login", l.Name)
	case hint == "":
		hint = "compare the key oauth with what the provider has registered: client_id, client_secret, scopes and addresses"
	}
	return &config.SecretError{Key: "oauth", Err: fault, Hint: hint}
}

func (l *lane) loginAdvice() string {
	again := l.command("login", l.Name)
	if l.OAuth != nil {
		return again + " logs in anew: as " + l.User + ", and with IMAP allowed in the provider's settings"
	}
	return again + " asks for the password; with two-factor login most providers want an app password"
}

// needsLogin reports whether `imapsync login` is the way out of an error: the
// password is not in the keyring, or the server refused what an earlier login
// kept.
func (l *lane) needsLogin(err error) bool {
	var refused *wire.Error
	switch {
	case l.OAuth == nil && !l.Secret.InKeyring():
		return false
	case errors.Is(err, keyring.ErrNotFound):
		return true
	}
	// Without words of the server no mechanism fitted, which no login changes.
	return errors.As(err, &refused) && refused.Kind == wire.KindAuth && refused.Code+refused.Text != ""
}

package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"imapsync/config"
	"imapsync/mail"
	"imapsync/maildir"
	"imapsync/plan"
	"imapsync/remote"
	"imapsync/remote/wire"
	"imapsync/state"
	"imapsync/syncer"
)

// lane is one account with all that a command needs to work on it.
type lane struct {
	*config.Account
	out        *output
	configFile string // of -c, "" without
	stateDir   string
	only       bool                           // no other account is configured
	folders    []mail.FolderName              // named on the command line; nil is all
	fetch      map[mail.FolderName][]mail.UID // messages of which the whole is wanted
	now        func() time.Time
	hooking    *sync.Mutex // held by the account whose hook runs
	user       *string     // what loginName has found out
	// secret is that of a login that may not be kept yet, nil for what is kept.
	secret func(context.Context) (string, error)
}

// stateFile is where the account's state is kept.
func (l *lane) stateFile() string { return filepath.Join(l.stateDir, l.Name+".db") }

// keepDir is where message files go that a run removes.
func (l *lane) keepDir() string {
	if l.KeepDeleted == 0 {
		return ""
	}
	return l.keptPath()
}

// keptPath is where such files lie, also when no more are put there.
func (l *lane) keptPath() string { return filepath.Join(l.stateDir, l.Name+".deleted") }

// wireOptions say how the server is reached.
func (l *lane) wireOptions() (wire.Options, error) {
	o := wire.Options{
		Host: l.Host, Port: l.Port, Security: wire.Security(l.TLS), AllowPlain: l.Insecure,
		Compress: compressions[l.Compress],
		User:     l.User, Auth: l.Auth, Bearer: l.Secret.Bearer, Timeout: l.Timeout, Disable: l.DisableExtensions,
	}
	switch {
	case l.secret != nil:
		o.Secret = l.secret
	case l.OAuth != nil:
		l.useTokens(&o)
	case !l.Secret.IsZero():
		o.Secret = l.Secret.Get
	}
	if l.out.trace {
		o.Trace = func(fromServer bool, line string) { l.out.wire(l.Name, fromServer, line) }
	}
	var err error
	o.TLS, err = l.tlsConfig()
	if l.CAFile == "" && len(l.Fingerprints) == 0 && l.TLS != config.TLSNone {
		go func() { _, _ = x509.SystemCertPool() }() // read once a process; here beside the rest of the beginning
	}
	return o, err
}

var compressions = map[config.Compress]wire.Compression{
	config.CompressAuto: wire.CompressAuto, config.CompressAlways: wire.CompressAlways, config.CompressNever: wire.CompressNever,
}

// tlsConfig tells which certificates to believe and to show; nil is the usual
// check, and none.
func (l *lane) tlsConfig() (*tls.Config, error) {
	own, err := l.clientCertificates()
	if err != nil {
		return nil, err
	}
	trust, err := l.trust()
	if trust == nil && len(own) > 0 {
		trust = &tls.Config{}
	}
	if trust != nil {
		trust.Certificates = own
	}
	return trust, err
}

func (l *lane) trust() (*tls.Config, error) {
	switch {
	case len(l.Fingerprints) > 0:
		return &tls.Config{
			InsecureSkipVerify: true, // in favour of VerifyConnection
			VerifyConnection:   func(s tls.ConnectionState) error { return pinned(s, l.Fingerprints) },
		}, nil
	case l.CAFile != "":
		pem, err := os.ReadFile(l.CAFile)
		if err != nil {
			return nil, l.Wrong("ca_file", "%v; correct the path, or leave ca_file out to believe the system's authorities", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, l.Wrong("ca_file", "there is no PEM certificate in %s; it begins with -----BEGIN CERTIFICATE-----", l.CAFile)
		}
		return &tls.Config{RootCAs: roots}, nil
	}
	return nil, nil
}

// pinned reports an error unless the server showed one of the certificates.
func pinned(s tls.ConnectionState, sums [][32]byte) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("the server showed no certificate")
	}
	shown := sha256.Sum256(s.PeerCertificates[0].Raw)
	for _, sum := range sums {
		if shown == sum {
			return nil
		}
	}
	return &pinError{shown}
}

// pinError is a certificate that is not among those configured.
type pinError struct{ shown [32]byte }

func (e *pinError) Error() string {
	return fmt.Sprintf("the certificate has fingerprint %X, which is not the one configured", e.shown)
}

func (l *lane) openMaildir() (*maildir.Maildir, error) { return l.maildirWith(l.keepDir()) }

// openKept opens the Maildir with the place for removed mail, whether or not
// anything is put there now.
func (l *lane) openKept() (*maildir.Maildir, error) { return l.maildirWith(l.keptPath()) }

func (l *lane) maildirWith(keepDir string) (*maildir.Maildir, error) {
	return maildir.Open(maildir.Config{
		Root: l.Maildir, Layout: maildir.Layout(l.Layout), Separator: l.Separator, Inbox: l.Inbox, UTF7: l.UTF7,
		Fsync: l.Fsync, KeepDir: keepDir,
	})
}

// account puts together what the syncer works on.
func (l *lane) account(dir *maildir.Maildir, server *remote.Account, db *state.DB) syncer.Account {
	return syncer.Account{
		Name:     l.Name,
		Identity: l.identity(),
		Maildir:  l.Maildir,
		Local:    localSide{dir},
		Remote:   remoteSide{server, l},
		State:    db,
		Select:   l.Folders.Match,
		Policy:   l.Policy,
		Limits:   plan.Limits{Count: l.MaxDeletions.Count, Percent: l.MaxDeletions.Percent},
		Trash:    l.Trash, TrashByUse: l.TrashByUse,
		FullCheck: l.FullCheck,
		Now:       l.now,
	}
}

// localSide makes syncer.Local of a Maildir.
type localSide struct{ *maildir.Maildir }

// Names implements syncer.Local.
func (l localSide) Names(ctx context.Context, folder mail.FolderName, about int) (syncer.Names, error) {
	n, err := l.Maildir.Names(ctx, folder, about)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// Deliver implements syncer.Local.
func (l localSide) Deliver(ctx context.Context, folder mail.FolderName) (syncer.Delivery, error) {
	d, err := l.Maildir.Deliver(ctx, folder)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// remoteSide makes syncer.Remote of a server account.
type remoteSide struct {
	*remote.Account
	lane *lane
}

// Open implements syncer.Remote.
func (r remoteSide) Open(ctx context.Context, folder mail.FolderName, readOnly bool) (syncer.Mailbox, error) {
	m, err := r.Account.Open(ctx, folder, readOnly)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// session is what one use of an account has open.
type session struct {
	syncer.Account
	dir    *maildir.Maildir
	server *remote.Account
	note   string         // worth telling before anything else
	open   []func() error // what to close, the last first
}

// open opens what one use of the account needs: for a run the state is opened
// for writing under the account's lock, which is waited for up to wait; for
// looking nothing is locked or changed.
func (l *lane) open(ctx context.Context, looking bool, wait time.Duration) (*session, error) {
	server, err := l.serverConfig(ctx)
	if err != nil {
		return nil, err
	}
	server.Wire.Costs = l.connected
	s := &session{server: remote.New(server)}
	s.open = append(s.open, s.server.Close)
	if s.dir, err = l.openMaildir(); err != nil {
		return nil, err
	}
	openState := state.OpenReadOnly
	if !looking {
		unlock, err := l.lock(ctx, wait)
		if err != nil {
			return nil, err
		}
		s.open = append(s.open, unlock)
		openState = state.Open
	}
	began := time.Now()
	db, err := openState(ctx, l.stateFile())
	if state.IsDamaged(err) && !looking {
		if s.note, err = l.setAside(err); err == nil {
			db, err = openState(ctx, l.stateFile())
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	l.cost(began, "the state opened")
	s.open = append(s.open, db.Close)
	s.Account = l.account(s.dir, s.server, db)
	return s, nil
}

// lock takes the account and its Maildir.
func (l *lane) lock(ctx context.Context, wait time.Duration) (unlock func() error, err error) {
	account, err := state.Lock(ctx, l.stateFile(), wait)
	if err != nil {
		return nil, err
	}
	maildir, err := state.LockMaildir(ctx, l.Maildir, wait)
	if err != nil {
		return nil, errors.Join(err, account.Unlock())
	}
	return func() error { return errors.Join(maildir(), account.Unlock()) }, nil
}

// setAside makes room for a new state where the old one is damaged, which makes
// it a lost one, and says so. The caller holds the account's lock.
func (l *lane) setAside(damage error) (note string, err error) {
	as, err := state.SetAside(l.stateFile(), l.now())
	if err != nil {
		return "", errors.Join(damage, err)
	}
	var fault *mail.Fault
	if errors.As(damage, &fault) && fault.Err != nil {
		damage = fault.Err
	}
	return fmt.Sprintf("the state was damaged (%v) and is now %s: both sides are matched again by their content, nothing is deleted", damage, as), nil
}

// replaceDamaged sets aside a state in which a run came upon damage, unless
// another run has done so.
func (l *lane) replaceDamaged(ctx context.Context, damage error, wait time.Duration) (note string, err error) {
	lock, err := state.Lock(ctx, l.stateFile(), wait)
	if err != nil {
		return "", err
	}
	defer lock.Unlock()
	if db, err := state.Open(ctx, l.stateFile()); err == nil {
		sound := db.Check(ctx) == nil
		if err := db.Close(); err == nil && sound {
			return "", nil
		}
	}
	return l.setAside(damage)
}

func (s *session) close() error {
	var errs []error
	for i := len(s.open) - 1; i >= 0; i-- {
		errs = append(errs, s.open[i]())
	}
	return errors.Join(errs...)
}

// warnings are what both sides noticed that failed nothing.
func (s *session) warnings() []string {
	texts := s.server.Warnings()
	for _, err := range s.dir.Skipped() {
		texts = append(texts, err.Error())
	}
	return texts
}

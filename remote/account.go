package remote

import (
	"context"
	"crypto/tls"
	"sync"
	"time"

	"imapsync/mail"
	"imapsync/remote/wire"
)

// Account is the server side of one account. It dials when first needed and
// keeps its connections until Close.
type Account struct {
	cfg   Config
	pause func(ctx context.Context, d time.Duration) error // between attempts to dial

	mu       sync.Mutex
	idle     []*conn            // the most recently used last
	all      map[*conn]struct{} // idle, lent out and being closed
	busy     int                // lent out
	waiting  int                // who waits for a connection
	dialling int                // connections being made
	dials    sync.WaitGroup     // who makes them
	boarding chan struct{}      // full while somebody chooses a connection to look at a mailbox with
	touring  *tour              // the connection that was chosen last
	failed   []error            // of those that were not made, to be told to who asks next
	limit    int                // connections at most; lowered when the server allows fewer
	freed    chan struct{}      // closed and replaced whenever a connection comes free
	closed   bool
	ended    wire.Stats // of connections that are gone
	warnings []string

	life      context.Context // ended by Close
	end       func()
	spares    context.Context // of connections made in advance; ended when there is no first one
	endSpares func()
	loggedIn  chan struct{} // closed when the first connection has
	proven    sync.Once     // closes it
	watching  sync.Once     // starts watchSleep

	names  *names                                 // nil until the server was asked
	learnt map[mail.FolderName]string             // names as LIST wrote them
	marks  map[mail.FolderName]mail.Mark          // as Folders told them
	boxes  map[mail.FolderName]selection          // as the last SELECT told them, of the UIDVALIDITYs of this run
	sizes  map[mail.FolderName]map[mail.UID]int64 // RFC822.SIZE of new messages, from the last snapshot

	rename   mail.Mapping                    // that of the configuration, without the prefix of our namespace
	leftOut  map[mail.FolderName]leftOut     // folders listed that are not to be looked at
	unnamed  []string                        // mailboxes listed that have no name here,
	nameless map[mail.FolderName]bool        // and what they are called without the configuration
	denied   map[mail.FolderName]mail.Denied // by MYRIGHTS
	uses     map[string]bool                 // attributes that a mailbox has, in lower case
}

// New returns an account. It does no I/O.
func New(cfg Config) *Account {
	if cfg.Connections <= 0 {
		cfg.Connections = DefaultConnections
	}
	cfg.Wire.TLS = resuming(cfg.Wire.TLS)
	if cfg.Wire.Link == nil {
		cfg.Wire.Link = &wire.Link{}
	}
	if cfg.Wire.Logins == nil {
		cfg.Wire.Logins = &wire.Logins{}
	}
	life, end := context.WithCancel(context.Background())
	spares, endSpares := context.WithCancel(life)
	return &Account{
		cfg:       cfg,
		pause:     pause,
		all:       map[*conn]struct{}{},
		limit:     cfg.Connections,
		freed:     make(chan struct{}),
		boarding:  make(chan struct{}, 1),
		life:      life,
		end:       end,
		spares:    spares,
		endSpares: endSpares,
		loggedIn:  make(chan struct{}),
		learnt:    map[mail.FolderName]string{},
		marks:     map[mail.FolderName]mail.Mark{},
		boxes:     map[mail.FolderName]selection{},
		sizes:     map[mail.FolderName]map[mail.UID]int64{},
	}
}

// resuming makes the connections after the first resume its TLS session: no
// certificate crosses the link again, and TLS 1.2 takes a round trip less. The
// sessions are this account's alone, whose rules for certificates held when
// they began; VerifyConnection is asked again each time. Not where the client
// shows a certificate too: Dovecot hangs up on such a session (OpenSSL wants a
// session id context to resume one).
func resuming(cfg *tls.Config) *tls.Config {
	if cfg == nil {
		cfg = &tls.Config{}
	}
	cfg = cfg.Clone()
	if cfg.ClientSessionCache == nil && len(cfg.Certificates) == 0 {
		cfg.ClientSessionCache = tls.NewLRUClientSessionCache(1) // there is but one server
	}
	return cfg
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Features tells what the server can do; it dials if need be.
func (a *Account) Features(ctx context.Context) (mail.Features, error) {
	c, err := a.acquire(ctx, "")
	if err != nil {
		return mail.Features{}, err
	}
	defer a.release(c)
	return mail.Features{Move: c.has("MOVE"), ObjectIDs: c.wire.HasObjectIDs(), Awaited: !c.has("LITERAL+") && c.has("UIDPLUS")}, nil
}

// Warnings returns, and forgets, what a user should know though nothing
// failed: folders that were skipped, alerts of the server (RFC 3501 section
// 7.1), answers that could not be understood.
func (a *Account) Warnings() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.idle { // those lent out are listened to by who has them
		a.keepWarnings(c.wire.Notices())
	}
	w := a.warnings
	a.warnings = nil
	return w
}

// maxWarnings bounds what is kept between two calls of Warnings.
const maxWarnings = 1000

func (a *Account) warn(text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.addWarning(text)
}

func (a *Account) addWarning(text string) {
	for _, w := range a.warnings {
		if w == text {
			return
		}
	}
	if len(a.warnings) < maxWarnings {
		a.warnings = append(a.warnings, text)
	}
}

func (a *Account) keepWarnings(notices []wire.Notice) {
	for _, n := range notices {
		switch n.Kind {
		case wire.NoticeAlert:
			a.addWarning("alert from the server: " + n.Text)
		case wire.NoticeDropped:
			a.addWarning("answer of the server not understood and skipped: " + n.Name + " " + n.Text)
		}
	}
}

// Stats tells what went over the wire since New, summed over all connections.
func (a *Account) Stats() wire.Stats {
	a.mu.Lock()
	defer a.mu.Unlock()
	sum := a.ended
	for c := range a.all {
		sum = addStats(sum, c.wire.Stats())
	}
	return sum
}

func addStats(s, t wire.Stats) wire.Stats {
	return wire.Stats{
		BytesIn:     s.BytesIn + t.BytesIn,
		BytesOut:    s.BytesOut + t.BytesOut,
		Turnarounds: s.Turnarounds + t.Turnarounds,
		Commands:    s.Commands + t.Commands,
	}
}

package wire

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// Security is how a connection is protected.
type Security string

// The ways to connect. Plain is refused beyond loopback unless
// Options.AllowPlain.
const (
	Implicit Security = "implicit"
	StartTLS Security = "starttls"
	Plain    Security = "none"
)

// Options say how to reach a server and how to log in.
type Options struct {
	Host       string // also the name the certificate must carry
	Port       int    // 0: none, in a tunnel
	Security   Security
	AllowPlain bool        // credentials may cross a network without TLS
	TLS        *tls.Config // roots, pinning; ServerName and MinVersion are set by Dial where unset

	User   string
	Secret func(ctx context.Context) (string, error) // password, or OAuth 2 access token for the bearer mechanisms
	Auth   string                                    // auto, scram-sha-256, scram-sha-1, plain, login, cram-md5, xoauth2, oauthbearer, external
	Bearer bool                                      // Secret gives an access token: auto chooses among the bearer mechanisms

	// Logins is shared by all connections of an account, or nil.
	Logins *Logins

	Timeout    time.Duration // no byte for so long while an answer is due ends the connection
	MaxLine    int           // bytes of one response line without its literals; 0: 1 MiB, raised for ESEARCH and SEARCH
	MaxLiteral int64         // bytes of one literal; 0: 1 GiB
	MaxAnswer  int64         // bytes until a command completes, without the literals of FETCH; 0: 1 GiB

	// Disable names capabilities to behave without, as if the server had not
	// announced them.
	Disable []string

	// Compress says when Conn.Compress compresses the connection, Link, which
	// all connections of an account share, how fast it is. nil is fast.
	Compress Compression
	Link     *Link

	// Trace, when not nil, is told each line in either direction, literals
	// shortened and secrets replaced, until Close or Abort returns. It must call
	// neither.
	Trace func(fromServer bool, line string)

	// Stage, when not nil, is told each step of the handshake as it ends: name
	// is one of dns, tcp or Via, tls, greeting, starttls, login, capabilities,
	// detail what was found, err why it failed.
	Stage func(name, detail string, err error)

	// Refused, when not nil, is called when a login failed with KindAuth.
	Refused func()

	// Costs, when not nil, is told how long the steps of Dial took, and how long
	// it took to begin compression. It may be called from several goroutines.
	Costs func([]Step)

	// DialContext replaces the network dialer (tests, proxies, tunnels). Its
	// connections must heed deadlines, also those set while a Read waits. One
	// without a loopback IP address counts as crossing a network, unless Via says
	// otherwise.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	Via         Via

	steps *steps // of the Dial that was given these options
}

// Via is what the connections of Options.DialContext go through.
type Via string

// What they may go through.
const (
	ViaTunnel Via = "tunnel" // a program on this machine: nobody can overhear what it is told
	ViaProxy  Via = "proxy"  // over a network, also where the proxy is on this machine
)

// Notice is something the server sent that imapclient cannot be shown or does
// not pass on.
type Notice struct {
	Kind NoticeKind
	Tag  string // of a tagged response; "" for untagged
	Name string // response code or response type in upper case: "APPENDUID", "VANISHED", "LIST"
	Text string // its arguments or, where it has none, the human-readable text; control characters removed, cut at 1 KiB

	Status string // of status, alert and bye: OK, NO, BAD or BYE
	Human  string // of status, alert and bye: the human-readable text, even where Text holds arguments
}

// NoticeKind sorts notices.
type NoticeKind string

// The kinds of notices.
const (
	NoticeStatus  NoticeKind = "status"  // a response code or text of OK, NO, BAD (RFC 3501 section 7.1)
	NoticeAlert   NoticeKind = "alert"   // [ALERT]: must be shown to the user
	NoticeBye     NoticeKind = "bye"     // the server's parting words
	NoticeData    NoticeKind = "data"    // captured data: VANISHED, ESEARCH parts, foreign FETCH items
	NoticeDropped NoticeKind = "dropped" // a response that could not be mended: what it was in Name, its beginning in Text
)

// Stats counts what went over the wire.
type Stats struct {
	BytesIn, BytesOut int64
	Turnarounds       int64 // times the direction changed from sending to receiving
	Commands          int64
}

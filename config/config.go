package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"time"

	"imapsync/conflict"
	"imapsync/mail"
	"imapsync/oauth"
)

// Config is a configuration file whose every value has been checked.
type Config struct {
	File     string // where it was read from
	StateDir string // absolute; one state file per account lies there
	Accounts []*Account
}

// Account is a section [accounts.NAME]: one server login and one Maildir.
type Account struct {
	Name string

	Host         string // "" only with Tunnel
	Port         int
	Tunnel       string // command whose input and output are the connection; "": TCP
	Proxy        Proxy  // see ProxyURL
	TLS          TLS
	Insecure     bool       // credentials may cross a network without TLS
	CAFile       string     // PEM file of the authorities to believe instead of the system's; "" for those
	Fingerprints [][32]byte // SHA-256 of the certificates to believe, whoever signed them; none: usual check

	ClientCert string // PEM file of the certificate to show; "" for none
	ClientKey  string // PEM file of its key; "" for none

	User        string // see LoginName
	UserCommand string
	Secret      Secret        // zero where none is needed: EXTERNAL, PREAUTH
	Auth        string        // auto, scram-sha-256, scram-sha-1, plain, login, cram-md5, xoauth2, oauthbearer, external
	OAuth       *oauth.Client // not nil: the secret is an access token that package oauth gets, not Secret

	Maildir   string // absolute
	Layout    Layout
	Separator string // of LayoutFlat, else ""
	Inbox     string // directory of INBOX in Maildir, "." for Maildir itself; "" is the layout's
	UTF7      bool   // folder names are on disk as IMAP writes them
	Folders   Patterns

	Rename     mail.Mapping
	Subscribed bool
	Namespaces []string // personal, other, shared; at least one

	Connections int // at least 1
	Compress    Compress
	Timeout     time.Duration // without a byte from the server, above 0
	Fsync       bool
	KeepDeleted time.Duration // 0 keeps nothing
	FullCheck   time.Duration // above 0

	MaxDeletions Limits
	Conflicts    conflict.Policy // of folders without a section of their own; see Policy

	Trash      mail.FolderName // where deletions on the server move messages to; "" expunges them
	TrashByUse bool            // to the mailbox the server marks as \Trash; Trash is "" then

	DisableExtensions []string // upper case

	Hooks Hooks

	sections []section
	places   map[string]Error // where the keys are, without their values, which may be secret
	hooks    []func(*Hooks)   // of the account's own section
}

// TLS is how the connection to the server is protected.
type TLS string

// The values of the key tls (RFC 8314 calls the first Implicit TLS).
const (
	TLSImplicit TLS = "implicit"
	TLSStart    TLS = "starttls"
	TLSNone     TLS = "none"
)

// Layout is how folders are laid out below the Maildir root.
type Layout string

// The values of the key layout.
const (
	LayoutVerbatim Layout = "verbatim"
	LayoutPlusPlus Layout = "maildir++"
	LayoutFlat     Layout = "flat"
)

// Compress is when the connections are compressed.
type Compress string

// The values of the key compress: "auto", true and false.
const (
	CompressAuto   Compress = "auto"
	CompressAlways Compress = "always"
	CompressNever  Compress = "never"
)

// Limits are how many deletions a run carries out without asking: more than
// Count messages that are also more than Percent of the side are held.
type Limits struct {
	Count   int // at least 1
	Percent int // 1 to 100
}

// section is [accounts.NAME.folder."PATTERN"] with the keys it sets again.
type section struct {
	pattern pattern
	apply   []func(*conflict.Policy)
}

// Policy returns the rules that hold for one folder: those of the account,
// overlaid by each matching folder section in the order of the file.
func (a *Account) Policy(name mail.FolderName) conflict.Policy {
	policy := a.Conflicts
	for _, s := range a.sections {
		if s.pattern.match(name) {
			for _, set := range s.apply {
				set(&policy)
			}
		}
	}
	return policy
}

// Account returns the account of that name, nil if there is none.
func (c *Config) Account(name string) *Account {
	for _, a := range c.Accounts {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// maxFile bounds a configuration file, in bytes.
const maxFile = 1 << 20

// Load reads and checks a configuration file. The error is one Error or
// several joined; errors.Is(err, fs.ErrNotExist) tells a missing file.
func Load(file string) (*Config, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(data) > maxFile {
		return nil, &Error{File: file, Text: fmt.Sprintf("more than %d bytes: this is no configuration file", maxFile)}
	}
	return parse(file, data, info.Mode().Perm()&0o044 != 0)
}

// Parse checks the bytes of a configuration file; file is what errors call it
// and what relative paths start from. Whatever the bytes, it does not panic.
func Parse(file string, data []byte) (*Config, error) {
	return parse(file, data, false)
}

// Error is one thing wrong with the configuration.
type Error struct {
	File string
	Line int    // 0 when it concerns the file as a whole
	Key  string // dotted; "" when it concerns no key
	Text string
}

// Wrong is an error of one of the account's keys that shows when it is used, such as a
// file that is not there.
func (a *Account) Wrong(key, format string, args ...any) *Error {
	e, ok := a.places[key]
	if !ok {
		e = Error{File: "configuration", Key: "accounts." + a.Name + "." + key}
	}
	e.Text = fmt.Sprintf(format, args...)
	return &e
}

func (e *Error) Error() string {
	s := e.File
	if e.Line > 0 {
		s += fmt.Sprintf(":%d", e.Line)
	}
	if e.Key != "" {
		s += ": " + e.Key
	}
	return s + ": " + e.Text
}

// joined makes one error of several, in the order of the file.
func joined(list []*Error) error {
	sort.SliceStable(list, func(i, j int) bool { return list[i].Line < list[j].Line })
	errs := make([]error, len(list))
	for i, e := range list {
		errs[i] = e
	}
	return errors.Join(errs...)
}

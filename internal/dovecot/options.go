package dovecot

import "slices"

// Options say how the server differs from the plain one: no TLS, sdbox, "/"
// between names, no prefix, every extension Dovecot has by itself.
type Options struct {
	// TLS makes a certificate for localhost and 127.0.0.1; the plain port then
	// offers STARTTLS and Server.TLSPort speaks TLS from the first byte.
	TLS bool
	// Format is the mailbox format: "sdbox", "mdbox" or "maildir"; "" is sdbox.
	Format string
	// Separator between the components of mailbox names; "" is "/".
	Separator string
	// Prefix of the personal namespace, such as "INBOX." of Courier and Cyrus.
	Prefix string
	// Without names capabilities that are not announced.
	Without []string
	// MaxUserConnections is mail_max_userip_connections; 0 is 100.
	MaxUserConnections int
	// QuotaBytes limits what each user may store; 0 is no limit.
	QuotaBytes int
	// Compress offers COMPRESS=DEFLATE.
	Compress bool
	// Shared adds namespaces, with rights (ACL): shared/USER/ for what other users
	// share by SETACL, and Public/. Each line says of a mailbox there who may do
	// what: "Public/News user=alice lr".
	Shared []string
	// Pretended names capabilities that are announced though the server has them not.
	Pretended []string
	// Extra is appended to the configuration as it is.
	Extra string
}

// Option sets one of the Options.
type Option func(*Options)

// WithTLS sets Options.TLS.
func WithTLS() Option { return func(o *Options) { o.TLS = true } }

// WithFormat sets Options.Format.
func WithFormat(format string) Option { return func(o *Options) { o.Format = format } }

// WithNamespace sets Options.Prefix and Options.Separator.
func WithNamespace(prefix, separator string) Option {
	return func(o *Options) { o.Prefix, o.Separator = prefix, separator }
}

// Without adds to Options.Without.
func Without(capabilities ...string) Option {
	return func(o *Options) { o.Without = append(o.Without, capabilities...) }
}

// WithMaxUserConnections sets Options.MaxUserConnections.
func WithMaxUserConnections(n int) Option { return func(o *Options) { o.MaxUserConnections = n } }

// WithQuota sets Options.QuotaBytes.
func WithQuota(bytes int) Option { return func(o *Options) { o.QuotaBytes = bytes } }

// WithCompress sets Options.Compress.
func WithCompress() Option { return func(o *Options) { o.Compress = true } }

// WithShared sets Options.Shared.
func WithShared(rights ...string) Option {
	return func(o *Options) { o.Shared = append([]string{}, rights...) }
}

// Pretending sets Options.Pretended.
func Pretending(capabilities ...string) Option {
	return func(o *Options) { o.Pretended = capabilities }
}

// WithExtra adds to Options.Extra.
func WithExtra(conf string) Option { return func(o *Options) { o.Extra += conf + "\n" } }

// capabilities are those of Dovecot 2.3.19 after login.
var capabilities = []string{
	"IMAP4rev1", "SASL-IR", "LOGIN-REFERRALS", "ID", "ENABLE", "IDLE", "SORT", "SORT=DISPLAY",
	"THREAD=REFERENCES", "THREAD=REFS", "THREAD=ORDEREDSUBJECT", "MULTIAPPEND", "URL-PARTIAL",
	"CATENATE", "UNSELECT", "CHILDREN", "NAMESPACE", "UIDPLUS", "LIST-EXTENDED", "I18NLEVEL=1",
	"CONDSTORE", "QRESYNC", "ESEARCH", "ESORT", "SEARCHRES", "WITHIN", "CONTEXT=SEARCH",
	"LIST-STATUS", "BINARY", "MOVE", "SNIPPET=FUZZY", "PREVIEW=FUZZY", "PREVIEW", "STATUS=SIZE",
	"SAVEDATE", "LITERAL+", "NOTIFY", "SPECIAL-USE",
}

// announced returns the capabilities but those taken away.
func (o *Options) announced() []string {
	all := slices.Concat(capabilities, o.Pretended)
	if o.Shared != nil {
		all = append(all, "ACL", "RIGHTS=texk")
	}
	if o.Compress {
		all = append(all, "COMPRESS=DEFLATE")
	}
	return slices.DeleteFunc(all, func(c string) bool { return slices.Contains(o.Without, c) })
}

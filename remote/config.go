package remote

import (
	"io"

	"imapsync/mail"
	"imapsync/remote/wire"
)

// DefaultConnections is how many connections an account uses at most when the
// configuration does not say.
const DefaultConnections = 4

// Config says how to reach an account and how much to ask of its server.
type Config struct {
	Wire        wire.Options
	Connections int       // at most; 0 is DefaultConnections
	Through     io.Closer // what Wire.DialContext goes through, closed after the connections; nil for nothing

	Rename     mail.Mapping // of the names as they are without it, with the prefix of the personal namespace or not
	Namespaces []string     // to be looked at: Personal, Other, Shared; nil is Personal
	Subscribed bool         // of the others than INBOX only those that are subscribed
}

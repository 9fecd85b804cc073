// Package importer reads the configurations of mbsync and offlineimap and says
// them in ours.
//
// Its contract: it looks at text and at what Env tells, and does nothing.
// Whatever the text, it does not panic. Every option found is carried over, is
// what happens anyway, or is named in a Note with its line and what to do
// instead. An account is written only if the Maildir it had is adopted as it
// lies there: one that our layouts cannot have is left out and its Note says how
// to get there, for a wrong layout would have all its mail downloaded again.
package importer

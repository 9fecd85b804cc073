// Package mail is the vocabulary of the synchroniser: flags, identifiers, what
// one side holds of a folder, and what both sides last agreed on. Every other
// package speaks in these words; this one does no I/O and imports none of them.
//
// Where two or three versions of a thing stand side by side the order is always
// base, local, remote.
package mail

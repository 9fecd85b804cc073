// Package realworld plays the scenarios of testdata/scenarios, and random
// histories, on the real thing: syncer.Run on a Maildir on disk, a state in
// SQLite and a private Dovecot, with a mail reader at work on the files and
// another mail client on the server. It has tests only.
//
// The mail reader knows Maildir by itself, without package maildir, and the
// other client IMAP without package remote, so that what they see is a second
// opinion. After each run both sides are compared message by message, the state
// with both of them; then another run has to find nothing to do: no file is
// touched and no command that changes anything is sent.
//
// What a scenario needs that this server cannot be made to do is named, with
// the reason, in the table leftOut.
package realworld

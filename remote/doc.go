// Package remote is the server side of one account in our own terms: folders,
// snapshots, and the few changes a run makes, over go-imap's imapclient on top
// of package wire.
//
// Its contract:
//
//   - Folder names are ours (mail.FolderName): "/" between components, no
//     namespace prefix, INBOX in capitals. Modified UTF-7 is go-imap's business.
//   - Absence is only reported when it is proven; where the server's numbers do
//     not add up the snapshot says so (mail.RemoteSnapshot.Doubt).
//   - A body handed on is whole, or its reader ends with an error.
//   - Errors are graded (mail.Fault), carry the server's own words, and tell how
//     long it wants to be left alone where it said so. What was
//     refused costs the message or folder concerned; a connection that breaks
//     ends its mailbox, and the next Open dials anew.
//   - A listing holds 4 Mi messages and 256 MiB of keywords at most, about 200
//     bytes a message; a folder that has more is not synchronised.
//   - Commands of one kind are pipelined, those of different kinds awaited, but
//     for questions, which follow their SELECT at once and count only when that
//     told the UIDVALIDITY expected. A second mailbox is selected before the first
//     one's answers are in only by package wire's Visit, which tells by the answer
//     to its SELECT of which mailbox the server speaks (RFC 9051 section 5.5).
//
// An Account may be used from several goroutines, a Mailbox from one.
package remote

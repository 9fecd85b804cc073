// Package corpus makes mail for tests and benchmarks: realistic messages from
// a seed, and the awkward ones that real mailboxes hold, by name. The same seed
// gives the same mail.
//
// Bodies are in the form of a Maildir, with LF line ends; Wire gives the form
// of IMAP.
package corpus

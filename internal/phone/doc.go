// Package phone is another mail client of the account: it changes mail on the
// server behind the synchroniser's back and tells what the server holds. The
// demonstration, the tests and the benchmark use it; the synchroniser itself
// does not.
//
// Mailbox names are the server's, prefix and delimiter included, in UTF-8.
package phone

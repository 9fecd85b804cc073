// Package dovecot starts a private Dovecot for tests and benchmarks: its own
// configuration, mail, sockets and a loopback port, all in one temporary
// directory. Every user name is an account and shares one password. The
// processes end with the server, or with the process that started it.
//
// Dovecot always runs without privileges: as the current user, or, started by
// root, as nobody.
package dovecot

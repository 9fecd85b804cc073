// Package e2e tests the real binary as a user runs it: a configuration file, a
// Maildir on disk, a private Dovecot behind a recording proxy, another mail
// client on the server and mail readers on the files. It knows the command
// line, the configuration and the exit codes, and nothing of the program's
// insides.
package e2e

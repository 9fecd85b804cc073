// Package wire stands between the socket and go-imap's imapclient.
package wire

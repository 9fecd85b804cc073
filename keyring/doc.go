// Package keyring keeps secrets in the keyring of the system: the Secret
// Service of a Linux desktop, the Keychain of macOS.
//
// Its contract: a call ends when its context does, whatever the keyring waits
// for (a person who is to unlock it, say); that there is no entry, and that
// there is no keyring, are told apart; no error holds a secret.
package keyring

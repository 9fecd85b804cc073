// Package conflict holds the rules. Merge takes one message as both sides last
// agreed on it, as the Maildir holds it and as the server holds it, and says
// what is to become of it and why, in words. It is pure: no I/O, no clock, no
// randomness, and it knows nothing of UIDs, keys or files.
package conflict

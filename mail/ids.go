package mail

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

// UID is an IMAP unique identifier (RFC 3501 section 2.3.1.1); 0 is none.
type UID uint32

// Key is the unique part of a Maildir file name, the part before ":2,".
type Key string

// Digest is a SHA-256 hash; the zero value means not known.
type Digest [32]byte

// IsZero reports whether the digest is not known.
func (d Digest) IsZero() bool { return d == Digest{} }

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// FolderName names a folder on either side: UTF-8 components joined by "/",
// without the prefix of the personal namespace, whatever the server's delimiter, and
// as the Mapping has it. A component that holds a "/" of its own has it written "%2F".
type FolderName string

// Inbox is the one folder every account has; servers take its name in any case
// (RFC 3501 section 5.1).
const Inbox FolderName = "INBOX"

// MaxFolderName is the longest folder name taken from either side, in bytes.
const MaxFolderName = 1000

// Components splits the name at its slashes.
func (n FolderName) Components() []string { return strings.Split(string(n), "/") }

// Parent returns the name without its last component, "" at the top.
func (n FolderName) Parent() FolderName {
	i := strings.LastIndexByte(string(n), '/')
	if i < 0 {
		return ""
	}
	return n[:i]
}

// Within reports whether the folder lies somewhere below the other.
func (n FolderName) Within(above FolderName) bool {
	return strings.HasPrefix(string(n), string(above)+"/")
}

// Check reports what makes the name unfit for either side. Names that merely
// need escaping on disk are fit.
func (n FolderName) Check() error {
	switch {
	case n == "":
		return fmt.Errorf("empty folder name")
	case len(n) > MaxFolderName:
		return fmt.Errorf("folder name of %d bytes, more than %d", len(n), MaxFolderName)
	case !utf8.ValidString(string(n)):
		return fmt.Errorf("folder name %q is not UTF-8", string(n))
	case strings.ContainsRune(string(n), 0):
		return fmt.Errorf("folder name %q holds a NUL", string(n))
	}
	for _, c := range n.Components() {
		if c == "" {
			return fmt.Errorf("folder name %q has an empty component", string(n))
		}
	}
	return nil
}

package corpus

import (
	"bytes"
	"crypto/sha256"
	"time"

	"imapsync/mail"
)

// Message is one message with what a mailbox knows about it.
type Message struct {
	Flags mail.Flags
	Date  time.Time // for INTERNALDATE and mtime; whole seconds
	Body  []byte    // LF line ends
}

// Wire returns the body with CR LF line ends. A CR that stands alone, or
// before an LF that has one already, stays.
func Wire(body []byte) []byte {
	lines := bytes.Count(body, []byte{'\n'})
	wire := make([]byte, 0, len(body)+lines)
	for i, c := range body {
		if c == '\n' && (i == 0 || body[i-1] != '\r') {
			wire = append(wire, '\r')
		}
		wire = append(wire, c)
	}
	return wire
}

// Disk returns the body with LF line ends: the CRs right before an LF are
// dropped, others stay.
func Disk(body []byte) []byte {
	disk := make([]byte, 0, len(body))
	for line := range bytes.Lines(body) {
		text, whole := bytes.CutSuffix(line, []byte{'\n'})
		if !whole {
			return append(disk, line...)
		}
		disk = append(append(disk, bytes.TrimRight(text, "\r")...), '\n')
	}
	return disk
}

// Sum is a hash by which tests compare messages whatever their line ends. It
// is deliberately not the Digest of package mail.
func Sum(body []byte) [sha256.Size]byte { return sha256.Sum256(Disk(body)) }

package conflict

import "imapsync/mail"

// Part is how much of a message the Maildir holds.
type Part string

// The parts. What is not whole is held as a stub (mail.StubField).
const (
	Whole   Part = "full"
	Headers Part = "headers" // the header block and the list of what was left out
	Text    Part = "text"    // that, and the beginning of the text parts
)

// ParsePart reads a part as an operation has it (plan.Op); "" is Whole.
func ParsePart(s string) Part {
	if s == "" {
		return Whole
	}
	return Part(s)
}

// TextLimit bounds the text of a stub, in bytes as the server sends them. A
// message that is no larger is held whole in its place.
const TextLimit = 64 << 10

// Part tells how much of a message of this size and flags is held.
func (e Extent) Part(size int64, flags mail.Flags) Part {
	switch {
	case size <= 0: // the field at the top of a stub could not tell it from a message
		return Whole
	case e.Upgrade && flags.System&mail.Flagged != 0:
		return Whole
	case e.Body == Headers:
		return Headers
	case size > TextLimit && (e.Body == Text || e.MaxSize > 0 && size > e.MaxSize):
		return Text
	}
	return Whole
}

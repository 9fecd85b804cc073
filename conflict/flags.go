package conflict

import (
	"strings"

	"imapsync/mail"
)

// MergeFlags merges flag by flag, three-way: the side that changed a flag
// wins, and since a flag is only set or not, two sides that changed it agree.
func MergeFlags(base, local, remote mail.Flags) mail.Flags {
	lost := base.Minus(local.Intersect(remote))
	return local.Union(remote).Minus(lost)
}

// AgreedFlags is what both sides agree on once the changes were carried out that
// are propagated: of a flag that differs still, what the base has.
func AgreedFlags(base, local, remote mail.Flags, pull, push bool) mail.Flags {
	switch {
	case pull && push:
		return MergeFlags(base, local, remote)
	case pull:
		return remote
	case push:
		return local
	}
	return local.Intersect(remote).Union(base.Intersect(local.Union(remote)))
}

// flagReason says which side changed what, with Maildir letters and keywords.
func flagReason(base, local, remote mail.Flags) string {
	var parts []string
	if d := Difference(base, local); d != "" {
		parts = append(parts, "in the Maildir "+d)
	}
	if d := Difference(base, remote); d != "" {
		parts = append(parts, "on the server "+d)
	}
	return "flags changed: " + strings.Join(parts, ", ")
}

// Difference writes what changed from one set to the other: "+FS -T +todo".
func Difference(from, to mail.Flags) string {
	var words []string
	words = appendSigned(words, "+", to.Minus(from))
	words = appendSigned(words, "-", from.Minus(to))
	return strings.Join(words, " ")
}

func appendSigned(words []string, sign string, f mail.Flags) []string {
	if l := f.System.Letters(); l != "" {
		words = append(words, sign+l)
	}
	for _, k := range f.Keywords() {
		words = append(words, sign+k)
	}
	return words
}

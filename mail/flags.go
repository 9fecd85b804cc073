package mail

import (
	"sort"
	"strings"
)

// System is a set of the flags that both a Maildir name and IMAP can say.
type System uint8

// The system flags, with their Maildir letter and IMAP name
// (RFC 3501 section 2.3.2; $Forwarded is registered by RFC 5788).
const (
	Draft     System = 1 << iota // D, \Draft
	Flagged                      // F, \Flagged
	Forwarded                    // P, $Forwarded
	Answered                     // R, \Answered
	Seen                         // S, \Seen
	Deleted                      // T, \Deleted

	// AllSystem is every system flag.
	AllSystem = Draft | Flagged | Forwarded | Answered | Seen | Deleted
)

var systemFlags = []struct {
	flag   System
	letter byte
	imap   string
}{
	{Draft, 'D', `\Draft`},
	{Flagged, 'F', `\Flagged`},
	{Forwarded, 'P', `$Forwarded`},
	{Answered, 'R', `\Answered`},
	{Seen, 'S', `\Seen`},
	{Deleted, 'T', `\Deleted`},
}

// SystemOfLetter returns the flag a Maildir info letter stands for, 0 if none.
func SystemOfLetter(letter byte) System {
	for _, f := range systemFlags {
		if f.letter == letter {
			return f.flag
		}
	}
	return 0
}

// SystemOfIMAP returns the flag an IMAP flag name stands for, whatever its
// case, and 0 for keywords and for flags that are not synchronised (\Recent).
func SystemOfIMAP(name string) System {
	for _, f := range systemFlags {
		if strings.EqualFold(f.imap, name) {
			return f.flag
		}
	}
	return 0
}

// Letters returns the Maildir letters of the set in the order of the Maildir
// specification (ASCII).
func (s System) Letters() string {
	var b strings.Builder
	for _, f := range systemFlags {
		if s&f.flag != 0 {
			b.WriteByte(f.letter)
		}
	}
	return b.String()
}

// IMAP returns the IMAP names of the set.
func (s System) IMAP() []string {
	var names []string
	for _, f := range systemFlags {
		if s&f.flag != 0 {
			names = append(names, f.imap)
		}
	}
	return names
}

// Flags is the flags and keywords of a message. The zero value has none.
// Keywords are case-insensitive (RFC 3501 section 9), yet keep the spelling
// they came with; compare with Equal, never with ==.
type Flags struct {
	System   System
	keywords string // sorted by lower case, separated by a space
}

// NewFlags makes a set. Keywords that no IMAP atom can carry are left out, as
// are doubles; the first spelling of a keyword stays.
func NewFlags(system System, keywords ...string) Flags {
	kept := make([]string, 0, len(keywords))
	for _, k := range keywords {
		if f := SystemOfIMAP(k); f != 0 {
			system |= f
			continue
		}
		if ValidKeyword(k) {
			kept = append(kept, k)
		}
	}
	sort.SliceStable(kept, func(i, j int) bool { return strings.ToLower(kept[i]) < strings.ToLower(kept[j]) })
	out := kept[:0]
	for _, k := range kept {
		if len(out) == 0 || !strings.EqualFold(out[len(out)-1], k) {
			out = append(out, k)
		}
	}
	return Flags{System: system, keywords: strings.Join(out, " ")}
}

// ValidKeyword reports whether k is a keyword that is safe to send and to
// store: an atom of printable ASCII (RFC 3501 section 9, flag-keyword).
func ValidKeyword(k string) bool {
	if k == "" || len(k) > 255 || k[0] == '\\' {
		return false
	}
	for i := 0; i < len(k); i++ {
		if c := k[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`(){%*"\]`, c) >= 0 {
			return false
		}
	}
	return true
}

// Keywords returns the keywords in their order.
func (f Flags) Keywords() []string {
	if f.keywords == "" {
		return nil
	}
	return strings.Split(f.keywords, " ")
}

// HasKeyword reports whether k is in the set, whatever its case.
func (f Flags) HasKeyword(k string) bool {
	for _, have := range f.Keywords() {
		if strings.EqualFold(have, k) {
			return true
		}
	}
	return false
}

// IsEmpty reports whether the set is empty.
func (f Flags) IsEmpty() bool { return f.System == 0 && f.keywords == "" }

// Equal reports whether both sets hold the same flags; the spelling of
// keywords does not matter.
func (f Flags) Equal(g Flags) bool {
	return f.System == g.System && (f.keywords == g.keywords || strings.EqualFold(f.keywords, g.keywords))
}

// Union returns the flags that are in f, in g or in both.
func (f Flags) Union(g Flags) Flags {
	if g.keywords == "" || f.keywords == g.keywords {
		return Flags{f.System | g.System, f.keywords}
	}
	return NewFlags(f.System|g.System, append(f.Keywords(), g.Keywords()...)...)
}

// Minus returns the flags of f that g does not have.
func (f Flags) Minus(g Flags) Flags {
	return f.filter(f.System&^g.System, func(k string) bool { return !g.HasKeyword(k) })
}

// Intersect returns the flags that are in both.
func (f Flags) Intersect(g Flags) Flags {
	return f.filter(f.System&g.System, g.HasKeyword)
}

func (f Flags) filter(system System, keep func(string) bool) Flags {
	if f.keywords == "" {
		return Flags{System: system}
	}
	var kept []string
	for _, k := range f.Keywords() {
		if keep(k) {
			kept = append(kept, k)
		}
	}
	return Flags{system, strings.Join(kept, " ")}
}

// IMAP returns all flags by their IMAP names.
func (f Flags) IMAP() []string { return append(f.System.IMAP(), f.Keywords()...) }

// ParseFlags reads what IMAP, String or a state row says: names separated by
// blanks, system flags by IMAP name or as one leading word of Maildir letters
// after a colon (":FS"). Unknown backslash flags (\Recent) are left out.
func ParseFlags(s string) Flags {
	words := strings.Fields(s)
	var system System
	if len(words) > 0 && words[0][0] == ':' {
		for i := 1; i < len(words[0]); i++ {
			system |= SystemOfLetter(words[0][i])
		}
		words = words[1:]
	}
	return NewFlags(system, words...)
}

// String is the form ParseFlags reads: ":FS $Label1 todo", ":" for none.
func (f Flags) String() string {
	s := ":" + f.System.Letters()
	if f.keywords != "" {
		s += " " + f.keywords
	}
	return s
}

// FlagSpace says which flags one side is able to store for a folder: a server
// by its PERMANENTFLAGS, a Maildir by the keywords its table still has room
// for. A flag outside the space can neither be set nor be seen to be missing.
type FlagSpace struct {
	System     System
	AnyKeyword bool  // keywords not listed can be made
	Keywords   Flags // keywords that can be stored though AnyKeyword is false
	Blind      bool  // that a message lacks a keyword cannot be seen
	ReadOnly   bool  // nothing can be changed here
}

// FullSpace stores every flag and keyword.
func FullSpace() FlagSpace { return FlagSpace{System: AllSystem, AnyKeyword: true} }

// Storable returns the part of f that the side can store.
func (s FlagSpace) Storable(f Flags) Flags {
	if s.ReadOnly {
		return Flags{}
	}
	return f.filter(f.System&s.System, func(k string) bool { return s.AnyKeyword || s.Keywords.HasKeyword(k) })
}

// Complete returns what the side would show if it could store everything: seen,
// and those flags of base that it has no means to say. Where nothing can be changed
// it shows all the same what it has.
func (s FlagSpace) Complete(base, seen Flags) Flags {
	if s.ReadOnly {
		return seen
	}
	if s.Blind {
		s.AnyKeyword, s.Keywords = false, Flags{}
	}
	return seen.Union(base.Minus(s.Storable(base)))
}

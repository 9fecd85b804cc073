package mail

import (
	"slices"
	"strings"
	"testing"
)

// flagSets are sets with system flags and keywords in several spellings.
func flagSets() []Flags {
	var sets []Flags
	for _, s := range []System{0, Seen, Seen | Flagged, Draft | Deleted, AllSystem} {
		for _, k := range [][]string{nil, {"todo"}, {"ToDo", "$Label1"}, {"a", "b", "C"}, {"_x", "Zed", "zed2"}} {
			sets = append(sets, NewFlags(s, k...))
		}
	}
	return sets
}

func TestFlagsAlgebra(t *testing.T) {
	for _, f := range flagSets() {
		for _, g := range flagSets() {
			union, minus, both := f.Union(g), f.Minus(g), f.Intersect(g)
			if !union.Equal(g.Union(f)) {
				t.Errorf("%v and %v: union is not symmetric", f, g)
			}
			if !both.Equal(g.Intersect(f)) {
				t.Errorf("%v and %v: intersection is not symmetric", f, g)
			}
			if !minus.Union(both).Equal(f) {
				t.Errorf("%v and %v: what is not and what is in the other make %v", f, g, minus.Union(both))
			}
			if !minus.Intersect(g).IsEmpty() {
				t.Errorf("%v minus %v leaves %v", f, g, minus)
			}
			if !union.Minus(g).Equal(minus) {
				t.Errorf("%v and %v: union minus the second is %v", f, g, union.Minus(g))
			}
			if f.Equal(g) != (f.Minus(g).IsEmpty() && g.Minus(f).IsEmpty()) {
				t.Errorf("%v and %v: Equal says %v", f, g, f.Equal(g))
			}
		}
	}
}

func TestFlagsStringRoundTrip(t *testing.T) {
	for _, f := range flagSets() {
		if back := ParseFlags(f.String()); back != f {
			t.Errorf("%v comes back as %v", f, back)
		}
		if back := ParseFlags(strings.Join(f.IMAP(), " ")); back != f {
			t.Errorf("%v comes back from IMAP names as %v", f, back)
		}
	}
}

func TestParseFlags(t *testing.T) {
	for in, want := range map[string]string{
		"":                                 ":",
		":":                                ":",
		":FS todo":                         ":FS todo",
		`\SEEN \flagged $forwarded`:        ":FPS",
		`\Recent \Seen \Unknown`:           ":S",
		"todo TODO Todo":                   ": todo",
		"$Label1  b\ta":                    ": $Label1 a b",
		"bad(x ok ba\"d [x] ümlaut":        ": ok",
		":SXQ x":                           ":S x",
		strings.Repeat("k", 256) + " kept": ": kept",
	} {
		if got := ParseFlags(in).String(); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestKeywordsKeepTheirSpelling(t *testing.T) {
	f := NewFlags(Seen, "Work", "WORK", "home")
	if got := f.Keywords(); !slices.Equal(got, []string{"home", "Work"}) {
		t.Errorf("keywords %q", got)
	}
	if !f.HasKeyword("wORK") || f.HasKeyword("wor") {
		t.Error("HasKeyword does not compare whole words whatever their case")
	}
	if !f.Equal(NewFlags(Seen, "HOME", "work")) {
		t.Error("the case of keywords makes sets differ")
	}
	if !f.Minus(NewFlags(0, "work", "HOME")).Equal(NewFlags(Seen)) {
		t.Error("Minus compares the case of keywords")
	}
}

func TestSystemFlagNames(t *testing.T) {
	if got := AllSystem.Letters(); got != "DFPRST" {
		t.Errorf("letters %q are not in ASCII order or not all", got)
	}
	for i, name := range AllSystem.IMAP() {
		letter := AllSystem.Letters()[i]
		if SystemOfIMAP(strings.ToLower(name)) != SystemOfLetter(letter) || SystemOfLetter(letter) == 0 {
			t.Errorf("%s and %c are not the same flag", name, letter)
		}
	}
	if SystemOfIMAP(`\Recent`) != 0 || SystemOfLetter('a') != 0 || SystemOfLetter('X') != 0 {
		t.Error("something else is taken for a system flag")
	}
}

func TestFlagSpace(t *testing.T) {
	base := NewFlags(Seen|Forwarded, "known", "other")
	limited := FlagSpace{System: AllSystem &^ Forwarded, Keywords: NewFlags(0, "KNOWN")}
	if got := limited.Storable(base); !got.Equal(NewFlags(Seen, "known")) {
		t.Errorf("storable: %v", got)
	}
	// What the side cannot say is as the base has it; what it can say is as seen.
	if got := limited.Complete(base, NewFlags(Flagged)); !got.Equal(NewFlags(Flagged|Forwarded, "other")) {
		t.Errorf("complete: %v", got)
	}
	if got := FullSpace().Complete(base, NewFlags(Flagged)); !got.Equal(NewFlags(Flagged)) {
		t.Errorf("complete with full space: %v", got)
	}
	blind := FlagSpace{System: AllSystem, AnyKeyword: true, Keywords: NewFlags(0, "KNOWN"), Blind: true}
	if got := blind.Storable(base); !got.Equal(base) {
		t.Errorf("storable, blind: %v", got)
	}
	if got := blind.Complete(base, NewFlags(Flagged, "new")); !got.Equal(NewFlags(Flagged, "known", "new", "other")) {
		t.Errorf("complete, blind: %v", got)
	}
	readOnly := FlagSpace{System: AllSystem, AnyKeyword: true, ReadOnly: true}
	if got := readOnly.Storable(base); !got.IsEmpty() {
		t.Errorf("storable read-only: %v", got)
	}
	if got := readOnly.Complete(base, NewFlags(Flagged)); !got.Equal(NewFlags(Flagged)) {
		t.Errorf("complete read-only: %v", got)
	}
}

func FuzzParseFlags(f *testing.F) {
	f.Add(":FS $Label1 todo")
	f.Add(`\Seen \Recent a:b`)
	f.Fuzz(func(t *testing.T, s string) {
		once := ParseFlags(s)
		if twice := ParseFlags(once.String()); twice != once {
			t.Fatalf("%q: %v comes back as %v", s, once, twice)
		}
	})
}

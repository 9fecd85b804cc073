package simworld

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"imapsync/mail"
)

// Entry is a message in a folder, or a folder when Name is "".
type Entry struct {
	Folder mail.FolderName
	Name   string
	Flags  mail.Flags
	New    bool // it lies in new/, or is to
}

// String is the form of scenarios: "A=S", "Lists/Go/B=FS+todo", "C" for one in
// new/, "Lists/" for a folder.
func (e Entry) String() string {
	s := at(e.Folder, e.Name)
	if e.Name == "" || e.New {
		return s
	}
	return s + "=" + flagWord(e.Flags)
}

func flagWord(f mail.Flags) string {
	return strings.Join(append([]string{f.System.Letters()}, f.Keywords()...), "+")
}

// at writes a place; INBOX goes without saying.
func at(folder mail.FolderName, name string) string {
	if folder == mail.Inbox && name != "" {
		return name
	}
	return string(folder) + "/" + name
}

func parsePlace(s string) (mail.FolderName, string, error) {
	i := strings.LastIndexByte(s, '/')
	folder, name := mail.Inbox, s[i+1:]
	if i >= 0 {
		folder = mail.FolderName(s[:i])
	}
	if s == "" {
		return "", "", fmt.Errorf("empty name")
	}
	return folder, name, folder.Check()
}

func parseEntry(s string) (Entry, error) {
	place, flags, has := strings.Cut(s, "=")
	folder, name, err := parsePlace(place)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Folder: folder, Name: name, New: !has && name != ""}
	if has {
		e.Flags, err = parseFlagWord(flags)
	}
	return e, err
}

func parseFlagWord(s string) (mail.Flags, error) {
	words := strings.Split(s, "+")
	var system mail.System
	for i := 0; i < len(words[0]); i++ {
		f := mail.SystemOfLetter(words[0][i])
		if f == 0 {
			return mail.Flags{}, fmt.Errorf("%q is not a flag letter", words[0][i])
		}
		system |= f
	}
	return mail.NewFlags(system, words[1:]...), nil
}

// expand writes out "M1..M3=S" as "M1=S M2=S M3=S".
func expand(words []string) ([]string, error) {
	var out []string
	for _, w := range words {
		first, rest, is := strings.Cut(w, "..")
		if !is {
			out = append(out, w)
			continue
		}
		last, flags, has := strings.Cut(rest, "=")
		if has {
			flags = "=" + flags
		}
		stem, from := numbered(first)
		_, to := numbered(last)
		if from < 0 || to < from {
			return nil, fmt.Errorf("%q is no range", w)
		}
		for n := from; n <= to; n++ {
			out = append(out, stem+strconv.Itoa(n)+flags)
		}
	}
	return out, nil
}

// numbered splits "M12" into "M" and 12; the number is -1 where there is none.
func numbered(s string) (string, int) {
	stem := strings.TrimRight(s, "0123456789")
	n, err := strconv.Atoi(s[len(stem):])
	if err != nil {
		return s, -1
	}
	return stem, n
}

// phrase is a text around one message, for shortening runs of them.
type phrase struct{ before, place, after string }

// shorten writes phrases, runs of numbered messages as a range.
func shorten(ps []phrase) []string {
	var out []string
	for i := 0; i < len(ps); {
		stem, first := numbered(ps[i].place)
		j := i + 1
		for ; j < len(ps) && first >= 0; j++ {
			s, n := numbered(ps[j].place)
			if s != stem || n != first+j-i || ps[j].before != ps[i].before || ps[j].after != ps[i].after {
				break
			}
		}
		place := ps[i].place
		if j-i > 2 {
			_, name, _ := parsePlace(ps[j-1].place)
			place += ".." + name
		} else {
			j = i + 1
		}
		out = append(out, ps[i].before+place+ps[i].after)
		i = j
	}
	return out
}

// EntriesText writes a listing as scenarios do.
func EntriesText(list []Entry) string {
	ps := make([]phrase, len(list))
	for i, e := range list {
		s := e.String()
		place := at(e.Folder, e.Name)
		ps[i] = phrase{place: place, after: s[len(place):]}
	}
	return strings.Join(shorten(ps), " ")
}

func parseEntries(s string) ([]Entry, error) {
	words, err := expand(strings.Fields(s))
	if err != nil {
		return nil, err
	}
	var list []Entry
	for _, w := range words {
		e, err := parseEntry(w)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", w, err)
		}
		list = append(list, e)
	}
	return list, nil
}

// Tidy returns a listing in the order of folders, names and flags, without the
// folders that an entry with a name implies, and without INBOX, which is always
// there.
func Tidy(list []Entry) []Entry {
	full := map[mail.FolderName]bool{mail.Inbox: true}
	for _, e := range list {
		if e.Name != "" {
			full[e.Folder] = true
		}
	}
	var out []Entry
	for _, e := range list {
		if e.Name != "" || !full[e.Folder] {
			out = append(out, e)
		}
	}
	sort.Slice(out, func(i, j int) bool { return entryLess(out[i], out[j]) })
	return out
}

func entryLess(a, b Entry) bool {
	if a.Folder != b.Folder {
		if a.Folder == mail.Inbox || b.Folder == mail.Inbox {
			return a.Folder == mail.Inbox
		}
		return a.Folder < b.Folder
	}
	as, an := numbered(a.Name)
	bs, bn := numbered(b.Name)
	if as != bs {
		return as < bs
	}
	if an != bn {
		return an < bn
	}
	return a.String() < b.String()
}

// SameEntries compares two tidy listings; whether a file lies in new/ does not
// matter, nor the spelling of keywords.
func SameEntries(a, b []Entry) bool {
	if len(a) != len(b) {
		return false
	}
	return normal(a) == normal(b)
}

func normal(list []Entry) string {
	list = append([]Entry(nil), list...)
	for i := range list {
		list[i].New = false
	}
	return strings.ToLower(EntriesText(Tidy(list)))
}

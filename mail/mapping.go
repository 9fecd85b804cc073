package mail

import (
	"slices"
	"strings"
)

// Renaming gives a folder of the server, and all below it, another name here.
// Where the server's name ends with "/" or is empty, it is about what is below
// alone, and our name then ends with "/" or is empty, too.
type Renaming struct {
	Server FolderName // without the prefix of the personal namespace
	Local  FolderName
}

// Mapping gives folders of the server other names here. Of several entries about
// a name the one with the longest counts. INBOX always keeps its name.
type Mapping []Renaming

// Local is what a folder of the server is called here.
func (m Mapping) Local(server FolderName) FolderName {
	local, longest := server, -1
	if server == Inbox {
		return Inbox
	}
	for _, r := range m {
		if rest, ok := below(server, r.Server); ok && len(r.Server) > longest {
			local, longest = r.Local+rest, len(r.Server)
		}
	}
	return local
}

// Server lists the names that a folder can have on the server to be called so
// here; first that by the entry with the longest of our names, last its own. There
// is none where entries give all such folders other names.
func (m Mapping) Server(local FolderName) []FolderName {
	var names []FolderName
	try := func(name FolderName) {
		if strings.EqualFold(string(name), string(Inbox)) && local != Inbox { // RFC 3501 section 5.1: that is INBOX
			return
		}
		if m.Local(name) == local && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	longestFirst := slices.Clone(m)
	slices.SortStableFunc(longestFirst, func(a, b Renaming) int { return len(b.Local) - len(a.Local) })
	for _, r := range longestFirst {
		if rest, ok := below(local, r.Local); ok && local != Inbox {
			try(r.Server + rest)
		}
	}
	try(local)
	return names
}

// below is the rest of a name that begins with that of an entry, which is about it.
func below(name, entry FolderName) (rest FolderName, ok bool) {
	after, begins := strings.CutPrefix(string(name), string(entry))
	switch {
	case !begins:
		return "", false
	case entry.Prefix():
		return FolderName(after), after != ""
	}
	return FolderName(after), after == "" || after[0] == '/'
}

// Prefix reports whether a name in a Renaming stands for what is below it alone.
func (n FolderName) Prefix() bool { return n == "" || n[len(n)-1] == '/' }

package remote

import (
	"slices"
	"strconv"

	"github.com/emersion/go-imap/v2"

	"imapsync/mail"
)

// maxSet is how long a UID set in a command may be, in bytes; Dovecot takes 64
// KB a line, others far less (RFC 7162 section 4 advises 8192 octets a line).
const maxSet = 8 << 10

// sorted returns the UIDs in ascending order, each once, without 0.
func sorted(uids []mail.UID) []mail.UID {
	s := slices.Clone(uids)
	slices.Sort(s)
	s = slices.Compact(s)
	if len(s) > 0 && s[0] == 0 {
		s = s[1:]
	}
	return s
}

// sets writes UIDs, sorted, as sets that each fit into a command.
func sets(uids []mail.UID) []imap.UIDSet {
	var all []imap.UIDSet
	var set imap.UIDSet
	size := 0
	for i := 0; i < len(uids); {
		j := i + 1
		for j < len(uids) && uids[j] == uids[j-1]+1 {
			j++
		}
		r := imap.UIDRange{Start: imap.UID(uids[i]), Stop: imap.UID(uids[j-1])}
		length := len(strconv.Itoa(int(r.Start))) + len(strconv.Itoa(int(r.Stop))) + 2
		if size+length > maxSet {
			all = append(all, set)
			set, size = nil, 0
		}
		set = append(set, r)
		size += length
		i = j
	}
	if set != nil {
		all = append(all, set)
	}
	return all
}

// from is the set of the UIDs from uid on.
func from(uid mail.UID) imap.UIDSet {
	return imap.UIDSet{{Start: imap.UID(uid), Stop: 0}}
}

// count tells how many UIDs a set of the server's holds, which may be absurd.
func count(set imap.UIDSet) uint64 {
	var n uint64
	for _, r := range set {
		if r.Stop >= r.Start {
			n += uint64(r.Stop-r.Start) + 1
		}
	}
	return n
}

// each calls f for the UIDs of a set in ascending order.
func each(set imap.UIDSet, f func(mail.UID)) {
	for _, r := range set {
		for uid := uint64(r.Start); uid <= uint64(r.Stop); uid++ {
			f(mail.UID(uid))
		}
	}
}

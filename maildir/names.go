package maildir

import (
	"context"

	"imapsync/mail"
)

// Names is a listing of a folder by names alone, to be compared with what is known
// of the folder message by message: a folder may have a million files, of which a
// run seldom has to do with more than a few.
type Names struct {
	f       *folder
	listing *listing
	table   table
	flags   map[string]mail.Flags // a folder has few combinations of letters
	alike   int                   // files that Like found
	snap    mail.LocalSnapshot    // without its messages
}

// Names lists a folder as Scan does without looking at the files.
func (m *Maildir) Names(ctx context.Context, name mail.FolderName) (*Names, error) {
	n := &Names{flags: map[string]mail.Flags{}, snap: mail.LocalSnapshot{Folder: name, Space: mail.FullSpace()}}
	f, err := m.folder(name)
	if err != nil {
		return nil, err
	}
	stamp, exists, err := stampOf(f.path)
	if err != nil {
		return nil, f.inFolder("look at folder", err)
	}
	n.f = f
	if !exists {
		return n, nil
	}
	if n.listing, err = f.list(ctx); err != nil {
		return nil, err
	}
	if n.table, err = f.keywords(); err != nil { // after the listing: whoever uses a letter has entered it first
		return nil, err
	}
	n.snap.Exists, n.snap.Stamp, n.snap.Still = true, stamp, n.listing.still
	n.snap.Space = n.table.space(n.listing.letters)
	return n, nil
}

// Like reports whether there is a file of this key with exactly these flags. If
// so Snapshot leaves it out from then on.
func (n *Names) Like(key mail.Key, flags mail.Flags) bool {
	if n.listing == nil {
		return false
	}
	n.f.mu.Lock()
	defer n.f.mu.Unlock()
	p, there := n.listing.places[key]
	if !there || !n.flagsOf(p).Equal(flags) {
		return false
	}
	if !p.known {
		p.known = true
		n.listing.places[key] = p
		n.alike++
	}
	return true
}

// File returns the file of a key.
func (n *Names) File(key mail.Key) (l mail.Local, there bool) {
	if n.listing == nil {
		return l, false
	}
	n.f.mu.Lock()
	defer n.f.mu.Unlock()
	p, there := n.listing.places[key]
	return mail.Local{Key: key, Flags: n.flagsOf(p), New: p.inNew}, there
}

// Snapshot is what a Scan gives, less the files that Like found.
func (n *Names) Snapshot() mail.LocalSnapshot {
	snap := n.snap
	if n.listing == nil {
		return snap
	}
	n.f.mu.Lock()
	defer n.f.mu.Unlock()
	snap.Messages = make(map[mail.Key]mail.Local, max(len(n.listing.places)-n.alike, 0))
	for key, p := range n.listing.places {
		if !p.known {
			snap.Messages[key] = mail.Local{Key: key, Flags: n.flagsOf(p), New: p.inNew}
		}
	}
	return snap
}

func (n *Names) flagsOf(p place) mail.Flags {
	letters := parseName(p.file).letters
	set, known := n.flags[letters]
	if !known {
		set = n.table.flags(letters)
		n.flags[letters] = set
	}
	return set
}

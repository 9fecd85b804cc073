package maildir

import "imapsync/mail"

// listing is one pass over new and cur: the folder's index of names. A folder may
// have a million; what follows the keys in them is one of a few endings.
type listing struct {
	spots   map[mail.Key]spot
	endings []string
	index   map[string]uint32 // of endings

	copies  map[mail.Key][]place // the other files of keys that several have; nil where there are none
	letters uint32               // which of a-z stand in names, bit 0 for a
	doubled bool                 // a key was seen twice: a rename raced, or two files share it
	still   bool                 // the directories surely did not change while they were read
}

// spot is the place of a key's file.
type spot struct {
	ending uint32 // its number
	inNew  bool
	known  bool // Names.Like has found it
}

// newListing makes an empty listing for about so many files.
func newListing(about int) *listing {
	return &listing{spots: make(map[mail.Key]spot, about), index: map[string]uint32{}}
}

func (l *listing) place(key mail.Key, s spot) place {
	return place{file: string(key) + l.endings[s.ending], inNew: s.inNew}
}

// at tells where a key's file is.
func (l *listing) at(key mail.Key) (place, bool) {
	s, there := l.spots[key]
	if !there {
		return place{}, false
	}
	return l.place(key, s), true
}

// put enters a file under its key.
func (l *listing) put(key mail.Key, p place) {
	ending := p.file[min(len(key), len(p.file)):]
	n, known := l.index[ending]
	if !known {
		n = uint32(len(l.endings))
		l.endings = append(l.endings, ending)
		l.index[ending] = n
	}
	l.spots[key] = spot{ending: n, inNew: p.inNew}
}

// keep enters what an earlier listing has and this one has not.
func (l *listing) keep(earlier *listing) {
	for key, s := range earlier.spots {
		if _, ok := l.spots[key]; !ok {
			l.put(key, earlier.place(key, s))
		}
	}
	l.letters |= earlier.letters
}

// add enters a file. Of two with one key that in cur stands, then that with the
// greater name: any choice does, if only it is the same each time.
func (l *listing) add(p place) {
	n := parseName(p.file)
	l.use(n.letters)
	if have, ok := l.at(n.key); ok {
		l.doubled = true
		if have.inNew == p.inNew && have.file > p.file {
			have, p = p, have
		}
		if l.copies == nil {
			l.copies = map[mail.Key][]place{}
		}
		l.copies[n.key] = append(l.copies[n.key], have)
	}
	l.put(n.key, p)
}

// use enters the letters of a name.
func (l *listing) use(letters string) {
	for i := 0; i < len(letters); i++ {
		if c := letters[i]; c >= 'a' && c <= 'z' {
			l.letters |= 1 << (c - 'a')
		}
	}
}

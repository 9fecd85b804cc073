package simworld

import (
	"time"

	"imapsync/mail"
)

// maxTries bounds how often a story is played to shrink it.
const maxTries = 6000

// maxPairs is how many acts a story may have for pairs of them to be tried.
const maxPairs = 30

// Shrink drops from a broken story, and makes smaller in it, whatever it breaks
// the same promise without, until nothing is left to drop. play plays a story
// and returns it as it went, with the promises broken.
func (s *Story) Shrink(play func(*Story) (*Story, error)) *Story {
	x := &shrinker{play: play, best: s}
	went, err := play(s)
	x.promise = PromiseOf(err)
	if x.promise == "" {
		return s
	}
	if _, err := play(went); PromiseOf(err) == x.promise {
		x.best = went
	}
	for before := ""; before != x.best.String() && x.tries < maxTries; {
		before = x.best.String()
		x.dropActs()
		x.dropPairs()
		x.dropFeatures()
		x.simplify()
		x.mergeFolders()
	}
	return x.best
}

type shrinker struct {
	play    func(*Story) (*Story, error)
	best    *Story
	promise string
	tries   int
}

// try plays a smaller story and takes it if it breaks the same promise.
func (x *shrinker) try(change func(s *Story)) bool {
	if x.tries++; x.tries > maxTries {
		return false
	}
	c := *x.best
	c.Acts = append([]Act(nil), x.best.Acts...)
	change(&c)
	went, err := x.play(&c)
	if PromiseOf(err) != x.promise {
		return false
	}
	if x.best = &c; len(went.Acts) <= len(c.Acts) { // what came to nothing goes, too
		if _, err := x.play(went); PromiseOf(err) == x.promise {
			x.best = went
		}
	}
	return true
}

// dropActs drops ever smaller stretches of acts.
func (x *shrinker) dropActs() {
	for size := len(x.best.Acts); size > 0; size /= 2 {
		for i := 0; i < len(x.best.Acts); {
			if !x.try(func(s *Story) { s.Acts = append(s.Acts[:i:i], s.Acts[min(i+size, len(s.Acts)):]...) }) {
				i += size
			}
		}
	}
}

// dropPairs drops what is of no use without the other, such as a message that is
// made and goes again.
func (x *shrinker) dropPairs() {
	for i := 0; i < len(x.best.Acts) && len(x.best.Acts) <= maxPairs; i++ {
		for j := i + 1; j < len(x.best.Acts); {
			if !x.try(func(s *Story) { s.Acts = append(append(s.Acts[:i:i], s.Acts[i+1:j]...), s.Acts[j+1:]...) }) {
				j++
			}
		}
	}
}

// mergeFolders has things happen in INBOX alone where that makes no difference.
func (x *shrinker) mergeFolders() {
	for _, name := range folderPool[1:] {
		x.try(func(s *Story) {
			for i := range s.Acts {
				if e := &s.Acts[i].Edit; e.Verb != Rename && e.Verb != Remove && e.Folder == name {
					e.Folder = mail.Inbox
				}
			}
		})
		x.try(func(s *Story) {
			for i := range s.Acts {
				e := &s.Acts[i].Edit
				for _, in := range []*mail.FolderName{&e.Folder, &e.To, &s.Acts[i].Fetch.Folder} {
					if e.Verb != Rename && e.Verb != Remove && *in == name {
						*in = mail.Inbox
					}
				}
			}
		})
	}
}

func (x *shrinker) dropFeatures() {
	x.try(func(s *Story) { s.Lacks, s.Options = Lacks{}, Options{} })
	for i, f := range x.best.Lacks.all() {
		if *f.lacks {
			x.try(func(s *Story) { *s.Lacks.all()[i].lacks = false })
		}
	}
	if x.best.Options.Lanes != 0 {
		x.try(func(s *Story) { s.Options.Lanes = 0 })
	}
	if x.best.Options.Attempts != 0 {
		x.try(func(s *Story) { s.Options.Attempts = 0 })
	}
	if x.best.Options.DeletionWins {
		x.try(func(s *Story) { s.Options.DeletionWins = false })
	}
	if x.best.Options.Trash != "" {
		x.try(func(s *Story) { s.Options.Trash, s.Options.TrashApart = "", false })
	}
	for seed := range min(x.best.Seed, 4) {
		if x.try(func(s *Story) { s.Seed = seed }) {
			return
		}
	}
}

// simplify makes single acts plainer: each is changed only if that makes a
// difference.
func (x *shrinker) simplify() {
	for i := 0; i < len(x.best.Acts); i++ {
		for _, plainer := range []func(a *Act){
			func(a *Act) {
				if a.Kind == During {
					a.Kind, a.When = Do, When{}
				}
			},
			func(a *Act) { a.Wait = 0 },
			func(a *Act) { a.Wait = min(a.Wait, 3*time.Second) },
			func(a *Act) { a.Edit.New = false },
			func(a *Act) { a.Fetch = Entry{} },
			func(a *Act) { a.When.N /= 2 },
			func(a *Act) { a.When.N = max(a.When.N-1, 1) },
			func(a *Act) {
				if a.Edit.Verb == Add {
					a.Edit.Flags = a.Edit.Minus
				}
			},
		} {
			for i < len(x.best.Acts) {
				was := x.best.Acts[i].String()
				plain := x.best.Acts[i]
				if plainer(&plain); plain.String() == was || plain.When.N == 0 && plain.Kind == x.best.Acts[i].Kind && x.best.Acts[i].When.N != 0 {
					break
				}
				if !x.try(func(s *Story) { s.Acts[i] = plain }) {
					break
				}
			}
		}
	}
}

// ShrinkBytes shortens the bytes of a history and clears those that do not
// matter, as long as fails says that it still fails.
func ShrinkBytes(data []byte, fails func([]byte) bool) []byte {
	for size := len(data); size > 0; size /= 2 {
		for i := 0; i < len(data); {
			end := min(i+size, len(data))
			if c := append(append([]byte(nil), data[:i]...), data[end:]...); fails(c) {
				data = c
				continue
			}
			i += size
		}
	}
	for i := range data {
		c := append([]byte(nil), data...)
		if c[i] = 0; data[i] != 0 && fails(c) {
			data = c
		}
	}
	return data
}

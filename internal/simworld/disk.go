package simworld

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"imapsync/mail"
)

// Disk is the simulated Maildir; it is a syncer.Local. What the synchroniser
// renamed or removed since the folder's last Sync may, file by file, be undone
// by a crash; what a mail reader does is durable at once.
type Disk struct {
	// Unmounted hides everything, as an unmounted disk does; any change made
	// meanwhile is a breach of contract.
	Unmounted bool

	w       *World
	marker  string
	root    bool
	folders map[mail.FolderName]*dir
	inodes  uint64
	keys    int
	kept    []string // "folder/name" of what Remove took away
	moves   []*move  // that a crash may undo
}

// move is a file's move until both folders were synced.
type move struct {
	from, to   mail.FolderName
	key, as    mail.Key
	file       *file // as it was
	left, came bool  // the one, the other folder was synced since
}

// maxKeywords is the room of a folder's keyword table: the letters a to z.
const maxKeywords = 26

// dir is a folder's directories.
type dir struct {
	ino        uint64
	cur, new   int64 // status-change times
	files      map[mail.Key]*file
	undo       map[mail.Key]*file // what a crash may bring back; nil: absent
	keywords   mail.Flags
	unfinished map[mail.Key]bool // files in tmp/
	unreadable bool              // nothing in it can be looked at or changed
}

type file struct {
	flags   mail.Flags
	new     bool // it lies in new/
	content []byte
	date    time.Time
	stamp   mail.FileStamp
}

func newDisk(w *World) *Disk { return &Disk{w: w, folders: map[mail.FolderName]*dir{}} }

// The model. The lock is held.

func (d *Disk) names() []mail.FolderName {
	var names []mail.FolderName
	if d.Unmounted {
		return nil
	}
	for n := range d.folders {
		names = append(names, n)
	}
	sort.Slice(names, func(i, j int) bool { return names[i] < names[j] })
	return names
}

// dir returns a folder, nil where there is none.
func (d *Disk) dir(name mail.FolderName) *dir {
	if d.Unmounted {
		return nil
	}
	return d.folders[name]
}

func (d *Disk) unreadable(name mail.FolderName) bool {
	f := d.dir(name)
	return f != nil && f.unreadable
}

func (d *Disk) create(name mail.FolderName) *dir {
	if f := d.folders[name]; f != nil {
		return f
	}
	d.root = true
	d.inodes += 2
	now := d.w.now.UnixNano()
	f := &dir{ino: d.inodes, cur: now, new: now, files: map[mail.Key]*file{}, undo: map[mail.Key]*file{}, unfinished: map[mail.Key]bool{}}
	d.folders[name] = f
	return f
}

func (d *Disk) newKey() mail.Key {
	d.keys++
	return mail.Key(fmt.Sprintf("%d.k%04d.host", epoch.Unix(), d.keys))
}

func (f *dir) keyList() []mail.Key {
	var keys []mail.Key
	for k := range f.files {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i] < keys[j] })
	return keys
}

// volatile remembers the file as it is, once, for a crash before the next Sync.
func (f *dir) volatile(key mail.Key) {
	if _, already := f.undo[key]; already {
		return
	}
	if old := f.files[key]; old != nil {
		c := *old
		f.undo[key] = &c
	} else {
		f.undo[key] = nil
	}
}

// put makes a file. One without flags goes to new/ unless read is set.
func (d *Disk) put(f *dir, key mail.Key, content []byte, flags mail.Flags, date time.Time, read bool) *file {
	x := &file{content: content, date: date, new: !read && flags.IsEmpty()}
	x.stamp = mail.FileStamp{Size: int64(len(content)), MTime: date.UnixNano()}
	x.flags = d.fit(f, flags)
	f.files[key] = x
	d.touch(f, x.new, !x.new)
	return x
}

// fit makes room for keywords in the folder's table and drops those for which
// there is none.
func (d *Disk) fit(f *dir, flags mail.Flags) mail.Flags {
	kept := mail.Flags{System: flags.System}
	for _, k := range flags.Keywords() {
		word := mail.NewFlags(0, k)
		if !f.keywords.HasKeyword(k) {
			if len(f.keywords.Keywords()) == maxKeywords {
				continue
			}
			f.keywords = f.keywords.Union(word)
		}
		kept = kept.Union(word)
	}
	return kept
}

// setFlags changes a file's flags; the first flag takes it from new/ to cur/.
func (d *Disk) setFlags(f *dir, x *file, flags mail.Flags) {
	flags = d.fit(f, flags)
	if flags.Equal(x.flags) {
		return
	}
	d.touch(f, x.new, true)
	x.flags, x.new = flags, x.new && flags.IsEmpty()
}

func (d *Disk) touch(f *dir, newDir, curDir bool) {
	if newDir {
		f.new = d.w.now.UnixNano()
	}
	if curDir {
		f.cur = d.w.now.UnixNano()
	}
}

func (d *Disk) remove(f *dir, key mail.Key) {
	x := f.files[key]
	delete(f.files, key)
	d.touch(f, x.new, !x.new)
}

func (d *Disk) stamp(f *dir) mail.DirStamp {
	return mail.DirStamp{
		Cur:   mail.DirTime{Dev: 1, Ino: f.ino, CTime: f.cur},
		New:   mail.DirTime{Dev: 1, Ino: f.ino + 1, CTime: f.new},
		Taken: d.w.now.UnixNano(),
	}
}

func (f *dir) space() mail.FlagSpace {
	return mail.FlagSpace{System: mail.AllSystem, Keywords: f.keywords, AnyKeyword: len(f.keywords.Keywords()) < maxKeywords}
}

// writeBack makes everything durable, as the kernel does in time by itself.
func (d *Disk) writeBack() {
	for _, f := range d.folders {
		f.undo = map[mail.Key]*file{}
	}
	d.moves = nil
}

// synced makes what happened in a folder durable.
func (d *Disk) synced(name mail.FolderName) {
	if f := d.dir(name); f != nil {
		f.undo = map[mail.Key]*file{}
	}
	d.moves = slices.DeleteFunc(d.moves, func(m *move) bool {
		m.left, m.came = m.left || m.from == name, m.came || m.to == name
		return m.left && m.came
	})
}

// unmove takes back moves that were not durable.
func (d *Disk) unmove() {
	for _, m := range d.moves {
		from, to := d.dir(m.from), d.dir(m.to)
		if from == nil || to == nil || to.files[m.as] == nil || !d.w.chance(string(m.to)+" "+string(m.as)) {
			continue
		}
		d.remove(to, m.as)
		from.files[m.key] = m.file
		d.touch(from, true, true)
	}
	d.moves = nil
}

// crash takes away what was not durable, file by file as the seed has it.
func (d *Disk) crash() {
	d.unmove()
	for _, n := range d.names() {
		f := d.folders[n]
		var keys []mail.Key
		for k := range f.undo {
			keys = append(keys, k)
		}
		sort.Slice(keys, func(i, j int) bool { return keys[i] < keys[j] })
		for _, k := range keys {
			if old := f.undo[k]; d.w.chance(string(n) + " " + string(k)) {
				if old == nil {
					delete(f.files, k)
				} else {
					f.files[k] = old
				}
				d.touch(f, true, true)
			}
		}
		f.undo = map[mail.Key]*file{}
	}
}

package simworld

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"strings"
	"time"

	"imapsync/mail"
	"imapsync/syncer"
)

var _ syncer.Local = (*Disk)(nil)

// change makes one call with an effect on a folder that must be there.
func (d *Disk) change(ctx context.Context, name string, folder mail.FolderName, detail string, effect func(f *dir) error) error {
	c := Call{Side: Local, Name: name, Folder: folder, Detail: detail, Effect: true}
	return d.w.do(ctx, c, func() error {
		if d.Unmounted {
			d.w.wrongf("%s while the Maildir is not mounted", c)
		}
		f := d.dir(folder)
		if f == nil {
			return &mail.Fault{Scope: mail.ScopeFolder, Folder: folder, Doing: name, Err: errors.New("no such directory")}
		}
		return effect(f)
	})
}

// Marker implements syncer.Local.
func (d *Disk) Marker(ctx context.Context) (id string, exists bool, err error) {
	err = d.w.do(ctx, Call{Side: Local, Name: "marker"}, func() error {
		if !d.Unmounted {
			id, exists = d.marker, d.root && len(d.folders) > 0
		}
		return nil
	})
	return id, exists, err
}

// SetMarker implements syncer.Local. Another turn of the same marker is no step: a
// crash on either side of it is one before the step that follows.
func (d *Disk) SetMarker(ctx context.Context, id string) error {
	d.w.mu.Lock()
	here, _, _ := strings.Cut(d.marker, " ")
	d.w.mu.Unlock()
	turn := here != "" && strings.HasPrefix(id, here+" ")
	return d.w.do(ctx, Call{Side: Local, Name: "set marker", Effect: !turn}, func() error {
		if d.Unmounted && !turn {
			d.w.wrongf("set marker while the Maildir is not mounted")
		}
		if d.Unmounted {
			return nil // it lies where the disk is to be mounted, with no folder beside it
		}
		d.marker, d.root = id, true
		return nil
	})
}

// Folders implements syncer.Local.
func (d *Disk) Folders(ctx context.Context) (list []mail.LocalFolder, err error) {
	err = d.w.do(ctx, Call{Side: Local, Name: "folders"}, func() error {
		for _, n := range d.names() {
			list = append(list, mail.LocalFolder{Name: n, Stamp: d.stamp(d.folders[n])})
		}
		return nil
	})
	return list, err
}

// LeftOut implements syncer.Local.
func (d *Disk) LeftOut(mail.FolderRecord) error { return nil }

// CreateFolder implements syncer.Local.
func (d *Disk) CreateFolder(ctx context.Context, folder mail.FolderName) error {
	return d.w.do(ctx, Call{Side: Local, Name: "create folder", Folder: folder, Effect: true}, func() error {
		if d.Unmounted {
			d.w.wrongf("create folder while the Maildir is not mounted")
		}
		d.create(folder)
		return nil
	})
}

// CreateFolders implements syncer.Local.
func (d *Disk) CreateFolders(ctx context.Context, folders []mail.FolderName) map[mail.FolderName]error {
	failed := map[mail.FolderName]error{}
	for _, folder := range folders {
		if err := d.CreateFolder(ctx, folder); err != nil {
			failed[folder] = err
		}
	}
	return failed
}

// RenameFolder implements syncer.Local.
func (d *Disk) RenameFolder(ctx context.Context, folder, to mail.FolderName) error {
	return d.change(ctx, "rename folder", folder, "to "+string(to), func(*dir) error {
		if folder == mail.Inbox {
			d.w.wrongf("rename of INBOX")
		}
		if err := rename(d.folders, folder, to); err != nil {
			return &mail.Fault{Scope: mail.ScopeFolder, Folder: folder, Doing: "rename folder", Err: err}
		}
		return nil
	})
}

// RemoveFolder implements syncer.Local.
func (d *Disk) RemoveFolder(ctx context.Context, folder mail.FolderName) error {
	return d.change(ctx, "remove folder", folder, "", func(f *dir) error {
		if folder == mail.Inbox {
			d.w.wrongf("remove of INBOX")
		}
		if len(f.files) > 0 {
			return &mail.Fault{Scope: mail.ScopeFolder, Folder: folder, Doing: "remove folder", Err: errors.New("directory not empty")}
		}
		delete(d.folders, folder)
		return nil
	})
}

// Scan implements syncer.Local.
func (d *Disk) Scan(ctx context.Context, folder mail.FolderName, stat bool) (snap mail.LocalSnapshot, err error) {
	detail := ""
	if stat {
		detail = "stat"
	}
	err = d.w.do(ctx, Call{Side: Local, Name: "scan", Folder: folder, Detail: detail}, func() error {
		snap = mail.LocalSnapshot{Folder: folder, Messages: map[mail.Key]mail.Local{}}
		f := d.dir(folder)
		if f == nil {
			return nil
		}
		snap.Exists, snap.Stamp, snap.Space = true, d.stamp(f), f.space()
		for key, x := range f.files {
			l := mail.Local{Key: key, Flags: x.flags, New: x.new}
			if stat {
				stamp := x.stamp
				l.Stamp = &stamp
			}
			snap.Messages[key] = l
		}
		return nil
	})
	return snap, err
}

// names is a listing by names.
type names struct {
	snap  mail.LocalSnapshot
	alike map[mail.Key]bool
}

// Names implements syncer.Local.
func (d *Disk) Names(ctx context.Context, folder mail.FolderName, _ int) (syncer.Names, error) {
	return NamesOf(ctx, d, folder)
}

// NamesOf makes a listing by names of a scan.
func NamesOf(ctx context.Context, l syncer.Local, folder mail.FolderName) (syncer.Names, error) {
	snap, err := l.Scan(ctx, folder, false)
	return &names{snap, map[mail.Key]bool{}}, err
}

// Like implements syncer.Names.
func (n *names) Like(key mail.Key, flags mail.Flags) bool {
	l, there := n.snap.Messages[key]
	n.alike[key] = there && l.Flags.Equal(flags)
	return n.alike[key]
}

// File implements syncer.Names.
func (n *names) File(key mail.Key) (l mail.Local, there bool) {
	l, there = n.snap.Messages[key]
	return l, there
}

// Snapshot implements syncer.Names.
func (n *names) Snapshot() mail.LocalSnapshot {
	snap := n.snap
	snap.Messages = maps.Clone(snap.Messages)
	maps.DeleteFunc(snap.Messages, func(key mail.Key, _ mail.Local) bool { return n.alike[key] })
	return snap
}

func (d *Disk) read(ctx context.Context, name string, folder mail.FolderName, key mail.Key, found func(x *file)) error {
	return d.w.do(ctx, Call{Side: Local, Name: name, Folder: folder, Detail: string(key)}, func() error {
		f := d.dir(folder)
		if f == nil || f.files[key] == nil {
			return mail.ErrChanged
		}
		found(f.files[key])
		return nil
	})
}

// Read implements syncer.Local.
func (d *Disk) Read(ctx context.Context, folder mail.FolderName, key mail.Key) (c mail.Content, stamp mail.FileStamp, date time.Time, err error) {
	err = d.read(ctx, "read", folder, key, func(x *file) {
		c, stamp, date = contentOf(x.content), x.stamp, x.date
	})
	return c, stamp, date, err
}

// Stat implements syncer.Local.
func (d *Disk) Stat(ctx context.Context, folder mail.FolderName, key mail.Key, _ mail.Flags) (stamp mail.FileStamp, err error) {
	err = d.read(ctx, "stat", folder, key, func(x *file) { stamp = x.stamp })
	return stamp, err
}

// Open implements syncer.Local.
func (d *Disk) Open(ctx context.Context, folder mail.FolderName, key mail.Key) (r io.ReadCloser, err error) {
	err = d.read(ctx, "open", folder, key, func(x *file) {
		r = io.NopCloser(bytes.NewReader(wire(x.content)))
	})
	return r, err
}

// NewKey implements syncer.Local.
func (d *Disk) NewKey() mail.Key {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	return d.newKey()
}

// SetFlags implements syncer.Local.
func (d *Disk) SetFlags(ctx context.Context, folder mail.FolderName, key mail.Key, add, remove mail.Flags) error {
	return d.change(ctx, "set flags", folder, string(key)+" +"+add.String()+" -"+remove.String(), func(f *dir) error {
		x := f.files[key]
		if x == nil {
			return mail.ErrChanged
		}
		f.volatile(key)
		d.setFlags(f, x, x.flags.Minus(remove).Union(add))
		return nil
	})
}

// Move implements syncer.Local.
func (d *Disk) Move(ctx context.Context, folder mail.FolderName, key mail.Key, to mail.FolderName) (as mail.Key, err error) {
	err = d.change(ctx, "move", folder, string(key)+" to "+string(to), func(f *dir) error {
		x, target := f.files[key], d.dir(to)
		switch {
		case x == nil:
			return mail.ErrChanged
		case target == nil:
			return &mail.Fault{Scope: mail.ScopeFolder, Folder: to, Doing: "move", Err: errors.New("no such directory")}
		case target.unreadable:
			return &mail.Fault{Scope: mail.ScopeFolder, Folder: to, Doing: "move", Err: errDenied}
		}
		as = key
		if half := target.files[as]; half != nil && bytes.Equal(half.content, x.content) {
			d.remove(f, key)
			delete(f.undo, key)
			return nil
		} else if half != nil {
			as = d.newKey()
		}
		d.remove(f, key)
		delete(f.undo, key)
		delete(target.undo, as)
		d.moves = append(d.moves, &move{from: folder, to: to, key: key, as: as, file: x})
		moved := d.put(target, as, x.content, x.flags, x.date, !x.new)
		moved.stamp = x.stamp
		return nil
	})
	return as, err
}

// Copy is for tests, which put a second file of the same content somewhere.
func (d *Disk) Copy(ctx context.Context, folder mail.FolderName, key mail.Key, to mail.FolderName, as mail.Key) error {
	return d.change(ctx, "copy", folder, string(key)+" to "+string(to)+" "+string(as), func(f *dir) error {
		x, target := f.files[key], d.dir(to)
		switch {
		case x == nil:
			return mail.ErrChanged
		case target == nil:
			return &mail.Fault{Scope: mail.ScopeFolder, Folder: to, Doing: "copy", Err: errors.New("no such directory")}
		case target.unreadable:
			return &mail.Fault{Scope: mail.ScopeFolder, Folder: to, Doing: "copy", Err: errDenied}
		case target.files[as] != nil:
			d.w.wrongf("copy onto the file %s of %s", as, to)
			return &mail.Fault{Scope: mail.ScopeMessage, Folder: to, Doing: "copy", Err: errors.New("file exists")}
		}
		delete(target.undo, as)
		copied := d.put(target, as, x.content, x.flags, x.date, !x.new)
		copied.stamp = x.stamp
		return nil
	})
}

// Remove implements syncer.Local.
func (d *Disk) Remove(ctx context.Context, folder mail.FolderName, key mail.Key, expected mail.Flags, stamp mail.FileStamp) error {
	return d.take(ctx, "remove", folder, key, expected, stamp, func(x *file) {
		d.kept = append(d.kept, string(folder)+"/"+NameOf(x.content))
	})
}

func (d *Disk) take(ctx context.Context, call string, folder mail.FolderName, key mail.Key, expected mail.Flags, stamp mail.FileStamp, taken func(*file)) error {
	return d.change(ctx, call, folder, string(key), func(f *dir) error {
		x := f.files[key]
		if x == nil || !x.flags.Equal(expected.Intersect(mail.NewFlags(mail.AllSystem, f.keywords.Keywords()...))) || stamp != (mail.FileStamp{}) && x.stamp != stamp {
			return mail.ErrChanged
		}
		f.volatile(key)
		d.remove(f, key)
		taken(x)
		return nil
	})
}

// Discard implements syncer.Local.
func (d *Disk) Discard(ctx context.Context, folder mail.FolderName, key mail.Key, expected mail.Flags, stamp mail.FileStamp) error {
	return d.take(ctx, "discard", folder, key, expected, stamp, func(*file) {})
}

// Sync implements syncer.Local.
func (d *Disk) Sync(ctx context.Context, folder mail.FolderName) error {
	return d.w.do(ctx, Call{Side: Local, Name: "sync", Folder: folder}, func() error {
		d.synced(folder)
		return nil
	})
}

// Unfinished implements syncer.Local.
func (d *Disk) Unfinished(ctx context.Context, folder mail.FolderName, key mail.Key) (there bool, err error) {
	err = d.w.do(ctx, Call{Side: Local, Name: "look into tmp", Folder: folder, Detail: string(key)}, func() error {
		if f := d.dir(folder); f != nil {
			there = f.unfinished[key]
		}
		return nil
	})
	return there, err
}

// CleanTmp implements syncer.Local.
func (d *Disk) CleanTmp(ctx context.Context, folder mail.FolderName, key mail.Key) error {
	return d.w.do(ctx, Call{Side: Local, Name: "clean tmp", Folder: folder, Detail: string(key)}, func() error {
		if f := d.dir(folder); f != nil {
			delete(f.unfinished, key)
		}
		return nil
	})
}

//go:build linux && (amd64 || arm64)

package tracer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Loss is what a power cut undoes of what was not durable.
type Loss string

// What can be lost.
const (
	All   Loss = "names and bytes"
	Names Loss = "names"
	Bytes Loss = "bytes"
)

// disk keeps what is needed to undo what is not durable.
type disk struct {
	plan    Plan
	names   [][]change     // by call, in the order they were made; not durable
	written map[inode]file // not durable
	replay  []change       // of the call under way
}

type inode struct{ dev, ino uint64 }

// change is one name that a call makes, replaces or removes.
type change struct {
	path   string
	before string // a name in the scratch directory for the file that was there
	dir    bool   // a directory was there
	from   string // the name of the directory before it was renamed
}

// file is what a file held when it was last synced.
type file struct {
	aside string // its name in the scratch directory
	bytes []byte
	mtime time.Time
}

func newDisk(plan Plan) *disk { return &disk{plan: plan, written: map[inode]file{}} }

// before looks at what the call may change, and remembers it.
func (d *disk) before(c *Call) (err error) {
	d.replay = nil
	switch c.Kind {
	case Write, Truncate:
		return d.touch(c.Path)
	case Create:
		_, err := os.Lstat(c.Path)
		switch {
		case err == nil && c.trim:
			return d.touch(c.Path)
		case errors.Is(err, fs.ErrNotExist) && c.make:
			d.replay = []change{{path: c.Path}}
			return nil
		}
		return err
	case Mkdir:
		return d.remember(c.Path)
	case Link:
		return d.remember(c.To)
	case Unlink:
		return d.remember(c.Path)
	case Rename:
		if info, err := os.Lstat(c.Path); err == nil && info.IsDir() {
			d.replay = []change{{path: c.To, from: c.Path}}
			return nil
		}
		return errors.Join(d.remember(c.Path), d.remember(c.To))
	}
	return nil
}

// after is told that the call was carried out.
func (d *disk) after(c Call) {
	if len(d.replay) > 0 {
		d.names = append(d.names, d.replay)
	}
	if c.Kind != Sync {
		return
	}
	info, err := os.Stat(c.Path)
	switch {
	case c.all:
		d.names, d.written = nil, map[inode]file{}
	case err != nil:
	case info.IsDir():
		d.synced(c.Path)
	default:
		delete(d.written, inodeOf(info))
	}
}

// synced makes the names in a directory durable. One that is durably gone takes
// along what was changed in it before.
func (d *disk) synced(dir string) {
	gone := func(path string) bool {
		for parent := filepath.Dir(path); under(parent, dir) && parent != dir; parent = filepath.Dir(parent) {
			if _, err := os.Lstat(parent); filepath.Dir(parent) == dir && errors.Is(err, fs.ErrNotExist) {
				return true
			}
		}
		return false
	}
	d.names = slices.DeleteFunc(d.names, func(call []change) bool {
		last := call[len(call)-1] // of a rename, the new name
		return filepath.Dir(last.path) == dir || slices.ContainsFunc(call, func(c change) bool { return gone(c.path) })
	})
}

// remember notes what is at a path that the call may change.
func (d *disk) remember(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		d.replay = append(d.replay, change{path: path})
		return nil
	}
	if err != nil || info.IsDir() {
		d.replay = append(d.replay, change{path: path, dir: true})
		return err
	}
	aside, err := d.aside(path, info)
	d.replay = append(d.replay, change{path: path, before: aside})
	return err
}

// touch remembers a file's bytes unless they are remembered.
func (d *disk) touch(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) { // unlinked and still open
			return nil
		}
		return err
	}
	id := inodeOf(info)
	if _, known := d.written[id]; known || !info.Mode().IsRegular() {
		return nil
	}
	f := file{mtime: info.ModTime()}
	if f.aside, err = d.aside(path, info); err == nil {
		f.bytes, err = os.ReadFile(path)
	}
	d.written[id] = f
	return err
}

// aside gives a file a second name.
func (d *disk) aside(path string, info fs.FileInfo) (string, error) {
	id := inodeOf(info)
	aside := filepath.Join(d.plan.Scratch, fmt.Sprintf("%d-%d", id.dev, id.ino))
	err := os.Link(path, aside)
	if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	return aside, err
}

func inodeOf(info fs.FileInfo) inode {
	stat := info.Sys().(*syscall.Stat_t)
	return inode{uint64(stat.Dev), stat.Ino}
}

// cut undoes what is not durable, as far as it is to be lost.
func (d *disk) cut() error {
	var errs []error
	if d.plan.Loss != Bytes {
		for _, call := range slices.Backward(d.names) {
			for _, c := range slices.Backward(call) {
				errs = append(errs, c.undo())
			}
		}
	}
	if d.plan.Loss != Names {
		for _, f := range d.written {
			errs = append(errs, os.WriteFile(f.aside, f.bytes, 0o600), os.Chtimes(f.aside, f.mtime, f.mtime))
		}
	}
	for _, dir := range d.plan.Dirs {
		errs = append(errs, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, "-shm") {
				return os.Remove(path)
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}))
	}
	return errors.Join(errs...)
}

// undo puts back what was at the path.
func (c change) undo() error {
	if c.from != "" {
		return os.Rename(c.path, c.from)
	}
	if c.dir {
		err := os.Mkdir(c.path, 0o700)
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
	if err := os.RemoveAll(c.path); err != nil || c.before == "" {
		return err
	}
	return os.Link(c.before, c.path)
}

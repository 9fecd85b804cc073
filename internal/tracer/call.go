//go:build linux && (amd64 || arm64)

package tracer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Kind is what a call does.
type Kind string

// The kinds of calls that are counted.
const (
	Create   Kind = "create" // opened with O_CREAT or O_TRUNC
	Write    Kind = "write"
	Truncate Kind = "truncate" // or allocated
	Sync     Kind = "sync"
	Link     Kind = "link"
	Rename   Kind = "rename"
	Unlink   Kind = "unlink" // or rmdir
	Mkdir    Kind = "mkdir"
	Attr     Kind = "attr" // times and modes
	Send     Kind = "send" // on a socket
)

// Kinds are all kinds in the order of their declaration.
var Kinds = []Kind{Create, Write, Truncate, Sync, Link, Rename, Unlink, Mkdir, Attr, Send}

// Call is one system call.
type Call struct {
	Kind Kind
	Path string // of the file; the old name of a link or rename; "" of a socket
	To   string // the new name of a link or rename

	all  bool // a Sync of the whole file system
	make bool // a Create that may make the file
	trim bool // a Create that empties the file
}

func (c Call) String() string {
	switch {
	case c.To != "":
		return fmt.Sprintf("%s %s to %s", c.Kind, c.Path, c.To)
	case c.Path == "":
		return string(c.Kind)
	}
	return fmt.Sprintf("%s %s", c.Kind, c.Path)
}

// Under reports whether one of the call's paths lies in the directory.
func (c Call) Under(dir string) bool { return under(c.Path, dir) || under(c.To, dir) }

func under(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// shape says where a system call has what a Call tells: indexes of arguments,
// -1 for none. A path's argument follows the one of its directory, if any.
type shape struct {
	kind         Kind
	fd           int // a file descriptor that the call works on
	dir, path    int // directory descriptor, path
	toDir, toArg int
	flags        int // of open
}

func byFD(kind Kind) shape                { return shape{kind, 0, -1, -1, -1, -1, -1} }
func byPath(kind Kind) shape              { return shape{kind, -1, -1, 0, -1, -1, -1} }
func byPathAt(kind Kind) shape            { return shape{kind, -1, 0, 1, -1, -1, -1} }
func byPaths(kind Kind) shape             { return shape{kind, -1, -1, 0, -1, 1, -1} }
func byPathsAt(kind Kind) shape           { return shape{kind, -1, 0, 1, 2, 3, -1} }
func opening(path shape, arg int) shape   { path.flags = arg; return path }
func (s shape) opens() bool               { return s.flags >= 0 }
func (t *tracee) link(link string) string { return t.proc + "/" + link }

// shapes are the system calls that every architecture has; those that only
// some have are added by their files.
var shapes = map[int]shape{
	unix.SYS_OPENAT:    opening(byPathAt(Create), 2),
	unix.SYS_WRITE:     byFD(Write),
	unix.SYS_WRITEV:    byFD(Write),
	unix.SYS_PWRITE64:  byFD(Write),
	unix.SYS_PWRITEV:   byFD(Write),
	unix.SYS_SENDTO:    byFD(Send),
	unix.SYS_SENDMSG:   byFD(Send),
	unix.SYS_FTRUNCATE: byFD(Truncate),
	unix.SYS_TRUNCATE:  byPath(Truncate),
	unix.SYS_FALLOCATE: byFD(Truncate),
	unix.SYS_FSYNC:     byFD(Sync),
	unix.SYS_FDATASYNC: byFD(Sync),
	unix.SYS_SYNCFS:    byFD(Sync),
	unix.SYS_LINKAT:    byPathsAt(Link),
	unix.SYS_RENAMEAT2: byPathsAt(Rename),
	unix.SYS_RENAMEAT:  byPathsAt(Rename),
	unix.SYS_UNLINKAT:  byPathAt(Unlink),
	unix.SYS_MKDIRAT:   byPathAt(Mkdir),
	unix.SYS_UTIMENSAT: byPathAt(Attr),
	unix.SYS_FCHMODAT:  byPathAt(Attr),
	unix.SYS_FCHMOD:    byFD(Attr),

	// Copies by the kernel: from the first descriptor or the second to another.
	unix.SYS_SENDFILE:        byFD(Write),
	unix.SYS_COPY_FILE_RANGE: {Write, 2, -1, -1, -1, -1, -1},
}

// tracee is a thread that has stopped at a call.
type tracee struct {
	proc string // its directory in /proc
	tid  int
	args [6]uint64
}

// call tells what a stopped thread is about to do; false for what does not
// count, such as writing to a pipe.
func (t *tracee) call(nr int) (Call, bool) {
	s, known := shapes[nr]
	if !known {
		return Call{}, false
	}
	c := Call{Kind: s.kind, all: nr == unix.SYS_SYNCFS}
	if s.opens() {
		c.make, c.trim = t.args[s.flags]&unix.O_CREAT != 0, t.args[s.flags]&unix.O_TRUNC != 0
	}
	if s.path >= 0 {
		c.Path = t.path(s.dir, s.path)
	}
	if s.toArg >= 0 {
		c.To = t.path(s.toDir, s.toArg)
	}
	if s.fd >= 0 {
		target, err := os.Readlink(t.link(fmt.Sprintf("fd/%d", int32(t.args[s.fd]))))
		switch {
		case err != nil:
			return c, false
		case strings.HasPrefix(target, "socket:"):
			return Call{Kind: Send}, true
		case !filepath.IsAbs(target):
			return c, false
		}
		c.Path = target
	}
	return c, true
}

// path is the absolute path that an argument names.
func (t *tracee) path(dir, arg int) string {
	path := t.text(t.args[arg])
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	link := t.link("cwd")
	if dir >= 0 && int32(t.args[dir]) != unix.AT_FDCWD {
		link = t.link(fmt.Sprintf("fd/%d", int32(t.args[dir])))
	}
	base, err := os.Readlink(link)
	if err != nil {
		return path
	}
	return filepath.Join(base, path)
}

// text reads a string of the program.
func (t *tracee) text(addr uint64) string {
	buffer := make([]byte, unix.PathMax)
	// A string may end in the last page there is, so each page is read by itself.
	const page = 4096
	read := 0
	for read < len(buffer) {
		want := min(page-int((addr+uint64(read))%page), len(buffer)-read)
		local := unix.Iovec{Base: &buffer[read]}
		local.SetLen(want)
		n, err := unix.ProcessVMReadv(t.tid, []unix.Iovec{local}, []unix.RemoteIovec{{Base: uintptr(addr) + uintptr(read), Len: want}}, 0)
		if err != nil || n <= 0 {
			break
		}
		if end := strings.IndexByte(string(buffer[read:read+n]), 0); end >= 0 {
			return string(buffer[:read+end])
		}
		read += n
	}
	return string(buffer[:read])
}

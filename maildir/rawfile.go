package maildir

import (
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"imapsync/mail"
)

// rawFile is an open regular file, without the detours that package os makes for
// a poller: they are seven system calls for each message.
type rawFile struct {
	fd   int
	path string
}

// openFile opens a file to be read.
func openFile(path string) (*rawFile, error) { return rawOpen(path, unix.O_RDONLY) }

// createFile makes a new file.
func createFile(path string) (*rawFile, error) {
	return rawOpen(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
}

func rawOpen(path string, how int) (*rawFile, error) {
	f := &rawFile{path: path}
	err := retry(func() (err error) {
		f.fd, err = unix.Open(path, how|unix.O_CLOEXEC, 0o600)
		return err
	})
	if err != nil {
		return nil, f.failed("open", err)
	}
	return f, nil
}

func (f *rawFile) failed(op string, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: op, Path: f.path, Err: err}
}

// Read implements io.Reader.
func (f *rawFile) Read(p []byte) (n int, err error) {
	err = retry(func() (err error) {
		n, err = unix.Read(f.fd, p)
		return err
	})
	if n = max(n, 0); n == 0 && err == nil && len(p) > 0 {
		return 0, io.EOF
	}
	return n, f.failed("read", err)
}

// Write implements io.Writer.
func (f *rawFile) Write(p []byte) (written int, err error) {
	for written < len(p) && err == nil {
		err = retry(func() error {
			n, err := unix.Write(f.fd, p[written:])
			written += max(n, 0)
			return err
		})
	}
	return written, f.failed("write", err)
}

// fileInfo is what tells whether a file was written since.
type fileInfo struct {
	mail.FileStamp
	date time.Time // its mtime in whole seconds
}

func (f *rawFile) stat() (fileInfo, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstat(f.fd, &st) })
	seconds, _ := st.Mtim.Unix()
	return fileInfo{mail.FileStamp{Size: st.Size, MTime: st.Mtim.Nano()}, time.Unix(seconds, 0)}, f.failed("stat", err)
}

func (f *rawFile) sync() error {
	return f.failed("fsync", retry(func() error { return unix.Fsync(f.fd) }))
}

// Close implements io.Closer. It is not to be tried again, whatever it returns.
func (f *rawFile) Close() error { return f.failed("close", unix.Close(f.fd)) }

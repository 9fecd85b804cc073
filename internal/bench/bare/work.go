package bare

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"imapsync/internal/corpus"
)

// Account is where the work is done.
type Account struct{ Addr, User, Password, Maildir string }

func (a Account) dial() (*Conn, error) { return Dial(a.Addr, a.User, a.Password) }

// connections are as many as imapsync opens by default.
const connections = 4

// Download fetches every message into the Maildir, which must be empty, each
// connection its folders in one flight. All connections are made at once.
func (a Account) Download() error {
	conns := make([]*Conn, connections)
	var dialled errgroup.Group
	for i := range conns {
		dialled.Go(func() (err error) {
			conns[i], err = a.dial()
			return err
		})
	}
	if err := dialled.Wait(); err != nil {
		return err
	}
	folders, err := conns[0].Folders()
	if err != nil {
		return err
	}
	shares := make([][]Folder, connections)
	for i, f := range folders {
		if err := makeMaildir(filepath.Join(a.Maildir, f.Name)); err != nil {
			return err
		}
		shares[i%connections] = append(shares[i%connections], f)
	}
	var all errgroup.Group
	for i, c := range conns {
		all.Go(func() error {
			defer c.Close()
			return a.fetch(c, shares[i])
		})
	}
	return all.Wait()
}

func makeMaildir(path string) error {
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(path, sub), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// fetch writes messages while the batches before become durable.
func (a Account) fetch(c *Conn, folders []Folder) error {
	batches := make(chan []string, 2)
	var durable errgroup.Group
	durable.Go(func() error {
		var failed error
		for batch := range batches {
			if failed == nil {
				failed = publish(batch)
			}
		}
		return failed
	})
	var batch []string
	var buffer []byte
	err := c.Fetch(folders, func(m Message, size int, body io.Reader) error {
		if cap(buffer) < size {
			buffer = make([]byte, size+size/2)
		}
		if _, err := io.ReadFull(body, buffer[:size]); err != nil {
			return err
		}
		path := filepath.Join(a.Maildir, m.Folder, "tmp", fmt.Sprintf("%d.bare:2,%s", m.UID, Letters(m.Flags)))
		if err := writeFile(path, buffer[:size]); err != nil {
			return err
		}
		if batch = append(batch, path); len(batch) == batchSize {
			batches <- batch
			batch = nil
		}
		return nil
	})
	batches <- batch
	close(batches)
	if failed := durable.Wait(); err == nil {
		err = failed
	}
	return err
}

// batchSize is how many files become durable together.
const batchSize = 500

// writeFile leaves the detours out that package os makes for a poller.
func writeFile(path string, b []byte) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for len(b) > 0 && err == nil {
		var n int
		n, err = unix.Write(fd, b)
		b = b[max(n, 0):]
	}
	if failed := unix.Close(fd); err == nil {
		err = failed
	}
	return err
}

// publish moves files from tmp to cur when their contents are durable, and
// makes that durable too.
func publish(batch []string) error {
	if len(batch) == 0 {
		return nil
	}
	if err := sync(filepath.Dir(batch[0]), unix.Syncfs); err != nil {
		return err
	}
	folders := map[string]bool{}
	for _, path := range batch {
		folder := filepath.Dir(filepath.Dir(path))
		folders[folder] = true
		if err := unix.Rename(path, filepath.Join(folder, "cur", filepath.Base(path))); err != nil {
			return err
		}
	}
	for folder := range folders {
		if err := sync(filepath.Join(folder, "cur"), unix.Fsync); err != nil {
			return err
		}
	}
	return nil
}

func sync(dir string, how func(fd int) error) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return how(fd)
}

// Unchanged looks at both sides as little as is needed to see that nothing has
// changed: LIST-STATUS, and a stat of each folder.
func (a Account) Unchanged() error {
	c, err := a.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	folders, err := c.Folders()
	if err != nil {
		return err
	}
	for _, f := range folders {
		for _, sub := range []string{"cur", "new"} {
			var st unix.Stat_t
			if err := unix.Stat(filepath.Join(a.Maildir, f.Name, sub), &st); err != nil {
				return err
			}
		}
	}
	return nil
}

// Upload appends every message of a folder, one APPEND for each, without
// awaiting an answer between them.
func (a Account) Upload(folder string) error {
	c, err := a.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	cur := filepath.Join(a.Maildir, folder, "cur")
	files, err := os.ReadDir(cur)
	if err != nil {
		return err
	}
	return c.Append(folder, len(files), 1, func(i int) (Upload, error) {
		name := files[i].Name()
		body, err := os.ReadFile(filepath.Join(cur, name))
		_, letters, _ := strings.Cut(name, ":2,")
		return Upload{Names(letters), time.Unix(0, 0).UTC(), wire(body)}, err
	})
}

// wire is corpus.Wire for bodies without any CR.
func wire(body []byte) []byte {
	if bytes.IndexByte(body, '\r') >= 0 {
		return corpus.Wire(body)
	}
	return bytes.ReplaceAll(body, []byte{'\n'}, []byte("\r\n"))
}

// Letters and Names translate the flags that Maildir and IMAP both have; the
// order is that of a Maildir.
var letterOf = []struct{ letter, name string }{
	{"D", `\Draft`}, {"F", `\Flagged`}, {"P", "$Forwarded"}, {"R", `\Answered`}, {"S", `\Seen`}, {"T", `\Deleted`},
}

// Letters are the flags in a Maildir's file name.
func Letters(names []string) string {
	var letters strings.Builder
	for _, l := range letterOf {
		for _, name := range names {
			if strings.EqualFold(name, l.name) {
				letters.WriteString(l.letter)
			}
		}
	}
	return letters.String()
}

// Names are the flags that letters stand for.
func Names(letters string) []string {
	var names []string
	for _, l := range letterOf {
		if strings.Contains(letters, l.letter) {
			names = append(names, l.name)
		}
	}
	return names
}

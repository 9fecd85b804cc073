package maildir

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"imapsync/mail"
)

// Delivery is a batch of new message files in one folder, for one goroutine at a
// time; another batch of the folder may be written meanwhile. It implements the
// contract of a delivery: nothing of it is visible to mail readers before
// Commit.
type Delivery struct {
	f       *folder
	files   []*newFile
	disk    *os.File // the folder's tmp directory, for syncAll; nil where that is not to be had
	device  uint64   // of its file system
	serial  uint32   // of the batch; one with a higher number opened disk later
	unsync  bool     // the files are too many to be fsynced one by one: they wait for syncAll
	workers chan struct{}
	syncing sync.WaitGroup
}

type newFile struct {
	mail.NewFile
	open *rawFile // to be fsynced in Commit, where the batch stays small; else nil
	err  error    // of making its data durable; to be read after syncing.Wait
}

const (
	// syncWorkers is how many fsyncs are in flight at once.
	syncWorkers = 16
	// fewFiles is how many files of a batch stay open until Commit, which fsyncs
	// them if there are no more in all batches that wait for the disk with it. More
	// share one syncfs; any fsync of their own would be one too many.
	fewFiles = 16
)

// Deliver begins a batch of new files in the folder, which must exist.
func (m *Maildir) Deliver(ctx context.Context, name mail.FolderName) (*Delivery, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := m.folder(name)
	if err != nil {
		return nil, err
	}
	const doing = "begin delivery"
	if err := f.complete(); err != nil {
		return nil, f.writing("", doing, err)
	}
	d := &Delivery{f: f, workers: make(chan struct{}, syncWorkers)}
	if m.fsync {
		tmp, err := os.Open(filepath.Join(f.path, "tmp"))
		if err != nil {
			return nil, f.writing("", doing, err)
		}
		if device, ok := canSyncAll(tmp); ok {
			d.disk, d.device, d.serial = tmp, device, m.batches.Add(1)
		} else {
			tmp.Close()
		}
	}
	return d, nil
}

func (f *folder) tmp(key mail.Key) string { return filepath.Join(f.path, "tmp", string(key)) }

// Write stores one message from its wire bytes in tmp, with LF line ends and
// the date as its mtime. An error of body comes back as it is and aborts this
// message only.
func (d *Delivery) Write(n mail.NewFile, body io.Reader) (mail.Content, mail.FileStamp, error) {
	const doing = "write message"
	fail := func(err error) (mail.Content, mail.FileStamp, error) {
		return mail.Content{}, mail.FileStamp{}, err
	}
	if err := checkKey(n.Key); err != nil {
		return fail(d.f.message(n.Key, doing, err))
	}
	tmp := d.f.tmp(n.Key)
	file, err := createFile(tmp)
	if err != nil {
		return fail(d.f.writing(n.Key, doing, err))
	}
	c, readErr, err := copyLF(file, body)
	if err == nil && readErr == nil && hasFileTime(n.Date) {
		err = os.Chtimes(tmp, time.Time{}, n.Date)
	}
	var info fileInfo
	if err == nil {
		info, err = file.stat()
	}
	if err != nil || readErr != nil {
		_ = file.Close()
		os.Remove(tmp)
		if readErr != nil {
			return fail(readErr)
		}
		return fail(d.f.writing(n.Key, doing, err))
	}
	if err := d.finish(file, n); err != nil {
		os.Remove(tmp)
		return fail(d.f.writing(n.Key, doing, err))
	}
	return c, info.FileStamp, nil
}

// hasFileTime reports whether a date can be a file's time, in nanoseconds around
// 1970; servers send dates that no message ever had.
func hasFileTime(date time.Time) bool {
	y := date.Year()
	return y > 1900 && y < 2262
}

// finish takes a written file into the batch and closes it, or sees to it that
// it will be.
func (d *Delivery) finish(file *rawFile, n mail.NewFile) error {
	w := &newFile{NewFile: n, open: file}
	switch {
	case !d.f.m.fsync, d.unsync:
		w.open = nil
		if err := file.Close(); err != nil {
			return err
		}
	case d.disk == nil:
		d.sync(w)
	}
	d.files = append(d.files, w)
	if d.disk != nil && !d.unsync && len(d.files) > fewFiles {
		d.unsync = true
		d.close()
	}
	return nil
}

// sync makes a file durable beside whatever else is done.
func (d *Delivery) sync(w *newFile) {
	file := w.open
	w.open = nil
	d.workers <- struct{}{}
	d.syncing.Go(func() {
		w.err = file.sync()
		if err := file.Close(); w.err == nil {
			w.err = err
		}
		<-d.workers
	})
}

// close closes the files that were left open.
func (d *Delivery) close() {
	for _, w := range d.files {
		if w.open != nil {
			w.err = w.open.Close()
			w.open = nil
		}
	}
}

// durable waits until the data of all files is.
func (d *Delivery) durable() error {
	if d.disk != nil {
		return d.f.m.files.wait(d, syncFiles)
	}
	d.syncing.Wait()
	return nil
}

// syncEach begins to fsync the files that were left open.
func (d *Delivery) syncEach() {
	for _, w := range d.files {
		if w.open != nil {
			d.sync(w)
		}
	}
}

// Commit makes all written files durable and visible, or those it can: unseen
// ones without flags in new, the rest in cur. It returns the keys that failed
// and, where nothing of it may be relied on, an error. It finishes what is
// written even if the context is done.
func (d *Delivery) Commit(ctx context.Context) (map[mail.Key]error, error) {
	defer d.Discard()
	const doing = "deliver"
	if err := d.durable(); err != nil {
		return nil, d.f.writing("", doing, err)
	}
	t, err := d.keywords(context.WithoutCancel(ctx))
	if err != nil {
		return nil, err
	}
	failed := map[mail.Key]error{}
	var dirs []string
	for _, w := range d.files {
		p := d.place(w, t)
		err := w.err
		if err == nil {
			err = renameNew(d.f.tmp(w.Key), d.f.at(p))
		}
		if err != nil {
			os.Remove(d.f.tmp(w.Key))
			failed[w.Key] = d.f.message(w.Key, doing, err)
			continue
		}
		d.f.moved(w.Key, p)
		if dir := filepath.Join(d.f.path, p.dir()); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	d.files = nil
	return failed, d.f.writing("", doing, d.f.m.syncDirs(dirs...))
}

// keywords gives the keywords of all files their letters at once.
func (d *Delivery) keywords(ctx context.Context) (table, error) {
	var all mail.Flags
	for _, w := range d.files {
		all = all.Union(w.Flags)
	}
	if len(all.Keywords()) == 0 {
		return table{}, nil
	}
	return d.f.withKeywords(ctx, all.Keywords())
}

func (d *Delivery) place(w *newFile, t table) place {
	p := place{inNew: w.Flags.IsEmpty()}
	n := fileName{key: w.Key, letters: t.change("", w.Flags, mail.Flags{})}
	p.file = n.file(p.inNew)
	return p
}

// Discard removes what was written. After Commit it does nothing.
func (d *Delivery) Discard() {
	d.syncing.Wait()
	d.close()
	for _, w := range d.files {
		os.Remove(d.f.tmp(w.Key))
	}
	d.files = nil
	if d.disk != nil {
		d.disk.Close()
		d.disk = nil
	}
}

// Unfinished reports whether a crashed delivery under this key left its file in tmp
// alone. Where it has another link, it may have been delivered.
func (m *Maildir) Unfinished(ctx context.Context, name mail.FolderName, key mail.Key) (bool, error) {
	f, err := m.leftInTmp(ctx, name, key)
	if err != nil {
		return false, err
	}
	var st unix.Stat_t
	err = retry(func() error { return unix.Lstat(f.tmp(key), &st) })
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return false, nil
	}
	return err == nil && st.Nlink == 1, f.message(key, "look into tmp", err)
}

// CleanTmp removes what a crashed delivery under this key left in tmp.
func (m *Maildir) CleanTmp(ctx context.Context, name mail.FolderName, key mail.Key) error {
	f, err := m.leftInTmp(ctx, name, key)
	if err != nil {
		return err
	}
	err = os.Remove(f.tmp(key))
	if os.IsNotExist(err) {
		return nil
	}
	return f.message(key, "clean up tmp", err)
}

func (m *Maildir) leftInTmp(ctx context.Context, name mail.FolderName, key mail.Key) (*folder, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := m.folder(name)
	if err != nil {
		return nil, err
	}
	return f, f.message(key, "look into tmp", checkKey(key))
}

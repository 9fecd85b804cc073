package maildir

import (
	"context"
	"io"
	"io/fs"
	"os"
	"time"

	"imapsync/mail"
)

// Read hashes one message file, found by its key with any flags, and tells its
// stamp and its mtime in whole seconds. mail.ErrChanged when there is none, or
// when it is being written.
func (m *Maildir) Read(ctx context.Context, name mail.FolderName, key mail.Key) (mail.Content, mail.FileStamp, time.Time, error) {
	var stamp mail.FileStamp
	var c mail.Content
	var date time.Time
	file, err := m.openFile(ctx, name, key)
	if err != nil {
		return c, stamp, date, err
	}
	defer file.Close()
	before, err := file.stat()
	if err == nil {
		c, err = hash(ctx, file)
	}
	var after fileInfo
	if err == nil {
		after, err = file.stat()
	}
	if err == nil && before.FileStamp != after.FileStamp {
		err = mail.ErrChanged
	}
	if err != nil {
		return mail.Content{}, stamp, date, grade(mail.ScopeMessage, name, key, "read message", err)
	}
	return c, before.FileStamp, before.date, nil
}

// Stat looks at one message file, found by its key with any flags; where it has
// the flags given, the folder need not be listed. mail.ErrChanged when there is
// none.
func (m *Maildir) Stat(ctx context.Context, name mail.FolderName, key mail.Key, flags mail.Flags) (stamp mail.FileStamp, err error) {
	f, err := m.folder(name)
	if err != nil {
		return stamp, err
	}
	likely := place{file: fileName{key: key, info: true, letters: flags.System.Letters()}.file(false)}
	if info, err := os.Stat(f.at(likely)); err == nil {
		return stampOfFile(info), nil
	}
	err = f.onFile(ctx, key, func(p place) error {
		info, err := os.Stat(f.at(p))
		if err == nil {
			stamp = stampOfFile(info)
		}
		return err
	})
	return stamp, f.message(key, "look at message file", err)
}

func stampOfFile(info fs.FileInfo) mail.FileStamp {
	return mail.FileStamp{Size: info.Size(), MTime: info.ModTime().UnixNano()}
}

func hash(ctx context.Context, file io.Reader) (mail.Content, error) {
	buf := chunkPool.Get().(*chunks)
	defer chunkPool.Put(buf)
	h := mail.NewHasher()
	for {
		if err := ctx.Err(); err != nil {
			return mail.Content{}, err
		}
		n, err := file.Read(buf.in[:])
		h.Write(buf.in[:n])
		if err == io.EOF {
			return h.Content(), nil
		}
		if err != nil {
			return mail.Content{}, err
		}
	}
}

// Open gives a message's bytes with CR LF line ends, as for an APPEND: as many
// as the Wire of its content. mail.ErrChanged when there is none.
func (m *Maildir) Open(ctx context.Context, name mail.FolderName, key mail.Key) (io.ReadCloser, error) {
	file, err := m.openFile(ctx, name, key)
	if err != nil {
		return nil, err
	}
	return newWireReader(file), nil
}

func (m *Maildir) openFile(ctx context.Context, name mail.FolderName, key mail.Key) (*rawFile, error) {
	f, err := m.folder(name)
	if err != nil {
		return nil, err
	}
	var file *rawFile
	err = f.onFile(ctx, key, func(p place) error {
		file, err = openFile(f.at(p))
		return err
	})
	return file, f.message(key, "open message", err)
}

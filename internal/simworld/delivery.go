package simworld

import (
	"context"
	"errors"
	"io"

	"imapsync/mail"
	"imapsync/syncer"
)

// Delivery is a batch of files not yet visible.
type Delivery struct {
	d      *Disk
	folder mail.FolderName
	ctx    context.Context
	files  []pending
	done   bool
}

type pending struct {
	mail.NewFile
	content []byte
}

var _ syncer.Delivery = (*Delivery)(nil)

// Deliver implements syncer.Local.
func (d *Disk) Deliver(ctx context.Context, folder mail.FolderName) (syncer.Delivery, error) {
	err := d.w.do(ctx, Call{Side: Local, Name: "deliver", Folder: folder}, func() error {
		if d.dir(folder) == nil {
			return &mail.Fault{Scope: mail.ScopeFolder, Folder: folder, Doing: "deliver", Err: errors.New("no such directory")}
		}
		d.w.open++
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &Delivery{d: d, folder: folder, ctx: ctx}, nil
}

// Write implements syncer.Delivery.
func (y *Delivery) Write(m mail.NewFile, body io.Reader) (mail.Content, mail.FileStamp, error) {
	b, err := io.ReadAll(body)
	if err != nil {
		return mail.Content{}, mail.FileStamp{}, &mail.Fault{Scope: mail.ScopeMessage, Class: mail.ClassTemporary, Folder: y.folder, Doing: "deliver", Err: err}
	}
	p := pending{m, unwire(b)}
	err = y.d.w.do(y.ctx, Call{Side: Local, Name: "write", Folder: y.folder, Detail: string(m.Key)}, func() error {
		if y.done {
			y.d.w.wrongf("write to a delivery after its end")
		}
		for _, q := range y.files {
			if q.Key == m.Key {
				y.d.w.wrongf("key %s delivered twice", m.Key)
			}
		}
		y.files = append(y.files, p)
		if f := y.d.dir(y.folder); f != nil {
			f.unfinished[m.Key] = true
		}
		return nil
	})
	if err != nil {
		return mail.Content{}, mail.FileStamp{}, err
	}
	return contentOf(p.content), mail.FileStamp{Size: int64(len(p.content)), MTime: m.Date.UnixNano()}, nil
}

// Duplicate implements syncer.Delivery.
func (y *Delivery) Duplicate(m mail.NewFile, from mail.FolderName, key mail.Key, stamp mail.FileStamp) (copied mail.FileStamp, err error) {
	err = y.d.w.do(y.ctx, Call{Side: Local, Name: "duplicate", Folder: y.folder, Detail: string(m.Key)}, func() error {
		source := y.d.dir(from)
		if source == nil || source.files[key] == nil || source.files[key].stamp != stamp {
			return mail.ErrChanged
		}
		p := pending{m, source.files[key].content}
		y.files = append(y.files, p)
		if f := y.d.dir(y.folder); f != nil {
			f.unfinished[m.Key] = true
		}
		copied = mail.FileStamp{Size: int64(len(p.content)), MTime: m.Date.UnixNano()}
		return nil
	})
	return copied, err
}

// Commit implements syncer.Delivery. Each file is a step of its own, and so is
// making them durable at the end.
func (y *Delivery) Commit(ctx context.Context) (map[mail.Key]error, error) {
	defer y.end()
	failed := map[mail.Key]error{}
	for _, p := range y.files {
		err := y.d.change(ctx, "link", y.folder, string(p.Key)+" "+NameOf(p.content), func(f *dir) error {
			if f.files[p.Key] != nil {
				y.d.w.wrongf("delivery onto the file %s of %s", p.Key, y.folder)
				return &mail.Fault{Scope: mail.ScopeMessage, Folder: y.folder, Doing: "deliver", Err: errors.New("file exists")}
			}
			f.volatile(p.Key)
			y.d.put(f, p.Key, p.content, p.Flags, p.Date, false)
			delete(f.unfinished, p.Key)
			return nil
		})
		switch {
		case err == nil:
		case mail.ScopeOf(err) == mail.ScopeMessage:
			failed[p.Key] = err
		default:
			return nil, err
		}
	}
	err := y.d.change(ctx, "fsync", y.folder, "", func(f *dir) error {
		for _, p := range y.files {
			delete(f.undo, p.Key)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return failed, nil
}

// Discard implements syncer.Delivery.
func (y *Delivery) Discard() {
	y.d.w.mu.Lock()
	for _, p := range y.files {
		if f := y.d.dir(y.folder); f != nil && !y.d.w.dead {
			delete(f.unfinished, p.Key)
		}
	}
	y.d.w.mu.Unlock()
	y.end()
}

func (y *Delivery) end() {
	y.d.w.mu.Lock()
	defer y.d.w.mu.Unlock()
	if !y.done {
		y.done = true
		y.d.w.open--
	}
}

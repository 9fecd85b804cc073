package simworld

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"imapsync/conflict"
	"imapsync/mail"
)

var stubStart = []byte(mail.StubField + ": whole=")

func isStub(content []byte) bool { return bytes.HasPrefix(content, stubStart) }

// stubOf returns the stub of a message: the header block and, with text, the
// beginning of the rest.
func stubOf(content []byte, size int64, text bool) []byte {
	stub := append(fmt.Appendf(nil, "%s%d\n", stubStart, size), headerOf(content)...)
	if rest := content[len(headerOf(content)):]; text {
		first, _, _ := bytes.Cut(rest, []byte("\n"))
		stub = append(append(stub, first...), '\n')
	}
	return stub
}

// wholeOf returns what NameOf is to name of a stub: the message that it stands for.
// How often that was edited its size tells.
func wholeOf(stub []byte) []byte {
	var size int
	if _, err := fmt.Sscan(string(stub[len(stubStart):]), &size); err != nil {
		return stub
	}
	m := subject.FindSubmatch(stub)
	if m == nil {
		return stub
	}
	whole := Content(string(m[1]))
	edits := (size - len(wire(whole))) / len(wire([]byte(anEdit)))
	return append(whole, strings.Repeat(anEdit, max(edits, 0))...)
}

// stubs tells whether the limits make stubs, and cutsLong whether of long messages alone.
func (w *World) stubs() bool { return w.Extent.Body != "" || w.cutsLong() }

func (w *World) cutsLong() bool { return w.Extent.MaxSize > 0 || w.Extent.Body == conflict.Text }

// FetchParts implements syncer.Mailbox.
func (m *Mailbox) FetchParts(ctx context.Context, uids []mail.UID, sizes map[mail.UID]int64, text bool, got func(uid mail.UID, body io.Reader, err error) error) error {
	return m.Fetch(ctx, uids, func(uid mail.UID, body io.Reader, err error) error {
		if err != nil {
			return got(uid, nil, err)
		}
		whole, err := io.ReadAll(body)
		if err != nil {
			return got(uid, &cutReader{bytes.NewReader(whole)}, nil)
		}
		return got(uid, bytes.NewReader(wire(stubOf(unwire(whole), sizes[uid], text))), nil)
	})
}

// strikesStub tells whether an edit of the Maildir is made to a stub. The lock is
// held or no run is going on.
func (w *World) strikesStub(side Side, e Edit) bool {
	f := w.Disk.dir(e.Folder)
	if side != Local || f == nil {
		return false
	}
	for _, key := range f.keyList() {
		if x := f.files[key]; NameOf(x.content) == e.Name {
			return isStub(x.content)
		}
	}
	return false
}

// stubsOf counts the stubs of a message. The lock is held or no run is going on.
func (w *World) stubsOf(name string) (n int) {
	for _, f := range w.Disk.folders {
		for _, x := range f.files {
			if isStub(x.content) && NameOf(x.content) == name {
				n++
			}
		}
	}
	return n
}

// noStubSent checks that no message on the server is a stub.
func (w *World) noStubSent() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, b := range w.Server.boxes {
		for _, m := range b.messages {
			if isStub(m.content) {
				return fmt.Errorf("message %d of %s is one", m.uid, name)
			}
		}
	}
	return nil
}

// unwhole lists the messages that the state knows and that are not held whole.
func (w *World) unwhole() (list []Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, row := range w.Record.rowsWhere(func(row mail.Base) bool { return row.RemoteOnly || row.Content.Whole > 0 }) {
		if b := w.Server.boxes[row.Folder]; b != nil && b.find(row.UID) != nil {
			list = append(list, Entry{Folder: row.Folder, Name: NameOf(b.find(row.UID).content)})
		}
	}
	return list
}

// asked returns the rows of a message that is to be fetched whole.
func (w *World) asked(m Entry) (rows []*mail.Base) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Record.rowsWhere(func(row mail.Base) bool {
		b := w.Server.boxes[row.Folder]
		return row.Folder == m.Folder && row.UID != 0 && b != nil && b.find(row.UID) != nil && NameOf(b.find(row.UID).content) == m.Name
	})
}

// fetch has the run fetch the whole of what is asked for, if it is known, as "imapsync
// fetch" does. What it returns checks that it came, where nothing else was to be done
// nor went wrong.
func (h *History) fetch(as *Act, o *Options) (check func()) {
	rows := h.w.asked(as.Fetch)
	if len(rows) == 0 {
		as.Fetch = Entry{}
		return func() {}
	}
	h.ledger.partly = true
	o.Fetch = map[mail.FolderName][]mail.UID{}
	calm := h.w.seesAll()
	for _, row := range rows {
		o.Fetch[row.Folder] = append(o.Fetch[row.Folder], row.UID)
		calm = calm && h.w.asAgreed(row)
	}
	return func() {
		for _, row := range rows {
			now, there := h.w.Record.rows[row.ID]
			if calm && there && !h.cut && len(h.happened) == 0 && (now.RemoteOnly || now.Content.Whole > 0) {
				h.err = errors.Join(h.err, broken("what is asked for comes whole", "message %d of %s", row.UID, row.Folder))
			}
		}
	}
}

// seesAll tells whether both sides show all they have.
func (w *World) seesAll() bool {
	for name, b := range w.Server.boxes {
		if b.view != "" || b.restored || w.remade(name) {
			return false
		}
	}
	for _, f := range w.Disk.folders {
		if f.unreadable {
			return false
		}
	}
	return !w.Disk.Unmounted
}

// asAgreed tells whether both sides of a message are as the state says.
func (w *World) asAgreed(row *mail.Base) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, m := w.Disk.dir(row.Folder), w.Server.boxes[row.Folder].find(row.UID)
	if f == nil || m == nil || !m.flags.Equal(row.Flags) {
		return false
	}
	x := f.files[row.Key]
	return row.RemoteOnly || x != nil && x.flags.Equal(row.Flags) && isStub(x.content) == (row.Content.Whole > 0)
}

// removeOrphans removes stubs that the state knows no message of, as a run advises:
// their messages are gone or lie elsewhere. One of no row whose message its folder has
// on the server is none, while nothing went wrong: else it may be of an equal one.
func (w *World) removeOrphans(calm bool) (removed int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range w.Disk.names() {
		f := w.Disk.folders[name]
		for _, key := range f.keyList() {
			x := f.files[key]
			if !isStub(x.content) || w.Record.paired(name, key) {
				continue
			}
			if b := w.Server.boxes[name]; b != nil && b.holds(NameOf(x.content)) && !w.Record.known(name, key) && calm {
				err = errors.Join(err, fmt.Errorf("the stub %s of %s in %s stands for nothing, and the message is there", key, NameOf(x.content), name))
			}
			w.Disk.remove(f, key)
			removed++
		}
	}
	return removed, err
}

func (b *box) holds(name string) bool {
	return slices.ContainsFunc(b.messages, func(m *message) bool { return NameOf(m.content) == name })
}

package simworld

import (
	"errors"
	"fmt"
	"sort"

	"imapsync/mail"
)

// CheckRecord compares the state with both sides, when all is quiet: no intent
// is left, every row has its file and its message of the content it says, and
// every file and message has its row. Folders that a scenario keeps apart
// (holds, a partial listing) are compared only as far as rows go.
func (w *World) CheckRecord() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var errs []error
	for _, i := range w.Record.intents {
		errs = append(errs, fmt.Errorf("state: intent left: %+v", i))
	}
	rows := w.Record.rowsWhere(func(mail.Base) bool { return true })
	for _, row := range rows {
		errs = append(errs, w.checkRow(row))
	}
	for name, f := range w.Disk.folders {
		for key := range f.unfinished {
			if w.Record.known(name, key) {
				errs = append(errs, fmt.Errorf("tmp/ of %s still holds %s", name, key))
			}
		}
	}
	sort.Slice(errs, func(i, j int) bool { return fmt.Sprint(errs[i]) < fmt.Sprint(errs[j]) })
	return errors.Join(errs...)
}

func (r *Record) known(folder mail.FolderName, key mail.Key) bool {
	for _, b := range r.rows {
		if b.Folder == folder && b.Key == key {
			return true
		}
	}
	return false
}

// stubs counts the messages that are held as such.
func (r *Record) stubs() int {
	return len(r.rowsWhere(func(b mail.Base) bool { return b.Content.Whole > 0 && !b.RemoteOnly }))
}

// paired tells whether a row has the file and a message.
func (r *Record) paired(folder mail.FolderName, key mail.Key) bool {
	return len(r.rowsWhere(func(b mail.Base) bool { return b.Folder == folder && b.Key == key && b.UID != 0 })) > 0
}

// checkRow checks one row against what lies where it says, if anything does.
func (w *World) checkRow(row *mail.Base) error {
	f, b := w.Disk.dir(row.Folder), w.Server.boxes[row.Folder]
	if f != nil && f.files[row.Key] != nil {
		if got := contentOf(f.files[row.Key].content).Digest; got != row.Content.Digest {
			return fmt.Errorf("state: row %d of %s: its file %s has other content", row.ID, row.Folder, row.Key)
		}
	}
	if b != nil && b.find(row.UID) != nil && !(row.RemoteOnly && row.Content.Digest.IsZero()) && row.Content.Whole == 0 {
		if got := contentOf(b.find(row.UID).content).Digest; got != row.Content.Digest {
			return fmt.Errorf("state: row %d of %s: its message %d has other content", row.ID, row.Folder, row.UID)
		}
	}
	return nil
}

// CheckSettled checks, when all is quiet, that both sides and the state are
// one: equal folders, each message on both with equal flags, and a row for each.
func (w *World) CheckSettled() error {
	local, remote := w.List(Local), w.List(Remote)
	if w.Server.noKeywords {
		local = withoutKeywords(local)
	}
	if !SameEntries(local, remote) {
		return fmt.Errorf("the sides differ:\n local  %s\n remote %s", EntriesText(local), EntriesText(remote))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	rows := w.Record.rowsWhere(func(mail.Base) bool { return true })
	messages := 0
	for name, b := range w.Server.boxes {
		if name != w.apart {
			messages += len(b.messages)
		}
	}
	if len(rows) != messages {
		return fmt.Errorf("state: %d rows for %d messages", len(rows), messages)
	}
	for _, row := range rows {
		f, b := w.Disk.dir(row.Folder), w.Server.boxes[row.Folder]
		if f == nil || b == nil || f.files[row.Key] == nil || b.find(row.UID) == nil {
			return fmt.Errorf("state: row %d of %s has no file %q or no message %d", row.ID, row.Folder, row.Key, row.UID)
		}
		if isStub(f.files[row.Key].content) && !w.stubs() {
			return fmt.Errorf("state: row %d of %s: a stub is left where nothing limits", row.ID, row.Folder)
		}
		if m := b.find(row.UID); !m.flags.Equal(b.space.Storable(row.Flags)) {
			return fmt.Errorf("state: row %d of %s: flags %s, on the server %s", row.ID, row.Folder, row.Flags, m.flags)
		}
	}
	return nil
}

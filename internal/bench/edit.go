package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"imapsync/internal/corpus"
	"imapsync/internal/phone"
	"imapsync/mail"
)

// edit is what a user does between two runs, on one side.
type edit struct {
	local bool
	make  func(w *world, c *client) error
}

// nothing was done; the server says what there must be.
var nothing = edit{false, func(*world, *client) error { return nil }}

// perFolder is how many new messages, expunges, flag changes and moves there
// are in a folder: in an account of 5,000 messages 100, 100, 1,000 and 500.
func (w *world) perFolder() (fresh, gone, flagged, moved int) {
	each := w.messages / w.folders
	return each / 50, each / 50, each / 5, each / 10
}

// next is the folder that messages of one are moved to, so that all stay as large
// as they are however often that is done.
func (w *world) next(folder int) string { return folderName((folder + 1) % w.folders) }

// seed is that of the new messages of a client's nth edit.
func seed(edits int) uint64 { return uint64(1000 + edits) }

// few are the changes of each kind in one huge folder.
const few = 5

// changeServer is another client's work: new messages in every folder, flag
// changes and expunges.
func changeServer(w *world, c *client) error {
	fresh, gone, flagged, _ := w.perFolder()
	return serverChanges(w, c, w.folders, fresh, gone, flagged)
}

// changeHugeOnServer is a little of that in one huge folder.
func changeHugeOnServer(w *world, c *client) error { return serverChanges(w, c, 1, few, few, few) }

func serverChanges(w *world, c *client, folders, fresh, gone, flagged int) error {
	p, err := phone.Dial(w.server.Addr(), c.user, w.server.Password)
	if err != nil {
		return err
	}
	defer p.Close()
	generator := corpus.New(seed(c.edits))
	for f := range folders {
		list, err := p.List(folderName(f))
		if err != nil {
			return err
		}
		if err := p.Expunge(folderName(f), uidsOf(list[:gone])); err != nil {
			return err
		}
		var on, off []phone.Message
		for _, m := range list[gone : gone+flagged] {
			if m.Flags.System&mail.Flagged == 0 {
				on = append(on, m)
			} else {
				off = append(off, m)
			}
		}
		if err := storeFlagged(p, folderName(f), on, off); err != nil {
			return err
		}
		for range fresh {
			m := generator.Message()
			if _, err := p.Append(folderName(f), m.Flags, m.Date, corpus.Wire(m.Body)); err != nil {
				return err
			}
		}
	}
	return nil
}

func storeFlagged(p *phone.Client, folder string, on, off []phone.Message) error {
	flag := mail.NewFlags(mail.Flagged)
	if len(on) > 0 {
		if err := p.Store(folder, uidsOf(on), flag, mail.Flags{}); err != nil {
			return err
		}
	}
	if len(off) > 0 {
		return p.Store(folder, uidsOf(off), mail.Flags{}, flag)
	}
	return nil
}

func uidsOf(messages []phone.Message) []mail.UID {
	var uids []mail.UID
	for _, m := range messages {
		uids = append(uids, m.UID)
	}
	return uids
}

// moveOnServer is another client that files messages away.
func moveOnServer(w *world, c *client) error {
	p, err := phone.Dial(w.server.Addr(), c.user, w.server.Password)
	if err != nil {
		return err
	}
	defer p.Close()
	_, _, _, moved := w.perFolder()
	leaving := make([][]mail.UID, w.folders)
	for f := range leaving {
		list, err := p.List(folderName(f))
		if err != nil {
			return err
		}
		leaving[f] = uidsOf(list[len(list)-moved:])
	}
	for f, uids := range leaving {
		if err := p.Move(folderName(f), uids, w.next(f)); err != nil {
			return err
		}
	}
	return nil
}

// filesOf lists the files of a folder by name, whether in cur or new.
func (c *client) filesOf(folder string) ([]string, error) {
	var paths []string
	err := eachMessage(c.mail(folder), func(_, path string) error { paths = append(paths, path); return nil })
	return paths, err
}

// changeLocally is a mail reader's work: the same as changeServer.
func changeLocally(w *world, c *client) error {
	fresh, gone, flagged, _ := w.perFolder()
	return localChanges(c, w.folders, fresh, gone, flagged)
}

// changeHugeLocally is a little of that in one huge folder.
func changeHugeLocally(_ *world, c *client) error { return localChanges(c, 1, few, few, few) }

func localChanges(c *client, folders, fresh, gone, flagged int) error {
	generator := corpus.New(seed(c.edits))
	for f := range folders {
		files, err := c.filesOf(folderName(f))
		if err != nil {
			return err
		}
		for _, path := range files[:gone] {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
		for _, path := range files[gone : gone+flagged] {
			if err := toggleFlagged(path); err != nil {
				return err
			}
		}
		if err := deliver(c.mail(folderName(f)), c.edits, fresh, generator); err != nil {
			return err
		}
	}
	return nil
}

// toggleFlagged renames a message's file as mail readers do.
func toggleFlagged(path string) error {
	base, letters, _ := strings.Cut(filepath.Base(path), ":2,")
	had := strings.Contains(letters, "F")
	var set []byte
	for c := byte('A'); c <= 'z'; c++ {
		if c == 'F' && !had || c != 'F' && strings.IndexByte(letters, c) >= 0 {
			set = append(set, c)
		}
	}
	folder := filepath.Dir(filepath.Dir(path))
	return os.Rename(path, filepath.Join(folder, "cur", base+":2,"+string(set)))
}

// deliver puts messages into a folder, read already.
func deliver(folder string, edits, n int, generator *corpus.Generator) error {
	for i := range n {
		m := generator.Message()
		name := fmt.Sprintf("%d.E%dN%d.bench:2,S", m.Date.Unix(), edits, i)
		draft := filepath.Join(folder, "tmp", name)
		if err := os.WriteFile(draft, m.Body, 0o600); err != nil {
			return err
		}
		if err := os.Chtimes(draft, time.Time{}, m.Date); err != nil {
			return err
		}
		if err := os.Rename(draft, filepath.Join(folder, "cur", name)); err != nil {
			return err
		}
	}
	return nil
}

// moveLocally files messages away as mail readers do that know of other
// programs: with a new name, for a name may tell what a message was in its old
// folder.
func moveLocally(w *world, c *client) error {
	_, _, _, moved := w.perFolder()
	leaving := make([][]string, w.folders)
	for f := range leaving {
		files, err := c.filesOf(folderName(f))
		if err != nil {
			return err
		}
		leaving[f] = files[len(files)-moved:]
	}
	for f, files := range leaving {
		for i, path := range files {
			_, letters, _ := strings.Cut(filepath.Base(path), ":2,")
			name := fmt.Sprintf("%d.M%dF%dN%d.bench:2,%s", corpusStart.Unix(), c.edits, f, i, letters)
			if err := os.Rename(path, c.mail(w.next(f), "cur", name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// corpusStart is a date for whatever has none of its own.
var corpusStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// uploads is mail copied into the folder for uploads: 2,000 messages for an
// account of 5,000.
func (w *world) uploads() int { return 2 * w.messages / 5 }

func fillUploads(w *world, c *client) error {
	return deliver(c.mail(uploadFolder), c.edits, w.uploads(), corpus.New(seed(c.edits)))
}

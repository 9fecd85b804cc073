package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"imapsync/internal/bench/bare"
	"imapsync/internal/corpus"
)

// contents are the messages of a side, by folder, content and the flags that
// IMAP and Maildir both have: how many there are of each. Where only numbers are
// compared, by folder alone.
type contents map[string]int

func key(folder string, body []byte, letters string) string {
	return fmt.Sprintf("%s, content %x, flags %q", folder, corpus.Sum(withoutMark(body)), letters)
}

// withoutMark drops the field by which mbsync finds again what it has written.
func withoutMark(body []byte) []byte {
	before, after, found := bytes.Cut(body, []byte("\nX-TUID: "))
	if !found {
		return body
	}
	_, rest, _ := bytes.Cut(after, []byte("\n"))
	return slices.Concat(before, []byte("\n"), rest)
}

// onServer reads what the server holds.
func (w *world) onServer(user string, counts bool) (contents, error) {
	c, err := bare.Dial(w.server.Addr(), user, w.server.Password)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	folders, err := c.Folders()
	if err != nil {
		return nil, err
	}
	found := contents{}
	if counts {
		for _, f := range folders {
			if f.Messages > 0 {
				found[f.Name] = f.Messages
			}
		}
		return found, nil
	}
	return found, c.Fetch(folders, func(m bare.Message, _ int, r io.Reader) error {
		body, err := io.ReadAll(r)
		found[key(m.Folder, body, bare.Letters(m.Flags))]++
		return err
	})
}

// onDisk reads what a Maildir holds.
func onDisk(root string, counts bool) (contents, error) {
	found := contents{}
	return found, eachMessage(root, func(folder, path string) error {
		if counts {
			found[folder]++
			return nil
		}
		body, err := os.ReadFile(path)
		found[key(folder, body, lettersOf(path))]++
		return err
	})
}

// eachMessage visits the messages of a Maildir, folder by folder, by name.
func eachMessage(root string, visit func(folder, path string) error) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		dir := filepath.Dir(path)
		if sub := filepath.Base(dir); err != nil || !entry.Type().IsRegular() || sub != "cur" && sub != "new" || strings.HasPrefix(entry.Name(), ".") {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(dir))
		if err != nil {
			return err
		}
		return visit(folder, path)
	})
}

// lettersOf are the flags in a file's name, those for keywords left out.
func lettersOf(path string) string {
	_, letters, _ := strings.Cut(filepath.Base(path), ":2,")
	return bare.Letters(bare.Names(letters))
}

// check compares both sides with what they should hold.
func (w *world) check(c *client, counts bool) error {
	server, err := w.onServer(c.user, counts)
	if err != nil {
		return err
	}
	disk, err := onDisk(c.mail(), counts)
	if err != nil {
		return err
	}
	if err := compare(server, c.want); err != nil {
		return fmt.Errorf("%s left the server wrong: %w", c.name, err)
	}
	if err := compare(disk, c.want); err != nil {
		return fmt.Errorf("%s left the Maildir wrong: %w", c.name, err)
	}
	return nil
}

// compare names the differences.
func compare(got, want contents) error {
	var missing, extra []string
	for k, n := range want {
		if got[k] < n {
			missing = append(missing, k)
		}
	}
	for k, n := range got {
		if want[k] < n {
			extra = append(extra, k)
		}
	}
	if len(missing)+len(extra) == 0 {
		return nil
	}
	slices.Sort(missing)
	slices.Sort(extra)
	return fmt.Errorf("%d kinds of messages are missing and %d too many:\n- %s\n+ %s", len(missing), len(extra),
		strings.Join(missing[:min(len(missing), 3)], "\n- "), strings.Join(extra[:min(len(extra), 3)], "\n+ "))
}

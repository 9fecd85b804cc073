package maildir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const markerFile = ".imapsync-id"

// Marker returns the account identity written in the root's .imapsync-id, ""
// where there is none. exists tells whether the root holds any folder.
func (m *Maildir) Marker(ctx context.Context) (id string, exists bool, err error) {
	if id, err = markerIn(m.root); err != nil {
		return "", false, account("read "+markerFile, err)
	}
	exists, err = m.holdsFolders(ctx)
	return id, exists, err
}

func markerIn(dir string) (string, error) {
	f, err := os.Open(filepath.Join(dir, markerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	const longest = 1024
	text, err := io.ReadAll(io.LimitReader(f, longest))
	return strings.TrimSpace(string(text)), err
}

// isOthers reports whether a directory is the root of another account's Maildir,
// and whose: the first word of a marker is the Maildir's own.
func (m *Maildir) isOthers(dir string) (account string, others bool, err error) {
	theirs, err := markerIn(dir)
	if err != nil || theirs == "" {
		return "", false, err
	}
	ours, err := markerIn(m.root)
	id, account, _ := strings.Cut(theirs, " ")
	own, _, _ := strings.Cut(ours, " ")
	return account, id != own, err
}

// SetMarker writes the identity durably, creating the root if need be.
func (m *Maildir) SetMarker(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	const doing = "write " + markerFile
	if id == "" || strings.TrimSpace(id) != id || strings.Contains(id, "\n") {
		return account(doing, fmt.Errorf("identity %q is empty, padded or of several lines", id))
	}
	path := filepath.Join(m.root, markerFile)
	tmp := path + ".new"
	err := m.makeDirs(m.root)
	if err == nil {
		if err = os.Remove(tmp); errors.Is(err, fs.ErrNotExist) { // there where a run was killed here
			err = nil
		}
	}
	if err == nil {
		err = writeFile(path, tmp, []byte(id+"\n"), nil)
	}
	if err == nil {
		err = syncDir(filepath.Dir(m.root))
	}
	return account(doing, err)
}

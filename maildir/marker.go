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
	const doing = "read " + markerFile
	f, err := os.Open(filepath.Join(m.root, markerFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return "", false, account(doing, err)
	default:
		const longest = 1024
		text, err := io.ReadAll(io.LimitReader(f, longest))
		f.Close()
		if err != nil {
			return "", false, account(doing, err)
		}
		id = strings.TrimSpace(string(text))
	}
	exists, err = m.holdsFolders(ctx)
	return id, exists, err
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

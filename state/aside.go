package state

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// SetAside gives a damaged state and the files that belong to it another name
// beside it, which it returns. Nothing is overwritten. The caller must hold the
// account's Lock.
func SetAside(path string, at time.Time) (as string, err error) {
	const doing = "set the damaged state aside"
	path, err = resolve(path)
	if err != nil {
		return "", fault(doing, path, err)
	}
	as = path + ".damaged-" + at.UTC().Format("20060102T150405.000Z")
	for _, part := range []string{"-shm", "-wal", ""} {
		if _, err := os.Lstat(as + part); err == nil {
			return "", fault(doing, path, fs.ErrExist)
		}
		if err := os.Rename(path+part, as+part); err != nil && !(part != "" && errors.Is(err, fs.ErrNotExist)) {
			return "", fault(doing, path, err)
		}
	}
	return as, fault(doing, path, syncDir(filepath.Dir(path)))
}

package state

import (
	"os"
	"time"
)

// stillness is the evidence that nobody has written to a state since: no
// write-ahead log lies beside it, and the file is as it was.
type stillness struct {
	path  string
	size  int64
	mtime time.Time
}

// lookStill returns the evidence as it is now; nil when there is none.
func lookStill(path string) *stillness {
	if _, err := os.Lstat(path + "-wal"); !os.IsNotExist(err) {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	return &stillness{path: path, size: info.Size(), mtime: info.ModTime()}
}

// holds reports whether nobody has written up to now.
func (s *stillness) holds() bool {
	now := lookStill(s.path)
	return now != nil && now.size == s.size && now.mtime.Equal(s.mtime)
}

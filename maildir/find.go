package maildir

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"imapsync/mail"
)

// Locate tells which message a path of a file in this Maildir means, whether or
// not there is a file of just that name now.
func (m *Maildir) Locate(path string) (folder mail.FolderName, key mail.Key, ok bool) {
	sub := filepath.Dir(path)
	if s := filepath.Base(sub); s != "cur" && s != "new" && s != "tmp" {
		return "", "", false
	}
	rel, err := filepath.Rel(m.root, filepath.Dir(sub))
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return "", "", false
	}
	if folder, err = m.naming.folder(rel); err != nil {
		return "", "", false
	}
	return folder, parseName(filepath.Base(path)).key, true
}

// Path returns where a message's file lies now; mail.ErrChanged when there is
// none.
func (m *Maildir) Path(ctx context.Context, name mail.FolderName, key mail.Key) (string, error) {
	f, err := m.folder(name)
	if err != nil {
		return "", err
	}
	path := ""
	err = f.onFile(ctx, key, func(p place) error {
		path = f.at(p)
		return f.still(p)
	})
	return path, f.message(key, "look for message", err)
}

// FindMessageID tells the messages of a folder whose Message-ID is this one,
// given without angle brackets. It reads the header of every file.
func (m *Maildir) FindMessageID(ctx context.Context, name mail.FolderName, id string) ([]mail.Key, error) {
	f, err := m.folder(name)
	if err != nil {
		return nil, err
	}
	l, err := f.list(ctx)
	if err != nil {
		return nil, err
	}
	var found []mail.Key
	for key, s := range l.spots {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		have, err := MessageID(f.at(l.place(key, s)))
		if errors.Is(err, fs.ErrNotExist) { // renamed meanwhile
			if path, perr := m.Path(ctx, name, key); perr == nil {
				have, err = MessageID(path)
			}
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, f.message(key, "read header", err)
		}
		if have == id {
			found = append(found, key)
		}
	}
	return found, nil
}

// longestHeader bounds how much of a file is read for its Message-ID, in bytes.
const longestHeader = 1 << 20

// MessageID reads the Message-ID of a message file, without angle brackets; ""
// where it has none.
func MessageID(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	r := bufio.NewReader(io.LimitReader(file, longestHeader))
	for {
		line, err := r.ReadString('\n')
		if strings.TrimRight(line, "\r\n") == "" {
			return "", ignoreEOF(err)
		}
		if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimRight(name, " \t"), "message-id") {
			if strings.TrimSpace(value) == "" { // folded: it stands on the next line
				value, err = r.ReadString('\n')
			}
			return BareMessageID(value), ignoreEOF(err)
		}
		if err != nil {
			return "", ignoreEOF(err)
		}
	}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// BareMessageID is a Message-ID without white space and angle brackets around.
func BareMessageID(text string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "<"), ">")
}

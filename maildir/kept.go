package maildir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"imapsync/mail"
)

// Kept lists what Remove has kept and nobody has put back or pruned, in the
// order of its removal, of its folder and its file name.
func (m *Maildir) Kept(ctx context.Context) ([]mail.Kept, error) {
	const doing = "list kept mail"
	if m.keep == "" {
		return nil, ctx.Err()
	}
	entries, err := os.ReadDir(m.keep)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, account(doing, err)
	}
	var all []mail.Kept
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		at, err := time.Parse(keepStamp, e.Name())
		if err != nil {
			continue // not ours
		}
		kept, err := keptIn(filepath.Join(m.keep, e.Name()), at)
		if err != nil {
			return nil, account(doing, err)
		}
		all = append(all, kept...)
	}
	return all, nil
}

// keptIn lists what lies under the directory of one second.
func keptIn(root string, at time.Time) ([]mail.Kept, error) {
	verbatim := naming{layout: Verbatim}
	tables := map[string]table{}
	var all []mail.Kept
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == keywordsFile || strings.HasPrefix(e.Name(), ".") {
			return err
		}
		dir := filepath.Dir(path)
		rel, err := filepath.Rel(root, dir)
		if err != nil {
			return err
		}
		folder, err := verbatim.folder(rel)
		if err != nil {
			return nil // nothing that Remove has put there
		}
		t, known := tables[dir]
		if !known {
			if t, err = keptTable(dir); err != nil {
				return err
			}
			tables[dir] = t
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil // a dangling link, or put back meanwhile
		}
		n := parseName(e.Name())
		all = append(all, mail.Kept{Folder: folder, Key: n.key, Flags: t.flags(n.letters), At: at,
			Size: info.Size(), Date: info.ModTime(), Path: path})
		return nil
	})
	return all, err
}

// keptTable reads the table by which the letters of a directory's files are to
// be read.
func keptTable(dir string) (table, error) {
	text, err := os.ReadFile(filepath.Join(dir, keywordsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return table{}, err
	}
	return parseTable(text), nil
}

// Content reads a kept file.
func (m *Maildir) Content(ctx context.Context, k mail.Kept) (mail.Content, error) {
	const doing = "read kept message"
	file, err := os.Open(k.Path)
	if err != nil {
		return mail.Content{}, grade(mail.ScopeMessage, k.Folder, k.Key, doing, err)
	}
	defer file.Close()
	c, err := hash(ctx, file)
	return c, grade(mail.ScopeMessage, k.Folder, k.Key, doing, err)
}

// Restore puts a kept file back into its folder, which must exist, with its
// content, mtime and flags but the mark of a deletion, and returns the key it has there: its own, or
// another where as of the last Scan a different message has that. One that is back already, as
// after a Restore that was cut short, is left as it is. Nothing is written over.
// It is durable after Sync, and the kept copy stays until Release.
func (m *Maildir) Restore(ctx context.Context, k mail.Kept) (mail.Key, error) {
	const doing = "put message back"
	f, err := m.folder(k.Folder)
	if err != nil {
		return "", err
	}
	if err := f.complete(); err != nil {
		return "", f.writing("", doing, err)
	}
	if err := f.listOnce(ctx); err != nil {
		return "", err
	}
	n := parseName(filepath.Base(k.Path))
	n.letters = strings.ReplaceAll(n.letters, mail.Deleted.Letters(), "") // or it might be expunged once more
	if hasKeywordLetter(n.letters) {
		from, err := keptTable(filepath.Dir(k.Path))
		if err == nil {
			n.letters, err = f.adopted(ctx, n.letters, from)
		}
		if err != nil {
			return "", f.message(k.Key, doing, err)
		}
	}
	for _, key := range []mail.Key{k.Key, keyAfter(k), m.NewKey()} {
		n.key = key
		done, err := f.restoreAs(ctx, k, n)
		if err != nil {
			return "", f.writing(k.Key, doing, err)
		}
		if done {
			return key, nil
		}
	}
	return "", f.message(k.Key, doing, errors.New("every name is taken"))
}

// keyAfter is the key for a message whose own is taken: always the same one, so
// that a repeated Restore finds what an earlier one did.
func keyAfter(k mail.Kept) mail.Key {
	const suffix = ".back-"
	key := string(k.Key)
	if most := maxFileName - len(suffix) - len(keepStamp) - len(infoMark) - 40; len(key) > most { // 40 for flags
		key = key[:most]
	}
	return mail.Key(key + suffix + k.At.UTC().Format(keepStamp))
}

// restoreAs puts the file back under this name. done is false where the key
// belongs to another message.
func (f *folder) restoreAs(ctx context.Context, k mail.Kept, n fileName) (done bool, err error) {
	if _, taken := f.known(n.key); taken {
		same := false
		err := f.onFile(ctx, n.key, func(p place) (err error) {
			same, err = sameContent(ctx, f.at(p), k.Path)
			return err
		})
		if !errors.Is(err, mail.ErrChanged) { // gone again: the key is free
			return same, err
		}
	}
	p := place{inNew: !n.info} // whatever was in cur has an info
	p.file = n.file(p.inNew)
	err = os.Link(k.Path, f.at(p))
	if noLink(err) {
		tmp := f.tmp(n.key)
		if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) { // of an earlier Restore
			return false, err
		}
		err = copyFile(k.Path, tmp, f.at(p), f.m.fsync)
	}
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err == nil {
		f.moved(n.key, p)
	}
	return err == nil, err
}

func sameContent(ctx context.Context, a, b string) (bool, error) {
	if sameFile(a, b) {
		return true, nil
	}
	var sums [2]mail.Digest
	for i, path := range []string{a, b} {
		file, err := os.Open(path)
		if err != nil {
			return false, err
		}
		c, err := hash(ctx, file)
		file.Close()
		if err != nil {
			return false, err
		}
		sums[i] = c.Digest
	}
	return sums[0] == sums[1], nil
}

// Release gives up kept copies of files that are back and durable, with the
// directories that are empty then.
func (m *Maildir) Release(ctx context.Context, kept []mail.Kept) error {
	const doing = "give up kept copy"
	dirs := map[string]bool{}
	for _, k := range kept {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !below(k.Path, m.keep) {
			return account(doing, errors.New(k.Path+" is no kept file"))
		}
		if err := os.Remove(k.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return account(doing, err)
		}
		dirs[filepath.Dir(k.Path)] = true
	}
	for dir := range dirs {
		m.clearKept(dir)
	}
	return nil
}

// clearKept removes a directory of kept mail in which there is none any more,
// and those above it. That it cannot is no harm: Prune will.
func (m *Maildir) clearKept(dir string) {
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) == 1 && entries[0].Name() == keywordsFile {
		_ = os.Remove(filepath.Join(dir, keywordsFile))
	}
	for ; dir != m.keep && os.Remove(dir) == nil; dir = filepath.Dir(dir) {
	}
}

func below(path, dir string) bool {
	return dir != "" && strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

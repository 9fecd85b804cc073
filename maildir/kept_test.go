package maildir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"imapsync/mail"
)

// remove takes a message out of the folder, durably.
func remove(t *testing.T, m *Maildir, folder mail.FolderName, key mail.Key, set string) {
	t.Helper()
	err := m.Remove(t.Context(), folder, key, flags(set), mail.FileStamp{})
	if err == nil {
		err = m.Sync(t.Context(), folder)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func kept(t *testing.T, m *Maildir) []mail.Kept {
	t.Helper()
	all, err := m.Kept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// restore puts back all that is kept, and gives the kept copies up unless
// something cut that short.
func restore(t *testing.T, m *Maildir, release bool) []mail.Key {
	t.Helper()
	var keys []mail.Key
	all := kept(t, m)
	for _, k := range all {
		if err := m.CreateFolder(t.Context(), k.Folder); err != nil {
			t.Fatal(err)
		}
		key, err := m.Restore(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
		if err := m.Sync(t.Context(), k.Folder); err != nil {
			t.Fatal(err)
		}
	}
	if release {
		if err := m.Release(t.Context(), all); err != nil {
			t.Fatal(err)
		}
	}
	return keys
}

func TestRestoreWhatWasRemoved(t *testing.T) {
	for where, keep := range map[string]string{"same disk": filepath.Join(t.TempDir(), "kept"), "other disk": filepath.Join(otherDisk(t), "kept")} {
		t.Run(where, func(t *testing.T) {
			m := open(t, Config{KeepDir: keep, Fsync: true}, "A/cur", "INBOX")
			date := time.Unix(1_400_000_000, 123_000_000)
			tagged := deliver(t, m, "A/cur", ":FS todo", "text")
			if err := os.Chtimes(filepath.Join(m.path(t, "A/cur"), "cur", string(tagged)+":2,FSa"), date, date); err != nil {
				t.Fatal(err)
			}
			seen, fresh := deliver(t, m, "INBOX", ":S", "seen"), deliver(t, m, "INBOX", ":", "new")
			put(t, m, "INBOX/cur/shown:2,", "shown, no flags")
			remove(t, m, "A/cur", tagged, ":FS todo")
			remove(t, m, "INBOX", seen, ":S")
			remove(t, m, "INBOX", fresh, ":")
			remove(t, m, "INBOX", "shown", ":")
			if err := m.RemoveFolder(t.Context(), "A/cur"); err != nil {
				t.Fatal(err)
			}
			for _, k := range kept(t, m) {
				private(t, k.Path, keep)
				if k.Key == tagged && (k.Folder != "A/cur" || !k.Flags.Equal(flags(":FS todo")) || k.Size != 4 || !k.Date.Equal(date)) {
					t.Errorf("kept %+v", k)
				}
			}

			m = again(t, m)
			if err := m.CreateFolder(t.Context(), "A/cur"); err != nil {
				t.Fatal(err)
			}
			put(t, m, "A/%63ur/dovecot-keywords", "0 other\n3 later\n") // letters have another meaning by now
			restore(t, m, true)
			want(t, m, "INBOX", "cur/"+string(seen)+":2,S", "cur/shown:2,", "new/"+string(fresh))
			want(t, m, "A/%63ur", "cur/"+string(tagged)+":2,FSb", "dovecot-keywords")
			if s := scan(t, m, "A/cur").Messages[tagged]; !s.Flags.Equal(flags(":FS todo")) {
				t.Errorf("flags %v", s.Flags)
			}
			info, err := os.Stat(filepath.Join(m.path(t, "A/cur"), "cur", string(tagged)+":2,FSb"))
			if err != nil || !info.ModTime().Equal(date) || info.Mode().Perm() != 0o600 {
				t.Errorf("restored %v, %v", info, err)
			}
			if left := files(t, keep); len(left) != 0 {
				t.Errorf("still kept: %q", left)
			}
			if len(restore(t, m, true)) != 0 {
				t.Error("there was something left to restore")
			}
		})
	}
}

// path is a folder's directory.
func (m *Maildir) path(t *testing.T, name mail.FolderName) string {
	t.Helper()
	f, err := m.folder(name)
	if err != nil {
		t.Fatal(err)
	}
	return f.path
}

// private insists that nobody else can read a kept file or get to it.
func private(t *testing.T, path, keep string) {
	t.Helper()
	for mode := os.FileMode(0o600); strings.HasPrefix(path, keep); path, mode = filepath.Dir(path), 0o700 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != mode {
			t.Errorf("%s has mode %v, want %v", path, info.Mode().Perm(), mode)
		}
	}
}

// A Restore cut short at any point is completed by the next one, which doubles
// nothing, whether the name was free or taken.
func TestRestoreAgain(t *testing.T) {
	for where, keep := range map[string]string{"same disk": filepath.Join(t.TempDir(), "kept"), "other disk": filepath.Join(otherDisk(t), "kept")} {
		t.Run(where, func(t *testing.T) {
			m := open(t, Config{KeepDir: keep}, "A")
			key, taken := deliver(t, m, "A", ":S", "one"), deliver(t, m, "A", ":S", "two")
			remove(t, m, "A", key, ":S")
			remove(t, m, "A", taken, ":S")
			put(t, m, "A/cur/"+string(taken)+":2,RS", "another message")
			m = again(t, m)
			first := restore(t, m, false)
			if len(first) != 2 || slices.Contains(first, taken) || !slices.Contains(first, key) {
				t.Fatalf("restored as %q", first)
			}
			// Flags have changed by the time of the second attempt, and a copy
			// that was cut short lies in tmp.
			m = again(t, m)
			if err := os.Rename(filepath.Join(m.root, "A/cur", string(key)+":2,S"), filepath.Join(m.root, "A/cur", string(key)+":2,FS")); err != nil {
				t.Fatal(err)
			}
			put(t, m, "A/tmp/"+string(key), "o")
			second := restore(t, m, true)
			if !slices.Equal(first, second) {
				t.Errorf("restored as %q, then as %q", first, second)
			}
			if n := len(scan(t, m, "A").Messages); n != 3 {
				t.Errorf("%d messages, want 3", n)
			}
			if got := get(t, m, "A/cur/"+string(taken)+":2,RS"); got != "another message" {
				t.Errorf("written over: %q", got)
			}
			if left := files(t, keep); len(left) != 0 {
				t.Errorf("still kept: %q", left)
			}
		})
	}
}

// What cannot be kept is not removed.
func TestRemoveNeedsRoomToKeep(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m := open(t, Config{KeepDir: filepath.Join(blocked, "kept")}, "A")
	key := deliver(t, m, "A", ":S", "x")
	if err := m.Remove(t.Context(), "A", key, flags(":S"), mail.FileStamp{}); err == nil {
		t.Error("removed without a place to keep it")
	}
	want(t, m, "A", "cur/"+string(key)+":2,S")
}

func TestKeptPassesOverWhatIsNotOurs(t *testing.T) {
	keep := filepath.Join(t.TempDir(), "kept")
	m := open(t, Config{KeepDir: keep}, "A")
	if all := kept(t, m); len(all) != 0 {
		t.Errorf("kept before anything was removed: %v", all)
	}
	remove(t, m, "A", deliver(t, m, "A", ":S", "x"), ":S")
	stamp := filepath.Dir(filepath.Dir(kept(t, m)[0].Path))
	for _, file := range []string{keep + "/note", keep + "/other/A/k", stamp + "/k", stamp + "/A/.part-1", stamp + "/A/dovecot-keywords", stamp + "/cur/k"} {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("0 x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if all := kept(t, m); len(all) != 1 || all[0].Folder != "A" {
		t.Errorf("kept: %+v", all)
	}
	if err := m.Release(t.Context(), []mail.Kept{{Path: filepath.Join(m.root, "A/cur/x")}}); err == nil {
		t.Error("released a file of the Maildir")
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Kept(done); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if err := os.Remove(kept(t, m)[0].Path); err != nil {
		t.Fatal(err)
	}
	gone := mail.Kept{Folder: "A", Key: "k", Path: filepath.Join(stamp, "A", "k")}
	if _, err := m.Restore(t.Context(), gone); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("restored what is gone: %v", err)
	}
}

// What is discarded is kept nowhere, under the same conditions as what is removed.
func TestDiscardKeepsNothing(t *testing.T) {
	ctx := context.Background()
	keep := t.TempDir()
	m, err := Open(Config{Root: t.TempDir(), KeepDir: keep})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.CreateFolder(ctx, mail.Inbox); err != nil {
		t.Fatal(err)
	}
	d, err := m.Deliver(ctx, mail.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	key, seen := m.NewKey(), mail.NewFlags(mail.Seen)
	if _, _, err := d.Write(mail.NewFile{Key: key, Flags: seen}, strings.NewReader("Subject: a\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := m.Discard(ctx, mail.Inbox, key, mail.Flags{}, mail.FileStamp{}); !errors.Is(err, mail.ErrChanged) {
		t.Errorf("with other flags: %v", err)
	}
	if err := m.Discard(ctx, mail.Inbox, key, seen, mail.FileStamp{}); err != nil {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(keep); len(entries) != 0 {
		t.Errorf("kept: %v", entries)
	}
}

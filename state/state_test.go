package state

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"imapsync/mail"
)

// newState opens a new state that is checked and closed when the test ends.
func newState(t testing.TB) *DB {
	t.Helper()
	return openState(t, filepath.Join(t.TempDir(), "state", "work.db"))
}

func openState(t testing.TB, path string) *DB {
	t.Helper()
	d, err := Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		checked(t, d)
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func checked(t testing.TB, d *DB) {
	t.Helper()
	if err := d.Check(context.Background()); err != nil {
		t.Errorf("check: %v", err)
	}
}

func commit(t testing.TB, d *DB, batch mail.Batch) {
	t.Helper()
	if err := d.Commit(context.Background(), batch); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

func rowsOf(t testing.TB, d *DB, folder mail.FolderName) []*mail.Base {
	t.Helper()
	rows, err := d.Rows(context.Background(), folder)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func digestOf(s string) mail.Digest { return sha256.Sum256([]byte(s)) }

// row makes a full row for a message.
func row(folder mail.FolderName, uid mail.UID, key mail.Key) *mail.Base {
	text := fmt.Sprintf("%s/%d/%s", folder, uid, key)
	return &mail.Base{
		Folder: folder, UID: uid, Key: key,
		Flags: mail.NewFlags(mail.Seen|mail.Flagged, "$Label1", "todo"),
		Content: mail.Content{
			Digest: digestOf(text), Header: digestOf("h" + text), Body: digestOf("b" + text),
			Size: 4711, Wire: 4800, Net: 4700, Fields: 12,
		},
		RemoteSize: 4801,
		Date:       time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC),
		File:       mail.FileStamp{Size: 4711, MTime: 1709251199123456789},
	}
}

// same reports whether two rows are equal in all but their ID.
func same(a, b *mail.Base) bool {
	x, y := *a, *b
	x.ID, y.ID = 0, 0
	return reflect.DeepEqual(x, y)
}

func TestRowsComeBackAsTheyWere(t *testing.T) {
	d := newState(t)
	full := row("INBOX", 7, "1700000000.M1P2.host")
	bare := &mail.Base{Folder: "INBOX", Key: "bare"}
	stub := &mail.Base{Folder: "INBOX", UID: 4294967295}
	odd := row("INBOX", 8, "caf\xe9 \xff:1,S") // no UTF-8: file names are bytes
	odd.Date = time.Unix(-1, 0).UTC()
	odd.File = mail.FileStamp{Size: 1 << 40, MTime: -5}
	odd.Flags = mail.NewFlags(0, ":colon", "Ähnlich", "$Forwarded")
	elsewhere := row("Entwürfe/ä b", 7, "1700000000.M1P2.host")
	commit(t, d, mail.Batch{Put: []*mail.Base{full, bare, stub, odd, elsewhere}})

	got := rowsOf(t, d, "INBOX")
	want := []*mail.Base{bare, full, odd, stub} // by UID
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i := range want {
		if want[i].ID == 0 || got[i].ID != want[i].ID || !same(got[i], want[i]) {
			t.Errorf("row %d\n got %+v\nwant %+v", i, *got[i], *want[i])
		}
	}
	if got := rowsOf(t, d, "Entwürfe/ä b"); len(got) != 1 || !same(got[0], elsewhere) {
		t.Errorf("other folder: %v", got)
	}
	if got := rowsOf(t, d, "none"); len(got) != 0 {
		t.Errorf("unknown folder has rows: %v", got)
	}
}

// TestRowsThatTheSchemaForbids: only a damaged file has them, and then none of
// its rows is believed.
func TestRowsThatTheSchemaForbids(t *testing.T) {
	for name, change := range map[string]string{
		"short digest":    "digest = x'0102'",
		"long header":     "header = zeroblob(33)",
		"digests shifted": "digest = zeroblob(31), header = zeroblob(33)",
	} {
		t.Run(name, func(t *testing.T) {
			path := closedState(t)
			runSQL(t, path, "PRAGMA ignore_check_constraints = 1; UPDATE base SET "+change+" WHERE uid = 7")
			d, err := Open(context.Background(), path)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if rows, err := d.Rows(context.Background(), "INBOX"); !IsDamaged(err) || rows != nil {
				t.Errorf("%d rows, error %v", len(rows), err)
			}
		})
	}
}

// TestClosedStateHoldsNothing: what is asked of it after Close is refused and
// not answered as if it were empty.
func TestClosedStateHoldsNothing(t *testing.T) {
	ctx := context.Background()
	for name, open := range map[string]func(context.Context, string) (*DB, error){"writing": Open, "reading": OpenReadOnly} {
		t.Run(name, func(t *testing.T) {
			d, err := open(ctx, closedState(t))
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := d.Close(); err != nil {
					t.Error(err)
				}
			}
			var f *mail.Fault
			if rows, err := d.Rows(ctx, "INBOX"); !errors.As(err, &f) || f.Scope != mail.ScopeAccount {
				t.Errorf("%d rows, error %v", len(rows), err)
			}
			err = d.Commit(ctx, mail.Batch{Put: []*mail.Base{row("INBOX", 100, "x")}})
			if !errors.As(err, &f) || f.Scope != mail.ScopeAccount {
				t.Errorf("commit: error %v", err)
			}
		})
	}
}

func TestStateOutlivesTheProcess(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "a", "b", "work.db")
	d, err := Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	id := mail.Identity{Marker: "marker", Server: "imap.example.org:993", User: "me"}
	r := row("INBOX", 1, "k")
	commit(t, d, mail.Batch{Identity: &id, Put: []*mail.Base{r}})
	checked(t, d)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if left := names(t, filepath.Dir(path)); !reflect.DeepEqual(left, []string{"work.db"}) {
		t.Errorf("files after Close: %v", left)
	}
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700 | os.ModeDir} {
		info, err := os.Stat(name)
		if err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v, want %v (%v)", name, info.Mode(), want, err)
		}
	}

	d = openState(t, path)
	if got, err := d.Account(ctx); err != nil || got != id {
		t.Errorf("account %+v, %v", got, err)
	}
	if got := rowsOf(t, d, "INBOX"); len(got) != 1 || !same(got[0], r) {
		t.Errorf("rows %v", got)
	}
}

// names lists a directory.
func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// image is the content of all files in a directory, by name.
func image(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, name := range names(t, dir) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			data = []byte(err.Error()) // a directory
		}
		files[name] = string(data)
	}
	return files
}

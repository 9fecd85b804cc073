package state

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"imapsync/mail"
)

// Whatever becomes of its bytes, a state is opened or refused, without a panic;
// a refused file, and one opened for reading, is left as it is.
//
// The input is where to cut the file, then edits of three bytes of offset and
// one of value.
func FuzzOpenOfDamagedState(f *testing.F) {
	whole, err := os.ReadFile(closedState(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(len(whole)), []byte{})
	f.Add(uint32(0), []byte{})
	f.Add(uint32(8192), []byte{})
	f.Add(uint32(len(whole)), []byte{0, 0, 18, 1})                 // not in WAL mode
	f.Add(uint32(len(whole)), []byte{0, 0, 63, 2})                 // newer
	f.Add(uint32(len(whole)), []byte{0, 0, 70, 0})                 // not ours
	f.Add(uint32(len(whole)), []byte{0, 0, 16, 2})                 // other page size
	f.Add(uint32(len(whole)), []byte{0, 0, 104, 0xff})             // more entries in the schema
	f.Add(uint32(len(whole)), []byte{0, 16, 0, 2})                 // a table's first page of another kind
	f.Add(uint32(len(whole)), []byte{0, 16, 5, 0, 0, 16, 3, 0xff}) // and of other size
	f.Fuzz(func(t *testing.T, cut uint32, edits []byte) {
		data := bytes.Clone(whole[:min(int(cut), len(whole))])
		for ; len(edits) >= 4 && len(data) > 0; edits = edits[4:] {
			at := int(binary.BigEndian.Uint32(append([]byte{0}, edits[:3]...))) % len(data)
			data[at] = edits[3]
		}
		dir := t.TempDir()
		path := filepath.Join(dir, "work.db")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		untouched := func(when string) {
			if got := image(t, dir); len(got) != 1 || got["work.db"] != string(data) {
				t.Errorf("%s: files changed", when)
			}
		}
		ctx := context.Background()
		if d, err := OpenReadOnly(ctx, path); err == nil {
			use(t, d)
			d.Close()
		}
		untouched("read")
		d, err := Open(ctx, path)
		if err != nil {
			untouched("refused")
			return
		}
		use(t, d)
		_ = d.Commit(ctx, mail.Batch{
			Put: []*mail.Base{row("INBOX", 99, "new")}, DropFolders: []mail.FolderName{"Gone"},
			Run: &mail.RunRecord{Started: row("", 0, "").Date, Finished: row("", 0, "").Date},
		})
		d.Close()
	})
}

// use reads all of a state that may be damaged. A panic is wrong, and so is a
// check that finds nothing in a state that cannot be read.
func use(t *testing.T, d *DB) {
	t.Helper()
	ctx := context.Background()
	check := d.Check(ctx)
	_, err1 := d.Account(ctx)
	_, err2 := d.Folders(ctx)
	_, err3 := d.Rows(ctx, "INBOX")
	_, err4 := d.RowsOf(ctx, []mail.Digest{digestOf("INBOX/1/k0")})
	_, err5 := d.Intents(ctx)
	_, err6 := d.Holds(ctx)
	_, err7 := d.Runs(ctx, 10)
	_, err8 := d.History(ctx, Trail{})
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7, err8); err != nil && check == nil {
		t.Errorf("the check found nothing, and yet: %v", err)
	}
}

package state

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"imapsync/mail"
)

// wantRows compares a folder's rows with what is expected, whatever the order.
func wantRows(t *testing.T, d *DB, folder mail.FolderName, want ...*mail.Base) {
	t.Helper()
	got := map[int64]*mail.Base{}
	for _, r := range rowsOf(t, d, folder) {
		got[r.ID] = r
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d rows, want %d", folder, len(got), len(want))
	}
	for _, w := range want {
		if g := got[w.ID]; g == nil || !same(g, w) {
			t.Errorf("%s: row %d\n got %+v\nwant %+v", folder, w.ID, g, w)
		}
	}
}

func folderNamed(t *testing.T, d *DB, name mail.FolderName) (mail.FolderRecord, bool) {
	t.Helper()
	folders, err := d.Folders(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if f.Folder == name {
			return f, true
		}
	}
	return mail.FolderRecord{}, false
}

func TestRowsExchangeTheirPlaces(t *testing.T) {
	d := newState(t)
	a, b, c := row("INBOX", 1, "a"), row("INBOX", 2, "b"), row("Archive", 1, "a")
	commit(t, d, mail.Batch{Put: []*mail.Base{a, b, c}})
	ids := [3]int64{a.ID, b.ID, c.ID}

	a.UID, b.UID = b.UID, a.UID
	commit(t, d, mail.Batch{Put: []*mail.Base{a, b}})
	wantRows(t, d, "INBOX", a, b)

	a.Key, b.Key = b.Key, a.Key
	a.UID, b.UID = b.UID, a.UID
	commit(t, d, mail.Batch{Put: []*mail.Base{a, b}})
	wantRows(t, d, "INBOX", a, b)

	// Around three corners and two folders, and a new row into a place left free.
	a.Folder, c.Folder = "Archive", "INBOX"
	a.UID, b.UID, c.UID = 1, 7, 1
	a.Key, b.Key, c.Key = "a", "x", "a"
	n := row("INBOX", 2, "b")
	commit(t, d, mail.Batch{Put: []*mail.Base{n, a, b, c}})
	wantRows(t, d, "INBOX", b, c, n)
	wantRows(t, d, "Archive", a)
	if got := [3]int64{a.ID, b.ID, c.ID}; got != ids {
		t.Errorf("IDs %v, were %v", got, ids)
	}

	// What is dropped makes room for what is put in the same batch.
	again := row("INBOX", b.UID, b.Key)
	commit(t, d, mail.Batch{Put: []*mail.Base{again}, Drop: []*mail.Base{b}})
	wantRows(t, d, "INBOX", again, c, n)

	// A row given twice is put once, the last word counts.
	n.UID, c.UID = c.UID, n.UID
	last := *n
	last.Flags = mail.NewFlags(mail.Draft)
	commit(t, d, mail.Batch{Put: []*mail.Base{n, c, &last}})
	wantRows(t, d, "INBOX", again, c, &last)
}

// Random exchanges against a plain map.
func TestPutAgainstModel(t *testing.T) {
	d := newState(t)
	random := rand.New(rand.NewPCG(1, 2))
	folders := []mail.FolderName{"A", "B", "C"}
	var rows []*mail.Base
	uids := map[mail.FolderName]mail.UID{}
	for range 60 {
		var batch mail.Batch
		for range random.IntN(8) { // new
			f := folders[random.IntN(len(folders))]
			uids[f]++
			r := row(f, uids[f], mail.Key(fmt.Sprint("k", uids[f])))
			if random.IntN(5) == 0 {
				r.UID = 0
			}
			batch.Put = append(batch.Put, r)
			rows = append(rows, r)
		}
		if len(rows) > 10 && random.IntN(3) == 0 { // gone
			i := random.IntN(len(rows))
			if rows[i].ID != 0 {
				batch.Drop = append(batch.Drop, rows[i])
				rows = append(rows[:i], rows[i+1:]...)
			}
		}
		for range random.IntN(10) { // two rows change places, or flags change
			if len(rows) < 2 {
				break
			}
			x, y := rows[random.IntN(len(rows))], rows[random.IntN(len(rows))]
			if random.IntN(2) == 0 {
				x.Folder, y.Folder = y.Folder, x.Folder
				x.UID, y.UID = y.UID, x.UID
				x.Key, y.Key = y.Key, x.Key
			}
			x.Flags.System ^= mail.Seen
			batch.Put = append(batch.Put, x, y)
		}
		commit(t, d, batch)
		checked(t, d)
	}
	for _, f := range folders {
		var want []*mail.Base
		for _, r := range rows {
			if r.Folder == f {
				want = append(want, r)
			}
		}
		wantRows(t, d, f, want...)
	}
}

func TestCollisionCostsTheFolderAndRecordsNothing(t *testing.T) {
	for name, bad := range map[string]*mail.Base{
		"same UID": row("INBOX", 1, "other"),
		"same key": row("INBOX", 9, "a"),
	} {
		t.Run(name, func(t *testing.T) {
			d := newState(t)
			a, b := row("INBOX", 1, "a"), row("INBOX", 2, "b")
			commit(t, d, mail.Batch{Put: []*mail.Base{a, b}})
			changed := *b
			changed.Flags = mail.Flags{}
			before := *a
			fresh := row("Archive", 1, "fresh")
			intent := &mail.Intent{Kind: mail.IntentDownload, Folder: "INBOX", Key: "k", UID: 3}
			run := &mail.RunRecord{Started: time.Unix(1, 0)}
			err := d.Commit(context.Background(), mail.Batch{
				Put: []*mail.Base{&changed, fresh, bad}, AddIntents: []*mail.Intent{intent}, Run: run,
			})
			var f *mail.Fault
			if !errors.As(err, &f) || f.Scope != mail.ScopeFolder || f.Folder != "INBOX" ||
				f.Message != fmt.Sprintf("UID %d, key %q", bad.UID, bad.Key) {
				t.Errorf("error %v", err)
			}
			if fresh.ID != 0 || bad.ID != 0 || intent.ID != 0 || run.ID != 0 {
				t.Errorf("IDs left of what was not recorded: %d %d %d %d", fresh.ID, bad.ID, intent.ID, run.ID)
			}
			wantRows(t, d, "INBOX", &before, b)
			if _, known := folderNamed(t, d, "Archive"); known {
				t.Error("a folder of the failed batch is known")
			}
			// The state goes on working.
			commit(t, d, mail.Batch{Put: []*mail.Base{&changed, fresh}})
			wantRows(t, d, "INBOX", a, &changed)
		})
	}
}

func TestRowsThatCannotBe(t *testing.T) {
	d := newState(t)
	gone := row("INBOX", 1, "a")
	commit(t, d, mail.Batch{Put: []*mail.Base{gone}})
	commit(t, d, mail.Batch{Drop: []*mail.Base{gone}})
	commit(t, d, mail.Batch{Drop: []*mail.Base{gone}}) // is no error
	for name, batch := range map[string]mail.Batch{
		"change of a dropped row": {Put: []*mail.Base{gone}},
		"neither UID nor key":     {Put: []*mail.Base{{Folder: "INBOX"}}},
		"unknown kind of intent":  {AddIntents: []*mail.Intent{{Kind: "rename", Folder: "INBOX", Key: "k"}}},
	} {
		err := d.Commit(context.Background(), batch)
		if err == nil || mail.ScopeOf(err) != mail.ScopeFolder {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFolders(t *testing.T) {
	d := newState(t)
	full := mail.FolderRecord{
		Folder:  "INBOX",
		Settled: true,
		Mark:    mail.Mark{UIDValidity: 4294967295, UIDNext: 17, Messages: 3, HighestModSeq: 1<<63 - 1},
		Stamp: mail.DirStamp{
			Cur:   mail.DirTime{Dev: 1<<64 - 1, Ino: 2, CTime: 3},
			New:   mail.DirTime{Dev: 4, Ino: 1 << 63, CTime: 6},
			Taken: 1700000000123456789,
		},
		FullCheck: time.UnixMilli(1700000000123).UTC(),
	}
	commit(t, d, mail.Batch{Folders: []mail.FolderRecord{full, {Folder: "Archive"}}})
	commit(t, d, mail.Batch{Put: []*mail.Base{row("INBOX", 1, "a"), row("INBOX", 2, "b"), row("New", 1, "a")}})
	full.Rows, full.LastUID = 2, 2
	want := []mail.FolderRecord{{Folder: "Archive"}, full, {Folder: "New", Rows: 1, LastUID: 1}}
	got, err := d.Folders(context.Background())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("folders\n got %+v\nwant %+v (%v)", got, want, err)
	}

	full.Settled, full.Mark, full.Stamp = false, mail.Mark{}, mail.DirStamp{}
	commit(t, d, mail.Batch{Folders: []mail.FolderRecord{full}})
	if f, _ := folderNamed(t, d, "INBOX"); f != full {
		t.Errorf("updated folder %+v, want %+v", f, full)
	}
	commit(t, d, mail.Batch{DropFolders: []mail.FolderName{"INBOX", "Never"}})
	if _, known := folderNamed(t, d, "INBOX"); known || len(rowsOf(t, d, "INBOX")) != 0 {
		t.Error("a dropped folder is still there")
	}
}

// A renamed folder keeps its rows and its record, and what is held or set aside
// in it is found under its new name; a name that is known is not given twice.
func TestRenameFolder(t *testing.T) {
	d := newState(t)
	a, b, other := row("Old", 1, "a"), row("Old", 2, "b"), row("Other", 1, "c")
	settled := mail.FolderRecord{Folder: "Old", Settled: true, Mark: mail.Mark{UIDValidity: 7, UIDNext: 3}}
	hold := mail.Hold{Side: "local", Folder: "Old", Count: 30, Reason: "all", Since: time.UnixMilli(1).UTC()}
	aside := mail.Quarantined{Folder: "Old", UID: 9, UIDValidity: 7, Tries: 1, Since: time.UnixMilli(1), Retry: time.UnixMilli(2), Error: "no"}
	commit(t, d, mail.Batch{Put: []*mail.Base{a, b, other}, Folders: []mail.FolderRecord{settled},
		Holds: &[]mail.Hold{hold}, Quarantine: &[]mail.Quarantined{aside}, Removing: []*mail.Base{b}})

	a.Folder, b.Folder, b.Key = "New", "New", "b2"
	fresh := row("New", 3, "d")
	commit(t, d, mail.Batch{Renames: []mail.FolderRename{{From: "Old", To: "New"}}, Put: []*mail.Base{b, fresh}})
	wantRows(t, d, "New", a, b, fresh)
	wantRows(t, d, "Other", other)
	settled.Folder, settled.Rows, settled.LastUID = "New", 3, 3
	if f, _ := folderNamed(t, d, "New"); f != settled {
		t.Errorf("record %+v, want %+v", f, settled)
	}
	if _, known := folderNamed(t, d, "Old"); known {
		t.Error("the old name is still known")
	}
	ctx := context.Background()
	holds, _ := d.Holds(ctx)
	set, _ := d.Quarantine(ctx)
	removing, err := d.Removing(ctx)
	if err != nil || len(holds) != 1 || holds[0].Folder != "New" || len(set) != 1 || set[0].Folder != "New" || len(removing) != 1 || removing[0].Folder != "New" {
		t.Errorf("held %+v, set aside %+v, about to be removed %+v, %v", holds, set, removing, err)
	}

	for _, wrong := range []mail.FolderRename{{From: "New", To: "Other"}, {From: "Old", To: "Newer"}} {
		if err := d.Commit(ctx, mail.Batch{Renames: []mail.FolderRename{wrong}}); err == nil {
			t.Errorf("%v is done", wrong)
		}
	}
	wantRows(t, d, "New", a, b, fresh)
}

// What the server calls a folder stays where a record does not say it, and changes
// with its name.
func TestServerName(t *testing.T) {
	d := newState(t)
	put := func(f mail.FolderRecord, want mail.FolderName, readOnly bool) {
		t.Helper()
		commit(t, d, mail.Batch{Folders: []mail.FolderRecord{f}})
		if got, _ := folderNamed(t, d, f.Folder); got.ServerName() != want || got.ReadOnly != readOnly {
			t.Errorf("%+v, want %s", got, want)
		}
	}
	put(mail.FolderRecord{Folder: "Sent"}, "Sent", false)
	put(mail.FolderRecord{Folder: "Sent", Server: "[Gmail]/Sent Mail", ReadOnly: true}, "[Gmail]/Sent Mail", true)
	put(mail.FolderRecord{Folder: "Sent"}, "[Gmail]/Sent Mail", false)
	put(mail.FolderRecord{Folder: "Sent", Server: "Sent"}, "Sent", false)
	commit(t, d, mail.Batch{Renames: []mail.FolderRename{{From: "Sent", To: "Gesendet", Server: "Sent"}}})
	put(mail.FolderRecord{Folder: "Gesendet"}, "Sent", false)
	commit(t, d, mail.Batch{Renames: []mail.FolderRename{{From: "Gesendet", To: "Sent"}}})
	put(mail.FolderRecord{Folder: "Sent"}, "Sent", false)
}

// Rows may go from one folder to another in the batch that drops it; a folder begun anew loses them.
func TestDropFolderInOneBatchWithItsRows(t *testing.T) {
	d := newState(t)
	a, b := row("Old", 1, "a"), row("Old", 2, "b")
	commit(t, d, mail.Batch{Put: []*mail.Base{a, b}})
	a.Folder, b.Folder = "New", "New"
	a.UID, b.UID = 2, 1
	commit(t, d, mail.Batch{Put: []*mail.Base{a, b}, DropFolders: []mail.FolderName{"Old"}})
	wantRows(t, d, "New", a, b)
	if _, known := folderNamed(t, d, "Old"); known {
		t.Error("the old name is still known")
	}

	fresh := row("New", 1, "a")
	commit(t, d, mail.Batch{
		DropFolders: []mail.FolderName{"New"}, Put: []*mail.Base{fresh},
		Folders: []mail.FolderRecord{{Folder: "New", Settled: true, Mark: mail.Mark{UIDValidity: 2, UIDNext: 2}}},
	})
	wantRows(t, d, "New", fresh)
	if f, _ := folderNamed(t, d, "New"); f.Mark.UIDValidity != 2 || f.Rows != 1 {
		t.Errorf("folder begun anew: %+v", f)
	}
}

func TestRowsOf(t *testing.T) {
	d := newState(t)
	var put []*mail.Base
	var digests []mail.Digest
	for i := range 1200 { // more than two queries' worth
		r := row(mail.FolderName(fmt.Sprint("F", i%3)), mail.UID(i+1), mail.Key(fmt.Sprint("k", i)))
		put = append(put, r)
		digests = append(digests, r.Content.Digest, r.Content.Digest)
	}
	twin := row("Copies", 1, "twin")
	twin.Content = put[0].Content
	alike := row("Copies", 2, "alike") // the same in the eight bytes of the index
	alike.Content.Digest = put[1].Content.Digest
	alike.Content.Digest[31] ^= 1
	unknown := row("Copies", 3, "unknown")
	unknown.Content = mail.Content{}
	commit(t, d, mail.Batch{Put: append(put, twin, alike, unknown)})

	got, err := d.RowsOf(context.Background(), append(digests, mail.Digest{}, digestOf("nowhere")))
	if err != nil {
		t.Fatal(err)
	}
	want := map[int64]*mail.Base{twin.ID: twin}
	for _, r := range put {
		want[r.ID] = r
	}
	for _, r := range got {
		if w := want[r.ID]; w == nil || !same(r, w) {
			t.Errorf("found %+v, want %+v", r, w)
		}
		delete(want, r.ID)
	}
	if len(want) != 0 {
		t.Errorf("%d rows not found, or one twice", len(want))
	}
	if got, err := d.RowsOf(context.Background(), nil); err != nil || len(got) != 0 {
		t.Errorf("nothing asked for: %v, %v", got, err)
	}
	plan, err := list(context.Background(), d, "", `EXPLAIN QUERY PLAN SELECT id FROM base
		WHERE digest IS NOT NULL AND substr(digest, 1, 8) IN (?, ?)`, []any{[]byte("12345678"), []byte("12345678")},
		func(c *columns) string { c.int(); c.int(); c.int(); return c.text() })
	if err != nil || !strings.Contains(strings.Join(plan, "\n"), "USING INDEX base_digest") {
		t.Errorf("rows are not found by the index: %v, %v", plan, err)
	}
}

func TestIntents(t *testing.T) {
	d := newState(t)
	ctx := context.Background()
	down := &mail.Intent{
		Kind: mail.IntentDownload, Folder: "INBOX", Key: "k", UID: 5,
		Flags: mail.NewFlags(mail.Seen, "todo"), UIDValidity: 3, RemoteSize: 99, Date: time.Unix(1e9, 0).UTC(),
	}
	up := &mail.Intent{
		Kind: mail.IntentUpload, Folder: "Sent", Key: "s",
		Content: row("Sent", 0, "s").Content, UIDValidity: 3, UIDNext: 12,
		Replaces: 7, ReplacesIn: "Drafts", ReplacesUID: 4, DropReplaced: true,
	}
	commit(t, d, mail.Batch{AddIntents: []*mail.Intent{down, up}})
	got, err := d.Intents(ctx)
	if err != nil || len(got) != 2 || !reflect.DeepEqual(got[0], down) || !reflect.DeepEqual(got[1], up) {
		t.Errorf("intents %+v, %v", got, err)
	}
	if err := d.Commit(ctx, mail.Batch{AddIntents: []*mail.Intent{down}}); err == nil {
		t.Error("an intent was added twice")
	}
	commit(t, d, mail.Batch{SettleIntents: []*mail.Intent{down}, Put: []*mail.Base{row("INBOX", 5, "k")}})
	if got, err := d.Intents(ctx); err != nil || len(got) != 1 || got[0].ID != up.ID {
		t.Errorf("intents left %+v, %v", got, err)
	}
}

func TestAnEmptyBatchWritesNothing(t *testing.T) {
	d := newState(t)
	commit(t, d, mail.Batch{Put: []*mail.Base{row("INBOX", 1, "a")}})
	before := image(t, filepath.Dir(d.path))
	commit(t, d, mail.Batch{})
	if after := image(t, filepath.Dir(d.path)); !reflect.DeepEqual(before, after) {
		t.Error("files changed")
	}
}

func TestCancelledCommitDoesNothing(t *testing.T) {
	d := newState(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := d.Commit(ctx, mail.Batch{Put: []*mail.Base{row("INBOX", 1, "a")}}); !errors.Is(err, context.Canceled) {
		t.Errorf("commit: %v", err)
	}
	if _, err := d.Rows(ctx, "INBOX"); !errors.Is(err, context.Canceled) {
		t.Errorf("rows: %v", err)
	}
	wantRows(t, d, "INBOX")
}

func TestCommitsAndReadsFromSeveralGoroutines(t *testing.T) {
	d := newState(t)
	const lanes, batches, rows = 4, 10, 20
	done := make(chan error)
	for lane := range lanes {
		go func() {
			folder := mail.FolderName(fmt.Sprint("F", lane))
			for n := range batches {
				var batch mail.Batch
				for i := range rows {
					uid := mail.UID(n*rows + i + 1)
					batch.Put = append(batch.Put, row(folder, uid, mail.Key(fmt.Sprint(uid))))
				}
				err := d.Commit(context.Background(), batch)
				if err == nil {
					var got []*mail.Base
					if got, err = d.Rows(context.Background(), folder); err == nil && len(got) != (n+1)*rows {
						err = fmt.Errorf("%s: %d rows after batch %d", folder, len(got), n)
					}
				}
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range lanes {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestDiskFull(t *testing.T) {
	d := newState(t)
	commit(t, d, mail.Batch{Put: []*mail.Base{row("INBOX", 1, "a")}})
	if _, err := d.conn.exec(context.Background(), "PRAGMA max_page_count = 1"); err != nil { // it takes the present count
		t.Fatal(err)
	}
	var batch mail.Batch
	for i := range 1000 {
		batch.Put = append(batch.Put, row("INBOX", mail.UID(i+2), mail.Key(fmt.Sprint("k", i))))
	}
	err := d.Commit(context.Background(), batch)
	var f *mail.Fault
	if !errors.As(err, &f) || f.Scope != mail.ScopeAccount || f.Class != mail.ClassFailed || f.Hint != hintFull {
		t.Errorf("error %v", err)
	}
	if len(rowsOf(t, d, "INBOX")) != 1 {
		t.Error("rows of the batch that failed are there")
	}
}

// TestNothingToReplaceWritesNothing: that there are still no holds, nothing set
// aside and no pause, which every run says, costs no write.
func TestNothingToReplaceWritesNothing(t *testing.T) {
	d := newState(t)
	commit(t, d, mail.Batch{Put: []*mail.Base{row("INBOX", 1, "a")}})
	before := logged(t, d)
	commit(t, d, mail.Batch{Holds: &[]mail.Hold{}, Quarantine: &[]mail.Quarantined{}, Pause: &mail.Pause{}})
	if after := logged(t, d); after != before {
		t.Errorf("%d bytes written", after-before)
	}
}

// logged is the size of the write-ahead log.
func logged(t *testing.T, d *DB) int64 {
	t.Helper()
	info, err := os.Stat(d.path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func TestRowsOfSize(t *testing.T) {
	d := newState(t)
	var put []*mail.Base
	sizes := []int64{0, 77}
	for i := range 1200 { // more than two queries' worth
		r := row(mail.FolderName(fmt.Sprint("F", i%3)), mail.UID(i+1), mail.Key(fmt.Sprint("k", i)))
		r.RemoteSize = int64(1000 + i/2)
		put = append(put, r)
		sizes = append(sizes, r.RemoteSize)
	}
	unsized := row("F0", 5000, "unsized")
	unsized.RemoteSize = 0
	other := row("F0", 5001, "other")
	other.RemoteSize = 78
	commit(t, d, mail.Batch{Put: append(put, unsized, other)})
	got, err := d.RowsOfSize(t.Context(), sizes)
	if err != nil || len(got) != len(put) {
		t.Fatalf("%d rows found, want %d, %v", len(got), len(put), err)
	}
	want := map[int64]*mail.Base{}
	for _, r := range put {
		want[r.ID] = r
	}
	for _, r := range got {
		if w := want[r.ID]; w == nil || !same(r, w) {
			t.Errorf("found %+v, want %+v", r, w)
		}
	}
	plan, err := list(t.Context(), d, "", `EXPLAIN QUERY PLAN SELECT id FROM base WHERE remote_size > 0 AND remote_size IN (?, ?)`,
		[]any{int64(1), int64(2)}, func(c *columns) string { c.int(); c.int(); c.int(); return c.text() })
	if err != nil || !strings.Contains(strings.Join(plan, "\n"), "INDEX base_size") {
		t.Errorf("rows are not found by the index: %v, %v", plan, err)
	}
}

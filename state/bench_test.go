package state

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"imapsync/mail"
)

// filled is a state with n rows in one folder, written in batches of 1,000.
func filled(b *testing.B, n int) *DB {
	b.Helper()
	d := newState(b)
	for at := 0; at < n; at += 1000 {
		batch := mail.Batch{}
		for i := at; i < min(at+1000, n); i++ {
			batch.Put = append(batch.Put, row("INBOX", mail.UID(i+1), mail.Key(fmt.Sprintf("1700000000.M%dP1Q%d.host.example.org", i, i))))
		}
		commit(b, d, batch)
	}
	return d
}

func BenchmarkRows100k(b *testing.B) {
	d := filled(b, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		if got := rowsOf(b, d, "INBOX"); len(got) != 100_000 {
			b.Fatal(len(got))
		}
	}
}

func BenchmarkFolders(b *testing.B) {
	d := filled(b, 100_000)
	for b.Loop() {
		if _, err := d.Folders(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRowsOf1000(b *testing.B) {
	d := filled(b, 100_000)
	var digests []mail.Digest
	for _, r := range rowsOf(b, d, "INBOX")[:1000] {
		digests = append(digests, r.Content.Digest)
	}
	for b.Loop() {
		if _, err := d.RowsOf(context.Background(), digests); err != nil {
			b.Fatal(err)
		}
	}
}

// A batch of downloads: its intents in one transaction; in another these
// settled, the rows put and the history told.
func BenchmarkCommitDownloads(b *testing.B) {
	for _, size := range []int{1, 250, 2000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			d := newState(b)
			uid := mail.UID(0)
			b.ReportAllocs()
			for b.Loop() {
				var begun, done mail.Batch
				for range size {
					uid++
					key := mail.Key(fmt.Sprintf("1700000000.M%dP1.host", uid))
					in := &mail.Intent{Kind: mail.IntentDownload, Folder: "INBOX", Key: key, UID: uid}
					begun.AddIntents = append(begun.AddIntents, in)
					done.SettleIntents = append(done.SettleIntents, in)
					done.Put = append(done.Put, row("INBOX", uid, key))
					done.Log = append(done.Log, mail.Entry{
						Run: 1, Folder: "INBOX", UID: uid, Key: key,
						Action: "download", Rule: "new-remote", Reason: "it is new on the server",
					})
				}
				commit(b, d, begun)
				commit(b, d, done)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(uid), "µs/message")
		})
	}
}

func BenchmarkCommitNewRows(b *testing.B) {
	for _, size := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			d := newState(b)
			uid := mail.UID(0)
			for b.Loop() {
				batch := mail.Batch{}
				for range size {
					uid++
					batch.Put = append(batch.Put, row("INBOX", uid, mail.Key(fmt.Sprintf("1700000000.M%dP1.host", uid))))
				}
				commit(b, d, batch)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(uid), "µs/row")
		})
	}
}

func BenchmarkCommitFlags1000(b *testing.B) {
	d := filled(b, 100_000)
	rows := rowsOf(b, d, "INBOX")
	at := 0
	for b.Loop() {
		batch := mail.Batch{}
		for range 1000 {
			at = (at + 7919) % len(rows)
			rows[at].Flags.System ^= mail.Answered
			batch.Put = append(batch.Put, rows[at])
		}
		commit(b, d, batch)
	}
}

// Rows of messages that were moved to another folder, and back.
func BenchmarkCommitMoves500(b *testing.B) {
	d := filled(b, 100_000)
	rows := rowsOf(b, d, "INBOX")
	at := 0
	for b.Loop() {
		batch := mail.Batch{}
		for range 500 {
			at = (at + 7919) % len(rows)
			if rows[at].Folder = "Archive"; rows[at].UID > 1_000_000 {
				rows[at].Folder = "INBOX"
			}
			rows[at].UID += 1_000_000
			batch.Put = append(batch.Put, rows[at])
		}
		commit(b, d, batch)
	}
}

func BenchmarkOpen(b *testing.B) {
	path := closedState(b)
	for b.Loop() {
		e, err := Open(context.Background(), path)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := e.Folders(context.Background()); err != nil {
			b.Fatal(err)
		}
		e.Close()
	}
}

func BenchmarkCommitHistory1000(b *testing.B) {
	d := newState(b)
	uid := mail.UID(0)
	for b.Loop() {
		batch := mail.Batch{}
		for range 1000 {
			uid++
			batch.Log = append(batch.Log, mail.Entry{
				Run: 1, Folder: "INBOX", UID: uid, Key: mail.Key(fmt.Sprintf("1700000000.M%dP1.host", uid)),
				Action: "download", Rule: "new-remote", Reason: "it is new on the server",
			})
		}
		commit(b, d, batch)
	}
}

func BenchmarkHistoryOfKey(b *testing.B) {
	d := newState(b)
	for at := range 200 {
		batch := mail.Batch{}
		for i := range 1000 {
			batch.Log = append(batch.Log, mail.Entry{
				Run: 1, Folder: "INBOX", UID: mail.UID(at*1000 + i), Key: mail.Key(fmt.Sprintf("1700000000.M%dP%d.host", at, i)),
				Action: "download", Rule: "new-remote", Reason: "it is new on the server",
			})
		}
		commit(b, d, batch)
	}
	for b.Loop() {
		if _, err := d.History(context.Background(), Trail{Key: "1700000000.M7P7.host"}); err != nil {
			b.Fatal(err)
		}
	}
}

// What a run with few changes asks of the state of 20 folders of 250 messages,
// from Open to Close: all rows, and in each folder 5 downloads, 50 flags and 5
// deletions recorded.
func BenchmarkFewChanges(b *testing.B) {
	path := filepath.Join(b.TempDir(), "work.db")
	d, err := Open(context.Background(), path)
	if err != nil {
		b.Fatal(err)
	}
	var names []mail.FolderName
	for i := range 20 {
		batch := mail.Batch{}
		names = append(names, mail.FolderName(fmt.Sprintf("Folder %03d", i)))
		for uid := range mail.UID(250) {
			batch.Put = append(batch.Put, row(names[i], uid+1, keyOf(i, uid+1)))
		}
		commit(b, d, batch)
	}
	d.Close()
	b.ReportAllocs()
	for next := mail.UID(251); b.Loop(); next += 5 {
		fewChanges(b, path, names, next)
	}
}

func keyOf(folder int, uid mail.UID) mail.Key {
	return mail.Key(fmt.Sprintf("1700000000.M%dP%dQ%d.host.example.org", folder, uid, uid))
}

func fewChanges(b *testing.B, path string, names []mail.FolderName, next mail.UID) {
	d, err := Open(context.Background(), path)
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Folders(context.Background()); err != nil {
		b.Fatal(err)
	}
	rows := make([][]*mail.Base, len(names))
	for i, name := range names {
		rows[i] = rowsOf(b, d, name)
	}
	done := func(name mail.FolderName, rows []*mail.Base, action string) (log []mail.Entry) {
		for _, r := range rows {
			log = append(log, mail.Entry{Run: 1, Folder: name, UID: r.UID, Key: r.Key, Action: action, Rule: "rule", Reason: "it was so on the server"})
		}
		return log
	}
	for i, name := range names {
		begun, copied := mail.Batch{}, mail.Batch{}
		for uid := next; uid < next+5; uid++ {
			in := &mail.Intent{Kind: mail.IntentDownload, Folder: name, UID: uid, Key: keyOf(i, uid)}
			begun.AddIntents = append(begun.AddIntents, in)
			copied.Put = append(copied.Put, row(name, uid, in.Key))
		}
		copied.SettleIntents, copied.Log = begun.AddIntents, done(name, copied.Put, "download")
		gone, changed := rows[i][:5], rows[i][5:55]
		for _, r := range changed {
			r.Flags.System ^= mail.Answered
		}
		commit(b, d, begun)
		commit(b, d, copied)
		commit(b, d, mail.Batch{Put: changed, Log: done(name, changed, "store")})
		commit(b, d, mail.Batch{Drop: gone, Log: done(name, gone, "remove")})
	}
}

// The rows of 20 folders of 250 messages.
func BenchmarkRows20x250(b *testing.B) {
	d := newState(b)
	for i := range 20 {
		batch := mail.Batch{}
		for uid := range mail.UID(250) {
			batch.Put = append(batch.Put, row(mail.FolderName(fmt.Sprint(i)), uid+1, keyOf(i, uid+1)))
		}
		commit(b, d, batch)
	}
	b.ReportAllocs()
	for b.Loop() {
		for i := range 20 {
			rowsOf(b, d, mail.FolderName(fmt.Sprint(i)))
		}
	}
}

// What is read of a folder of which a few rows are looked for.
func BenchmarkRowsUnlike100k(b *testing.B) {
	d := filled(b, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		rows, err := d.RowsUnlike(context.Background(), "INBOX", func(key mail.Key, _ mail.Flags) bool { return key[len(key)-1] != '.' })
		if err != nil || len(rows) != 0 {
			b.Fatal(len(rows), err)
		}
	}
}

func BenchmarkUIDs100k(b *testing.B) {
	d := filled(b, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		if uids, err := d.UIDs(context.Background(), "INBOX"); err != nil || len(uids) != 100_000 {
			b.Fatal(len(uids), err)
		}
	}
}

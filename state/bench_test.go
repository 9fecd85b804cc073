package state

import (
	"context"
	"fmt"
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

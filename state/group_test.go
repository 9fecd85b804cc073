package state

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"

	"imapsync/mail"
)

// together commits batches that wait for one another, and returns their errors.
func together(t *testing.T, d *DB, batches ...mail.Batch) []error {
	t.Helper()
	errs := make([]error, len(batches))
	var wg sync.WaitGroup
	d.turn.Lock()
	for i, b := range batches {
		wg.Go(func() { errs[i] = d.Commit(context.Background(), b) })
		for queued := 0; queued <= i; runtime.Gosched() {
			d.queueMu.Lock()
			queued = len(d.queue)
			d.queueMu.Unlock()
		}
	}
	d.turn.Unlock()
	wg.Wait()
	return errs
}

// commits counts the transactions in the write-ahead log
// (https://www.sqlite.org/fileformat2.html#the_write_ahead_log).
func commits(t *testing.T, d *DB) (n int) {
	t.Helper()
	log, err := os.ReadFile(d.path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	const header, frameHeader = 32, 24
	frame := frameHeader + int(binary.BigEndian.Uint32(log[8:]))
	for at := header; at+frame <= len(log); at += frame {
		if binary.BigEndian.Uint32(log[at+4:]) != 0 { // pages after the commit
			n++
		}
	}
	return n
}

func TestBatchesThatWaitShareATransaction(t *testing.T) {
	d := newState(t)
	var batches []mail.Batch
	for i := range 5 {
		batches = append(batches, mail.Batch{Put: []*mail.Base{row(mail.FolderName(fmt.Sprint("F", i)), 1, "a"), row("INBOX", mail.UID(i+1), mail.Key(fmt.Sprint(i)))}})
	}
	for _, err := range together(t, d, batches...) {
		if err != nil {
			t.Error(err)
		}
	}
	if n := commits(t, d); n != 1 {
		t.Errorf("%d transactions", n)
	}
	var inbox []*mail.Base
	for i, b := range batches {
		wantRows(t, d, mail.FolderName(fmt.Sprint("F", i)), b.Put[0])
		inbox = append(inbox, b.Put[1])
	}
	wantRows(t, d, "INBOX", inbox...)
	if f, _ := folderNamed(t, d, "INBOX"); f.Rows != 5 {
		t.Errorf("%d rows are counted", f.Rows)
	}
}

// TestABadBatchCostsNoOther: of batches that share a transaction each has the
// fate it would have alone.
func TestABadBatchCostsNoOther(t *testing.T) {
	d := newState(t)
	first, last := row("INBOX", 1, "a"), row("INBOX", 3, "c")
	bad, in := row("INBOX", 1, "b"), &mail.Intent{Kind: mail.IntentUpload, Folder: "INBOX"}
	errs := together(t, d, mail.Batch{Put: []*mail.Base{first}},
		mail.Batch{Put: []*mail.Base{bad}, AddIntents: []*mail.Intent{in}}, mail.Batch{Put: []*mail.Base{last}})
	var fault *mail.Fault
	if errs[0] != nil || errs[2] != nil || !errors.As(errs[1], &fault) || fault.Scope != mail.ScopeFolder {
		t.Errorf("errors %v", errs)
	}
	if bad.ID != 0 || in.ID != 0 || first.ID == 0 || last.ID == 0 {
		t.Errorf("IDs %d, %d, %d, %d", first.ID, bad.ID, in.ID, last.ID)
	}
	wantRows(t, d, "INBOX", first, last)
}

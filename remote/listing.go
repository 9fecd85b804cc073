package remote

import (
	"io"
	"slices"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"imapsync/mail"
)

// record is what FETCH told of one message.
type record struct {
	seq      uint32 // the sequence number it had then
	flags    mail.Flags
	hasFlags bool
	size     int64
	hasSize  bool
	date     time.Time
}

// listing gathers what FETCH tells of messages without their contents.
type listing struct {
	mu      sync.Mutex
	records map[mail.UID]record
}

func newListing() *listing { return &listing{records: map[mail.UID]record{}} }

var (
	flagItems = &imap.FetchOptions{UID: true, Flags: true}
	listItems = &imap.FetchOptions{UID: true, Flags: true, RFC822Size: true, InternalDate: true}
)

// flight is commands of one kind on their way. Each has a goroutine that reads
// its answers from the moment it is sent: servers answer pipelined commands in
// any order, and an answer nobody reads blocks the connection.
type flight struct {
	take func(*imapclient.FetchMessageData) (goOn bool) // called from those goroutines

	wg   sync.WaitGroup
	mu   sync.Mutex
	errs []error
}

func (f *flight) add(cmd *imapclient.FetchCommand) {
	f.wg.Go(func() {
		err := f.read(cmd)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.errs = append(f.errs, err)
	})
}

func (f *flight) read(cmd *imapclient.FetchCommand) error {
	for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
		if !f.take(msg) {
			return io.ErrUnexpectedEOF
		}
	}
	return cmd.Close()
}

// wait waits for all commands and returns the worst of their errors.
func (f *flight) wait() error {
	f.wg.Wait()
	err := worst(f.errs)
	f.errs = nil
	return err
}

// worst picks the error of a broken connection, else the first refusal.
func worst(errs []error) error {
	var first error
	for _, err := range errs {
		if err != nil && !refused(err) {
			return err
		}
		if first == nil {
			first = err
		}
	}
	return first
}

func (l *listing) take(msg *imapclient.FetchMessageData) (goOn bool) {
	var uid mail.UID
	r := record{seq: msg.SeqNum}
	for item := msg.Next(); item != nil; item = msg.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataUID:
			uid = mail.UID(item.UID)
		case imapclient.FetchItemDataFlags:
			r.flags, r.hasFlags = flagsOf(item.Flags), true
		case imapclient.FetchItemDataRFC822Size:
			r.size, r.hasSize = item.Size, true
		case imapclient.FetchItemDataInternalDate:
			r.date = item.Time
		}
	}
	if uid == 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.records[uid]
	if !r.hasFlags {
		r.flags, r.hasFlags = old.flags, old.hasFlags
	}
	if !r.hasSize {
		r.size, r.hasSize = old.size, old.hasSize
	}
	if r.date.IsZero() {
		r.date = old.date
	}
	l.records[uid] = r
	return true
}

// fetch asks for items of the messages and collects the answers.
func (l *listing) fetch(c *conn, uids []mail.UID, items *imap.FetchOptions) error {
	f := flight{take: l.take}
	var errs []error
	for batch := range slices.Chunk(sets(uids), inFlight) {
		for _, set := range batch {
			f.add(c.client.Fetch(set, items))
		}
		err := f.wait()
		if err != nil && !refused(err) {
			return err
		}
		errs = append(errs, err)
	}
	return worst(errs)
}

// inFlight is how many commands of one kind are sent before their answers are
// waited for.
const inFlight = 16

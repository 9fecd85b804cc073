package remote

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"imapsync/mail"
	"imapsync/remote/wire"
)

// record is what FETCH told of one message.
type record struct {
	seq      uint32 // the sequence number it had then
	flags    mail.Flags
	words    int // bytes of their names
	hasFlags bool
	size     int64
	hasSize  bool
	date     time.Time
}

// listing gathers what FETCH tells of messages without their contents, whether
// they were asked for or not.
type listing struct {
	c       *conn
	mu      sync.Mutex
	records map[mail.UID]record
	flags   int // bytes of the keywords in them
}

func newListing(c *conn) *listing { return &listing{c: c, records: map[mail.UID]record{}} }

// maxRecords and maxKeywords bound one listing: about 200 bytes a message, and
// the bytes of all messages' keywords. The first is a variable for the tests.
var maxRecords = 1 << 22

const maxKeywords = 256 << 20

var errTooMany = fmt.Errorf("the server lists more than %d messages or %d MiB of keywords in one folder, which is more than fits", maxRecords, maxKeywords>>20)

var (
	flagItems = &imap.FetchOptions{UID: true, Flags: true}
	listItems = &imap.FetchOptions{UID: true, Flags: true, RFC822Size: true, InternalDate: true}
)

// flight is commands of one kind on their way. Each has a goroutine that reads
// its answers from the moment it is sent: servers answer pipelined commands in
// any order, and an answer nobody reads blocks the connection.
type flight struct {
	take  func(*imapclient.FetchMessageData) (goOn bool) // called from those goroutines
	after *selecting                                     // the SELECT they were sent with; without its success nothing is taken

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
	if err := f.after.wait(); err != nil {
		_ = cmd.Close()
		return err
	}
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
			for _, flag := range item.Flags {
				r.words += len(flag) + 1
			}
		case imapclient.FetchItemDataRFC822Size:
			r.size, r.hasSize = item.Size, true
		case imapclient.FetchItemDataInternalDate:
			r.date = item.Time
		}
	}
	return uid == 0 || l.put(uid, r)
}

// told is take for what comes with a visit.
func (l *listing) told(msg wire.Message) {
	r := record{hasFlags: msg.HasFlags, size: msg.Size, hasSize: msg.HasSize, date: msg.Date}
	if len(msg.Flags) > 0 {
		r.flags = mail.NewFlags(0, msg.Flags...)
		for _, flag := range msg.Flags {
			r.words += len(flag) + 1
		}
	}
	l.put(mail.UID(msg.UID), r)
}

// put adds to what is known of a message.
func (l *listing) put(uid mail.UID, r record) (goOn bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.records[uid]
	if !r.hasFlags {
		r.flags, r.words, r.hasFlags = old.flags, old.words, old.hasFlags
	}
	if !r.hasSize {
		r.size, r.hasSize = old.size, old.hasSize
	}
	if r.date.IsZero() {
		r.date = old.date
	}
	l.flags += r.words - old.words
	l.records[uid] = r
	if len(l.records) > maxRecords || l.flags > maxKeywords {
		l.c.kill(errTooMany)
		return false
	}
	return true
}

// fetch asks for items of the messages and collects the answers, those that
// come after a SELECT.
func (l *listing) fetch(c *conn, uids []mail.UID, items *imap.FetchOptions, after *selecting) error {
	f := flight{take: l.take, after: after}
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

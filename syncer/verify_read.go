package syncer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"imapsync/mail"
)

// comparison is one folder being compared, and then what differs in it.
type comparison struct {
	*folder
	files    map[mail.Key]fileContent  // dropped when it was compared, as are the snapshots and rows
	mails    map[mail.UID]mail.Content // likewise
	intents  []*mail.Intent
	messages int
	pairs    int // of a folder never synchronised: messages that are the same on both sides

	renumbered  bool                 // the UIDs of the rows mean nothing any more
	blind       bool                 // the next run would take the Maildir's side for unchanged
	sight       *mail.RemoteSnapshot // what the next run would be shown of the server, where that is not all
	blindRemote bool                 // some of what differs on the server is not in sight
	rewound     bool                 // the server has lost messages that it never deleted
	wrong       bool                 // something of this is to be repaired; known when all folders are

	lostFiles, lostMails []*left // rows whose file or message is not there
	newFiles, newMails   []*left // files and messages of no row
	edits                []edit
	put, drop            []*mail.Base // the repair

	known, elsewhere map[same]bool // contents of rows and files, and of rows and messages, once asked for

	mu       sync.Mutex // guards findings
	findings []Finding
}

// edit is a file that a run will take for edited, and its row as a repair leaves it
// where no edit is believed.
type edit struct {
	Finding
	unpaired *mail.Base
}

// fileContent is what was read of a file.
type fileContent struct {
	mail.Content
	stamp mail.FileStamp
	date  time.Time
}

func (c *comparison) add(n Finding) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n.Folder = c.Name
	c.findings = append(c.findings, n)
}

// exists reports whether there is anything to compare, which a \NoSelect name is
// not.
func (c *comparison) exists() bool { return c.Known || c.Local.Exists || c.Remote.Exists }

// compare reads both sides of a folder and finds what differs.
func (v *verifier) compare(ctx context.Context, f *folder) (*comparison, error) {
	c := &comparison{folder: f, files: map[mail.Key]fileContent{}, mails: map[mail.UID]mail.Content{}, intents: v.intents[f.Name]}
	if f.Known {
		var err error
		if f.Base, err = v.State.Rows(ctx, f.Name); err != nil {
			return nil, err
		}
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return v.readFiles(gctx, c) })
	g.Go(func() error { return v.readMails(gctx, c) })
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if f.Remote.Doubt != "" {
		v.cannot(f.Name, errors.New("what the server lists does not add up, so nothing is said of messages missing there: "+f.Remote.Doubt))
	}
	c.messages = max(len(f.Local.Messages), len(f.Remote.Messages))
	v.renumber(c)
	if err := v.lookAhead(ctx, c); err != nil {
		return nil, err
	}
	for _, row := range f.Base {
		c.judge(row)
	}
	c.leftovers()
	c.files, c.mails, c.known, c.elsewhere, c.sight = nil, nil, nil, nil, nil
	f.Base, f.Local.Messages, f.Remote.Messages = nil, nil, nil
	return c, nil
}

// readFiles lists the Maildir folder and reads every file of it.
func (v *verifier) readFiles(ctx context.Context, c *comparison) error {
	s, err := v.Local.Scan(ctx, c.Name, true)
	if err != nil {
		return err
	}
	if err := lookForFiles(ctx, v.Local, s, missingKeys(c.Base, s)); err != nil {
		return err
	}
	c.Local, c.stamp = s, s.Stamp
	for _, key := range slices.Sorted(maps.Keys(s.Messages)) {
		content, stamp, date, err := v.Local.Read(ctx, c.Name, key)
		switch {
		case err == nil:
			c.files[key] = fileContent{content, stamp, date}
		case accountScope(err) || ctx.Err() != nil:
			return err
		case errors.Is(err, mail.ErrChanged): // gone meanwhile, or being written
			delete(s.Messages, key)
		default:
			c.add(Finding{Kind: FoundUnreadable, Severity: Wrong, Side: "local", Key: key,
				Text: "the file cannot be read: " + err.Error() + ": set its permissions right, or look to the disk; until then it cannot be compared"})
		}
		v.progress(c.Name)
	}
	return nil
}

// fetchAtOnce is how many messages one Fetch asks for.
const fetchAtOnce = 2000

// readMails lists the mailbox and fetches every message of it, keeping hashes.
func (v *verifier) readMails(ctx context.Context, c *comparison) error {
	if c.remote == nil || !c.remote.Selectable {
		return v.lookForMissing(ctx, c.folder)
	}
	mb, err := v.Remote.Open(ctx, c.Name, true)
	if err != nil {
		return err
	}
	defer mb.Close()
	known := mail.Known{}
	if mb.Mark().Messages == 0 { // that all are gone takes a second look to believe
		known = mail.Known{Mark: mail.Mark{UIDValidity: mb.Mark().UIDValidity}, UIDs: uidsOf(c.Base)}
	}
	if c.Remote, err = mb.Snapshot(ctx, known, true); err != nil {
		return err
	}
	c.Remote.Complete(c.Base)
	c.validity = c.Remote.Mark.UIDValidity
	for uids := range slices.Chunk(c.comparable(), fetchAtOnce) {
		if err := v.fetchMails(ctx, mb, c, uids); err != nil {
			return err
		}
	}
	return nil
}

// comparable are the messages whose content is to be fetched: there is nothing to
// compare with one that a limit has always left on the server, and of a stub only
// what a fetch would cost too much to compare.
func (c *comparison) comparable() []mail.UID {
	never := map[mail.UID]bool{}
	for _, row := range c.Base {
		never[row.UID] = row.RemoteOnly && row.Content.Digest.IsZero() || row.Content.Whole > 0
	}
	return slices.DeleteFunc(sortedUIDs(c.Remote.Messages), func(uid mail.UID) bool { return never[uid] })
}

func (v *verifier) fetchMails(ctx context.Context, mb Mailbox, c *comparison, uids []mail.UID) error {
	return mb.Fetch(ctx, uids, func(uid mail.UID, body io.Reader, err error) error {
		if err == nil {
			h := mail.NewHasher()
			if _, err = io.Copy(h, body); err == nil {
				c.mails[uid] = h.Content()
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, mail.ErrChanged):
			delete(c.Remote.Messages, uid)
		case mail.ScopeOf(err) != mail.ScopeMessage:
			return err
		default:
			c.add(Finding{Kind: FoundUnreadable, Severity: Wrong, Side: "remote", UID: uid,
				Text: "the server does not give the message: " + err.Error() + ": look at it with another client; until then it cannot be compared"})
		}
		v.progress(c.Name)
		return nil
	})
}

// uidsOf lists the UIDs of rows, which are in their order.
func uidsOf(rows []*mail.Base) []mail.UID {
	uids := make([]mail.UID, 0, len(rows))
	for _, row := range rows {
		if row.UID != 0 {
			uids = append(uids, row.UID)
		}
	}
	return uids
}

// renumber tells when the rows' UIDs are not the server's any more, and forgets
// them as a run would: the messages are compared by their content then.
func (v *verifier) renumber(c *comparison) {
	before, numbered := c.record.Mark.UIDValidity, 0
	for _, row := range c.Base {
		if row.UID != 0 {
			numbered++
		}
	}
	switch {
	case numbered == 0 || !c.Remote.Exists:
		return
	case v.moved: // told of the account
	case before == 0:
		c.add(Finding{Kind: FoundRenumbered, Severity: Pending, Side: "remote",
			Text: "it is not known which numbering (UIDVALIDITY) the record's UIDs are of: the next sync matches the folder again by content and deletes nothing"})
	case before != c.validity:
		c.add(Finding{Kind: FoundRenumbered, Severity: Pending, Side: "remote",
			Text: fmt.Sprintf("the server has renumbered the folder (UIDVALIDITY is %d, was %d), as after a restore or when it was made anew: "+
				"the next sync matches it again by content and deletes nothing", c.validity, before)})
	default:
		return
	}
	c.renumbered = true
	c.unnumber()
}

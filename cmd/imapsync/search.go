package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"imapsync/mail"
	"imapsync/query"
)

func (p *program) searchCommand() *cli.Command {
	return &cli.Command{
		Name:      "search",
		Usage:     "search for messages on the server and print where they are",
		ArgsUsage: "[ACCOUNT] QUERY",
		Description: "Asks the server for the messages of all synchronised folders for which all terms of the query hold, and prints one a line: " +
			"the path of its file, or FOLDER:UID where it is not in the Maildir, with ACCOUNT/ before it where there are several accounts. " +
			"Terms are words and phrases in quotes, found in header and text, and from:, to: (also in Cc), subject:, " +
			"since: and before: (a day such as 2026-01-31 on which the message arrived, today, yesterday, or 30d, 2w, 1y for so long ago), " +
			"larger: (bytes, or such as 500k, 5M), flag: (seen, answered, flagged, draft, deleted, forwarded, or a keyword). " +
			"not or - before a term turns it round; a query that begins with - wants -- before it. " +
			"The arguments are joined by spaces, so quotes of the query must be kept from the shell: imapsync search 'subject:\"last call\" -flag:seen'. " +
			"Changes nothing and takes no lock.",
		Action: func(c *cli.Context) error {
			lanes, words, err := p.searched(c)
			if err != nil {
				return err
			}
			q, err := query.Parse(strings.Join(words, " "), p.now())
			if err != nil {
				return usagef("search: %v", err)
			}
			return p.inTurn(c.Context, lanes, func(ctx context.Context, l *lane) error { return l.search(ctx, q) })
		},
	}
}

// searched tells the account, where the first of several arguments is one, from
// the words of the query.
func (p *program) searched(c *cli.Context) (lanes []*lane, words []string, err error) {
	if lanes, err = p.allLanes(); err != nil {
		return nil, nil, err
	}
	words = c.Args().Slice()
	if len(words) > 1 {
		if i := slices.IndexFunc(lanes, func(l *lane) bool { return l.Name == words[0] }); i >= 0 {
			return lanes[i : i+1], words[1:], nil
		}
	}
	return lanes, words, nil
}

// foundObject is the event "found".
type foundObject struct {
	head
	Folder  mail.FolderName `json:"folder"`
	UID     mail.UID        `json:"uid"`
	Message string          `json:"message"`        // as other commands take it
	Key     mail.Key        `json:"key,omitempty"`  // of its file
	File    string          `json:"file,omitempty"` // its path
}

// hits are the messages found in one folder.
type hits struct {
	folder   mail.FolderName
	validity uint32 // UIDVALIDITY of the UIDs
	uids     []mail.UID
}

// search looks for messages in all folders at once, over the account's
// connections, and prints those found in the order of folders and UIDs. A
// folder that fails costs the hits in it.
func (l *lane) search(ctx context.Context, q query.Query) (err error) {
	s, err := l.open(ctx, true, 0)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := s.close(); err == nil {
			err = cerr
		}
	}()
	found, failed, err := s.findAll(ctx, q, l.Folders.Match, l.Connections)
	if err != nil {
		return err
	}
	for _, h := range found {
		if err := l.showHits(ctx, s, h); err != nil {
			return err
		}
	}
	(&runView{lane: l}).warnings(s.warnings())
	code := exitDone
	for _, err := range failed {
		l.problem(err)
		code = worse(code, exitCode(err))
	}
	return ended(code)
}

// findAll searches the chosen folders of the server.
func (s *session) findAll(ctx context.Context, q query.Query, chosen func(mail.FolderName) bool, connections int) (found []hits, failed []error, err error) {
	folders, err := s.server.Folders(ctx)
	if err != nil {
		return nil, nil, err
	}
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(connections)
	for _, f := range folders {
		if why, _ := s.server.LeftOut(f.Name, ""); why != "" {
			continue // and what is unclear about its name the sync tells
		}
		if !f.Selectable || !chosen(f.Name) || f.Mark != nil && f.Mark.Messages == 0 {
			continue
		}
		group.Go(func() error {
			h, err := s.find(ctx, q, f.Name)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = append(failed, err)
			} else if len(h.uids) > 0 {
				found = append(found, h)
			}
			return nil
		})
	}
	_ = group.Wait() // each tells for itself
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	slices.SortFunc(found, func(a, b hits) int { return strings.Compare(string(a.folder), string(b.folder)) })
	return found, failed, nil
}

func (s *session) find(ctx context.Context, q query.Query, folder mail.FolderName) (hits, error) {
	m, err := s.server.Open(ctx, folder, true)
	if err != nil {
		return hits{}, err
	}
	defer m.Close()
	uids, err := m.Search(ctx, q)
	return hits{folder, m.Mark().UIDValidity, uids}, err
}

// showHits prints the messages found in a folder.
func (l *lane) showHits(ctx context.Context, s *session, h hits) error {
	keys, err := s.keysOf(ctx, h)
	if err != nil {
		return err
	}
	for _, uid := range h.uids {
		o := foundObject{head: l.out.head("found", l.Name), Folder: h.folder, UID: uid, Message: fmt.Sprintf("%s:%d", h.folder, uid)}
		if !l.only {
			o.Message = l.Name + "/" + o.Message
		}
		if key := keys[uid]; key != "" {
			switch path, err := s.dir.Path(ctx, h.folder, key); {
			case err == nil:
				o.Key, o.File = key, path
			case !errors.Is(err, mail.ErrChanged):
				return err
			}
		}
		l.out.object(o)
		if o.File != "" {
			l.out.say("%s", o.File)
		} else {
			l.out.say("%s", o.Message)
		}
	}
	return nil
}

// keysOf tells the files of a folder's messages as recorded; of a folder whose
// UIDs are others by now, nothing is.
func (s *session) keysOf(ctx context.Context, h hits) (map[mail.UID]mail.Key, error) {
	records, err := s.State.Folders(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(records, func(r mail.FolderRecord) bool { return r.Folder == h.folder })
	if i < 0 || records[i].Mark.UIDValidity != h.validity {
		return nil, nil
	}
	rows, err := s.State.Rows(ctx, h.folder)
	if err != nil {
		return nil, err
	}
	keys := make(map[mail.UID]mail.Key, len(rows))
	for _, row := range rows {
		if row.UID != 0 {
			keys[row.UID] = row.Key
		}
	}
	return keys, nil
}

package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"imapsync/mail"
	"imapsync/maildir"
	"imapsync/state"
	"imapsync/syncer"
)

// subject is what is known of one message.
type subject struct {
	folder mail.FolderName
	key    mail.Key
	uid    mail.UID
	row    *mail.Base   // what both sides agreed on; nil when nothing
	file   string       // "" when there is none
	kept   *mail.Kept   // its kept copy, when it was deleted
	undo   int64        // the run to undo for it
	intent *mail.Intent // a copy of it that may or may not have happened
	holds  []mail.Hold  // of its folder
	steps  []state.Step
}

// inquiry is a look at one account's state, Maildir and kept mail.
type inquiry struct {
	*lane
	dir     *maildir.Maildir
	db      *state.DB
	deleted *syncer.Deleted
	folders []mail.FolderName // of the state
}

// inquire looks for messages in one way.
func (l *lane) inquire(ctx context.Context, find way) ([]*subject, error) {
	dir, err := l.openKept()
	if err != nil {
		return nil, err
	}
	db, err := state.OpenReadOnly(ctx, l.stateFile())
	if err != nil {
		return nil, err
	}
	defer db.Close()
	q := &inquiry{lane: l, dir: dir, db: db}
	if q.deleted, err = syncer.FindDeleted(ctx, dir, db); err != nil {
		return nil, err
	}
	records, err := db.Folders(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		q.folders = append(q.folders, r.Folder)
	}
	return find(ctx, q)
}

func (q *inquiry) byPath(ctx context.Context, path string) ([]*subject, error) {
	if kept, ok := within(path, q.keptPath()); ok {
		for _, k := range q.allKept() {
			if k.Path == kept {
				return q.about(ctx, k.Folder, k.Key)
			}
		}
	}
	in, ok := within(path, q.Maildir)
	if !ok {
		return nil, nil
	}
	folder, key, ok := q.dir.Locate(in)
	if !ok {
		return nil, nil
	}
	return q.about(ctx, folder, key)
}

// byKey finds a message by its file's name without the directory.
func (q *inquiry) byKey(ctx context.Context, name string) ([]*subject, error) {
	key, _, _ := strings.Cut(name, ":2,")
	if key == "" || strings.ContainsAny(key, "/\x00") {
		return nil, nil
	}
	return q.about(ctx, "", mail.Key(key))
}

func (q *inquiry) byUID(ctx context.Context, folder mail.FolderName, uid mail.UID) ([]*subject, error) {
	rows, err := q.db.Rows(ctx, folder)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		switch {
		case row.UID == uid && row.RemoteOnly:
			return q.left(ctx, row)
		case row.UID == uid && row.Key != "":
			return q.about(ctx, folder, row.Key)
		}
	}
	// The newest line counts: after a renumbering others may have had the UID.
	lines, err := q.db.History(ctx, state.Trail{Folder: folder, UID: uid})
	if err != nil || len(lines) == 0 {
		return nil, err
	}
	for _, e := range lines {
		if e.Key != "" {
			return q.about(ctx, folder, e.Key)
		}
	}
	s := &subject{folder: folder, uid: uid}
	for _, e := range slices.Backward(lines) {
		s.steps = append(s.steps, state.Step{Entry: e})
	}
	return []*subject{s}, nil
}

// left tells of a message that a limit leaves on the server, and of what was done
// to it while it had a file.
func (q *inquiry) left(ctx context.Context, row *mail.Base) ([]*subject, error) {
	s := &subject{folder: row.Folder, uid: row.UID, row: row}
	lines, err := q.db.History(ctx, state.Trail{Folder: row.Folder, UID: row.UID})
	for _, e := range slices.Backward(lines) {
		s.steps = append(s.steps, state.Step{Entry: e})
	}
	return []*subject{s}, err
}

// byMessageID reads the headers of the Maildir's files, and where none fits,
// those of kept ones.
func (q *inquiry) byMessageID(ctx context.Context, id string) ([]*subject, error) {
	if id == "" {
		return nil, nil
	}
	folders, err := q.dir.Folders(ctx)
	if err != nil {
		return nil, err
	}
	var found []*subject
	var failed error
	for _, f := range folders {
		keys, err := q.dir.FindMessageID(ctx, f.Name, id)
		if err != nil {
			failed = errors.Join(failed, err) // the other folders may have it
		}
		for _, key := range keys {
			s, err := q.about(ctx, f.Name, key)
			if err != nil {
				return found, err
			}
			found = append(found, s...)
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	for _, k := range q.allKept() {
		if have, err := maildir.MessageID(k.Path); err != nil || have != id {
			continue
		}
		s, err := q.about(ctx, k.Folder, k.Key)
		if err != nil {
			return found, err
		}
		found = append(found, s...)
	}
	if len(found) > 0 {
		return found, nil
	}
	return nil, failed
}

func (q *inquiry) allKept() []mail.Kept {
	var all []mail.Kept
	for _, d := range q.deleted.Deletions {
		all = append(all, d.Kept...)
	}
	return all
}

// about gathers what is known of the message whose file has this key and lies,
// or once lay, in this folder. Nothing known is no subject.
func (q *inquiry) about(ctx context.Context, folder mail.FolderName, key mail.Key) ([]*subject, error) {
	s := &subject{folder: folder, key: key}
	var err error
	if s.steps, err = q.db.Trace(ctx, key); err != nil {
		return nil, err
	}
	if n := len(s.steps); n > 0 { // where it is now, under the name it has now
		if last := s.steps[n-1]; last.Key != "" {
			s.folder, s.key, s.uid = last.Folder, last.Key, last.UID
		}
	}
	if err := q.findRow(ctx, s); err != nil {
		return nil, err
	}
	if err := q.findFile(ctx, s, folder, key); err != nil {
		return nil, err
	}
	if err := q.findPending(ctx, s); err != nil {
		return nil, err
	}
	if s.file == "" {
		q.findKept(s)
	}
	if s.row == nil && s.file == "" && s.kept == nil && s.intent == nil && len(s.steps) == 0 {
		return nil, nil
	}
	return []*subject{s}, nil
}

// findRow looks for the row in the folder where it should be, then in all.
func (q *inquiry) findRow(ctx context.Context, s *subject) error {
	folders := append([]mail.FolderName{s.folder}, q.folders...)
	for _, name := range folders {
		rows, err := q.db.Rows(ctx, name)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if row.Key == s.key || row.RemoteOnly && row.UID == s.uid && row.Folder == s.folder {
				s.row, s.folder, s.uid = row, row.Folder, row.UID
				return nil
			}
		}
	}
	return nil
}

// findFile looks for the file where it should be, where it was said to be, and
// then in all folders.
func (q *inquiry) findFile(ctx context.Context, s *subject, said mail.FolderName, as mail.Key) error {
	try := func(folder mail.FolderName, key mail.Key) (err error) {
		if folder == "" || s.file != "" {
			return nil
		}
		s.file, err = q.dir.Path(ctx, folder, key)
		if errors.Is(err, mail.ErrChanged) {
			return nil
		}
		if s.file != "" && s.row == nil {
			s.folder, s.key = folder, key
		}
		return err
	}
	if err := errors.Join(try(s.folder, s.key), try(said, as)); err != nil || s.file != "" {
		return err
	}
	folders, err := q.dir.Folders(ctx)
	if err != nil {
		return err
	}
	for _, f := range folders {
		if err := try(f.Name, s.key); err != nil {
			return err
		}
	}
	return nil
}

// findPending looks for what waits: an interrupted copy, held deletions.
func (q *inquiry) findPending(ctx context.Context, s *subject) error {
	intents, err := q.db.Intents(ctx)
	if err != nil {
		return err
	}
	for _, in := range intents {
		if in.Key == s.key {
			s.intent = in
			if s.folder == "" {
				s.folder = in.Folder
			}
		}
	}
	holds, err := q.db.Holds(ctx)
	for _, h := range holds {
		if h.Folder == s.folder {
			s.holds = append(s.holds, h)
		}
	}
	return err
}

func (q *inquiry) findKept(s *subject) {
	for _, d := range q.deleted.Deletions {
		for i, k := range d.Kept {
			if k.Key == s.key && (s.kept == nil || k.At.After(s.kept.At)) {
				s.kept, s.undo = &d.Kept[i], d.Run
				if s.folder == "" {
					s.folder = k.Folder
				}
			}
		}
	}
}

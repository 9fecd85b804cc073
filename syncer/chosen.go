package syncer

import (
	"context"
	"errors"
	"maps"
	"slices"

	"imapsync/mail"
)

// followMoves keeps a run on chosen folders from taking a file for deleted that
// was moved to another folder, under its name or, as some mail readers do, under
// a new one: such a message is left to a run on both. Any run does that for stubs
// in folders it leaves out: the message would be gone with its deletion.
func (r *run) followMoves(ctx context.Context) error {
	lost := r.missingFiles()
	if r.opt.Folders == nil {
		maps.DeleteFunc(lost, func(_ mail.Key, m missing) bool {
			return m.row.Content.Whole == 0 || m.row.UID == 0
		})
	}
	if len(lost) == 0 {
		return nil
	}
	locals, err := r.Local.Folders(ctx)
	if err != nil {
		return err
	}
	for _, l := range locals {
		if r.folders[l.Name] != nil || r.skipped[l.Name] != nil {
			continue
		}
		err := r.findIn(ctx, l.Name, lost)
		switch {
		case err == nil:
		case r.opt.Folders != nil || accountScope(err) || ctx.Err() != nil:
			return err
		default: // they may be there
			for _, m := range lost {
				r.leaveMoved(m, l.Name)
			}
			return nil
		}
	}
	return nil
}

// missing is a row whose file is not where it was.
type missing struct {
	in  *folder
	row *mail.Base
}

func (r *run) missingFiles() map[mail.Key]missing {
	lost := map[mail.Key]missing{}
	for _, f := range r.sorted() {
		for _, row := range f.Base {
			if _, there := f.Local.Messages[row.Key]; !there && row.Key != "" {
				lost[row.Key] = missing{f, row}
			}
		}
	}
	return lost
}

// findIn looks in a folder that is not part of the run for files that others
// lack, and takes those found from lost.
func (r *run) findIn(ctx context.Context, name mail.FolderName, lost map[mail.Key]missing) error {
	s, err := r.Local.Scan(ctx, name, true)
	if err != nil {
		return err
	}
	for key := range s.Messages {
		if m, ok := lost[key]; ok {
			r.leaveMoved(m, name)
			delete(lost, key)
		}
	}
	rows, err := r.State.Rows(ctx, name)
	if err != nil {
		return err
	}
	for _, row := range rows {
		delete(s.Messages, row.Key)
	}
	for _, key := range slices.Sorted(maps.Keys(s.Messages)) {
		if err := r.matchIn(ctx, name, key, s.Messages[key], lost); err != nil {
			return err
		}
	}
	return nil
}

// matchIn compares a file of no row with the lost ones of its size, and with lost
// stubs: somebody may have written into one. A file that cannot be read may be any of
// them.
func (r *run) matchIn(ctx context.Context, name mail.FolderName, key mail.Key, l mail.Local, lost map[mail.Key]missing) error {
	var content mail.Content
	var err error
	for _, was := range slices.Sorted(maps.Keys(lost)) {
		m := lost[was]
		whole := m.row.Content.Whole
		if l.Stamp != nil && whole == 0 && l.Stamp.Size != m.row.File.Size && l.Stamp.Size != m.row.Content.Size {
			continue
		}
		if content.Digest.IsZero() && err == nil {
			if content, _, _, err = r.Local.Read(ctx, name, key); accountScope(err) || ctx.Err() != nil {
				return err
			}
		}
		if err != nil || content.Digest == m.row.Content.Digest || whole > 0 && content.Whole == whole && content.Header == m.row.Content.Header {
			r.leaveMoved(m, name)
			delete(lost, was)
			if err == nil {
				return nil
			}
		}
	}
	return nil
}

var errMovedOut = errors.New("its messages have to be matched again, and some were moved to folders that are not part of this run")

// leaveMoved takes a message out of this run.
func (r *run) leaveMoved(m missing, to mail.FolderName) {
	f := m.in
	if m.row.UID == 0 { // its message must be found again, and would be a new one without it
		f.failed = true
		r.fail(f.Name, nil, &mail.Fault{Scope: mail.ScopeFolder, Folder: f.Name, Doing: "synchronise the folder alone", Err: errMovedOut,
			Hint: "synchronise the whole account once"})
		return
	}
	kept := f.Base[:0]
	for _, row := range f.Base {
		if row == m.row {
			delete(f.Remote.Messages, row.UID)
			continue
		}
		kept = append(kept, row)
	}
	f.Base = kept
	r.trouble(f.Name)
	r.note(f.Name, "message "+string(m.row.Key)+" was moved to "+string(to)+", which is not part of this run: left for a run on both")
}

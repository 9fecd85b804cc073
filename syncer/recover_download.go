package syncer

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"imapsync/mail"
)

// found is a delivered file as recovery found it, under the key it has now: a
// mail reader may have moved it since.
type found struct {
	key     mail.Key
	content mail.Content
	stamp   mail.FileStamp
	taken   bool // it was found to be somebody's
}

// recoverDownloads looks for files by the keys the intents chose, wherever they
// were moved since, and by their content where a mail reader moved them under
// another name.
func (r *run) recoverDownloads(ctx context.Context, byFolder map[mail.FolderName][]*mail.Intent) error {
	if len(byFolder) == 0 {
		return nil
	}
	scans, err := r.scanAll(ctx)
	var strays []*found
	if err == nil {
		strays, err = r.findStrays(ctx, byFolder, scans)
	}
	if err != nil {
		r.awaitStrays(byFolder)
		return r.leaveIntents(ctx, slices.Sorted(maps.Keys(byFolder)), err)
	}
	for _, name := range slices.Sorted(maps.Keys(byFolder)) {
		intents := byFolder[name]
		rows, err := r.rowsOf(ctx, name, intents)
		if err != nil {
			return err
		}
		files, err := r.findFiles(ctx, intents, scans)
		if err == nil {
			err = r.findRenamed(ctx, name, intents, rows, files, strays)
		}
		if err != nil {
			if err := r.leaveIntents(ctx, []mail.FolderName{name}, err); err != nil {
				return err
			}
			continue
		}
		if err := r.adoptDownloads(ctx, name, intents, rows, files); err != nil {
			return err
		}
	}
	return nil
}

// rowsOf are the rows of the messages that were to be delivered, where the state has
// such: they were stubs.
func (r *run) rowsOf(ctx context.Context, name mail.FolderName, intents []*mail.Intent) (map[mail.UID]*mail.Base, error) {
	var uids []mail.UID
	for _, in := range intents {
		uids = append(uids, in.UID)
	}
	rows, err := r.State.RowsByUID(ctx, name, uids)
	byUID := make(map[mail.UID]*mail.Base, len(rows))
	for _, row := range rows {
		byUID[row.UID] = row
	}
	return byUID, err
}

// awaitStrays has new files wait that may be deliveries of an earlier run, by
// their time, wherever a mail reader has moved them.
func (r *run) awaitStrays(byFolder map[mail.FolderName][]*mail.Intent) {
	for _, intents := range byFolder {
		for _, in := range intents {
			if !in.Date.IsZero() {
				r.awaited[in.Date.Unix()] = true
			}
		}
	}
}

// leaveIntents keeps the intents of folders that cannot be looked through now,
// and leaves those folders alone: copying again could double their messages.
func (r *run) leaveIntents(ctx context.Context, names []mail.FolderName, err error) error {
	if accountScope(err) || ctx.Err() != nil {
		return err
	}
	for _, name := range names {
		r.unsettled[name] = true
	}
	r.fail(names[0], nil, err)
	return nil
}

func (r *run) scanAll(ctx context.Context) ([]mail.LocalSnapshot, error) {
	folders, err := r.Local.Folders(ctx)
	if err != nil {
		return nil, err
	}
	var scans []mail.LocalSnapshot
	for _, f := range folders {
		s, err := r.Local.Scan(ctx, f.Name, true)
		if err != nil {
			return nil, err
		}
		scans = append(scans, s)
	}
	return scans, nil
}

// findFiles finds those that still have their key.
func (r *run) findFiles(ctx context.Context, intents []*mail.Intent, scans []mail.LocalSnapshot) (map[*mail.Intent]*found, error) {
	files := map[*mail.Intent]*found{}
	for _, in := range intents {
		for _, s := range scans {
			if _, ok := s.Messages[in.Key]; !ok {
				continue
			}
			f, err := r.readFound(ctx, s.Folder, in.Key)
			if err != nil {
				return nil, err
			}
			files[in] = f
			break
		}
	}
	return files, nil
}

// readFound reads a file; nil when it is gone.
func (r *run) readFound(ctx context.Context, folder mail.FolderName, key mail.Key) (*found, error) {
	content, stamp, _, err := r.Local.Read(ctx, folder, key)
	if errors.Is(err, mail.ErrChanged) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &found{key: key, content: content, stamp: stamp}, nil
}

// findRenamed finds those that a mail reader has given another key: files of no
// row that have the time of the message and its content. The time keeps all
// other files from being read. What it finds among strays is taken.
func (r *run) findRenamed(ctx context.Context, name mail.FolderName, intents []*mail.Intent, rows map[mail.UID]*mail.Base, files map[*mail.Intent]*found, strays []*found) error {
	lost, err := r.lost(ctx, intents, files)
	if err != nil {
		return err
	}
	contents, err := r.contentsOf(ctx, name, lost, strays)
	if err != nil {
		return err
	}
	for _, in := range lost {
		row := rows[in.UID]
		completed := row != nil && row.Content.Whole > 0 // a stub: what was delivered is the whole
		for _, f := range strays {
			c, ok := contents[in.UID]
			if ok && files[in] == nil && !f.taken && mtime(f.stamp) == in.Date.Unix() && (c.SameMessage(f.content) || !completed && isStubOf(in, f.content, c)) {
				files[in], f.taken = f, true
			}
		}
	}
	return nil
}

// lost are the deliveries of which there is no file, less those that were left in
// tmp: these nobody has seen.
func (r *run) lost(ctx context.Context, intents []*mail.Intent, files map[*mail.Intent]*found) (lost []*mail.Intent, err error) {
	for _, in := range intents {
		if files[in] != nil || in.Date.IsZero() {
			continue
		}
		unfinished, err := r.Local.Unfinished(ctx, in.Folder, in.Key)
		if err != nil {
			return nil, err
		}
		if !unfinished {
			lost = append(lost, in)
		}
	}
	return lost, nil
}

// contentsOf asks the server what it was that was delivered, where a stray has its
// time.
func (r *run) contentsOf(ctx context.Context, name mail.FolderName, lost []*mail.Intent, strays []*found) (map[mail.UID]mail.Content, error) {
	times, headers := map[int64]bool{}, map[mail.Digest]bool{}
	for _, f := range strays {
		if !f.taken {
			headers[f.content.Header] = true
			times[mtime(f.stamp)] = true
		}
	}
	asked := slices.DeleteFunc(slices.Clone(lost), func(in *mail.Intent) bool { return !times[in.Date.Unix()] })
	if len(asked) == 0 {
		return nil, nil
	}
	if gone, err := r.Remote.Missing(ctx, name); err != nil || gone {
		return nil, err
	}
	mb, err := r.Remote.Open(ctx, name, false)
	if err != nil {
		return nil, err
	}
	defer mb.Close()
	var uids []mail.UID
	for _, in := range asked {
		if in.UIDValidity == mb.Mark().UIDValidity {
			uids = append(uids, in.UID)
		}
	}
	slices.Sort(uids)
	return wholeContents(ctx, mb, slices.Compact(uids), headers)
}

// isStubOf reports whether a file is the stub of the message that was delivered: its
// versions, as drafts have them, have one header and differ in size.
func isStubOf(in *mail.Intent, file, message mail.Content) bool {
	return file.StandsFor(message) && file.Whole == in.RemoteSize
}

func mtime(s mail.FileStamp) int64 { return time.Unix(0, s.MTime).Unix() }

// findStrays reads the files of no row and no intent that could be deliveries
// by their time.
func (r *run) findStrays(ctx context.Context, byFolder map[mail.FolderName][]*mail.Intent, scans []mail.LocalSnapshot) ([]*found, error) {
	times, claimed := map[int64]bool{}, map[mail.Key]bool{}
	for _, intents := range byFolder {
		for _, in := range intents {
			times[in.Date.Unix()], claimed[in.Key] = true, true
		}
	}
	records, err := r.folderRecords(ctx)
	if err != nil {
		return nil, err
	}
	for _, rec := range records {
		rows, err := r.State.Rows(ctx, rec.Folder)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			claimed[row.Key] = true
		}
	}
	var strays []*found
	for _, s := range scans {
		for _, key := range slices.Sorted(maps.Keys(s.Messages)) {
			l := s.Messages[key]
			if claimed[key] || l.Stamp == nil || !times[mtime(*l.Stamp)] {
				continue
			}
			f, err := r.readFound(ctx, s.Folder, key)
			if err != nil {
				return nil, err
			}
			if f != nil {
				strays = append(strays, f)
			}
		}
	}
	return strays, r.leaveToRows(ctx, strays, scans)
}

// leaveToRows takes as many files of a content as there are rows of it without
// their file: one of them may be that row's, moved.
func (r *run) leaveToRows(ctx context.Context, strays []*found, scans []mail.LocalSnapshot) error {
	there := map[mail.Key]bool{}
	for _, s := range scans {
		for key := range s.Messages {
			there[key] = true
		}
	}
	wanting := map[mail.Digest]int{}
	asked := map[mail.Digest]bool{}
	for _, f := range strays {
		digest := f.content.Digest
		if !asked[digest] {
			asked[digest] = true
			rows, err := r.State.RowsOf(ctx, []mail.Digest{digest})
			if err != nil {
				return err
			}
			for _, row := range rows {
				if row.Key != "" && !there[row.Key] {
					wanting[digest]++
				}
			}
		}
		if wanting[digest] > 0 {
			wanting[digest]--
			f.taken = true
		}
	}
	return nil
}

// adoptDownloads makes rows of the files that were delivered, and cleans up
// after those that were not.
func (r *run) adoptDownloads(ctx context.Context, name mail.FolderName, intents []*mail.Intent, rows map[mail.UID]*mail.Base, files map[*mail.Intent]*found) error {
	b := mail.Batch{SettleIntents: intents}
	if len(files) > 0 { // this run is to look at where they lie now, whatever its stamps say
		b.Folders = []mail.FolderRecord{unsettledRecord(name, intents[0].UIDValidity)}
	}
	for _, in := range intents {
		f := files[in]
		if f == nil {
			if err := r.Local.CleanTmp(ctx, in.Folder, in.Key); err != nil {
				return err
			}
			continue
		}
		if !in.Date.IsZero() && mtime(f.stamp) != in.Date.Unix() {
			continue // written since it was delivered: what it is now, its content must tell
		}
		row := rows[in.UID]
		if row == nil {
			row = &mail.Base{}
		}
		ar := arrival{intent: in, content: f.content, stamp: f.stamp}
		ar.fill(row)
		row.Key = f.key
		b.Put = append(b.Put, row)
		b.Log = append(b.Log, recovered(in, row))
	}
	return r.commit(b)
}

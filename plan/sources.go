package plan

import (
	"strconv"

	"imapsync/conflict"
	"imapsync/mail"
)

// copyRemote has the server copy a message it holds. The row starts with the
// flags of the source, so that the file's own count as set here.
func (d *decider) copyRemote(t *triple, out conflict.Outcome, src *source) {
	out.Rule, out.Reason = conflict.RuleCopied, "copied in the Maildir: the server has the content in "+strconv.Quote(string(src.folder))
	row := newRow(t)
	row.Flags, row.RemoteSize = src.remote.Flags, max(src.remote.Size, row.Content.Whole)
	d.kept[out.Folder] = true
	d.add(&Op{Kind: CopyRemote, Folder: src.folder, To: out.Folder, Row: row, Local: t.local, Remote: src.remote, Flags: src.remote.Flags}, out)
	if !src.remote.Flags.Equal(out.Flags) {
		d.add(&Op{Kind: SetFlags, Folder: out.Folder, Row: row, Local: t.local, Remote: src.remote, Flags: out.Flags, Agreed: out.Flags, OnRemote: true}, out)
	}
}

// source is a message on the server that has a known content and stays where
// it is.
type source struct {
	folder mail.FolderName
	remote *mail.Remote
}

func (j *joined) sources(in Input) map[mail.Digest]*source {
	m := map[mail.Digest]*source{}
	if len(j.localNew) == 0 {
		return m
	}
	wanted := map[mail.Digest]bool{}
	for _, n := range j.localNew {
		if n.local.Content != nil {
			wanted[n.local.Content.Digest] = true
		}
	}
	for _, row := range j.agreed {
		if wanted[row.Content.Digest] {
			m[row.Content.Digest] = &source{row.Folder, new(j.byFolder[row.Folder].Remote.Messages[row.UID])}
		}
	}
	for _, t := range j.triples {
		if t.base == nil || t.local == nil || t.remote == nil || t.local.Edited {
			continue
		}
		if t.localIn.Name == t.base.Folder && t.remoteIn.Name == t.base.Folder && !in.goes(t.base, t.local, t.remote) {
			m[t.base.Content.Digest] = &source{t.base.Folder, t.remote}
		}
	}
	for _, row := range in.Sources {
		if row.UID != 0 && !in.goes(row, nil, nil) {
			m[row.Content.Digest] = &source{row.Folder, &mail.Remote{UID: row.UID, Flags: row.Flags, Size: row.RemoteSize, Date: row.Date}}
		}
	}
	return m
}

package syncer

import (
	"context"
	"errors"
	"fmt"

	"imapsync/mail"
)

// leaveOut takes folders out of the run of which nothing is to be touched: as the
// server side says, or because their mailbox has another name here by now, under
// which it is left out. Else its messages would be gone, or sent to another mailbox.
func (r *run) leaveOut(remotes []mail.RemoteFolder) {
	r.outside, r.excluded = map[mail.FolderName]error{}, map[mail.FolderName]bool{}
	for _, f := range r.sorted() {
		var was mail.FolderName
		if f.Known {
			was = f.record.ServerName()
		}
		if why, err := r.Remote.LeftOut(f.Name, was); why != "" {
			r.leave(f.Name, why, err)
			r.excluded[f.Name] = err == nil
		}
	}
	r.called = make(map[mail.FolderName]mail.FolderName, len(remotes))
	for _, f := range remotes {
		r.called[f.ServerName()] = f.Name
	}
	for _, f := range r.sorted() {
		now := r.called[f.record.ServerName()]
		switch {
		case !f.Known || now == "" || r.folders[now] != nil:
		case f.remapped:
			why := fmt.Errorf("it stands for the mailbox %s now, and the one that it stood for is %s, which is not part of this run", f.remote.ServerName(), now)
			r.leave(f.Name, why.Error(), &mail.Fault{Scope: mail.ScopeFolder, Folder: f.Name, Doing: "synchronise", Err: why,
				Hint: "synchronise both once, so that its messages can change places"})
		case f.remote == nil:
			r.leave(f.Name, fmt.Sprintf("its mailbox is now %s, which is not part of this run", now), nil)
		}
	}
}

// forgotten are the records of folders that the configuration leaves out, without
// their numbers: what happens to them meanwhile is nobody's concern, and when they are
// taken in again, that something is missing on a side is no deletion.
func (r *run) forgotten() (records []mail.FolderRecord, err error) {
	if r.opt.Folders != nil {
		return nil, nil
	}
	all, err := r.folderRecords(context.Background())
	for _, rec := range all {
		out := r.excluded[rec.Folder] || r.Select != nil && !r.Select(rec.Folder)
		if out && !r.apart[rec.Folder] && (rec.Settled || rec.Mark.UIDValidity != 0) {
			was := rec.Server
			rec = unsettledRecord(rec.Folder, 0)
			rec.Server = was
			records = append(records, rec)
		}
	}
	return records, err
}

func (r *run) leave(name mail.FolderName, why string, err error) {
	r.mu.Lock()
	delete(r.folders, name)
	r.outside[name] = errors.New("it is left out: " + why)
	r.mu.Unlock()
	if err != nil {
		r.fail(name, nil, err)
		return
	}
	r.detail(name, "left out: "+why)
}

// forgetNumbers takes the numbers for meaningless that are recorded of a folder
// which by now stands for another mailbox: the configuration gives it this name.
func (f *folder) forgetNumbers() {
	if f.Known && f.remote != nil && f.remote.ServerName() != f.record.ServerName() {
		f.Settled, f.record.Settled, f.remapped = false, false, true
		f.Mark, f.record.Mark, f.validity = mail.Mark{}, mail.Mark{}, 0
	}
}

// serverName is what to record that the server calls the folder.
func (f *folder) serverName() mail.FolderName {
	switch {
	case f.remote == nil:
		return f.record.Server
	case f.record.Server == "" && f.remote.ServerName() == f.Name:
		return ""
	}
	return f.remote.ServerName()
}

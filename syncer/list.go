package syncer

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"imapsync/mail"
)

// list asks both sides for their folders at once and fills r.folders. meanwhile, if
// not nil, is called when the Maildir's are known and the server's still awaited.
func (r *run) list(ctx context.Context, meanwhile func(ctx context.Context) error) ([]mail.FolderName, error) {
	g, gctx := errgroup.WithContext(ctx)
	var remotes []mail.RemoteFolder
	g.Go(func() (err error) { remotes, err = r.remoteFolders(gctx); return err })
	g.Go(func() error {
		if err := r.listLocal(gctx); err != nil || meanwhile == nil {
			return err
		}
		return meanwhile(gctx)
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	r.reached = true
	r.findTrash(remotes)
	for i := range remotes {
		r.listed.remote[remotes[i].Name] = true
		if f := r.folder(remotes[i].Name); f != nil {
			f.remote = &remotes[i]
			f.forgetNumbers()
		}
	}
	r.leaveOut(remotes)
	for _, f := range r.sorted() {
		if !f.Known { // of those that are known this was asked when the Maildir was listed
			r.leaveHidden(f, mail.FolderRecord{Folder: f.Name})
		}
	}
	if err := r.checkAccepted(ctx); err != nil {
		return nil, err
	}
	for _, name := range r.opt.Folders {
		if r.folders[name] == nil {
			return nil, &mail.Fault{Scope: mail.ScopeAccount, Class: mail.ClassUsage, Folder: name, Doing: "synchronise",
				Err: cmp.Or(r.outside[name], errNoFolder), Hint: "imapsync folders lists what there is"}
		}
	}
	r.setApart()
	return slices.Sorted(maps.Keys(r.folders)), nil
}

// checkAccepted tells of folders whose deletions are accepted and that are not here.
func (r *run) checkAccepted(ctx context.Context) error {
	records, err := r.folderRecords(ctx)
	r.report.Unknown = nil
	for _, name := range r.opt.AcceptFolders {
		if r.folders[name] != nil {
			continue
		}
		r.note(name, "there is no such folder in this run, so no deletion of it to accept")
		known := slices.ContainsFunc(records, func(rec mail.FolderRecord) bool { return rec.Folder == name })
		if !known && !r.listed.local[name] && !r.listed.remote[name] {
			r.report.Unknown = append(r.report.Unknown, name)
		}
	}
	return err
}

// ahead is a LIST that is sent while the record is read, on which it does not depend.
type ahead struct {
	cancel  context.CancelFunc
	done    chan struct{}
	remotes []mail.RemoteFolder
	err     error
}

func (r *run) listAhead(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	a := &ahead{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(a.done)
		a.remotes, a.err = r.Remote.Folders(ctx)
	}()
	r.ahead = a
}

// reach waits until the server has answered: a name or port that is wrong is to cost
// nothing that is recorded.
func (r *run) reach(ctx context.Context) error {
	select {
	case <-r.ahead.done:
		return r.ahead.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// remoteFolders is what the LIST sent ahead tells, or another where there is none.
func (r *run) remoteFolders(ctx context.Context) ([]mail.RemoteFolder, error) {
	a := r.ahead
	if a == nil {
		return r.Remote.Folders(ctx)
	}
	defer r.endAhead()
	select {
	case <-a.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return a.remotes, a.err
}

// outdate has the server asked once more where something is to be done first that
// may change what it tells.
func (r *run) outdate() {
	if r.ahead != nil {
		<-r.ahead.done
		r.ahead.cancel()
		r.ahead = nil
	}
}

// endAhead cuts short what nobody waits for any more.
func (r *run) endAhead() {
	if r.ahead != nil {
		r.ahead.cancel()
	}
	r.outdate()
}

// listLocal fills r.folders with what the Maildir and the record have.
func (r *run) listLocal(ctx context.Context) error {
	records, err := r.folderRecords(ctx)
	if err != nil {
		return err
	}
	locals, err := r.Local.Folders(ctx)
	if err != nil {
		return err
	}
	r.listed = listed{make(map[mail.FolderName]bool, len(locals)), map[mail.FolderName]bool{}}
	for _, l := range locals {
		r.listed.local[l.Name] = true
		if otherInbox(l.Name) {
			r.refuseInbox(l.Name)
			continue
		}
		if f := r.folder(l.Name); f != nil {
			f.stamp, f.Local.Exists = l.Stamp, true
		}
	}
	if r.foreign {
		return nil
	}
	for _, rec := range records {
		if f := r.folder(rec.Folder); f != nil {
			f.record, f.Known, f.Settled, f.Mark, f.validity = rec, true, rec.Settled, rec.Mark, rec.Mark.UIDValidity
			if r.leaveHidden(f, rec) {
				r.hidden = append(r.hidden, f.Name)
			}
		} else if (r.Select == nil || r.Select(rec.Folder)) && r.Local.LeftOut(rec) != nil { // not chosen
			r.hidden = append(r.hidden, rec.Folder)
		}
	}
	return nil
}

// leaveHidden leaves a folder alone of which the Maildir cannot tell what it has.
func (r *run) leaveHidden(f *folder, was mail.FolderRecord) bool {
	err := r.Local.LeftOut(was)
	if err != nil {
		r.unsettled[f.Name] = true
		r.fail(f.Name, nil, err)
	}
	return err != nil
}

// otherInbox reports whether a folder on disk is called INBOX in another case,
// as some tools do: to the server it is INBOX itself (RFC 3501 section 5.1).
func otherInbox(name mail.FolderName) bool {
	first := name.Components()[0]
	return first != string(mail.Inbox) && strings.EqualFold(first, string(mail.Inbox))
}

// refuseInbox leaves such a folder and INBOX alone, for all of its mail would
// seem to be missing from the one and new in the other.
func (r *run) refuseInbox(name mail.FolderName) {
	r.unsettled[mail.Inbox] = true
	r.fail(name, nil, &mail.Fault{Scope: mail.ScopeFolder, Folder: name, Doing: "list the Maildir",
		Err: errInboxCase, Hint: "rename it to INBOX, or to what the key rename says that INBOX is called; until then neither is synchronised"})
}

var errInboxCase = errors.New("servers know INBOX in any case, so this name cannot stand for another folder")

var errNoFolder = errors.New("neither side has this folder, or it is not among the account's folders")

// folder returns the run's view of a folder, nil if it is not synchronised.
func (r *run) folder(name mail.FolderName) *folder {
	if f := r.folders[name]; f != nil {
		return f
	}
	if r.Select != nil && !r.Select(name) || !r.wanted(name) {
		return nil
	}
	f := &folder{}
	f.Name = name
	f.Local.Folder, f.Remote.Folder = name, name
	r.mu.Lock() // early scans tell their troubles meanwhile
	defer r.mu.Unlock()
	r.folders[name] = f
	return f
}

func (r *run) wanted(name mail.FolderName) bool {
	if r.opt.Folders == nil {
		return true
	}
	for _, w := range r.opt.Folders {
		if w == name {
			return true
		}
	}
	return false
}

package syncer

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"imapsync/mail"
	"imapsync/plan"
)

// identify finds out, for new remote messages that could be ones the Maildir
// or the base knows, which they are: by their header blocks, and by the whole
// where those do not settle it.
func (r *run) identify(ctx context.Context) error {
	if err := r.loadUnseen(ctx); err != nil {
		return err
	}
	if err := r.promoteAlike(ctx); err != nil {
		return err
	}
	if err := r.loadTwins(ctx); err != nil {
		return err
	}
	for _, f := range r.folders {
		f.Drafts = f.forDrafts()
	}
	need := plan.NeedHeaders(r.observed())
	if len(need) > 0 { // else no content of a new message is known
		if err := r.learn(ctx, need, r.headers); err != nil {
			return err
		}
		if err := r.learn(ctx, plan.NeedBodies(r.observed()), r.bodies); err != nil {
			return err
		}
	}
	if err := r.learnObjects(ctx); err != nil {
		return err
	}
	if len(need) > 0 || r.hasNewFiles() {
		return r.verifyFiles(ctx)
	}
	return nil
}

// hasNewFiles reports whether files were read, as only new and edited ones are.
func (r *run) hasNewFiles() bool {
	for _, f := range r.folders {
		for _, l := range f.Local.Messages {
			if l.Content != nil {
				return true
			}
		}
	}
	return false
}

// verifyFiles looks at the files that decide on others. One that was rewritten in
// place is not noticed in a listing of names, and one that was moved while the
// folders were listed may be in two of them.
func (r *run) verifyFiles(ctx context.Context) error {
	for _, file := range plan.Unverified(r.observed()) {
		f := r.folders[file.Folder]
		l := f.Local.Messages[file.Key]
		stamp, err := r.Local.Stat(ctx, f.Name, file.Key, l.Flags)
		switch {
		case accountScope(err) || ctx.Err() != nil:
			return err
		case errors.Is(err, mail.ErrChanged): // and who knows what else of the listing is out of date
			delete(f.Local.Messages, file.Key)
			r.trouble(f.Name)
		case file.Row != nil && (err != nil || stamp != file.Row.File):
			if err := r.read(ctx, f, file.Row, l); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) observed() plan.Input {
	in := plan.Input{Twins: r.twins, Unseen: r.unseen, Withheld: r.withheldHeaders, Policy: r.Policy}
	for _, f := range r.sorted() {
		if !f.failed {
			in.Folders = append(in.Folders, &f.Folder)
		}
	}
	return in
}

// loadUnseen gets the rows of folders that could not be looked into.
func (r *run) loadUnseen(ctx context.Context) error {
	r.unseen = nil
	for _, f := range r.sorted() {
		if !f.failed || !f.Known {
			continue
		}
		rows, err := r.State.Rows(ctx, f.Name)
		if err != nil {
			return err
		}
		r.unseen = append(r.unseen, rows...)
	}
	return nil
}

type learner func(ctx context.Context, mb Mailbox, f *folder, uids []mail.UID) error

// learn asks for the candidates folder by folder. A folder that cannot be
// asked is left for the next run, for a guess could double its messages.
func (r *run) learn(ctx context.Context, need []plan.Candidate, how learner) error {
	byFolder := map[mail.FolderName][]mail.UID{}
	for _, c := range need {
		byFolder[c.Folder] = append(byFolder[c.Folder], c.UID)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.opt.Lanes)
	for _, name := range slices.Sorted(maps.Keys(byFolder)) {
		f, uids := r.folders[name], byFolder[name]
		g.Go(func() error {
			err := r.learnFolder(gctx, f, uids, how)
			if accountScope(err) || gctx.Err() != nil {
				return err
			}
			if err != nil {
				f.failed = true
				r.fail(f.Name, nil, err)
			}
			return nil
		})
	}
	return g.Wait()
}

func (r *run) learnFolder(ctx context.Context, f *folder, uids []mail.UID, how learner) error {
	mb, err := r.open(ctx, f)
	if err != nil {
		return err
	}
	defer mb.Close()
	return how(ctx, mb, f, uids)
}

func (r *run) headers(ctx context.Context, mb Mailbox, f *folder, uids []mail.UID) error {
	contents, err := mb.Headers(ctx, uids)
	if err != nil {
		return err
	}
	for _, uid := range uids {
		c, ok := contents[uid]
		if !ok {
			r.gone(f, uid)
			continue
		}
		f.setContent(uid, c)
		if c.Header.IsZero() { // the server withholds it
			r.unread(r.unreadMail, f.Remote.Messages[uid].Size, f.Name)
		}
	}
	return nil
}

func (r *run) bodies(ctx context.Context, mb Mailbox, f *folder, uids []mail.UID) error {
	uids = slices.DeleteFunc(slices.Clone(uids), func(uid mail.UID) bool {
		aside := r.aside(quarantined{folder: f.Name, uid: uid, validity: f.validity})
		if aside {
			r.withheld(f, uid)
		}
		return aside
	})
	if len(uids) == 0 {
		return nil
	}
	return mb.Fetch(ctx, uids, func(uid mail.UID, body io.Reader, err error) error {
		if err == nil {
			h := mail.NewHasher()
			if _, err = io.Copy(h, body); err == nil {
				f.setContent(uid, h.Content())
				return nil
			}
		}
		if !errors.Is(err, mail.ErrChanged) && mail.ScopeOf(err) != mail.ScopeMessage {
			return err
		}
		if isolates(err) {
			r.setAside(quarantined{folder: f.Name, uid: uid, validity: f.validity}, nil, err)
			r.withheld(f, uid)
			return nil
		}
		if errors.Is(err, mail.ErrChanged) {
			r.gone(f, uid)
			return nil
		}
		r.fail(f.Name, nil, err)
		r.withheld(f, uid)
		return nil
	})
}

// withheld takes a message that the server does not give out of this run.
// Anything of its size that is missing elsewhere may be it, and so may anything
// of its header that is to be sent.
func (r *run) withheld(f *folder, uid mail.UID) {
	m := f.Remote.Messages[uid]
	r.unread(r.unreadMail, m.Size, f.Name)
	if m.Content != nil {
		r.mu.Lock()
		r.withheldHeaders[m.Content.Header] = f.Name
		r.mu.Unlock()
	}
	delete(f.Remote.Messages, uid)
}

// gone takes a new message that vanished, or cannot be read, out of this run.
func (r *run) gone(f *folder, uid mail.UID) {
	delete(f.Remote.Messages, uid)
	r.trouble(f.Name)
}

func (f *folder) setContent(uid mail.UID, c mail.Content) {
	m := f.Remote.Messages[uid]
	m.Content = &c
	f.Remote.Messages[uid] = m
}

// open selects the folder and makes sure that its UIDs still mean what they
// did when the folder was observed.
func (r *run) open(ctx context.Context, f *folder) (Mailbox, error) {
	mb, err := r.Remote.Open(ctx, f.Name, r.opt.DryRun)
	if err != nil {
		return nil, err
	}
	got := mb.Mark().UIDValidity
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.validity == 0 || !f.Remote.Exists {
		f.validity = got
	}
	if got != f.validity {
		mb.Close()
		return nil, &mail.Fault{Scope: mail.ScopeFolder, Class: mail.ClassFailed, Folder: f.Name, Doing: "select",
			Err: errRenumbered, Hint: "nothing was done in it; the next run matches it again"}
	}
	return mb, nil
}

var errRenumbered = errors.New("the server renumbered the folder (UIDVALIDITY) during this run")

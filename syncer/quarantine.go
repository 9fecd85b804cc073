package syncer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"imapsync/mail"
	"imapsync/plan"
)

// pauses are how long a message that failed so many times is left alone. A first
// failure is tried again in the next run, whenever that is.
var pauses = []time.Duration{0, 15 * time.Minute, time.Hour, 4 * time.Hour, 24 * time.Hour}

// quarantined is what identifies a message that the server would not give or
// take: a UID, or a file of a content.
type quarantined struct {
	folder   mail.FolderName
	uid      mail.UID
	validity uint32
	key      mail.Key
	digest   mail.Digest
}

// quarantine is the run's view of those messages, guarded by the run's mu.
type quarantine struct {
	recorded []mail.Quarantined
	entries  map[quarantined]*mail.Quarantined
	tried    map[quarantined]bool // failed in this run
	planned  map[quarantined]bool // still to be transferred, done or not
}

func (r *run) loadQuarantine(ctx context.Context) error {
	list, err := r.State.Quarantine(ctx)
	if err != nil {
		return err
	}
	tried := r.quarantine.tried
	if tried == nil {
		tried = map[quarantined]bool{}
	}
	r.quarantine = quarantine{list, map[quarantined]*mail.Quarantined{}, tried, map[quarantined]bool{}}
	for _, q := range list {
		r.quarantine.entries[quarantined{q.Folder, q.UID, q.UIDValidity, q.Key, q.Digest}] = &q
	}
	return nil
}

// transferred identifies the message of an operation that moves a body.
func (r *run) transferred(o *plan.Op) (q quarantined, ok bool) {
	f := r.folders[o.Folder]
	switch {
	case f == nil:
		return q, false
	case o.Arrives():
		return quarantined{folder: f.Name, uid: o.Remote.UID, validity: f.validity}, true
	case o.Kind == plan.Upload:
		content := o.Row.Content
		if o.Local.Content != nil {
			content = *o.Local.Content
		}
		return quarantined{folder: f.Name, key: o.Local.Key, digest: content.Digest}, true
	}
	return q, false
}

// aside reports whether a message is to be left alone in this run.
func (r *run) aside(q quarantined) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.quarantine.planned[q] = true
	entry := r.quarantine.entries[q]
	return entry != nil && (r.quarantine.tried[q] || !r.retryDue(entry))
}

// retryDue reports whether a message is to be tried again. A pause that is longer than
// any was recorded by a clock that was wrong.
func (r *run) retryDue(entry *mail.Quarantined) bool {
	left := entry.Retry.Sub(r.Now())
	return r.opt.Full || left <= 0 || left > pauses[len(pauses)-1]
}

// opAside reports the same of an operation's message.
func (r *run) opAside(o *plan.Op) bool {
	q, ok := r.transferred(o)
	return ok && r.aside(q)
}

// harmless reports whether an operation that was not carried out leaves the
// folder's watermarks free to advance: its message is set aside and has no row.
// With a row, what was seen of it would be taken for agreed.
func (r *run) harmless(o *plan.Op) bool {
	return (o.Row == nil || o.Row.ID == 0) && o.Old == nil && r.opAside(o)
}

// dueIn reports whether a message of the folder is to be tried again, so that
// the folder is looked into though nothing changed.
func (r *run) dueIn(name mail.FolderName) bool {
	for q, entry := range r.quarantine.entries {
		if q.folder == name && r.retryDue(entry) {
			return true
		}
	}
	return false
}

// isolates reports whether an error is about one message on the server's side,
// which time or the network did not cause.
func isolates(err error) bool {
	return mail.ScopeOf(err) == mail.ScopeMessage && mail.ClassOf(err) == mail.ClassFailed && !errors.Is(err, mail.ErrChanged)
}

// setAside puts a message into quarantine, or lets it stay there for longer, and
// tells of it. Its folder is none the worse for it.
func (r *run) setAside(q quarantined, op *plan.Op, err error) {
	r.mu.Lock()
	entry := r.quarantine.entries[q]
	if entry == nil {
		entry = &mail.Quarantined{Folder: q.folder, UID: q.uid, UIDValidity: q.validity, Key: q.key, Digest: q.digest, Since: r.Now()}
		r.quarantine.entries[q] = entry
	}
	if !r.quarantine.tried[q] {
		entry.Tries++
	}
	entry.Error = err.Error()
	entry.Retry = r.Now().Add(pauses[min(entry.Tries, len(pauses))-1])
	r.quarantine.tried[q], r.quarantine.planned[q] = true, true
	r.mu.Unlock()
	r.tellFailure(q.folder, op, err)
}

// failTransfer counts a failure to bring one message over: it is set aside where
// it alone is at fault.
func (r *run) failTransfer(o *plan.Op, err error) {
	if q, ok := r.transferred(o); ok && isolates(err) {
		r.setAside(q, o, err)
		return
	}
	r.fail(o.Folder, o, err)
}

// release ends the quarantine of messages that have a row by now, and of those
// that are no longer to be brought over: of folders looked into, only what is
// still planned stays.
func (r *run) release() {
	type place struct {
		folder mail.FolderName
		uid    mail.UID
		key    mail.Key
	}
	recorded := map[place]bool{}
	for o := range r.completed {
		if row := o.Row; row != nil {
			recorded[place{row.Folder, row.UID, ""}], recorded[place{row.Folder, 0, row.Key}] = true, true
		}
	}
	for q := range r.quarantine.entries {
		f := r.folders[q.folder]
		seen := f != nil && !f.failed && !f.trouble && f.Remote.Doubt == "" && f.Local.Doubt == ""
		unwanted := seen && !r.quarantine.planned[q]
		if unwanted || recorded[place{q.folder, q.uid, q.key}] {
			delete(r.quarantine.entries, q)
		}
	}
}

// remaining are the messages in quarantine, oldest first.
func (r *run) remaining() []mail.Quarantined {
	list := make([]mail.Quarantined, 0, len(r.quarantine.entries))
	for _, entry := range r.quarantine.entries {
		list = append(list, *entry)
	}
	slices.SortFunc(list, func(a, b mail.Quarantined) int {
		if c := a.Since.Compare(b.Since); c != 0 {
			return c
		}
		return cmpPlace(a, b)
	})
	return list
}

// tellAside tells of the messages that this run left alone, for until they are
// brought over the two sides are not the same.
func (r *run) tellAside() {
	for _, q := range r.remaining() {
		if !r.Now().Before(q.Retry) || r.quarantine.tried[quarantined{q.Folder, q.UID, q.UIDValidity, q.Key, q.Digest}] {
			continue // told of already, or not come to in this run
		}
		if _, ours := r.recordOf(q.Folder); !ours {
			continue
		}
		r.tellFailure(q.Folder, nil, asideFault(q))
	}
}

func asideFault(q mail.Quarantined) error {
	f := &mail.Fault{Scope: mail.ScopeMessage, Folder: q.Folder, Message: fmt.Sprint("UID ", q.UID), Doing: "download",
		Hint: "it is tried again after " + q.Retry.Local().Format(time.DateTime) + ", or at once by sync --full"}
	if q.Key != "" {
		f.Message, f.Doing = "file "+string(q.Key), "upload"
	}
	f.Err = fmt.Errorf("set aside after %d tries, the last: %s", q.Tries, q.Error)
	return f
}

func cmpPlace(a, b mail.Quarantined) int {
	return cmp.Or(cmp.Compare(a.Folder, b.Folder), cmp.Compare(a.UID, b.UID), cmp.Compare(a.Key, b.Key))
}

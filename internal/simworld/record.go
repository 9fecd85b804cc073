package simworld

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"imapsync/mail"
	"imapsync/syncer"
)

// Record is the simulated state; it is a syncer.State. A Commit is there whole
// or not at all after a crash; what it gives out are copies.
type Record struct {
	w *World // read without its lock
	recorded
}

// recorded is what a Commit replaces.
type recorded struct {
	account mail.Identity
	folders map[mail.FolderName]mail.FolderRecord
	rows    map[int64]mail.Base
	intents map[int64]mail.Intent
	holds   []mail.Hold
	log     []mail.Entry
	runs    map[int64]mail.RunRecord
	lastID  int64
	saved   *Record // the last backup

	removing   map[int64]bool
	quarantine []mail.Quarantined
	pause      mail.Pause
}

var _ syncer.State = (*Record)(nil)

func newRecord(w *World) *Record {
	return &Record{w, recorded{folders: map[mail.FolderName]mail.FolderRecord{}, rows: map[int64]mail.Base{},
		intents: map[int64]mail.Intent{}, runs: map[int64]mail.RunRecord{}, removing: map[int64]bool{}}}
}

func (r *Record) query(ctx context.Context, name string, folder mail.FolderName, read func()) error {
	return r.w.do(ctx, Call{Side: State, Name: name, Folder: folder}, func() error { read(); return nil })
}

// Account implements syncer.State.
func (r *Record) Account(ctx context.Context) (id mail.Identity, err error) {
	err = r.query(ctx, "account", "", func() { id = r.account })
	return id, err
}

// Folders implements syncer.State.
func (r *Record) Folders(ctx context.Context) (list []mail.FolderRecord, err error) {
	err = r.query(ctx, "folders", "", func() {
		for _, f := range r.folders {
			rows := r.rowsWhere(func(b mail.Base) bool { return b.Folder == f.Folder })
			f.Rows, f.LastUID, f.RemoteOnly, f.Stubs = len(rows), 0, 0, 0
			for _, b := range rows {
				if b.Content.Whole > 0 && !b.RemoteOnly {
					f.Stubs++
				}
				if b.RemoteOnly {
					f.RemoteOnly++
				}
				f.LastUID = max(f.LastUID, b.UID)
			}
			list = append(list, f)
		}
		sort.Slice(list, func(i, j int) bool { return list[i].Folder < list[j].Folder })
	})
	return list, err
}

func (r *Record) rowsWhere(ok func(mail.Base) bool) []*mail.Base {
	var rows []*mail.Base
	for _, b := range r.rows {
		if ok(b) {
			rows = append(rows, &b)
		}
	}
	sort.Slice(rows, func(i, j int) bool { return rows[i].ID < rows[j].ID })
	return rows
}

// Rows implements syncer.State.
func (r *Record) Rows(ctx context.Context, folder mail.FolderName) (rows []*mail.Base, err error) {
	err = r.query(ctx, "rows", folder, func() {
		rows = r.rowsWhere(func(b mail.Base) bool { return b.Folder == folder })
		slices.SortStableFunc(rows, func(a, b *mail.Base) int { return cmp.Compare(a.UID, b.UID) })
	})
	return rows, err
}

// UIDs implements syncer.State.
func (r *Record) UIDs(ctx context.Context, folder mail.FolderName) (uids []mail.UID, err error) {
	err = r.query(ctx, "uids", folder, func() {
		for _, b := range r.rowsWhere(func(b mail.Base) bool { return b.Folder == folder && b.UID != 0 }) {
			uids = append(uids, b.UID)
		}
		slices.Sort(uids)
	})
	return uids, err
}

// LooseRows implements syncer.State.
func (r *Record) LooseRows(ctx context.Context, folder mail.FolderName) (rows []*mail.Base, err error) {
	err = r.query(ctx, "loose rows", folder, func() {
		rows = r.rowsWhere(func(b mail.Base) bool { return b.Folder == folder && loose(b) })
	})
	return rows, err
}

func loose(b mail.Base) bool {
	return b.UID == 0 || b.Key == "" || b.Flags.System&mail.Deleted != 0
}

// RowsUnlike implements syncer.State.
func (r *Record) RowsUnlike(ctx context.Context, folder mail.FolderName, like func(mail.Key, mail.Flags) bool) (rows []*mail.Base, err error) {
	err = r.query(ctx, "rows unlike", folder, func() {
		rows = r.rowsWhere(func(b mail.Base) bool { return b.Folder == folder && (loose(b) || !like(b.Key, b.Flags)) })
	})
	return rows, err
}

// RowsByUID implements syncer.State.
func (r *Record) RowsByUID(ctx context.Context, folder mail.FolderName, uids []mail.UID) (rows []*mail.Base, err error) {
	err = r.query(ctx, "rows by uid", folder, func() {
		rows = r.rowsWhere(func(b mail.Base) bool { return b.Folder == folder && slices.Contains(uids, b.UID) })
	})
	return rows, err
}

// RowsByKey implements syncer.State.
func (r *Record) RowsByKey(ctx context.Context, folder mail.FolderName, keys []mail.Key) (rows []*mail.Base, err error) {
	err = r.query(ctx, "rows by key", folder, func() {
		rows = r.rowsWhere(func(b mail.Base) bool { return b.Folder == folder && b.Key != "" && slices.Contains(keys, b.Key) })
	})
	return rows, err
}

// RowsOf implements syncer.State.
func (r *Record) RowsOf(ctx context.Context, digests []mail.Digest) (rows []*mail.Base, err error) {
	want := map[mail.Digest]bool{}
	for _, d := range digests {
		want[d] = true
	}
	err = r.query(ctx, "rows of", "", func() {
		rows = r.rowsWhere(func(b mail.Base) bool { return want[b.Content.Digest] })
	})
	return rows, err
}

// RowsOfSize implements syncer.State.
func (r *Record) RowsOfSize(ctx context.Context, sizes []int64) (rows []*mail.Base, err error) {
	want := map[int64]bool{}
	for _, s := range sizes {
		want[s] = true
	}
	err = r.query(ctx, "rows of size", "", func() {
		rows = r.rowsWhere(func(b mail.Base) bool { return want[b.RemoteSize] })
	})
	return rows, err
}

// Drafts implements syncer.State.
func (r *Record) Drafts(ctx context.Context, folders []mail.FolderName) (rows []*mail.Base, err error) {
	err = r.query(ctx, "drafts", "", func() {
		rows = r.rowsWhere(func(b mail.Base) bool { return b.Flags.System&mail.Draft != 0 || slices.Contains(folders, b.Folder) })
	})
	return rows, err
}

// Removing implements syncer.State.
func (r *Record) Removing(ctx context.Context) (rows []*mail.Base, err error) {
	err = r.query(ctx, "removing", "", func() {
		rows = r.rowsWhere(func(b mail.Base) bool { return r.removing[b.ID] })
	})
	return rows, err
}

// Quarantine implements syncer.State.
func (r *Record) Quarantine(ctx context.Context) (list []mail.Quarantined, err error) {
	err = r.query(ctx, "quarantine", "", func() { list = slices.Clone(r.quarantine) })
	return list, err
}

// Holds implements syncer.State.
func (r *Record) Holds(ctx context.Context) (list []mail.Hold, err error) {
	err = r.query(ctx, "holds", "", func() { list = slices.Clone(r.holds) })
	return list, err
}

// Pause implements syncer.State.
func (r *Record) Pause(ctx context.Context) (p mail.Pause, err error) {
	err = r.query(ctx, "pause", "", func() { p = r.pause })
	return p, err
}

// Intents implements syncer.State.
func (r *Record) Intents(ctx context.Context) (list []*mail.Intent, err error) {
	err = r.query(ctx, "intents", "", func() {
		for _, i := range r.intents {
			list = append(list, &i)
		}
		sort.Slice(list, func(i, j int) bool { return list[i].ID < list[j].ID })
	})
	return list, err
}

// Commit implements syncer.State.
func (r *Record) Commit(ctx context.Context, batch mail.Batch) error {
	return r.w.do(ctx, Call{Side: State, Name: "commit", Folder: batchFolder(batch), Detail: batchWords(batch), Effect: true, about: batchKeys(batch)}, func() error {
		next := r.clone()
		if err := next.apply(batch); err != nil {
			r.w.wrongf("commit: %v", err)
			return &mail.Fault{Scope: mail.ScopeAccount, Doing: "commit", Err: err}
		}
		for _, i := range batch.AddIntents {
			i.ID = next.nextID()
			next.intents[i.ID] = *i
		}
		for _, b := range batch.Put {
			if b.ID == 0 {
				b.ID = next.nextID()
			}
			next.rows[b.ID] = *b
		}
		if run := batch.Run; run != nil {
			if run.ID == 0 {
				run.ID = next.nextID()
			}
			next.runs[run.ID] = *run
		}
		if err := next.check(); err != nil {
			r.w.wrongf("commit: %v", err)
			return &mail.Fault{Scope: mail.ScopeAccount, Doing: "commit", Err: err}
		}
		r.recorded = next.recorded
		return nil
	})
}

func (r *Record) nextID() int64 { r.lastID++; return r.lastID }

func (r *Record) clone() *Record {
	c := *r
	c.folders, c.rows = map[mail.FolderName]mail.FolderRecord{}, map[int64]mail.Base{}
	c.intents, c.runs = map[int64]mail.Intent{}, map[int64]mail.RunRecord{}
	for k, v := range r.folders {
		c.folders[k] = v
	}
	for k, v := range r.rows {
		c.rows[k] = v
	}
	c.removing = maps.Clone(r.removing)
	for k, v := range r.intents {
		c.intents[k] = v
	}
	for k, v := range r.runs {
		c.runs[k] = v
	}
	return &c
}

// apply does the part of a batch that gives out no IDs.
func (r *Record) apply(batch mail.Batch) error {
	if batch.Identity != nil {
		r.account = *batch.Identity
	}
	for _, n := range batch.Renames {
		if err := r.rename(n); err != nil {
			return err
		}
	}
	for _, i := range batch.SettleIntents {
		if _, ok := r.intents[i.ID]; !ok {
			return fmt.Errorf("settles intent %d, which is not there", i.ID)
		}
		delete(r.intents, i.ID)
	}
	for _, b := range batch.Drop {
		delete(r.rows, b.ID)
	}
	for _, name := range batch.DropFolders {
		delete(r.folders, name)
		for id, b := range r.rows {
			if b.Folder == name {
				delete(r.rows, id)
			}
		}
	}
	for _, b := range batch.Put {
		if _, ok := r.rows[b.ID]; !ok && b.ID != 0 {
			return fmt.Errorf("updates row %d, which is not there", b.ID)
		}
	}
	for _, f := range batch.Folders {
		if f.Server == "" {
			f.Server = r.folders[f.Folder].Server
		}
		r.folders[f.Folder] = f
	}
	r.log = append(r.log[:len(r.log):len(r.log)], batch.Log...)
	if batch.Holds != nil {
		r.holds = append([]mail.Hold(nil), *batch.Holds...)
	}
	for _, b := range batch.Removing {
		r.removing[b.ID] = true
	}
	for _, b := range batch.Staying {
		delete(r.removing, b.ID)
	}
	if batch.Quarantine != nil {
		r.quarantine = slices.Clone(*batch.Quarantine)
	}
	if batch.Pause != nil {
		r.pause = *batch.Pause
	}
	return nil
}

// rename gives a folder and its rows another name.
func (r *Record) rename(n mail.FolderRename) error {
	f, ok := r.folders[n.From]
	if !ok || r.knows(n.To) {
		return fmt.Errorf("renames folder %s to %s, which are known: %v and %v", n.From, n.To, ok, r.knows(n.To))
	}
	delete(r.folders, n.From)
	f.Folder, f.Server = n.To, n.Server
	r.folders[n.To] = f
	for id, b := range r.rows {
		if b.Folder == n.From {
			b.Folder = n.To
			r.rows[id] = b
		}
	}
	return nil
}

// check tells what is wrong with the record by itself.
func (r *Record) check() error {
	taken := map[string]int64{}
	for id, b := range r.rows {
		switch {
		case b.Folder == "":
			return fmt.Errorf("row %d has no folder", id)
		case b.UID == 0 && b.Key == "":
			return fmt.Errorf("row %d has neither UID nor key", id)
		case b.RemoteOnly && (b.Key != "" || b.UID == 0):
			return fmt.Errorf("row %d is left on the server, with the key %q and UID %d", id, b.Key, b.UID)
		case b.Key != "" && b.Content.Digest.IsZero():
			return fmt.Errorf("row %d has a file and no digest", id)
		}
		places := []string{fmt.Sprintf("%s uid %d", b.Folder, b.UID), fmt.Sprintf("%s key %s", b.Folder, b.Key)}
		for i, place := range places {
			if other := taken[place]; other != 0 && (i == 0 && b.UID != 0 || i == 1 && b.Key != "") {
				return fmt.Errorf("rows %d and %d share %s", other, id, place)
			}
			taken[place] = id
		}
	}
	if r.account == (mail.Identity{}) && len(r.rows) > 0 {
		return errors.New("rows without an account identity")
	}
	return nil
}

// knows tells whether the state has a record of the folder. The lock is held or
// no run is going on.
func (r *Record) knows(name mail.FolderName) bool {
	_, ok := r.folders[name]
	return ok
}

// awaited tells whether an edit makes a message where a run has begun to make a
// copy of its content, and may not have come to it.
func (w *World) awaited(e Edit) bool {
	into := e.To
	if e.Verb == Add {
		into = e.Folder
	}
	for _, in := range w.Record.intents {
		if (e.Verb == Add || e.Verb == Copy) && in.Kind == mail.IntentUpload && in.Folder == into && sentAs(in.Content, e.Name) {
			return true
		}
	}
	return false
}

// sentAs tells whether a content is that of a message, or of a stub of it.
func sentAs(c mail.Content, name string) bool {
	whole := contentOf(Content(name))
	return c.Digest == whole.Digest || c.Whole == whole.Wire && c.Header == whole.Header
}

// remade tells whether a mailbox is another than the one the state knows.
func (w *World) remade(name mail.FolderName) bool {
	b, rec := w.Server.boxes[name], w.Record.folders[name]
	return b != nil && rec.Mark.UIDValidity != 0 && rec.Mark.UIDValidity != b.validity
}

// half tells whether an edit moves a message of which a run made the copy that
// is to take its place, and left the original, to be deleted, to a later run.
func (w *World) half(e Edit) bool {
	b := w.Server.boxes[e.Folder]
	if e.Verb != Move || b == nil {
		return false
	}
	for _, m := range b.messages {
		for _, row := range w.Record.rows {
			if NameOf(m.content) == e.Name && row.Folder == e.Folder && row.UID == m.uid && row.Key == "" && !row.RemoteOnly {
				return true
			}
		}
	}
	return false
}

// batchFolder is the folder of a batch that several lanes may commit at once, by
// which their order is told: "" for what only one does.
func batchFolder(b mail.Batch) mail.FolderName {
	for _, intents := range [][]*mail.Intent{b.AddIntents, b.SettleIntents} {
		for _, i := range intents {
			return i.Folder
		}
	}
	for _, rows := range [][]*mail.Base{b.Put, b.Drop, b.Removing, b.Staying} {
		for _, row := range rows {
			return row.Folder
		}
	}
	return ""
}

// batchKeys names the files that a batch is about.
func batchKeys(b mail.Batch) string {
	var keys []string
	for _, in := range slices.Concat(b.AddIntents, b.SettleIntents) {
		keys = append(keys, string(in.Key))
	}
	for _, row := range slices.Concat(b.Put, b.Drop, b.Removing, b.Staying) {
		keys = append(keys, string(row.Folder), string(row.Key), fmt.Sprint(row.UID))
	}
	return strings.Join(keys, " ")
}

func batchWords(b mail.Batch) string {
	s := ""
	for _, part := range []struct {
		word string
		n    int
	}{{"rename", len(b.Renames)}, {"intents", len(b.AddIntents)}, {"settle", len(b.SettleIntents)}, {"put", len(b.Put)}, {"drop", len(b.Drop)},
		{"removing", len(b.Removing)}, {"staying", len(b.Staying)},
		{"folders", len(b.Folders)}, {"drop folders", len(b.DropFolders)}, {"log", len(b.Log)}} {
		if part.n > 0 {
			s += fmt.Sprintf("%s %d ", part.word, part.n)
		}
	}
	if b.Run != nil {
		s += "run "
	}
	if b.Identity != nil {
		s += "identity "
	}
	if b.Holds != nil {
		s += "holds "
	}
	return s
}

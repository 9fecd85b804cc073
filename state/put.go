package state

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"

	"imapsync/mail"
)

// base drops and puts rows and drops folders.
//
// SQLite checks uniqueness after each statement, yet rows of one batch may
// exchange UIDs and keys. So rows are first changed in place; those that
// collide with another are taken out and put back under their ID at the end,
// when all others are where they belong. What collides then is an error.
func (t *tx) base(b mail.Batch) error {
	for _, row := range b.Drop {
		if err := t.takeOut(row.ID); err != nil {
			return err
		}
	}
	adds, err := t.changeAll(b.Put)
	if err != nil {
		return err
	}
	for _, name := range b.DropFolders {
		if err := t.dropFolder(name); err != nil {
			return inFolder(name, err)
		}
	}
	for _, row := range adds {
		if err := t.add(row); err != nil {
			return inRow(row, err)
		}
	}
	return t.count()
}

// changeAll changes in place what it can and returns the rows to be added:
// those without an ID, and those it has taken out.
func (t *tx) changeAll(put []*mail.Base) (adds []*mail.Base, err error) {
	taken := map[int64]int{}       // where in adds the row of this ID stands
	fresh := map[*mail.Base]bool{} // rows without an ID that adds has
	for _, row := range put {
		if row.ID == 0 {
			if !fresh[row] {
				fresh[row] = true
				adds = append(adds, row)
			}
			continue
		}
		if i, again := taken[row.ID]; again {
			adds[i] = row
			continue
		}
		err := t.change(row)
		if isCollision(err) {
			taken[row.ID] = len(adds)
			adds = append(adds, row)
			err = t.takeOut(row.ID)
		}
		if err != nil {
			return nil, inRow(row, err)
		}
	}
	return adds, nil
}

// change brings a row up to date in place. Most often only flags or stamps are
// new; then no index is written. Of a message that was moved the indexes of its
// content stay as they are.
func (t *tx) change(row *mail.Base) error {
	folder, err := t.folder(row.Folder)
	if err != nil {
		return err
	}
	values := baseValues(row)
	err = t.updateOne(updateInfo, append(append(values[indexed:], row.ID, folder), values[:indexed]...)...)
	if !errors.Is(err, errNoRow) {
		return err
	}
	before, err := t.folderOf(`SELECT folder FROM base WHERE id = ?`, row.ID)
	if err != nil {
		return err
	}
	moved, content := append([]any{folder}, values[:place]...), values[place:indexed]
	err = t.updateOne(updatePlace, slices.Concat(moved, values[indexed:], []any{row.ID}, content)...)
	if errors.Is(err, errNoRow) {
		err = t.updateOne(updateBase, slices.Concat(moved, values[place:], []any{row.ID})...)
	}
	if err != nil {
		return err
	}
	t.counts[before]--
	t.counts[folder]++
	return nil
}

// takeOut removes a row, if it is there.
func (t *tx) takeOut(id int64) error {
	folder, err := t.folderOf(`DELETE FROM base WHERE id = ? RETURNING folder`, id)
	if errors.Is(err, errNoRow) {
		return nil
	}
	t.counts[folder]--
	return err
}

// add inserts a row, under its ID if it has one.
func (t *tx) add(row *mail.Base) error {
	folder, err := t.folder(row.Folder)
	if err != nil {
		return err
	}
	if row.ID == 0 {
		err = t.insertNew(&row.ID, insertBase, append([]any{nil, folder}, baseValues(row)...)...)
	} else {
		err = t.exec(insertBase, append([]any{row.ID, folder}, baseValues(row)...)...)
	}
	t.counts[folder]++
	return err
}

var (
	insertBase  = insert("base", "id, folder, "+baseColumns)
	updateBase  = update("base", "folder, "+baseColumns)
	updatePlace = update("base", "folder, "+basePlace+", "+baseInfo) + sameContent
	updateInfo  = update("base", baseInfo) + ` AND folder = ? AND uid IS ? AND key IS ?` + sameContent
)

const sameContent = ` AND digest IS ? AND whole = ? AND remote_size = ? AND remote_only = ?`

// dropFolder removes a folder with its rows.
func (t *tx) dropFolder(name mail.FolderName) error {
	delete(t.folders, name)
	return t.exec(`DELETE FROM folders WHERE name = ?`, string(name))
}

// count brings up to date what the folders tell of their rows.
func (t *tx) count() error {
	for folder, n := range t.counts {
		if err := t.exec(`UPDATE folders SET base_rows = base_rows + ?,
			last_uid = ifnull((SELECT max(uid) FROM base WHERE folder = folders.id), 0) WHERE id = ?`, n, folder); err != nil {
			return err
		}
	}
	return nil
}

// folder returns the ID of a folder, which becomes known, unsettled, if it is
// not: rows are recorded as they come about, watermarks last.
func (t *tx) folder(name mail.FolderName) (int64, error) {
	if id, known := t.folders[name]; known {
		return id, nil
	}
	id, err := t.folderOf(`SELECT id FROM folders WHERE name = ?`, string(name))
	if errors.Is(err, errNoRow) {
		var result driver.Result
		if result, err = t.conn.exec(t.ctx, insert("folders", folderColumns), folderValues(mail.FolderRecord{Folder: name})...); err != nil {
			return 0, err
		}
		id, err = result.LastInsertId()
	}
	if err != nil {
		return 0, err
	}
	t.folders[name] = id
	return id, nil
}

// inRow says which row broke the schema's promises; other errors are trouble
// with the state as a whole.
func inRow(row *mail.Base, err error) error {
	switch {
	case isCollision(err):
		err = fmt.Errorf("another row of the folder has the same UID or key: %w", err)
	case !isConstraint(err) && !errors.Is(err, errNoRow):
		return err
	}
	return &mail.Fault{
		Scope: mail.ScopeFolder, Folder: row.Folder,
		Message: fmt.Sprintf("UID %d, key %q", row.UID, string(row.Key)),
		Doing:   "write state", Err: err,
	}
}

// inFolder says of which folder a record broke the schema's promises.
func inFolder(name mail.FolderName, err error) error {
	if !isConstraint(err) {
		return err
	}
	return &mail.Fault{Scope: mail.ScopeFolder, Folder: name, Doing: "write state", Err: err}
}

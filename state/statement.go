package state

import (
	"errors"
	"strings"
)

// insert is the SQL that inserts these columns.
func insert(table, columns string) string {
	n := strings.Count(columns, ",")
	return `INSERT INTO ` + table + ` (` + columns + `) VALUES (?` + strings.Repeat(", ?", n) + `)`
}

// update is the SQL that sets these columns of the row with the ID that
// follows their values.
func update(table, columns string) string {
	return `UPDATE ` + table + ` SET ` + strings.ReplaceAll(columns, ",", " = ?,") + ` = ? WHERE id = ?`
}

// assignExcluded sets each column to what the refused INSERT had for it.
func assignExcluded(columns string) string {
	var b strings.Builder
	for i, name := range strings.Split(columns, ",") {
		if i > 0 {
			b.WriteString(", ")
		}
		name = strings.TrimSpace(name)
		b.WriteString(name + " = excluded." + name)
	}
	return b.String()
}

func (t *tx) exec(query string, args ...any) error {
	_, err := t.conn.exec(t.ctx, query, args...)
	return err
}

// errNoRow says that the caller knows a row which is not in the state.
var errNoRow = errors.New("the state has no such row")

// folderOf runs a query that answers with the ID of a folder.
func (t *tx) folderOf(query string, arg any) (id int64, err error) {
	found := false
	err = t.conn.query(t.ctx, query, []any{arg}, func(c *columns) { id, found = c.int(), true })
	if err == nil && !found {
		err = errNoRow
	}
	return id, err
}

// insertNew inserts a row and tells its ID.
func (t *tx) insertNew(id *int64, query string, args ...any) error {
	result, err := t.conn.exec(t.ctx, query, args...)
	if err != nil {
		return err
	}
	if *id, err = result.LastInsertId(); err != nil {
		return err
	}
	t.assigned = append(t.assigned, id)
	return nil
}

// updateOne changes exactly one row.
func (t *tx) updateOne(query string, args ...any) error {
	result, err := t.conn.exec(t.ctx, query, args...)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return errNoRow
}

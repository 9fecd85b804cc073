package state

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"imapsync/mail"
)

// columnsOf is the schema of a state in comparable form: every column of every
// table and every index, whatever the spelling of the SQL that made them.
func columnsOf(t *testing.T, d *DB) []string {
	t.Helper()
	list, err := list(context.Background(), d, "", `
		SELECT format('%s.%s %s notnull=%d default=%Q pk=%d', m.name, c.name, c.type, c."notnull", c.dflt_value, c.pk)
		FROM sqlite_schema m, pragma_table_xinfo(m.name) c WHERE m.type = 'table'
		UNION ALL SELECT format('%s index unique=%d origin=%s partial=%d: %s', m.name, i."unique", i.origin, i.partial,
			(SELECT group_concat(coalesce(x.name, '?')) FROM pragma_index_xinfo(i.name) x))
		FROM sqlite_schema m, pragma_index_list(m.name) i WHERE m.type = 'table'
		ORDER BY 1`, nil, func(c *columns) string { return c.text() })
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Each version that was ever released has its fixture, testdata/vN.sql: a dump
// with at least one row in every table. All come out alike, with their rows.
func TestUpgradeFromEveryVersion(t *testing.T) {
	fixtures, err := filepath.Glob("testdata/v*.sql")
	if err != nil || len(fixtures) != latest {
		t.Fatalf("%d fixtures for %d versions (%v)", len(fixtures), latest, err)
	}
	want := columnsOf(t, newState(t))
	for _, fixture := range fixtures {
		t.Run(filepath.Base(fixture), func(t *testing.T) {
			dump, err := os.ReadFile(fixture)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "work.db")
			runSQL(t, path, string(dump))
			d := openState(t, path)
			if got := columnsOf(t, d); !reflect.DeepEqual(got, want) {
				t.Errorf("schema\n got %s\nwant %s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			ctx := context.Background()
			account, err1 := d.Account(ctx)
			folders, err2 := d.Folders(ctx)
			intents, err3 := d.Intents(ctx)
			holds, err4 := d.Holds(ctx)
			runs, err5 := d.Runs(ctx, 9)
			history, err6 := d.History(ctx, Trail{})
			for _, err := range []error{err1, err2, err3, err4, err5, err6} {
				if err != nil {
					t.Error(err)
				}
			}
			if account.Marker == "" || len(folders) != 1 || folders[0].Rows != 2 || folders[0].LastUID != 2 || len(intents) != 2 ||
				len(holds) != 1 || len(runs) != 1 || len(history) != 1 {
				t.Errorf("rows lost: %v %v %v %v %v %v", account, folders, intents, holds, runs, history)
			}
			if told := account.Layout != ""; told != (fixture >= "testdata/v7.sql") {
				t.Errorf("layout %q", account.Layout)
			}
			left := fixture >= "testdata/v4.sql" // where what a limit left on the server begins
			if f := folders[0]; left != (f.RemoteOnly == 1) || left != (f.Extent != "") || left == f.Trimmed.IsZero() {
				t.Errorf("folder %+v", f)
			}
			if fixture != "testdata/v1.sql" { // where quarantine and pause begin
				set, err1 := d.Quarantine(ctx)
				pause, err2 := d.Pause(ctx)
				removing, err := d.Removing(ctx)
				if err != nil || len(removing) != 1 || removing[0].UID != 1 {
					t.Errorf("removals %v, %v", removing, err)
				}
				if err1 != nil || err2 != nil || len(set) != 1 || set[0].Tries != 2 || pause.Said == "" {
					t.Errorf("set aside %v, %v (%v, %v)", set, pause, err1, err2)
				}
			}
			full := row("INBOX", 1, "a")
			if rows := rowsOf(t, d, "INBOX"); len(rows) != 2 || !same(rows[0], full) || rows[1].Key != "" || rows[1].RemoteOnly != left {
				t.Errorf("rows %+v", rows)
			}
			if found, err := d.RowsOf(ctx, []mail.Digest{full.Content.Digest}); err != nil || len(found) != 1 {
				t.Errorf("found by content: %v, %v", found, err)
			}
		})
	}
}

func TestUpgradeIsWholeOrNothing(t *testing.T) {
	ctx := context.Background()
	path := closedState(t)
	version := func() (v, tables int) {
		db := connected(t, path, reading)
		defer db.Close()
		if err := db.query(ctx, `SELECT (SELECT user_version FROM pragma_user_version),
			(SELECT count(*) FROM sqlite_schema WHERE name LIKE 'step%')`, nil,
			func(c *columns) { v, tables = int(c.int()), int(c.int()) }); err != nil {
			t.Fatal(err)
		}
		return v, tables
	}
	steps := append([]string{}, migrations...)
	steps = append(steps, "CREATE TABLE step1 (x) STRICT; CREATE TABLE step2 (x INTEGER) STRICT") // x has no type
	db := connected(t, path, writing)
	if err := upgrade(ctx, db, latest, steps); err == nil {
		t.Error("a wrong step worked")
	}
	if v, tables := version(); v != latest || tables != 0 {
		t.Errorf("after a failed upgrade: version %d, %d new tables", v, tables)
	}
	steps[latest] = "CREATE TABLE step1 (x INTEGER) STRICT"
	steps = append(steps, "CREATE TABLE step2 (x INTEGER) STRICT; DROP TABLE step1")
	if err := upgrade(ctx, db, latest, steps); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if v, tables := version(); v != latest+2 || tables != 1 {
		t.Errorf("after two steps: version %d, %d new tables", v, tables)
	}
}

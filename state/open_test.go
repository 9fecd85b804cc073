package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"imapsync/mail"
)

// closedState makes a state with some rows, closes it and returns its path.
func closedState(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "work.db")
	d, err := Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	var batch mail.Batch
	for i := range 50 {
		batch.Put = append(batch.Put, row("INBOX", mail.UID(i+1), mail.Key(fmt.Sprint("k", i))))
	}
	commit(t, d, batch)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func connected(t testing.TB, path string, how url.Values) *conn {
	t.Helper()
	c, err := connect(context.Background(), path, how)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// runSQL runs SQL on a file as another program would.
func runSQL(t testing.TB, path, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statements); err != nil {
		t.Fatal(err)
	}
}

// overwrite changes bytes of a file.
func overwrite(t testing.TB, path string, at int64, bytes string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteAt([]byte(bytes), at)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsNoUsableStateIsLeftAlone(t *testing.T) {
	write := func(content string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		spoil func(t *testing.T, path string)
		err   string
		hint  string
	}{
		"newer version": {func(t *testing.T, path string) { runSQL(t, path, "PRAGMA user_version = 99") },
			fmt.Sprintf("it has version 99, this program knows versions up to %d", latest), "use the newer imapsync"},
		"newer version in the log": {func(t *testing.T, path string) {
			// The log of a newer program that was killed before folding it in.
			newer := filepath.Join(t.TempDir(), "newer.db")
			copyFile(t, path, newer)
			db := connected(t, newer, writing)
			defer db.Close()
			if _, err := db.exec(context.Background(), "PRAGMA user_version = 99"); err != nil {
				t.Fatal(err)
			}
			copyFile(t, newer+"-wal", path+"-wal")
		}, "it has version 99", "use the newer imapsync"},
		"version 0":       {func(t *testing.T, path string) { runSQL(t, path, "PRAGMA user_version = 0") }, "version 0", hintDamaged},
		"another program": {func(t *testing.T, path string) { runSQL(t, path, "PRAGMA application_id = 7") }, "another program", hintForeign},
		"plain database": {func(t *testing.T, path string) {
			os.Remove(path)
			runSQL(t, path, "CREATE TABLE t (x); INSERT INTO t VALUES (1)")
		}, "another program", hintForeign},
		"empty file":   {write(""), "empty", hintDamaged},
		"random bytes": {write(strings.Repeat("\x8f\x01random", 999)), "not a database", hintDamaged},
		"text":         {write("From: me\n\nhello\n"), "not a database", hintDamaged},
		"header alone": {func(t *testing.T, path string) {
			if err := os.Truncate(path, 100); err != nil {
				t.Fatal(err)
			}
		}, "", hintDamaged},
		"cut short": {func(t *testing.T, path string) {
			if err := os.Truncate(path, 3*4096); err != nil {
				t.Fatal(err)
			}
		}, "malformed", hintDamaged},
		"schema overwritten": {func(t *testing.T, path string) { overwrite(t, path, 100, strings.Repeat("\xff", 3000)) }, "", hintDamaged},
		"directory": {func(t *testing.T, path string) {
			if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
				t.Fatal(err)
			}
		}, "directory", hintForeign},
	} {
		t.Run(name, func(t *testing.T) {
			path := closedState(t)
			c.spoil(t, path)
			before := image(t, filepath.Dir(path))
			for how, open := range map[string]func(context.Context, string) (*DB, error){"Open": Open, "OpenReadOnly": OpenReadOnly} {
				d, err := open(context.Background(), path)
				var f *mail.Fault
				if !errors.As(err, &f) || f.Scope != mail.ScopeAccount || f.Class != mail.ClassFailed ||
					!strings.Contains(f.Err.Error(), c.err) || !strings.Contains(f.Hint, c.hint) || !strings.Contains(err.Error(), path) {
					t.Errorf("%s: %v", how, err)
				}
				if err == nil {
					d.Close()
				}
			}
			after := image(t, filepath.Dir(path))
			delete(after, "work.db-shm") // an index of the log that readers share
			if !reflect.DeepEqual(before, after) {
				t.Error("files changed")
			}
		})
	}
}

// TestHeaderIsBelievedAlone: the version is read from the file itself only while
// no log lies beside it that could say otherwise.
func TestHeaderIsBelievedAlone(t *testing.T) {
	path := closedState(t)
	if !ofToday(path) {
		t.Error("a state of today is not known by its header")
	}
	if err := os.WriteFile(path+"-wal", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if ofToday(path) {
		t.Error("the header is believed beside a log")
	}
	if err := os.Remove(path + "-wal"); err != nil {
		t.Fatal(err)
	}
	runSQL(t, path, "PRAGMA user_version = 1")
	if ofToday(path) {
		t.Error("an old version is taken for that of today")
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Damage beyond what Open looks at is found by whoever comes upon it.
func TestDamageWithin(t *testing.T) {
	path := closedState(t)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	digest := row("INBOX", 11, "k10").Content.Digest
	at := strings.Index(string(data), string(digest[:])) // in a page of rows
	overwrite(t, path, int64(at/4096*4096), strings.Repeat("\xa5", 4096))
	before := image(t, filepath.Dir(path))
	d, err := OpenReadOnly(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	_, rows := d.Rows(context.Background(), "INBOX")
	for what, err := range map[string]error{"rows": rows, "check": d.Check(context.Background())} {
		var f *mail.Fault
		if !errors.As(err, &f) || f.Scope != mail.ScopeAccount || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if !reflect.DeepEqual(before, image(t, filepath.Dir(path))) {
		t.Error("files changed")
	}
}

func TestCheckFindsContradictions(t *testing.T) {
	const withoutUnique = `PRAGMA writable_schema = 1;
		DELETE FROM sqlite_schema WHERE name LIKE 'sqlite_autoindex_base%';
		UPDATE sqlite_schema SET sql = replace(replace(sql, 'UNIQUE (folder, uid),', ''), 'UNIQUE (folder, key),', '') WHERE name = 'base'`
	for want, statements := range map[string][]string{
		"counts its rows":       {`UPDATE folders SET base_rows = 7`},
		"tells its highest UID": {`UPDATE folders SET last_uid = 7`},
		"in a known folder":     {`PRAGMA foreign_keys = 0; UPDATE base SET folder = 99 WHERE id = 1`},
		"has a mark":            {`UPDATE folders SET settled = 1`},
		"names what it makes":   {`INSERT INTO intents SELECT 1, 'download', 'INBOX', NULL, 'k', ':', NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, NULL, 1, 1, NULL, NULL, NULL, 0`},
		"an upload its content": {`INSERT INTO intents SELECT 1, 'upload', 'INBOX', NULL, 'k', ':', NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, NULL, 1, 1, NULL, NULL, NULL, 0`},
		"make the same file":    {`INSERT INTO intents SELECT id, 'download', 'INBOX', id, 'k', ':', NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, NULL, 1, 1, NULL, NULL, NULL, 0 FROM base LIMIT 2`},
		"leaves on the server":  {`UPDATE base SET remote_only = 1 WHERE id = 1`},
		"32 bits":               {`UPDATE base SET uid = 4294967296 WHERE id = 1`},
		"not all of them zero":  {`UPDATE base SET body = zeroblob(32) WHERE id = 1`},
		"digest has 32 bytes":   {`PRAGMA ignore_check_constraints = 1; UPDATE base SET header = x'00' WHERE id = 1`},
		"a UID or a key":        {`PRAGMA ignore_check_constraints = 1; UPDATE base SET uid = NULL, key = NULL WHERE id = 1`},
		"form that is written":  {`UPDATE base SET flags = '\Seen' WHERE id = 1`},
		"the same UID":          {withoutUnique, `UPDATE base SET uid = 5`},
		"time and an action":    {`INSERT INTO history SELECT 1, 1, 1, 'INBOX', NULL, NULL, '', '', '', 0`},
		"the file is sound": {
			`DROP INDEX base_digest; CREATE INDEX base_digest ON base (substr(digest, 1, 8)) WHERE uid < 10`,
			`PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = replace(sql, 'uid < 10', 'uid > 10') WHERE name = 'base_digest'`,
		},
		"is in a known folder": {`PRAGMA foreign_keys = 0; DELETE FROM folders`},
		"the same key":         {withoutUnique, `UPDATE base SET key = 'k'`},
	} {
		t.Run(want, func(t *testing.T) {
			path := closedState(t)
			for _, s := range statements { // each on its own connection, which reads the schema anew
				runSQL(t, path, s)
			}
			d, err := OpenReadOnly(context.Background(), path)
			if err == nil {
				defer d.Close()
				err = d.Check(context.Background())
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("check: %v", err)
			}
		})
	}
}

func TestReadOnlyOfNothing(t *testing.T) {
	dir := t.TempDir()
	d, err := OpenReadOnly(context.Background(), filepath.Join(dir, "sub", "work.db"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	account, err1 := d.Account(ctx)
	folders, err2 := d.Folders(ctx)
	rows, err3 := d.Rows(ctx, "INBOX")
	intents, err4 := d.Intents(ctx)
	found, err5 := d.RowsOf(ctx, []mail.Digest{digestOf("x")})
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		t.Error(err)
	}
	if account != (mail.Identity{}) || len(folders)+len(rows)+len(intents)+len(found) != 0 {
		t.Error("it is not empty")
	}
	checked(t, d)
	if err := d.Commit(ctx, mail.Batch{Run: &mail.RunRecord{}}); mail.ScopeOf(err) != mail.ScopeAccount {
		t.Errorf("commit: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if left := names(t, dir); len(left) != 0 {
		t.Errorf("it made %v", left)
	}
}

func TestReadOnlyChangesNothing(t *testing.T) {
	path := closedState(t)
	before := image(t, filepath.Dir(path))
	d, err := OpenReadOnly(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	if got := rowsOf(t, d, "INBOX"); len(got) != 50 {
		t.Errorf("%d rows", len(got))
	}
	checked(t, d)
	if err := d.Commit(context.Background(), mail.Batch{Put: []*mail.Base{row("INBOX", 99, "new")}}); err == nil {
		t.Error("commit worked")
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if after := image(t, filepath.Dir(path)); !reflect.DeepEqual(before, after) {
		t.Error("files changed")
	}
}

// A reader sees what is committed while a run writes, whether the run began
// before it, or begins, ends, and begins again meanwhile.
func TestReadOnlyWhileAnotherWrites(t *testing.T) {
	path := closedState(t)
	ctx := context.Background()
	early, err := OpenReadOnly(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	if got := len(rowsOf(t, early, "INBOX")); got != 50 {
		t.Fatalf("%d rows", got)
	}
	for i := range 3 {
		writer, err := Open(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		uid := mail.UID(1000 + 2*i)
		commit(t, writer, mail.Batch{Put: []*mail.Base{row("INBOX", uid, mail.Key(fmt.Sprint(uid)))}})
		late, err := OpenReadOnly(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		for name, d := range map[string]*DB{"early": early, "late": late} {
			if got := len(rowsOf(t, d, "INBOX")); got != 51+2*i {
				t.Errorf("%s: %d rows while the run writes, want %d", name, got, 51+2*i)
			}
		}
		commit(t, writer, mail.Batch{Put: []*mail.Base{row("INBOX", uid+1, mail.Key(fmt.Sprint(uid+1)))}})
		if err := writer.Close(); err != nil {
			t.Fatal(err)
		}
		for name, d := range map[string]*DB{"early": early, "late": late} {
			if got := len(rowsOf(t, d, "INBOX")); got != 52+2*i {
				t.Errorf("%s: %d rows after the run, want %d", name, got, 52+2*i)
			}
		}
		late.Close()
	}
}

func TestOpenFollowsALink(t *testing.T) {
	path := closedState(t)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	d := openState(t, link)
	if d.path != path || len(rowsOf(t, d, "INBOX")) != 50 {
		t.Errorf("opened %s", d.path)
	}
}

func TestOddPaths(t *testing.T) {
	for _, name := range []string{"a b", "q?mode=memory", "h#x", "p%41", "ä&b=c", "semi;colon", `back\slash`} {
		path := filepath.Join(t.TempDir(), name, name+".db")
		d := openState(t, path)
		commit(t, d, mail.Batch{Put: []*mail.Base{row("INBOX", 1, "a")}})
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

// What a killed creation left behind is no hindrance.
func TestLeftoverOfCreation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "work.db")
	for _, left := range []string{".new", ".new-wal", ".new-shm"} {
		if err := os.WriteFile(path+left, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := openState(t, path)
	commit(t, d, mail.Batch{Put: []*mail.Base{row("INBOX", 1, "a")}})
	if got, want := names(t, filepath.Dir(path)), []string{"work.db", "work.db-shm", "work.db-wal"}; !reflect.DeepEqual(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
}

func TestSecondNameLeftByCreation(t *testing.T) {
	path := closedState(t)
	other := path + ".new"
	if err := os.Link(path, other); err != nil {
		t.Fatal(err)
	}
	reopen := func() {
		t.Helper()
		d, err := Open(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	reopen()
	if _, err := os.Lstat(other); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the second name is still there: %v", err)
	}
	if err := os.WriteFile(other, []byte("somebody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	reopen()
	if text, err := os.ReadFile(other); err != nil || string(text) != "somebody's" {
		t.Errorf("another file of that name: %q, %v", text, err)
	}
}

package state

import (
	"context"
	"errors"
	"fmt"
)

// invariants are what must hold between the rows: a sentence, and a query whose
// rows say where it does not hold. Some repeat the schema's CHECKs, which
// SQLite's own check passes over when the file was opened for reading.
var invariants = []struct{ holds, offenders string }{
	{"the file is sound",
		`SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'`},
	{"every row is in a known folder",
		`SELECT format('row %d: folder %d', id, folder) FROM base WHERE folder NOT IN (SELECT id FROM folders)`},
	{"no two rows of a folder have the same UID",
		`SELECT format('folder %d: UID %d', folder, uid) FROM base NOT INDEXED
		WHERE uid IS NOT NULL GROUP BY folder, uid HAVING count(*) > 1`},
	{"no two rows of a folder have the same key",
		`SELECT format('folder %d: key %Q', folder, key) FROM base NOT INDEXED
		WHERE key IS NOT NULL GROUP BY folder, key HAVING count(*) > 1`},
	{"every row has a UID or a key",
		`SELECT format('row %d', id) FROM base WHERE coalesce(uid, 0) = 0 AND coalesce(key, '') = ''`},
	{"what a limit leaves on the server has a UID and no file",
		`SELECT format('row %d', id) FROM base WHERE remote_only = 1 AND (uid IS NULL OR key IS NOT NULL)`},
	{"a UID has 32 bits",
		`SELECT format('row %d: UID %d', id, uid) FROM base WHERE uid NOT BETWEEN 1 AND 4294967295`},
	{"a digest has 32 bytes, not all of them zero",
		`SELECT format('row %d', id) FROM base
		WHERE zeroblob(32) IN (digest, header, body)
		OR length(digest) <> 32 OR length(header) <> 32 OR length(body) <> 32`},
	{"flags are in the form that is written",
		`SELECT format('row %d: flags %Q', id, flags) FROM base WHERE flags NOT LIKE ':%'
		UNION ALL SELECT format('intent %d: flags %Q', id, flags) FROM intents WHERE flags NOT LIKE ':%'`},
	{"a folder counts its rows",
		`SELECT format('folder %Q: %d', name, base_rows) FROM folders
		WHERE base_rows <> (SELECT count(*) FROM base WHERE folder = folders.id)`},
	{"a folder tells its highest UID",
		`SELECT format('folder %Q: %d', name, last_uid) FROM folders
		WHERE last_uid <> ifnull((SELECT max(uid) FROM base WHERE folder = folders.id), 0)`},
	{"a settled folder has a mark",
		`SELECT format('folder %Q', name) FROM folders WHERE settled = 1 AND (uidvalidity = 0 OR uidnext = 0)`},
	{"an intent names what it makes and where: a download its key and UID, an upload its content and UIDVALIDITY",
		`SELECT format('intent %d: %s into %Q', id, kind, folder) FROM intents
		WHERE folder = '' OR kind NOT IN ('download', 'upload')
		OR (kind = 'download' AND (key IS NULL OR uid IS NULL))
		OR (kind = 'upload' AND (digest IS NULL OR uidvalidity = 0))`},
	{"no two intents make the same file",
		`SELECT format('folder %Q: key %Q', folder, key) FROM intents
		WHERE kind = 'download' GROUP BY folder, key HAVING count(*) > 1`},
	{"what is set aside is a message that was tried",
		`SELECT format('quarantine %d', id) FROM quarantine WHERE folder = '' OR tries < 1 OR (uid IS NULL) = (key IS NULL)`},
	{"history tells of a time and an action",
		`SELECT format('entry %d', id) FROM history WHERE folder = '' OR action = ''`},
}

// Check reports what is wrong with the state: a damaged file, or rows that
// contradict each other. It reads all of it, in about two seconds for 100,000
// messages. A sound state, and one opened for reading where there is none,
// gives nil.
func (d *DB) Check(ctx context.Context) error {
	var wrong []error
	for _, i := range invariants {
		found, err := list(ctx, d, "check state", i.offenders+" LIMIT 3", nil, func(c *columns) string { return c.text() })
		if err != nil {
			return err
		}
		for _, where := range found {
			wrong = append(wrong, fmt.Errorf("not so: %s (%s)", i.holds, where))
		}
	}
	return fault("check state", d.path, errors.Join(wrong...))
}

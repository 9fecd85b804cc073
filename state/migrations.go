package state

import (
	"context"
	_ "embed"
	"fmt"
)

// applicationID marks our files among all of SQLite's: "imsy" in ASCII.
const applicationID = 0x696d7379

// schema is the state as it is made today.
//
//go:embed schema.sql
var schema string

// migrations is indexed by user_version: the SQL there brings a state of that
// version to the next. What a migration does, schema.sql says too, so that an
// old state brought up to date and a new one are alike. Nothing was ever
// written with version 0.
var migrations = []string{
	0: "",
	1: `
CREATE INDEX base_draft ON base (folder) WHERE instr(substr(flags, 1, instr(flags || ' ', ' ')), 'D') > 0;
CREATE TABLE removals (
    row INTEGER PRIMARY KEY REFERENCES base (id) ON DELETE CASCADE
) STRICT;
CREATE TABLE quarantine (
    id          INTEGER PRIMARY KEY,
    folder      TEXT    NOT NULL,
    uid         INTEGER CHECK (uid > 0),
    uidvalidity INTEGER NOT NULL,
    key         TEXT    CHECK (key <> ''),
    digest      BLOB    CHECK (length(digest) = 32),
    tries       INTEGER NOT NULL CHECK (tries > 0),
    since       INTEGER NOT NULL,
    retry       INTEGER NOT NULL,
    error       TEXT    NOT NULL,
    CHECK (uid IS NOT NULL OR key IS NOT NULL)
) STRICT;
CREATE TABLE pause (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    until INTEGER NOT NULL,
    said  TEXT    NOT NULL
) STRICT;`,
	2: `
CREATE INDEX base_size ON base (remote_size) WHERE remote_size > 0;
ALTER TABLE folders ADD COLUMN server TEXT NOT NULL DEFAULT '';
ALTER TABLE folders ADD COLUMN read_only INTEGER NOT NULL DEFAULT 0 CHECK (read_only IN (0, 1));`,
	3: `
ALTER TABLE folders ADD COLUMN extent TEXT NOT NULL DEFAULT '';
ALTER TABLE folders ADD COLUMN trimmed INTEGER;
ALTER TABLE base ADD COLUMN remote_only INTEGER NOT NULL DEFAULT 0 CHECK (remote_only IN (0, 1));
ALTER TABLE base ADD COLUMN whole INTEGER NOT NULL DEFAULT 0;
ALTER TABLE intents ADD COLUMN whole INTEGER NOT NULL DEFAULT 0;
CREATE INDEX base_remote_only ON base (folder) WHERE remote_only = 1;
CREATE INDEX base_stub ON base (folder) WHERE whole > 0 AND remote_only = 0;`,
	4: `
ALTER TABLE folders ADD COLUMN last_uid INTEGER NOT NULL DEFAULT 0;
UPDATE folders SET last_uid = ifnull((SELECT max(uid) FROM base WHERE folder = folders.id), 0);`,
	5: `
CREATE INDEX base_deleted ON base (folder) WHERE instr(substr(flags, 1, instr(flags || ' ', ' ')), 'T') > 0;`,
	6: `
ALTER TABLE account ADD COLUMN layout TEXT NOT NULL DEFAULT '';`,
}

// latest is the version written today.
var latest = len(migrations)

// stamp says in SQL whose file this is and of which version.
func stamp(version int) string {
	return fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, version)
}

// upgrade brings a state from its version to that after the last step, in one
// transaction.
func upgrade(ctx context.Context, c *conn, version int, steps []string) error {
	if version == len(steps) {
		return nil
	}
	return c.within(ctx, func() error {
		for ; version < len(steps); version++ {
			if _, err := c.exec(ctx, steps[version]); err != nil {
				return fmt.Errorf("upgrade from version %d: %w", version, err)
			}
		}
		_, err := c.exec(ctx, stamp(version))
		return err
	})
}

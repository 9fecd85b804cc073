PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE account (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    marker TEXT    NOT NULL,
    server TEXT    NOT NULL, -- host:port
    user   TEXT    NOT NULL,
    layout TEXT    NOT NULL DEFAULT '' -- of the Maildir, in words; '' when it was not recorded
) STRICT;
INSERT INTO account VALUES(1,'6f1c2d','imap.example.org:993','me@example.org','flat, separator .');
CREATE TABLE folders (
    id          INTEGER PRIMARY KEY,
    name        TEXT    NOT NULL UNIQUE, -- UTF-8, "/" between components
    settled     INTEGER NOT NULL CHECK (settled IN (0, 1)),
    -- the mark: what SELECT said before our own changes
    uidvalidity INTEGER NOT NULL,
    uidnext     INTEGER NOT NULL,
    messages    INTEGER NOT NULL,
    modseq      INTEGER NOT NULL, -- HIGHESTMODSEQ, 0 without CONDSTORE
    -- the stamp: device, inode and change time of cur and new, and when that was read
    cur_dev     INTEGER NOT NULL,
    cur_ino     INTEGER NOT NULL,
    cur_ctime   INTEGER NOT NULL,
    new_dev     INTEGER NOT NULL,
    new_ino     INTEGER NOT NULL,
    new_ctime   INTEGER NOT NULL,
    taken       INTEGER NOT NULL,
    full_check  INTEGER,          -- when it was last compared in full
    base_rows   INTEGER NOT NULL DEFAULT 0, -- rows of base, kept by each transaction
    server      TEXT    NOT NULL DEFAULT '', -- what the server calls it, as the key rename knows it; '' is the same
    read_only   INTEGER NOT NULL DEFAULT 0 CHECK (read_only IN (0, 1)), -- the server denied something in it
    extent      TEXT    NOT NULL DEFAULT '', -- the limits last applied to all of the folder, '' for none
    trimmed     INTEGER,          -- when that was
    last_uid    INTEGER NOT NULL DEFAULT 0 -- the highest in base, kept by each transaction
) STRICT;
INSERT INTO folders VALUES(1,'INBOX',1,3,9,2,77,1,2,3,1,3,4,1700000000000000000,1700000000123,2,'',1,'1000 messages',1700000000123,2);
CREATE TABLE base (
    id          INTEGER PRIMARY KEY,
    folder      INTEGER NOT NULL REFERENCES folders (id) ON DELETE CASCADE,
    uid         INTEGER CHECK (uid > 0), -- NULL until the server has told it
    key         TEXT    CHECK (key <> ''), -- file name before ":2,"; NULL while there is no file
    flags       TEXT    NOT NULL,
    -- SHA-256 of the message with LF line ends, of its header block without the
    -- fields that sync tools add, and of what follows the header block
    digest      BLOB    CHECK (length(digest) = 32),
    header      BLOB    CHECK (length(header) = 32),
    body        BLOB    CHECK (length(body) = 32),
    size        INTEGER NOT NULL, -- bytes with LF line ends
    wire        INTEGER NOT NULL, -- bytes with CR LF line ends
    net         INTEGER NOT NULL, -- wire without the fields left out of header
    fields      INTEGER NOT NULL, -- header fields in header
    whole       INTEGER NOT NULL DEFAULT 0, -- of a stub: the announced size of what it stands for
    remote_size INTEGER NOT NULL, -- RFC822.SIZE as announced, right or wrong; 0 when never
    date        INTEGER,          -- INTERNALDATE
    file_size   INTEGER NOT NULL, -- of the file when its content was last read,
    file_mtime  INTEGER NOT NULL, -- and its mtime: another mtime means edited in place
    remote_only INTEGER NOT NULL DEFAULT 0 CHECK (remote_only IN (0, 1)),
    UNIQUE (folder, uid),
    UNIQUE (folder, key),
    CHECK (uid IS NOT NULL OR key IS NOT NULL)
) STRICT;
INSERT INTO base VALUES(1,1,1,'a',':FS $Label1 todo',X'472fd570d58cedd5311b92d748f795aeffc472b510c6f28411082daf2cb274aa',X'5e2f61207aa094899903bd357daafc8de305207c3cd409c8c00856390c980160',X'0c29273deb1cbfc8cb596c9dab6a7c11a368e4ed2f9f9ee7bd79899a8290290f',4711,4800,4700,12,0,4801,1709251199,4711,1709251199123456789,0);
INSERT INTO base VALUES(2,1,2,NULL,':',NULL,NULL,NULL,0,0,0,0,0,2147483648,NULL,0,0,1);
CREATE TABLE intents (
    id          INTEGER PRIMARY KEY,
    kind        TEXT    NOT NULL CHECK (kind IN ('download', 'upload')),
    folder      TEXT    NOT NULL,
    uid         INTEGER, -- download: the message fetched
    key         TEXT,    -- download: the file to be made; upload: the file sent
    flags       TEXT    NOT NULL,
    digest      BLOB    CHECK (length(digest) = 32),
    header      BLOB    CHECK (length(header) = 32),
    body        BLOB    CHECK (length(body) = 32),
    size        INTEGER NOT NULL,
    wire        INTEGER NOT NULL,
    net         INTEGER NOT NULL,
    fields      INTEGER NOT NULL,
    whole       INTEGER NOT NULL DEFAULT 0,
    remote_size INTEGER NOT NULL,
    date        INTEGER,
    uidvalidity INTEGER NOT NULL,
    uidnext     INTEGER NOT NULL, -- upload: the copy has this UID or a higher one
    -- an upload may take its file over from another row: its id and folder, and
    -- its message on the server, which is to be deleted, or is new, then
    replaces      INTEGER,
    replaces_in   TEXT,
    replaces_uid  INTEGER,
    drop_replaced INTEGER NOT NULL CHECK (drop_replaced IN (0, 1))
) STRICT;
INSERT INTO intents VALUES(1,'download','INBOX',8,'k8',':S',NULL,NULL,NULL,0,0,0,0,0,100,1700000000,3,0,NULL,NULL,NULL,0);
INSERT INTO intents VALUES(2,'upload','Sent',NULL,'s',':',X'6dfb6ceb5029b00a35506688782eb2cada01cce48cfaf582dfe7843192c1947e',X'5e2066b11ea15c00bc1e9f747752a42a8909a311bdf03b5dcc249efc50a6ebe0',X'a8d6061afd182864b9b93bf9e722d3e498fa8676b9a0c7b3a39cc684dc4d324f',4711,4800,4700,12,0,0,1700000000,4,5,2,'INBOX',2,0);
CREATE TABLE holds (
    id     INTEGER PRIMARY KEY,
    side   TEXT    NOT NULL CHECK (side IN ('local', 'remote')), -- which would lose the messages
    folder TEXT    NOT NULL,
    count  INTEGER NOT NULL,
    reason TEXT    NOT NULL,
    since  INTEGER NOT NULL
) STRICT;
INSERT INTO holds VALUES(1,'remote','INBOX',120,'more than 100 messages and more than 25% of the account',1700000000123);
CREATE TABLE runs (
    id       INTEGER PRIMARY KEY,
    started  INTEGER NOT NULL,
    finished INTEGER,
    outcome  TEXT    NOT NULL, -- done, failed, held, interrupted; '' while it runs
    error    TEXT    NOT NULL, -- the first error in words
    counts   TEXT    NOT NULL CHECK (json_valid(counts)) -- operations by kind
) STRICT;
INSERT INTO runs VALUES(1,1700000000123,1700000001123,'held','','{"flags":1}');
CREATE TABLE history (
    id       INTEGER PRIMARY KEY,
    run      INTEGER NOT NULL, -- runs.id
    time     INTEGER NOT NULL,
    folder   TEXT    NOT NULL,
    uid      INTEGER,
    key      TEXT,
    action   TEXT    NOT NULL,
    rule     TEXT    NOT NULL,
    reason   TEXT    NOT NULL,
    conflict INTEGER NOT NULL CHECK (conflict IN (0, 1)) -- both sides had changed
) STRICT;
INSERT INTO history VALUES(1,1,1700000000123,'INBOX',1,'a','flags','merge','both sides changed flags',1);
CREATE INDEX base_digest ON base (substr(digest, 1, 8)) WHERE digest IS NOT NULL;
CREATE INDEX history_conflict ON history (id) WHERE conflict = 1;
CREATE TABLE removals (
    row INTEGER PRIMARY KEY REFERENCES base (id) ON DELETE CASCADE
) STRICT;
INSERT INTO removals VALUES(1);
CREATE TABLE quarantine (
    id          INTEGER PRIMARY KEY,
    folder      TEXT    NOT NULL,
    uid         INTEGER CHECK (uid > 0),
    uidvalidity INTEGER NOT NULL,
    key         TEXT    CHECK (key <> ''),
    digest      BLOB    CHECK (length(digest) = 32),
    tries       INTEGER NOT NULL CHECK (tries > 0),
    since       INTEGER NOT NULL, -- the first failure
    retry       INTEGER NOT NULL, -- not tried again before
    error       TEXT    NOT NULL, -- the last failure in words
    CHECK (uid IS NOT NULL OR key IS NOT NULL)
) STRICT;
INSERT INTO quarantine VALUES(1,'INBOX',7,3,NULL,NULL,2,1700000000000,1700000900000,'the server gives no content for it');
CREATE TABLE pause (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    until INTEGER NOT NULL,
    said  TEXT    NOT NULL
) STRICT;
INSERT INTO pause VALUES(1,1700000300000,'NO [UNAVAILABLE] try again in 5 minutes');
CREATE INDEX base_size ON base (remote_size) WHERE remote_size > 0;
CREATE INDEX base_draft ON base (folder) WHERE instr(substr(flags, 1, instr(flags || ' ', ' ')), 'D') > 0;
CREATE INDEX base_deleted ON base (folder) WHERE instr(substr(flags, 1, instr(flags || ' ', ' ')), 'T') > 0;
CREATE INDEX base_remote_only ON base (folder) WHERE remote_only = 1;
CREATE INDEX base_stub ON base (folder) WHERE whole > 0 AND remote_only = 0;
COMMIT;
PRAGMA application_id = 1768780665; PRAGMA user_version = 7;

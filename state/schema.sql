-- The state of one account: what both sides last agreed on, what was begun and
-- not yet recorded, and what earlier runs did.
--
-- Times of mail are seconds, times of ours milliseconds, times of files and
-- directories nanoseconds, all since 1970. NULL is "not known" or "none".
-- Flags are written ":FS $Label1 todo": Maildir letters after a colon, then
-- keywords.

-- Whom the state was made for: the text of the Maildir's .imapsync-id, and the
-- server and user as the configuration named them. No row before the first
-- run, one ever after; a difference means that the two sides are to be matched
-- anew and nothing deleted.
CREATE TABLE account (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    marker TEXT    NOT NULL,
    server TEXT    NOT NULL, -- host:port
    user   TEXT    NOT NULL,
    layout TEXT    NOT NULL DEFAULT '' -- of the Maildir, in words; '' when it was not recorded
) STRICT;

-- A folder under synchronisation, with the watermarks up to which both sides
-- are known to agree. They mean something only while settled is 1: everything
-- seen at that mark and stamp was carried out and recorded. When server and
-- directories still show the same, the folder need not be looked at.
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

-- A message that both sides had, or that one side had and the other was given:
-- its UID there, its file here, and the flags and content they agreed on. A
-- message that is in no row is new on whichever side it is found; a row whose
-- message is missing on one side was deleted there. But a row with remote_only
-- has no file because a limit leaves its message on the server, and the hashes of
-- what was never fetched are NULL.
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

-- Moves and copies are found by content. Eight bytes find it: a third of the
-- pages for each insertion to touch, and what else they find is sorted out.
CREATE INDEX base_digest ON base (substr(digest, 1, 8)) WHERE digest IS NOT NULL;

-- A message that another client copied to a second folder is found by its size.
CREATE INDEX base_size ON base (remote_size) WHERE remote_size > 0;

-- Drafts are looked at in every run, for mail programs rewrite them in place.
CREATE INDEX base_draft ON base (folder) WHERE instr(substr(flags, 1, instr(flags || ' ', ' ')), 'D') > 0;

-- Messages marked as deleted are looked at whenever anything in their folder
-- changed, for they may be to go.
CREATE INDEX base_deleted ON base (folder) WHERE instr(substr(flags, 1, instr(flags || ' ', ' ')), 'T') > 0;

-- What limits leave on the server is counted by folder.
CREATE INDEX base_remote_only ON base (folder) WHERE remote_only = 1;

-- So are stubs.
CREATE INDEX base_stub ON base (folder) WHERE whole > 0 AND remote_only = 0;

-- The journal: a copy about to be made that may or may not have happened when
-- the run broke off. Written before the copy; deleted in the transaction that
-- writes its base row. A download is looked for by its key; an upload by its
-- content among the UIDs from uidnext on.
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

-- Rows whose files a run was about to remove, because the server had lost the
-- messages or because a limit leaves them there. Written before the removal, gone with the row. A file of these that
-- is gone was removed by a run that was cut short, and not by the user: should
-- the server have the message after all, it is not to be deleted there.
CREATE TABLE removals (
    row INTEGER PRIMARY KEY REFERENCES base (id) ON DELETE CASCADE
) STRICT;

-- Deletions not carried out until the user confirms. Each run replaces them all.
CREATE TABLE holds (
    id     INTEGER PRIMARY KEY,
    side   TEXT    NOT NULL CHECK (side IN ('local', 'remote')), -- which would lose the messages
    folder TEXT    NOT NULL,
    count  INTEGER NOT NULL,
    reason TEXT    NOT NULL,
    since  INTEGER NOT NULL
) STRICT;

-- The runs, newest last, without those that found nothing to do. A run without
-- finished is under way or was killed.
CREATE TABLE runs (
    id       INTEGER PRIMARY KEY,
    started  INTEGER NOT NULL,
    finished INTEGER,
    outcome  TEXT    NOT NULL, -- done, failed, held, interrupted; '' while it runs
    error    TEXT    NOT NULL, -- the first error in words
    counts   TEXT    NOT NULL CHECK (json_valid(counts)) -- operations by kind
) STRICT;

-- What was done to which message, by which rule. Names are text, not
-- references: history outlives the messages and folders it tells of. Written for
-- each operation and asked about one message rarely, it has no index by message:
-- that would cost seven times the writing.
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

CREATE INDEX history_conflict ON history (id) WHERE conflict = 1;

-- Messages that the server would not give (uid, uidvalidity) or take (key,
-- digest), each left alone until retry. Each run replaces them all.
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

-- Until when the server asked to be left alone, and in which words; no row when
-- it did not.
CREATE TABLE pause (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    until INTEGER NOT NULL,
    said  TEXT    NOT NULL
) STRICT;

package mail

import (
	"io"
	"time"
)

// Identity is whom the state belongs to.
type Identity struct {
	Marker string // the text of .imapsync-id
	Server string // host:port
	User   string
	Layout string // how the Maildir's folders lie, in words; "" of a state that does not tell
}

// Batch is one transaction on the state. IDs of new rows and intents are
// filled in by Commit.
type Batch struct {
	Identity      *Identity
	AddIntents    []*Intent
	SettleIntents []*Intent // deleted
	Put           []*Base   // inserted where ID is 0, else updated
	Drop          []*Base
	Removing      []*Base        // their files are about to be removed
	Staying       []*Base        // they are not, after all
	Renames       []FolderRename // before all that follows
	Folders       []FolderRecord
	DropFolders   []FolderName // with all their rows
	Log           []Entry
	Holds         *[]Hold // when not nil, replaces all holds
	Run           *RunRecord
	Quarantine    *[]Quarantined // when not nil, replaces all of it
	Pause         *Pause         // when not nil, replaces it
}

// FolderRename gives a folder, with its rows and all else that is recorded of it,
// a name that no other folder has.
type FolderRename struct {
	From, To FolderName
	Server   FolderName // as of FolderRecord, from then on
}

// Quarantined is one message that the server would not give or take. It is left
// alone until Retry; everything else in its folder goes on.
type Quarantined struct {
	Folder      FolderName
	UID         UID    // of a message that was to be downloaded
	UIDValidity uint32 // under which it has that UID
	Key         Key    // of a file that was to be uploaded
	Digest      Digest // its content; with another content it is another message
	Tries       int
	Since       time.Time // the first failure
	Retry       time.Time
	Error       string // the last failure in words
}

// Pause says until when the server asked to be left alone, and in which words.
// The zero Pause is none.
type Pause struct {
	Until time.Time
	Said  string
}

// Entry is a line of the account's history: what was done to which message, by
// which rule.
type Entry struct {
	Run      int64
	Time     time.Time
	Folder   FolderName
	Key      Key
	UID      UID
	Action   string // plan.Kind in words, or one of those below
	Rule     string
	Reason   string
	Conflict bool
}

// What the history calls lines that are no operation of a plan.
const (
	ActionUndo   = "undo"   // a kept file was put back; Run is the run that had removed it
	ActionRepair = "repair" // a verification dropped what the state had wrong of the message
	// ActionLeft stands directly before the line of an operation that gave the
	// message another folder, UID or key, and says which it had before.
	ActionLeft = "left"
)

// Kept is a message file that a run removed and that is kept for undo.
type Kept struct {
	Folder FolderName
	Key    Key
	Flags  Flags
	At     time.Time // when it was removed, whole seconds
	Size   int64
	Date   time.Time // the file's mtime
	Path   string    // of the file
}

// Hold is a deletion not done until the user confirms.
type Hold struct {
	Side   string // "local" or "remote": which side would lose the messages
	Folder FolderName
	Count  int
	Reason string
	Since  time.Time
}

// RunRecord is the run log's row; ID 0 inserts, filled in by Commit.
type RunRecord struct {
	ID       int64
	Started  time.Time
	Finished time.Time // zero while it runs
	Outcome  string    // "", "done", "failed", "held", "interrupted"
	Error    string    // the first error in words
	Counts   map[string]int
}

// NewFile says how a delivered message is to be stored. Unseen mail without
// flags goes to new/, the rest to cur/.
type NewFile struct {
	Key   Key
	Flags Flags
	Date  time.Time
}

// Features are the server abilities that change what is planned or how.
type Features struct {
	Move      bool // UID MOVE (RFC 6851)
	ObjectIDs bool // it tells which messages are copies of each other: EMAILID (RFC 8474), X-GM-MSGID
	Awaited   bool // each APPEND is waited for, for want of LITERAL+ (RFC 7888), and tells its UID (UIDPLUS, RFC 4315)
}

// Outgoing is a message to append. Open may be called again after a retry.
type Outgoing struct {
	Folder FolderName // where it goes; "" is the mailbox of the Append
	Flags  Flags
	Date   time.Time
	Size   int64 // exact number of bytes Open will give
	Open   func() (io.ReadCloser, error)
}

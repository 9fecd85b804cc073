package mail

import "time"

// Base is what both sides last agreed on about one message: a row of the state.
// The state gives a row its ID when it first stores it.
//
// A row without a UID is one whose message on the server must be found again by
// identity, for the server has renumbered the folder. A row without a key has
// given its file to a copy; only its message on the server is left, to be
// deleted; unless it is RemoteOnly, which says that a limit leaves the message on
// the server. Such a row has a UID and no key; its content is known if there was
// a file once.
type Base struct {
	ID         int64
	Folder     FolderName
	UID        UID
	Key        Key
	Flags      Flags
	Content    Content
	RemoteSize int64     // RFC822.SIZE as the server announced it; 0 when it never did
	Date       time.Time // INTERNALDATE, whole seconds
	File       FileStamp // of the message file when its content was last read
	RemoteOnly bool      // it is not held here, and its absence is no deletion
}

// FileStamp tells whether a file was written in place since: its size in bytes
// and its modification time in nanoseconds since 1970.
type FileStamp struct {
	Size  int64
	MTime int64
}

// Local is one message file as a scan saw it.
type Local struct {
	Key     Key
	Flags   Flags
	New     bool       // it lies in new/
	Stamp   *FileStamp // when the scan was asked to look at the files
	Content *Content   // when the file was read
	Date    time.Time  // the file's mtime, when the file was read
	Edited  bool       // the content is no longer that of the base row
}

// Remote is one message of a mailbox as the server told of it.
type Remote struct {
	UID     UID
	Flags   Flags
	Size    int64     // RFC822.SIZE; only for messages without a base row
	Date    time.Time // INTERNALDATE; only for messages without a base row
	Content *Content  // when its header block or all of it was fetched
}

// LocalSnapshot is what the Maildir holds of a folder.
type LocalSnapshot struct {
	Folder   FolderName
	Exists   bool
	Messages map[Key]Local
	Space    FlagSpace
	Stamp    DirStamp // taken before the listing
	Still    bool     // nothing was renamed while it was made: what it lacks is not there
	Doubt    string   // as of RemoteSnapshot
}

// RemoteSnapshot is what the server holds of a folder, however it was learnt:
// a full listing and a delta on the base rows give the same, once Complete has
// added what the delta is on.
type RemoteSnapshot struct {
	Folder   FolderName
	Exists   bool
	Mark     Mark // from the SELECT that began the listing
	Messages map[UID]Remote
	Same     []UID // known messages that are there too, and of which nothing was told: their flags are as they were; sorted
	Delta    bool  // changes alone were asked for
	Space    FlagSpace
	Denied   Denied
	// Doubt says in words why a message missing here may yet exist; "" when the
	// counts added up and absence is proven.
	Doubt string
}

// Complete adds the messages of Same to Messages, as these rows of the folder, in
// the order of their UIDs, have them.
func (s *RemoteSnapshot) Complete(rows []*Base) {
	for _, row := range rows {
		for len(s.Same) > 0 && s.Same[0] < row.UID {
			s.Same = s.Same[1:]
		}
		if len(s.Same) > 0 && s.Same[0] == row.UID {
			s.Messages[row.UID] = Remote{UID: row.UID, Flags: row.Flags}
		}
	}
	s.Same = nil
}

// Denied is what the server does not let us do in a mailbox (RFC 4314). Which flags
// can be stored FlagSpace says.
type Denied struct {
	Flags  bool // to store any
	Insert bool // to put messages there
	Delete bool // to delete messages, or the mailbox
}

// ReadOnly is a mailbox in which nothing can be changed.
var ReadOnly = Denied{Flags: true, Insert: true, Delete: true}

// Mark is what a server says of a mailbox in STATUS and SELECT; two equal marks
// with a HighestModSeq mean that nothing changed between them (RFC 7162).
type Mark struct {
	UIDValidity   uint32
	UIDNext       UID
	Messages      uint32
	HighestModSeq uint64 // 0 where the server has no CONDSTORE
}

// DirStamp identifies a state of a folder's cur and new directories; the zero
// value matches nothing.
type DirStamp struct {
	Cur, New DirTime
	Taken    int64 // wall clock when it was taken, nanoseconds since 1970
}

// DirTime is (device, inode, status-change time) of a directory.
type DirTime struct {
	Dev, Ino uint64
	CTime    int64 // nanoseconds since 1970
}

// Unchanged reports whether a directory pair stamped now is surely the one
// stamped then: the same directories, the same times, and the recorded times
// were old enough when they were taken that no later change could share them.
func (now DirStamp) Unchanged(then DirStamp) bool {
	const granularity = int64(2 * time.Second)
	return then.Taken != 0 && now.Cur == then.Cur && now.New == then.New &&
		then.Taken-then.Cur.CTime > granularity && then.Taken-then.New.CTime > granularity
}

// FolderRecord is the state's row of a folder: the watermarks up to which both
// sides are known to agree.
type FolderRecord struct {
	Folder    FolderName
	Mark      Mark      // valid when Settled
	Stamp     DirStamp  // valid when Settled
	Settled   bool      // everything seen at Mark and Stamp was carried out
	Rows      int       // base rows of the folder; kept by the state
	LastUID   UID       // the highest of those rows; likewise
	FullCheck time.Time // when it was last compared in full

	Stubs      int        // rows of messages that are held as stubs; kept by the state
	RemoteOnly int        // rows of messages that a limit leaves on the server; kept by the state
	Extent     string     // the limits that were last applied to all of the folder
	Trimmed    time.Time  // when they were
	Server     FolderName // what the server calls it, as of RemoteFolder; "": the same
	ReadOnly   bool       // the server denied something in it
}

// RemoteFolder is a mailbox as LIST told of it.
type RemoteFolder struct {
	Name       FolderName
	Selectable bool
	Mark       *Mark    // from LIST-STATUS or STATUS; nil when not known
	Attrs      []string // as the server wrote them: \Sent, \HasChildren, …
	Subscribed bool
	Server     FolderName // the name without the Mapping; "": the same
	Denied     Denied     // by the rights it tells (MYRIGHTS); nothing where it does not
}

// ServerName is what the server calls the folder.
func (f RemoteFolder) ServerName() FolderName { return orName(f.Server, f.Name) }

// ServerName is what the server called the folder.
func (r FolderRecord) ServerName() FolderName { return orName(r.Server, r.Folder) }

func orName(server, name FolderName) FolderName {
	if server == "" {
		return name
	}
	return server
}

// LocalFolder is a folder found on disk.
type LocalFolder struct {
	Name  FolderName
	Stamp DirStamp
}

// Known is what the base says of a mailbox, from which a delta can start.
type Known struct {
	Mark Mark  // zero: nothing to start from
	UIDs []UID // sorted
}

// FlagChange is one change of flags for many messages of a mailbox.
type FlagChange struct {
	UIDs        []UID
	Add, Remove Flags
}

// Sought are messages of a mailbox to be asked for by their numbers.
type Sought struct {
	Folder      FolderName
	UIDValidity uint32
	UIDs        []UID
}

// IntentKind tells what an intent was about to create.
type IntentKind string

// What is journalled: only what creates a message, because only that cannot be
// observed again without doubt.
const (
	IntentDownload IntentKind = "download" // a file named Key in Folder
	IntentUpload   IntentKind = "upload"   // a message of Content in Folder, by APPEND or COPY
)

// Intent is a journalled copy that may or may not have happened.
type Intent struct {
	ID          int64
	Kind        IntentKind
	Folder      FolderName
	Key         Key
	UID         UID     // download: the message fetched
	Flags       Flags   // what the copy is made with
	Content     Content // upload: what is sent
	UIDValidity uint32
	UIDNext     UID // upload: the copy has this UID or a higher one
	RemoteSize  int64
	Date        time.Time

	// An upload may take its file over from another row.
	Replaces     int64      // that row's ID; 0 for none
	ReplacesIn   FolderName // that row's folder
	ReplacesUID  UID        // that row's message on the server, to be deleted
	DropReplaced bool       // the row is dropped, and its message is a new one
}

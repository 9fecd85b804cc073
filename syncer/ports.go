package syncer

import (
	"context"
	"io"
	"iter"
	"time"

	"imapsync/mail"
)

// Local is the Maildir side of one account. All methods may be called from
// several goroutines for different folders. Errors are graded (mail.Fault).
type Local interface {
	// Marker returns the account identity written in the root's .imapsync-id,
	// "" where there is none. exists tells whether the root is there at all and
	// holds any folder.
	Marker(ctx context.Context) (id string, exists bool, err error)
	// SetMarker writes the identity, creating the root if need be.
	SetMarker(ctx context.Context, id string) error

	// Folders lists the folders on disk with their stamps, in no order.
	Folders(ctx context.Context) ([]mail.LocalFolder, error)
	// LeftOut tells why it is not known what a folder has, as far as the last Folders
	// has not shown it; nil where there is no reason, as where there is nothing of its
	// name. was is what is recorded of the folder, or its name alone.
	LeftOut(was mail.FolderRecord) error
	CreateFolder(ctx context.Context, folder mail.FolderName) error
	// CreateFolders makes several folders and returns why some were not made.
	// Durable when it returns, as is one that CreateFolder makes.
	CreateFolders(ctx context.Context, folders []mail.FolderName) (failed map[mail.FolderName]error)
	// RenameFolder gives a folder and all below it another name, under which there
	// must be nothing. Durable when it returns.
	RenameFolder(ctx context.Context, folder, to mail.FolderName) error
	// RemoveFolder removes an empty folder; files that are not the Maildir's own
	// stay, and with them the directory. A folder with messages is an error.
	RemoveFolder(ctx context.Context, folder mail.FolderName) error

	// Scan lists a folder by names alone; with stat it looks at each file too
	// (Local.Stamp). A folder that is not there gives Exists false, not an error.
	Scan(ctx context.Context, folder mail.FolderName, stat bool) (mail.LocalSnapshot, error)
	// Names lists a folder by names alone, to be compared with what is known of it: of
	// about so many messages.
	Names(ctx context.Context, folder mail.FolderName, about int) (Names, error)
	// Read hashes one message file, found by its key with any flags.
	// mail.ErrChanged when there is none.
	Read(ctx context.Context, folder mail.FolderName, key mail.Key) (mail.Content, mail.FileStamp, time.Time, error)
	// Stat looks at one message file, most quickly if it has the flags given.
	// mail.ErrChanged when there is none.
	Stat(ctx context.Context, folder mail.FolderName, key mail.Key, flags mail.Flags) (mail.FileStamp, error)
	// Open gives a message's bytes with CR LF line ends, as for an APPEND.
	// mail.ErrChanged when there is none.
	Open(ctx context.Context, folder mail.FolderName, key mail.Key) (io.ReadCloser, error)

	// NewKey makes a key no other file has.
	NewKey() mail.Key
	// Deliver begins a batch of new files in the folder. The batch before may be
	// committed while this one is written.
	Deliver(ctx context.Context, folder mail.FolderName) (Delivery, error)
	// SetFlags takes flags away from and adds flags to whatever the file has
	// now. A file in new/ that gets a flag moves to cur/. mail.ErrChanged when
	// the file is gone.
	SetFlags(ctx context.Context, folder mail.FolderName, key mail.Key, add, remove mail.Flags) error
	// Move moves a file to another folder, keeping its key if it is free there, or
	// if an equal file has it, as a move that was cut short leaves it.
	// mail.ErrChanged when the file is gone. Durable after Sync of the other folder
	// and then of this one.
	Move(ctx context.Context, folder mail.FolderName, key mail.Key, to mail.FolderName) (mail.Key, error)
	// Remove takes a file out of the Maildir, keeping it where undo finds it,
	// if it still has exactly the flags and, where one is given, the stamp
	// expected; else mail.ErrChanged. Flags that the folder has no means to
	// store are not expected.
	Remove(ctx context.Context, folder mail.FolderName, key mail.Key, expected mail.Flags, stamp mail.FileStamp) error
	// Discard takes a file out of the Maildir as Remove does, and keeps it nowhere.
	Discard(ctx context.Context, folder mail.FolderName, key mail.Key, expected mail.Flags, stamp mail.FileStamp) error
	// Sync makes the folder's renames, arrivals and removals durable.
	Sync(ctx context.Context, folder mail.FolderName) error
	// Unfinished reports whether a delivery under this key surely was cut short before
	// its file became visible.
	Unfinished(ctx context.Context, folder mail.FolderName, key mail.Key) (bool, error)
	// CleanTmp removes what a crashed delivery under this key left in tmp/.
	CleanTmp(ctx context.Context, folder mail.FolderName, key mail.Key) error
}

// Names is a listing of a Maildir folder; not for concurrent use.
type Names interface {
	// Like reports whether there is a file of this key with exactly these flags; if
	// so Snapshot leaves it out.
	Like(key mail.Key, flags mail.Flags) bool
	// File is the file of a key.
	File(key mail.Key) (l mail.Local, there bool)
	// Snapshot is what Scan gives, less the files that Like found.
	Snapshot() mail.LocalSnapshot
}

// Delivery is a batch of new message files. Nothing of it is visible to mail
// readers before Commit.
type Delivery interface {
	// Write stores one message from its wire bytes. An error of body aborts
	// this message only.
	Write(m mail.NewFile, body io.Reader) (mail.Content, mail.FileStamp, error)
	// Duplicate stores one message that another file has. mail.ErrChanged where
	// that file is gone, or is not exactly as it was when the stamp was taken.
	Duplicate(m mail.NewFile, from mail.FolderName, key mail.Key, stamp mail.FileStamp) (mail.FileStamp, error)
	// Commit makes all written files durable and visible, or those it can: it
	// returns the keys that failed.
	Commit(ctx context.Context) (map[mail.Key]error, error)
	// Discard removes what was written. After Commit it does nothing.
	Discard()
}

// Remote is the server side of one account: a pool of connections that dials
// when first needed. All methods may be called from several goroutines.
// Folder names are ours: "/" between components, no prefix of the personal namespace,
// as the configuration has them.
type Remote interface {
	// Expect tells how many connections will be wanted soon, to be dialled
	// beside whatever else is to be done first. It does not wait.
	Expect(connections int)
	// Folders lists the mailboxes, with their marks in the same round trip where
	// the server can.
	Folders(ctx context.Context) ([]mail.RemoteFolder, error)
	// LeftOut tells why nothing of a folder is to be touched, on whichever side it
	// is, as of the last Folders; "" where there is no reason. was is what the server
	// called it when it was last synchronised, "" if it never was.
	LeftOut(folder, was mail.FolderName) (why string, err error)
	// Missing reports whether the server, asked for this mailbox by name, says
	// that it does not exist. Any other answer is false or an error.
	Missing(ctx context.Context, folder mail.FolderName) (bool, error)
	CreateFolder(ctx context.Context, folder mail.FolderName) error
	// ServerName is what the server calls a folder that it has, as of the last
	// Folders or CreateFolder (mail.RemoteFolder.ServerName).
	ServerName(folder mail.FolderName) mail.FolderName
	// RenameFolder renames the mailbox and all below it (RFC 3501 section 6.3.5).
	RenameFolder(ctx context.Context, folder, to mail.FolderName) error
	// DeleteFolder deletes the mailbox if it is empty at this moment; else
	// mail.ErrChanged.
	DeleteFolder(ctx context.Context, folder mail.FolderName) error
	// Look selects a mailbox and lists it. Where known has a mark of the same
	// UIDVALIDITY and the server allows, only changes are asked for, unless full
	// (RemoteSnapshot.Delta); known messages of which nothing was told are in Same.
	Look(ctx context.Context, folder mail.FolderName, readOnly bool, known mail.Known, full bool) (mail.RemoteSnapshot, error)
	// StillThere asks for messages by their numbers, each mailbox in a new session
	// that knows all that happened before, and tells of each which exist. The error
	// is for the mailboxes without a call to told.
	StillThere(ctx context.Context, absent []mail.Sought, readOnly bool, told func(folder mail.FolderName, there []mail.UID, err error)) error
	// LookAgain is Folders, and StillThere in the same flight where the server can.
	LookAgain(ctx context.Context, absent []mail.Sought, readOnly bool, told func(folder mail.FolderName, there []mail.UID, err error)) ([]mail.RemoteFolder, error)
	// Open gives a mailbox on a connection that is the caller's until Close; it
	// waits for a free one, preferring one that has the mailbox selected. One that
	// was selected before in this run, or listed with its mark, is selected only for
	// what is asked of it, which fails when it has another UIDVALIDITY by then.
	Open(ctx context.Context, folder mail.FolderName, readOnly bool) (Mailbox, error)
	// Features tells what the server can do; it dials if need be.
	Features(ctx context.Context) (mail.Features, error)
}

// Mailbox is a selected mailbox on one connection; not for concurrent use.
type Mailbox interface {
	// Mark is what the last SELECT said, or what Folders did.
	Mark() mail.Mark
	// Space is what that said can be stored.
	Space() mail.FlagSpace
	// Snapshot lists the mailbox as Look does.
	Snapshot(ctx context.Context, known mail.Known, full bool) (mail.RemoteSnapshot, error)
	// Flags fetches the flags of these messages as they are now; those that no
	// longer exist are missing from the answer.
	Flags(ctx context.Context, uids []mail.UID) (map[mail.UID]mail.Flags, error)
	// Headers fetches the header blocks and tells their contents (Content as of
	// Hasher.HeaderOnly); those that no longer exist are missing.
	Headers(ctx context.Context, uids []mail.UID) (map[mail.UID]mail.Content, error)
	// ObjectIDs asks for what the server says identifies the contents of these
	// messages: those of which it is the same, in whatever mailbox, are copies of each
	// other. What is not told is missing. Only called when Features.ObjectIDs.
	ObjectIDs(ctx context.Context, uids []mail.UID) (map[mail.UID]string, error)
	// Fetch streams whole messages in any order, calling got from one goroutine
	// at a time, once for each UID: with a body, or with an error that costs
	// this message (mail.ErrChanged when it is gone). got must read the body
	// before it returns. The body ends with io.ErrUnexpectedEOF when the
	// connection broke in it.
	Fetch(ctx context.Context, uids []mail.UID, got func(uid mail.UID, body io.Reader, err error) error) error
	// FetchParts is Fetch for stubs: the header block and the list of what is left
	// out, with text the beginning of the text parts before that, behind the field
	// that marks a stub (mail.StubField).
	FetchParts(ctx context.Context, uids []mail.UID, sizes map[mail.UID]int64, text bool, got func(uid mail.UID, body io.Reader, err error) error) error
	// Append uploads messages into this mailbox, taking them from the sequence
	// while earlier ones are on their way, and calling done once for each in order:
	// with its new UID, with 0 when the server does not tell, or with an error that
	// costs this message. The error returned ends the upload: for the messages taken
	// and without a call to done it is not known whether they were stored. The
	// sequence and done are called by the caller's goroutine.
	Append(ctx context.Context, messages iter.Seq[mail.Outgoing], done func(i int, uid mail.UID, err error)) error
	// StoreAll adds and removes flags. Messages that are gone are no error, and a
	// session that was not told so yet does not know: see StoreAndLook. refused is
	// called for each change the server does not make; the error returned is for
	// all others.
	StoreAll(ctx context.Context, changes []mail.FlagChange, refused func(i int, err error)) error
	// StoreAndLook is StoreAll, and StillThere for all these messages behind it.
	StoreAndLook(ctx context.Context, changes []mail.FlagChange, refused func(i int, err error)) (there []mail.UID, err error)
	// Copy and Move return the new UIDs where the server tells (COPYUID) and
	// they are told under the UIDVALIDITY given. Move is only called when
	// Features.Move.
	Copy(ctx context.Context, uids []mail.UID, to mail.FolderName, validity uint32) (map[mail.UID]mail.UID, error)
	Move(ctx context.Context, uids []mail.UID, to mail.FolderName, validity uint32) (map[mail.UID]mail.UID, error)
	// Expunge removes exactly these messages, never others marked \Deleted.
	Expunge(ctx context.Context, uids []mail.UID) error
	// Ahead tells which mailbox the caller opens next, and of which messages it asks
	// the flags first there, so that both can travel behind the last change made in
	// this one. Of this very mailbox StoreAndLook can ask for them. It is a hint.
	Ahead(folder mail.FolderName, flags []mail.UID)
	// FetchAhead is Ahead for a caller that fetches these messages first, to be
	// called before the Fetch that is the last thing done in this mailbox.
	FetchAhead(folder mail.FolderName, uids []mail.UID)
	// Close gives the connection back.
	Close()
}

// State is the record of one account. Commit is one durable transaction; only the end
// of a run that found nothing to do may be lost.
type State interface {
	// Account returns the identity this state was made for; zero when new.
	Account(ctx context.Context) (mail.Identity, error)
	Folders(ctx context.Context) ([]mail.FolderRecord, error)
	// Rows returns the rows of a folder in the order of their UIDs.
	Rows(ctx context.Context, folder mail.FolderName) ([]*mail.Base, error)
	// UIDs returns those of a folder's rows, sorted.
	UIDs(ctx context.Context, folder mail.FolderName) ([]mail.UID, error)
	// LooseRows returns the rows of a folder that lack a UID or a key, or have the
	// flag \Deleted.
	LooseRows(ctx context.Context, folder mail.FolderName) ([]*mail.Base, error)
	// RowsUnlike returns the loose rows and those that like, asked for each other
	// row once or more often, does not know.
	RowsUnlike(ctx context.Context, folder mail.FolderName, like func(mail.Key, mail.Flags) bool) ([]*mail.Base, error)
	RowsByUID(ctx context.Context, folder mail.FolderName, uids []mail.UID) ([]*mail.Base, error)
	RowsByKey(ctx context.Context, folder mail.FolderName, keys []mail.Key) ([]*mail.Base, error)
	// RowsOfSize finds rows of any folder by the size the server announced.
	RowsOfSize(ctx context.Context, sizes []int64) ([]*mail.Base, error)
	// RowsOf finds rows of any folder by the digest of their content.
	RowsOf(ctx context.Context, digests []mail.Digest) ([]*mail.Base, error)
	// Drafts finds the rows with the flag \Draft and all rows of these folders.
	Drafts(ctx context.Context, folders []mail.FolderName) ([]*mail.Base, error)
	Intents(ctx context.Context) ([]*mail.Intent, error)
	// Removing returns the rows whose files a run was about to remove.
	Removing(ctx context.Context) ([]*mail.Base, error)
	Quarantine(ctx context.Context) ([]mail.Quarantined, error)
	// Holds returns the deletions that wait for the user's word.
	Holds(ctx context.Context) ([]mail.Hold, error)
	Pause(ctx context.Context) (mail.Pause, error)
	Commit(ctx context.Context, batch mail.Batch) error
}

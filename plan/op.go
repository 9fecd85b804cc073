// Package plan decides what one run does. It joins the base rows with what was
// seen of both sides, lets package conflict judge each message, finds moves
// and copies, puts the operations in order, and holds back deletions that look
// like an accident. It is pure: no I/O, no clock, no randomness.
//
// The order law: carrying out any prefix of a plan, recording it, and planning
// again reaches the same end. It holds because copies and moves come first,
// then flags, then deletions, and because each operation is recorded only
// after it was done.
package plan

import (
	"imapsync/conflict"
	"imapsync/mail"
)

// Kind is what an operation does.
type Kind string

// The kinds of operations.
const (
	RenameLocal  Kind = "rename local folder"  // Folder, with all below it, becomes To
	RenameRemote Kind = "rename remote folder" // likewise
	RenameFolder Kind = "rename folder"        // both sides have renamed it: the record alone
	CreateLocal  Kind = "create local folder"
	CreateRemote Kind = "create remote folder"
	Pair         Kind = "pair"          // record where a message lies on both sides
	MoveLocal    Kind = "move local"    // the file goes from Folder to To
	MoveRemote   Kind = "move remote"   // MOVE from Folder to To
	CopyRemote   Kind = "copy remote"   // COPY from Folder to To, for the file that lies there
	Download     Kind = "download"      // a new file for a remote message
	CopyLocal    Kind = "copy local"    // likewise, of the content that another file has
	Upload       Kind = "upload"        // a new remote message for a file
	SetFlags     Kind = "flags"         // bring both sides and the base to Flags
	DeleteLocal  Kind = "delete local"  // remove the file
	DeleteRemote Kind = "delete remote" // expunge the message, or move it to the trash folder To
	Forget       Kind = "forget"        // both sides are gone: drop the base row
	Leave        Kind = "leave"         // record that a limit leaves the message on the server, or its flags there
	Drop         Kind = "drop local"    // remove the file of a message that a limit leaves on the server
	Tidy         Kind = "tidy"          // remove a stub of a message that is held as well
	Fetch        Kind = "fetch"         // put the whole message in the place of its stub
	RemoveLocal  Kind = "remove local folder"
	RemoveRemote Kind = "remove remote folder"
	ForgetFolder Kind = "forget folder" // neither side has it any more
)

// Op is one operation. Which fields it uses depends on its kind; Kind, Folder,
// Rule and Reason are always set.
type Op struct {
	Kind   Kind
	Folder mail.FolderName // where it happens; of moves and copies the source
	To     mail.FolderName // of moves, copies and deletions the target, of renames the new name

	Row     *mail.Base   // the base row the message has when the operation is done
	Old     *mail.Base   // Upload, CopyRemote: the row that gives its file to Row and keeps its UID alone
	DropOld bool         // Old is of no use then: its message is a new one
	Source  *mail.Base   // CopyLocal: the row of the file that has the content
	After   *Op          // the operation that must have been done before this one
	Local   *mail.Local  // the file as it was seen
	Remote  *mail.Remote // the message as it was seen

	Flags    mail.Flags    // what the message has afterwards
	Agreed   mail.Flags    // SetFlags: what the base has then, other than Flags where not all is propagated
	Part     conflict.Part // Download: how much of the message
	OnLocal  bool          // SetFlags: the file must change
	OnRemote bool          // SetFlags: the message on the server must change

	Marked *mail.Flags // Pair, MoveLocal, MoveRemote, Upload: the row's flags then, with a mark that is to be taken off; nil as ever
	Stays  bool        // DeleteRemote: the row stays for the file, of which another operation disposes

	Rule     conflict.Rule
	Reason   string // the rule in words, for this message
	Conflict bool   // both sides had changed; to be logged
	Moved    bool   // a deletion that is the second half of a move: never held
	Held     bool   // not carried out in this run
	Denied   bool   // because the server does not allow it
}

// Deletion reports whether the operation takes a message away from a side.
func (o *Op) Deletion() bool { return o.Kind == DeleteLocal || o.Kind == DeleteRemote }

// Copy reports whether the operation creates a message on a side, and so is
// journalled.
func (o *Op) Copy() bool { return o.Arrives() || o.Kind == Upload || o.Kind == CopyRemote }

// Arrives reports whether the operation makes a file of a new remote message.
func (o *Op) Arrives() bool { return o.Kind == Download || o.Kind == CopyLocal }

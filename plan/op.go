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

// The kinds of operations in the order they are carried out.
const (
	CreateLocal  Kind = "create local folder"
	CreateRemote Kind = "create remote folder"
	Pair         Kind = "pair"         // record that a local and a remote message are one
	MoveLocal    Kind = "move local"   // the file goes from Folder to To
	MoveRemote   Kind = "move remote"  // UID MOVE from Folder to To
	CopyRemote   Kind = "copy remote"  // COPY from Folder to To, for the file that lies there
	CopyLocal    Kind = "copy local"   // a file of Folder is linked into To, for the message that lies there
	Download     Kind = "download"     // a new file for a remote message
	Upload       Kind = "upload"       // a new remote message for a file
	SetFlags     Kind = "flags"        // bring one or both sides to Flags, and the base
	DeleteLocal  Kind = "delete local" // the file is removed
	DeleteRemote Kind = "delete remote"
	Forget       Kind = "forget" // both sides are gone: drop the base row
	RemoveLocal  Kind = "remove local folder"
	RemoveRemote Kind = "remove remote folder"
)

// Op is one operation. Which fields it uses depends on its kind; Folder, Rule
// and Reason are always set.
type Op struct {
	Kind   Kind
	Folder mail.FolderName
	To     mail.FolderName // moves and copies: the target

	Row    *mail.Base   // the base row concerned; Download and Upload of a new message have none
	Local  *mail.Local  // the file as it was seen
	Remote *mail.Remote // the message as it was seen

	Flags    mail.Flags // what the message has afterwards
	OnLocal  bool       // SetFlags: the file must change
	OnRemote bool       // SetFlags: the message on the server must change

	Rule     conflict.Rule
	Reason   string // the rule applied, in words, for this message
	Conflict bool   // both sides had changed; to be logged
	Moved    bool   // a deletion that is the second half of a move: never held
	Held     bool   // not carried out in this run
}

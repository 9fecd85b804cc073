package conflict

import "imapsync/mail"

// Deletion says what happens when one side deleted a message that the other
// has changed since.
type Deletion string

// Yields brings the message back to the side that deleted it; Wins deletes it
// on the other side too. Both are logged as conflicts.
const (
	Yields Deletion = "yields"
	Wins   Deletion = "wins"
)

// Policy is what the user may choose of the rules. The zero value is the
// default.
type Policy struct {
	Deletion Deletion
	Expunge  Expunge // "" is ExpungeNone
	// Trash is where deletions on the server move messages to, "" for nowhere: what
	// else is moved there is as good as deleted. Package plan fills it in.
	Trash mail.FolderName
	// NotPulled and NotPushed are the kinds of changes that the Maildir or the
	// server do not get. The difference stays, and so does what the base has of
	// the message: so it is seen again whenever the kind is propagated.
	NotPulled, NotPushed Kinds
	// LocalPlace lets the Maildir's folder win when both sides moved a message
	// to different folders. It is not configurable: the server's place wins;
	// the mirror laws need the other half.
	LocalPlace bool
	// Extent is what the Maildir holds of the folder.
	Extent Extent
}

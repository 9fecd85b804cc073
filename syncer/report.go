package syncer

import (
	"time"

	"imapsync/mail"
	"imapsync/plan"
)

// Options choose what one run does.
type Options struct {
	DryRun bool // observe and decide only
	Full   bool // compare everything, whatever stamps and counters say
	Lanes  int  // folders that are talked about with the server at once; at least 1
	Batch  int  // messages per journal transaction; 0 chooses

	// Attempts is how often in a row the work is tried without getting anything
	// done while network or server fail in ways that time may cure; 0 is once.
	Attempts int

	// Fetch are messages of which the whole is wanted, whatever the limits.
	Fetch map[mail.FolderName][]mail.UID

	// AcceptDeletions carries out the deletions that an earlier run held: of every
	// folder, or of those named in AcceptFolders.
	AcceptDeletions bool
	AcceptFolders   []mail.FolderName

	// Pull carries out the changes of the server alone, Push those of the Maildir;
	// both are no restriction. What is left is not forgotten.
	Pull, Push bool

	// Folders restricts the run; nil is every selected folder.
	Folders []mail.FolderName
}

// EventKind tells what an Event is about.
type EventKind string

// The kinds of events, in the order a run gives them.
const (
	EventStarted  EventKind = "started"  // the run began
	EventNote     EventKind = "note"     // something worth a line: re-match, doubt, skipped folder; Text
	EventDetail   EventKind = "detail"   // a note for those who ask for details
	EventObserved EventKind = "observed" // both sides are known; Total operations are planned, Bytes to transfer
	EventMoved    EventKind = "moved"    // Bytes of Op's message went over the wire; to be recorded
	EventDone     EventKind = "done"     // Op was carried out and recorded
	EventFailed   EventKind = "failed"   // Op, or what Text says, failed with Err
	EventConflict EventKind = "conflict" // both sides had changed; Op says how it was settled
	EventHeld     EventKind = "held"     // Hold says which deletions were not done
	EventFinished EventKind = "finished" // the run ended; Report
)

// Event is something that happened in a run. Events come from several
// goroutines, one at a time.
type Event struct {
	Kind   EventKind
	Time   time.Time
	Folder mail.FolderName
	Op     *plan.Op
	Text   string
	Err    error
	Hold   *mail.Hold
	Total  int   // operations
	Bytes  int64 // to transfer, or of this message
	Report *Report
}

// Report is the outcome of one run on one account.
type Report struct {
	Account  string
	Run      int64      // its number in the run log; 0 of a dry run, or where it could not be recorded
	Plan     *plan.Plan // what was decided, whether or not it was done
	Counts   map[plan.Kind]int
	Bytes    int64 // message bytes transferred, both ways
	Failures []error
	Held     []mail.Hold
	Unknown  []mail.FolderName // of AcceptFolders, which neither side has, nor the record
	Folders  int               // folders under synchronisation
	Messages int               // held on both sides after the run, as the base has them
	Started  time.Time
	Finished time.Time
	// Interrupted says that the run was cancelled and stopped in good order.
	Interrupted bool
}

package simworld

import (
	"errors"
	"time"

	"imapsync/mail"
)

// Trouble is what goes wrong at a call.
type Trouble int

// The troubles. A crash ends the process: every later call fails until Begin.
// Those that end a connection break the mailbox they happen on. On the Maildir
// side each is an error of the disk, as fault has it.
const (
	CrashBefore Trouble   = iota + 1 // the process dies, the effect did not happen
	CrashAfter                       // the process dies, the effect happened
	LostBefore                       // connection or disk error, the effect did not happen
	LostAfter                        // connection or disk error, though the effect happened
	Refused                          // NO, no space left: the effect did not happen, the rest goes on
	Temporary                        // server unavailable: the effect did not happen
	Bad                              // BAD, permission denied: the effect did not happen, the rest goes on
	Bye                              // the server ends the session: the effect did not happen
	Timeout                          // no answer in time, though the effect happened
	CrashLate                        // the process dies, what it asked of the server happens a moment later
	LostLate                         // connection error, likewise
	lastTrouble = Timeout            // of those that strike any call
)

var troubleWords = map[Trouble]string{
	CrashBefore: "crash before", CrashAfter: "crash after", LostBefore: "lost before", LostAfter: "lost after",
	Refused: "refused", Temporary: "temporary", Bad: "bad", Bye: "bye", Timeout: "timeout",
	CrashLate: "crash late", LostLate: "lost late",
}

func (t Trouble) String() string { return troubleWords[t] }

func parseTrouble(s string) (Trouble, error) {
	for t, words := range troubleWords {
		if words == s {
			return t, nil
		}
	}
	return 0, errors.New("there is no trouble called " + s)
}

// after tells whether the effect of the call happens all the same.
func (t Trouble) after(c Call) bool {
	return t == CrashAfter || c.Effect && (t == LostAfter || t == Timeout)
}

// lateness is how long after the trouble a server comes to do what it had been asked.
const lateness = 3 * time.Second

// late tells whether the effect of the call happens later: the server has all of the
// command and is slow.
func (t Trouble) late(c Call) bool {
	return (t == CrashLate || t == LostLate) && c.Side == Remote && c.Effect
}

// later returns the trouble as it is where the effect comes late.
func (t Trouble) later() Trouble {
	switch t {
	case CrashAfter:
		return CrashLate
	case LostAfter, Timeout:
		return LostLate
	}
	return t
}

var (
	errLost        = errors.New("connection lost")
	errUnavailable = errors.New("NO [UNAVAILABLE] try again later")
	errBye         = errors.New("BYE the server is shutting down")
	errTimeout     = errors.New("no answer in time")
	errNo          = errors.New("NO not now")
	errBad         = errors.New("BAD not understood")
	errDisk        = errors.New("input/output error")
	errSpace       = errors.New("no space left on device")
	errDenied      = errors.New("permission denied")
)

// isLost tells whether an error is that of a broken connection.
func isLost(err error) bool {
	for _, broken := range []error{errLost, errUnavailable, errBye, errTimeout} {
		if errors.Is(err, broken) {
			return true
		}
	}
	return false
}

func (w *World) fault(t Trouble, c Call) error {
	f := &mail.Fault{Scope: mail.ScopeFolder, Class: mail.ClassFailed, Folder: c.Folder, Doing: c.Name}
	switch {
	case c.Side == State:
		f.Scope, f.Err = mail.ScopeAccount, errDisk
	case c.Side == Local && t == Refused:
		f.Scope, f.Err = mail.ScopeMessage, errSpace
	case c.Side == Local && t == Bad:
		f.Err = errDenied
	case c.Side == Local:
		f.Err = errDisk
	case t == Refused:
		f.Err = errNo
	case t == Bad:
		f.Err = errBad
	case t == Temporary:
		f.Scope, f.Class, f.Err = mail.ScopeAccount, mail.ClassTemporary, errUnavailable
	case t == Bye:
		f.Scope, f.Class, f.Err = mail.ScopeAccount, mail.ClassTemporary, errBye
	case t == Timeout:
		f.Class, f.Err = mail.ClassTemporary, errTimeout
	default:
		f.Class, f.Err = mail.ClassTemporary, errLost
	}
	return f
}

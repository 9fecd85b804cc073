package conflict

import (
	"fmt"
	"strings"
	"time"

	"imapsync/mail"
)

// Extent limits what the Maildir holds of a folder. What is beyond it stays on
// the server and is never deleted there because of it. The zero value holds
// everything.
type Extent struct {
	MaxAge      time.Duration // by INTERNALDATE; 0 is any
	MaxMessages int           // the newest so many by INTERNALDATE; 0 is all
	MaxSize     int64         // a larger message is held as a stub; 0 is any size
	Body        Part          // how much is held of every message; "" is all of it
	Upgrade     bool          // a flagged message is held whole
}

// Unlimited reports whether everything is held.
func (e Extent) Unlimited() bool { return e.String() == "" }

// String is the extent in words, "" when everything is held. Two extents with
// the same words are the same.
func (e Extent) String() string {
	var words []string
	if e.MaxAge > 0 {
		words = append(words, fmt.Sprintf("not older than %s", days(e.MaxAge)))
	}
	if e.MaxMessages > 0 {
		words = append(words, fmt.Sprintf("the newest %d", e.MaxMessages))
	}
	if e.MaxSize > 0 {
		words = append(words, fmt.Sprintf("larger than %d bytes as stubs", e.MaxSize))
	}
	if e.Body != "" && e.Body != Whole {
		words = append(words, fmt.Sprintf("the %s alone", e.Body))
	}
	if e.Upgrade && len(words) > 0 {
		words = append(words, "flagged ones whole")
	}
	return strings.Join(words, ", ")
}

// days writes a time in days where it is whole ones.
func days(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d == day:
		return "1 day"
	case d%day == 0:
		return fmt.Sprintf("%d days", d/day)
	}
	return d.String()
}

// Wanted reports whether a message is held whatever the limits: it is unread,
// flagged, or a draft.
func Wanted(flags mail.Flags) bool {
	return flags.System&mail.Seen == 0 || flags.System&(mail.Flagged|mail.Draft) != 0
}

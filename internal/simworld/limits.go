package simworld

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"imapsync/conflict"
	"imapsync/mail"
)

// parseExtent reads "newest 2", "age 25h" and "none".
func parseExtent(words string) (e conflict.Extent, err error) {
	word, rest, _ := strings.Cut(words, " ")
	switch word {
	case "none":
	case "headers":
		e.Body, e.Upgrade = conflict.Headers, rest == "flagged"
	case "newest":
		e.MaxMessages, err = strconv.Atoi(rest)
	case "age":
		e.MaxAge, err = time.ParseDuration(rest)
	default:
		err = fmt.Errorf("%q is no limit", words)
	}
	return e, err
}

func extentWords(e conflict.Extent) string {
	switch {
	case e.Upgrade:
		return "headers flagged"
	case e.Body == conflict.Headers:
		return "headers"
	case e.MaxMessages > 0:
		return fmt.Sprintf("newest %d", e.MaxMessages)
	case e.MaxAge > 0:
		return "age " + e.MaxAge.String()
	}
	return "none"
}

// limited runs within the limits until all is quiet, lets a day pass, after which
// they are applied to everything, and checks what they come to. Then it takes them
// away, for all else that is to be checked: what they left on the server comes
// back then.
func (h *History) limited() {
	if h.w.Extent.Unlimited() {
		return
	}
	before := h.messages(Remote)
	for _, full := range []bool{false, true} {
		if h.settle(full); h.err != nil {
			return
		}
	}
	for range 2 {
		if h.err != nil {
			return
		}
		h.w.Begin(25 * time.Hour)
		h.once(h.story.Options, "a day later")
		h.settle(false)
	}
	h.fails("the record is right", h.w.CheckRecord())
	h.fails("the limits hold", h.w.CheckLimits())
	h.logf("limits are taken away; the server had %d messages and has %d", before, h.messages(Remote))
	h.w.Extent = conflict.Extent{}
}

func (h *History) messages(side Side) int {
	messages, _ := h.w.holdings(side)
	return len(messages)
}

// CheckLimits checks, a day after all was quiet, that the Maildir holds of each
// folder what it should and nothing else, and that each message on the server has
// its row.
func (w *World) CheckLimits() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, b := range w.Server.boxes {
		if name == w.apart {
			continue
		}
		rows := map[mail.UID]*mail.Base{}
		for _, row := range w.Record.rowsWhere(func(row mail.Base) bool { return row.Folder == name }) {
			rows[row.UID] = row
		}
		if len(rows) != len(b.messages) {
			return fmt.Errorf("%s: %d rows for %d messages", name, len(rows), len(b.messages))
		}
		held := 0
		for i, m := range w.youngest(b) {
			row := rows[m.uid]
			within := (w.Extent.MaxMessages == 0 || i < w.Extent.MaxMessages) && (w.Extent.MaxAge == 0 || w.now.Sub(m.date) <= w.Extent.MaxAge)
			switch {
			case row == nil:
				return fmt.Errorf("%s: message %d has no row", name, m.uid)
			case row.RemoteOnly == (within || conflict.Wanted(m.flags)):
				return fmt.Errorf("%s: message %d, the newest but %d, flags %s: left on the server: %v", name, m.uid, i, m.flags, row.RemoteOnly)
			case row.RemoteOnly:
				continue
			}
			held++
			if f := w.Disk.dir(name); f == nil || f.files[row.Key] == nil {
				return fmt.Errorf("%s: the file of message %d is not there", name, m.uid)
			}
		}
		if f := w.Disk.dir(name); f != nil && len(f.files) != held {
			return fmt.Errorf("%s: %d files, and %d messages are to be held", name, len(f.files), held)
		}
	}
	return nil
}

// youngest are the messages of a mailbox, the newest first.
func (w *World) youngest(b *box) []*message {
	list := append([]*message(nil), b.messages...)
	sort.Slice(list, func(i, j int) bool {
		if !list[i].date.Equal(list[j].date) {
			return list[i].date.After(list[j].date)
		}
		return list[i].uid > list[j].uid
	})
	return list
}

package simworld

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"imapsync/conflict"
	"imapsync/mail"
)

// limitWords begin the words of a limit.
var limitWords = []string{"newest", "age", "size", "headers", "text"}

// parseExtent reads "newest 2", "age 25h", "size 70000", "headers", "text", with
// "flagged" after it where flagged messages are held whole, and "none".
func parseExtent(words string) (e conflict.Extent, err error) {
	fields := strings.Fields(words)
	for i := 0; i < len(fields) && err == nil; i++ {
		number := ""
		switch word := fields[i]; word {
		case "none":
		case "headers", "text":
			e.Body = conflict.Part(word)
		case "flagged":
			e.Upgrade = true
		case "newest", "age", "size":
			if i++; i < len(fields) {
				number = fields[i]
			}
			err = limit(&e, word, number)
		default:
			err = fmt.Errorf("%q is no limit", words)
		}
	}
	return e, err
}

func limit(e *conflict.Extent, word, number string) (err error) {
	switch word {
	case "newest":
		e.MaxMessages, err = strconv.Atoi(number)
	case "age":
		e.MaxAge, err = time.ParseDuration(number)
	case "size":
		e.MaxSize, err = strconv.ParseInt(number, 10, 64)
	}
	return err
}

func extentWords(e conflict.Extent) string {
	var words []string
	if e.MaxMessages > 0 {
		words = append(words, fmt.Sprintf("newest %d", e.MaxMessages))
	}
	if e.MaxAge > 0 {
		words = append(words, "age "+e.MaxAge.String())
	}
	if e.MaxSize > 0 {
		words = append(words, fmt.Sprintf("size %d", e.MaxSize))
	}
	if e.Body != "" {
		words = append(words, string(e.Body))
	}
	if e.Upgrade {
		words = append(words, "flagged")
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, " ")
}

// limited runs within the limits until all is quiet, lets a day pass, after which
// they are applied to everything, and checks what they come to. Then it takes those
// away that leave messages on the server, for all else that is to be checked: what
// they left comes back then.
func (h *History) limited() {
	if h.w.Extent.Unlimited() {
		return
	}
	h.w.endViews()
	before := h.messages(Remote)
	if h.settleAll(); h.err != nil {
		return
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
	h.logf("the server had %d messages and has %d", before, h.messages(Remote))
	if h.w.Extent.MaxMessages > 0 || h.w.Extent.MaxAge > 0 {
		h.unlimited()
	}
}

func (h *History) unlimited() {
	h.logf("limits are taken away")
	h.w.Extent = conflict.Extent{}
}

func (h *History) messages(side Side) int {
	messages, _ := h.w.holdings(side)
	return len(messages)
}

// CheckLimits checks, a day after all was quiet, that the Maildir holds of each
// folder what it should, whole or as stubs, and nothing else, and that each message on the server has
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
			within := w.within(i, m)
			switch {
			case row == nil:
				return fmt.Errorf("%s: message %d has no row", name, m.uid)
			case row.RemoteOnly == (within || conflict.Wanted(m.flags)):
				return fmt.Errorf("%s: message %d, the newest but %d, flags %s: left on the server: %v", name, m.uid, i, m.flags, row.RemoteOnly)
			case row.RemoteOnly:
				continue
			}
			held++
			if err := w.checkHeld(row, b, m); err != nil {
				return fmt.Errorf("%s: message %d: %w", name, m.uid, err)
			}
		}
		if f := w.Disk.dir(name); f != nil && len(f.files) != held {
			return fmt.Errorf("%s: %d files, and %d messages are to be held", name, len(f.files), held)
		}
	}
	return nil
}

// within tells whether limits leave a message to the Maildir, the newest but i.
func (w *World) within(i int, m *message) bool {
	return (w.Extent.MaxMessages == 0 || i < w.Extent.MaxMessages) && (w.Extent.MaxAge == 0 || w.now.Sub(m.date) <= w.Extent.MaxAge)
}

// checkHeld checks the file of a message: it is a stub only where that is wanted,
// and has the flags of the message.
func (w *World) checkHeld(row *mail.Base, b *box, m *message) error {
	f := w.Disk.dir(row.Folder)
	if f == nil || f.files[row.Key] == nil {
		return fmt.Errorf("the file is not there")
	}
	x := f.files[row.Key]
	switch part := w.Extent.Part(int64(len(wire(m.content))), m.flags); {
	case isStub(x.content) != (row.Content.Whole > 0):
		return fmt.Errorf("the file being a stub: %v, the row says the contrary", isStub(x.content))
	case isStub(x.content) && part == conflict.Whole:
		return fmt.Errorf("flags %s: it is a stub, and is to be held whole", m.flags)
	case isStub(x.content) && NameOf(x.content) != NameOf(m.content):
		return fmt.Errorf("it is %s, and its stub stands for %s", NameOf(m.content), NameOf(x.content))
	case !m.flags.Equal(b.space.Storable(x.flags)):
		return fmt.Errorf("its flags are %s, those of the file %s", m.flags, x.flags)
	}
	return nil
}

// leftBehind tells whether an edit makes a file of which a limit left an equal
// message on the server, or is about to in the run that is under way: it may be
// taken for the file of that, put back.
func (w *World) leftBehind(e Edit, during bool) bool {
	name := e.made()
	return name != "" && len(w.Record.rowsWhere(func(row mail.Base) bool {
		b := w.Server.boxes[row.Folder]
		if b == nil || b.find(row.UID) == nil || NameOf(b.find(row.UID).content) != name {
			return false
		}
		return row.RemoteOnly || during && !w.within(slices.Index(w.youngest(b), b.find(row.UID)), b.find(row.UID))
	})) > 0
}

// made is the name of the message that an edit makes, "" where it makes none.
func (e Edit) made() string {
	switch e.Verb {
	case Add, Copy:
		return e.Name
	case Rewrite:
		return e.Name + "~"
	}
	return ""
}

// underWay lists the messages that a run which was cut short was about to deliver, by
// their intents, where a file of one lies somewhere that nobody knows: it may be taken
// for that.
func (w *World) underWay() map[int64]string {
	names := map[int64]string{}
	known := map[mail.Key]bool{}
	for _, row := range w.Record.rows {
		known[row.Key] = true
	}
	for _, in := range w.Record.intents {
		known[in.Key] = true
	}
	strange := map[string]int{}
	for _, f := range w.Disk.folders {
		for key, x := range f.files {
			if !known[key] {
				strange[NameOf(x.content)]++
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(w.Record.intents)) {
		in := w.Record.intents[id]
		b := w.Server.boxes[in.Folder]
		if in.Kind != mail.IntentDownload || b == nil || b.find(in.UID) == nil {
			continue
		}
		if f := w.Disk.folders[in.Folder]; f != nil && f.unfinished[in.Key] { // nobody has seen that
			continue
		}
		if name := NameOf(b.find(in.UID).content); strange[name] > 0 {
			strange[name]--
			names[in.ID] = name
		}
	}
	return names
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

package wire

import (
	"math"
	"strings"
	"time"
)

// Visit is a mailbox to be selected, with questions about it in the same flight.
// Its answers are read here, for several visits may be under way on a connection,
// and imapclient would give what a server tells of one mailbox, unasked, to a
// question about the next: here what comes counts for the mailbox whose SELECT
// was answered last, as a server carries out a SELECT after all that came before
// it and before all that comes behind (RFC 3501 section 5.5). A visit may follow
// commands of imapclient; while it is under way imapclient sends none.
type Visit struct {
	Mailbox   string        // in Unicode
	ReadOnly  bool          // by EXAMINE (RFC 3501 section 6.3.2)
	CondStore bool          // RFC 7162 section 3.1.8
	Ask       []string      // each a UID SEARCH, or a UID FETCH without contents
	Told      func(Message) // is given what FETCH tells of each message, asked for or not, by the connection's reader

	c     *Conn
	owed  int  // answers that are due
	open  bool // the mailbox is selected
	box   Box
	reply []Reply
	done  chan struct{} // closed when all was answered
	err   error         // why it was not sent
}

// Box is what a SELECT told of its mailbox (RFC 3501 section 6.3.1).
type Box struct {
	Answer
	Flags         []string
	Permanent     []string // PERMANENTFLAGS
	AnyPermanent  bool     // there was such a list, be it empty
	ReadOnly      bool     // the server let it be no more than examined
	UIDValidity   uint32
	UIDNext       uint32
	Messages      uint32 // EXISTS in the answer to the SELECT,
	Exists        uint32 // and after all that was told since
	HighestModSeq uint64 // 0: none is kept
}

// Message is what one FETCH told of a message.
type Message struct {
	UID      uint32
	Flags    []string // without those that are no atoms
	HasFlags bool
	Size     int64 // RFC822.SIZE
	HasSize  bool
	Date     time.Time // INTERNALDATE; zero where it was not told
}

// Reply is the answer to one question.
type Reply struct {
	Answer
	Found []Range // of a SEARCH, ascending
	Count uint64  // of the numbers in it
}

// Range is a range of UIDs, both ends included.
type Range struct{ From, To uint32 }

// Visit sends the SELECT and the questions. The Visit must not be used before Wait
// has returned.
func (c *Conn) Visit(v *Visit) {
	v.c, v.owed, v.done, v.reply = c, 1+len(v.Ask), make(chan struct{}), make([]Reply, len(v.Ask))
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if v.err = c.ended(); v.err == nil {
		v.err = c.sendAhead()
	}
	if v.err == nil {
		v.err = v.send()
	}
	if v.err == nil {
		v.err = c.flush()
	}
	if v.err != nil {
		v.err = c.fail(v.err)
	}
}

func (v *Visit) send() error {
	line := v.selectLine()
	cmd := v.c.ownCommand(line)
	cmd.visit, cmd.own = v, v.selected
	err := v.c.sendCommand(cmd, line)
	for i, question := range v.Ask {
		if err != nil {
			return err
		}
		cmd := v.c.ownCommand(question)
		cmd.visit, cmd.own = v, func(st status) { v.answered(i, cmd, st) }
		err = v.c.sendCommand(cmd, question)
	}
	return err
}

func (v *Visit) selectLine() string {
	line := "SELECT "
	if v.ReadOnly {
		line = "EXAMINE "
	}
	line += quotedName(v.Mailbox)
	if v.CondStore {
		line += " (CONDSTORE)"
	}
	return line
}

// Wait waits for all answers. An error means that the connection has ended.
func (v *Visit) Wait() error {
	if v.err != nil {
		return v.err
	}
	return v.c.awaitOwn(v.done)
}

// Answered reports whether all answers are in.
func (v *Visit) Answered() bool {
	select {
	case <-v.done:
		return true
	default:
		return false
	}
}

// Box is what the SELECT told, to be looked at after Wait.
func (v *Visit) Box() Box { return v.box }

// Reply is the answer to the question of that number.
func (v *Visit) Reply(i int) Reply { return v.reply[i] }

// visiting is the visit that what comes now belongs to, nil while a command of
// imapclient that was sent before is not answered.
func (c *Conn) visiting() *Visit {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cmd := range c.cmds {
		if cmd.visit != nil || cmd.own == nil {
			return cmd.visit
		}
	}
	return nil
}

// selected takes the answer to the SELECT.
func (v *Visit) selected(st status) {
	v.box.Answer = v.c.answer(st)
	v.open = st.typ == "OK"
	v.box.ReadOnly = st.code == "READ-ONLY" && !v.ReadOnly
	v.box.Exists = v.box.Messages
	v.settled()
}

// answered takes the answer to a question.
func (v *Visit) answered(i int, cmd *command, st status) {
	set := cmd.found.set.merged()
	n := set.count()
	if n > maxMembers {
		v.c.spoiltAnswer(&st)
		set, n = nil, 0
	}
	ranges := make([]Range, len(set))
	for k, r := range set {
		ranges[k] = Range{r.from, r.to}
	}
	v.reply[i] = Reply{Answer: v.c.answer(st), Found: ranges, Count: n}
	v.settled()
}

// settled counts an answer; after the last one the next visit begins.
func (v *Visit) settled() {
	if v.owed--; v.owed == 0 {
		close(v.done)
	}
}

// heard takes untagged data (RFC 3501 section 7.2); false leaves it to others.
// What comes before the SELECT is answered may still be about the mailbox that
// is left, which the new one's own words replace.
func (v *Visit) heard(typ, args string) bool {
	if typ == "FLAGS" {
		if list, ok := flagValues(args); ok && !v.open {
			v.box.Flags = v.c.flagNames(list, false)
		}
		return true
	}
	n, isNumber := number(typ, math.MaxUint32)
	what, _ := word(args)
	switch {
	case !isNumber || what != "EXISTS" && what != "EXPUNGE":
		return false
	case what == "EXISTS" && !v.open:
		v.box.Messages = uint32(n)
	case what == "EXISTS":
		v.box.Exists = uint32(n)
	case v.open && v.box.Exists > 0:
		v.box.Exists--
	}
	return true
}

// code takes an untagged OK; false leaves it to others. What is told of the mailbox
// after the SELECT was answered is not of the moment that its mark stands for.
func (v *Visit) code(st status) bool {
	switch st.code {
	case "CLOSED": // what came so far was of the mailbox that is left (RFC 7162 section 3.2.11)
		if !v.open {
			v.box = Box{}
		}
	case "PERMANENTFLAGS", "UIDVALIDITY", "UIDNEXT", "HIGHESTMODSEQ", "NOMODSEQ":
		if !v.open {
			v.keep(st)
		}
	case "UNSEEN", "":
	default:
		return false
	}
	return true
}

// keep keeps what a SELECT tells by a response code.
func (v *Visit) keep(st status) {
	n, isNumber := number(st.args, math.MaxInt64)
	switch {
	case st.code == "PERMANENTFLAGS":
		if list, ok := flagValues(st.args); ok {
			v.box.Permanent, v.box.AnyPermanent = v.c.flagNames(list, true), true
		}
	case st.code == "NOMODSEQ":
		v.box.HighestModSeq = 0
	case !isNumber:
	case st.code == "HIGHESTMODSEQ":
		v.box.HighestModSeq = n
	case n > math.MaxUint32:
	case st.code == "UIDVALIDITY":
		v.box.UIDValidity = uint32(n)
	case st.code == "UIDNEXT":
		v.box.UIDNext = uint32(n)
	}
}

// quotedName writes a mailbox name for a command.
func quotedName(mailbox string) string {
	if strings.EqualFold(mailbox, "INBOX") {
		mailbox = "INBOX"
	}
	return `"` + escapes.Replace(encodeUTF7(mailbox)) + `"`
}

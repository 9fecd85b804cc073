package importer

import (
	"strconv"
	"strings"
)

// mbsync is an mbsync configuration on its way to ours.
type mbsync struct {
	*Result
	env      Env
	servers  map[string]*mbServer
	stores   map[string]*mbStore
	channels []*mbChannel
	defaults mbChannel // what the global options say of every channel
	fsync    bool
}

// mbServer is an IMAPAccount, or the like within an IMAPStore.
type mbServer struct {
	name    string
	line    int
	tlsLine int // of TLSType
	login
}

// mbStore is an IMAPStore or a MaildirStore.
type mbStore struct {
	name string
	line int
	imap bool

	path, mapInbox, flatten, trash string
	maxSize                        int64

	server     *mbServer // of an IMAPStore
	subscribed bool

	inbox, subFolders string // of a MaildirStore
	lines             map[string]int
}

// lineOf is where an option of the store stands, or else the store.
func (s *mbStore) lineOf(option string) int {
	if line := s.lines[option]; line > 0 {
		return line
	}
	return s.line
}

// mbChannel pairs two stores.
type mbChannel struct {
	name      string
	line      int
	far, near mbEnd
	patterns  []string
	many      bool // it has Patterns

	pull, push     direction // without "folders"
	create, remove mbSides
	expunge, solo  mbSides
	maxSize        int64
	maxMessages    int
}

// mbEnd is a side of a channel: ":store:box".
type mbEnd struct{ store, box string }

// mbSides is a choice of None, Far, Near or Both.
type mbSides struct{ far, near bool }

// Mbsync reads a configuration of mbsync 1.0 to 1.5.
func Mbsync(text string, env Env) *Result {
	t := &mbsync{Result: &Result{}, env: env, servers: map[string]*mbServer{}, stores: map[string]*mbStore{}, fsync: true}
	t.defaults = mbChannel{pull: mbAllKinds(), push: mbAllKinds()}
	blocks := t.readMbsync(text)
	t.globals(blocks)
	for _, b := range blocks {
		switch b.kind {
		case "imapaccount":
			t.account(b)
		case "imapstore", "maildirstore":
			t.store(b)
		case "channel":
			t.channel(b)
		case "group":
			t.group(b)
		}
	}
	t.accounts()
	return t.finish()
}

// mbAllKinds is what mbsync carries over in a direction unless told otherwise.
func mbAllKinds() direction { return direction{"new": true, "flags": true, "deletions": true} }

// unknown names an option that no version of mbsync has there.
func (t *mbsync) unknown(o mbOption, where string) {
	t.note(o.line, o.said, "mbsync has no such option in %s, so it is left out; correct it in the old file if it should have meant something", where)
}

// globals reads the global options, wherever they stand.
func (t *mbsync) globals(blocks []*mbBlock) {
	for _, o := range blocks[0].options {
		switch o.name {
		case "fsync":
			t.fsync = t.yes(o)
		case "fielddelimiter":
			if o.arg() != ":" {
				t.note(o.line, o.said, "file names here always have a colon before the flags; where the old ones have %q, rename the files, "+
					"or their flags are not seen", o.arg())
			}
		case "bufferlimit":
			t.note(o.line, o.said, "not needed: messages are streamed to the disk")
		case "syncstate":
		default:
			if !t.channelOption(&t.defaults, o) {
				t.unknown(o, "the global part")
			}
		}
	}
}

func (t *mbsync) account(b *mbBlock) {
	s := &mbServer{name: b.name, line: b.line}
	for _, o := range b.options {
		if !t.serverOption(s, o) {
			t.unknown(o, "IMAPAccount")
		}
	}
	t.servers[b.name] = s
}

func (t *mbsync) store(b *mbBlock) {
	s := &mbStore{name: b.name, line: b.line, imap: b.kind == "imapstore", inbox: "~/Maildir", lines: map[string]int{}}
	own := &mbServer{name: b.name, line: b.line}
	for _, o := range b.options {
		s.lines[o.name] = o.line
		switch {
		case t.storeOption(s, o):
		case s.imap && t.imapStoreOption(s, o):
		case s.imap && t.serverOption(own, o):
			s.server = own
		case !s.imap && t.maildirStoreOption(s, o):
		default:
			t.unknown(o, map[bool]string{true: "IMAPStore", false: "MaildirStore"}[s.imap])
		}
	}
	if s.imap && s.server == nil {
		s.server = own
	}
	t.stores[b.name] = s
}

func (t *mbsync) storeOption(s *mbStore, o mbOption) bool {
	switch o.name {
	case "path":
		s.path = o.arg()
	case "maxsize":
		s.maxSize = t.size(o)
	case "mapinbox":
		s.mapInbox = o.arg()
	case "flatten":
		s.flatten = o.arg()
	case "trash":
		s.trash = o.arg()
	case "trashnewonly", "trashremotenew":
		if t.yes(o) {
			t.note(o.line, o.said, "there is no such choice: what a sync deletes on the server goes to the folder of the key trash, "+
				"what it deletes in the Maildir is kept for imapsync undo")
		}
	default:
		return false
	}
	return true
}

func (t *mbsync) imapStoreOption(s *mbStore, o mbOption) bool {
	switch o.name {
	case "account":
		if s.server = t.servers[o.arg()]; s.server == nil {
			t.grave(o.line, o.said, "there is no IMAPAccount %q", o.arg())
		}
	case "subscribedonly":
		s.subscribed = t.yes(o)
	case "usenamespace":
		if !t.yes(o) {
			t.note(o.line, o.said, "the prefix of the server's personal namespace is always left out of names; compare imapsync folders with the "+
				"directories before the first sync, and move up what lies below INBOX if the server has the prefix INBOX.")
		}
	case "useutf8mailboxes": // of mbsync after 1.5
		t.note(o.line, o.said, "names are in UTF-8 here, and written to the server as it wants them; folder_names says how directories have them")
	case "pathdelimiter":
		t.note(o.line, o.said, "not needed: the server is asked for it")
	default:
		return false
	}
	return true
}

func (t *mbsync) maildirStoreOption(s *mbStore, o mbOption) bool {
	switch o.name {
	case "inbox":
		s.inbox = o.arg()
	case "subfolders":
		s.subFolders = strings.ToLower(o.arg())
	case "altmap":
	case "infodelimiter":
		if o.arg() != ":" {
			t.note(o.line, o.said, "file names here always have a colon before the flags; rename the files that have %q, or their flags are not seen", o.arg())
		}
	default:
		return false
	}
	return true
}

// yes reads a boolean as mbsync does.
func (t *mbsync) yes(o mbOption) bool {
	switch strings.ToLower(o.arg()) {
	case "yes", "true", "on", "1":
		return true
	case "no", "false", "off", "0":
	default:
		t.note(o.line, o.said, "%q is neither yes nor no; taken as no", o.arg())
	}
	return false
}

// size reads a number of bytes such as 200k or 5M, 0 for no limit.
func (t *mbsync) size(o mbOption) int64 {
	digits := strings.TrimRight(strings.ToLower(o.arg()), "bkm")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > 1<<40 {
		t.note(o.line, o.said, "%q is no size; left out", o.arg())
		return 0
	}
	switch unit := strings.TrimSuffix(strings.ToLower(o.arg())[len(digits):], "b"); unit {
	case "k":
		n <<= 10
	case "m":
		n <<= 20
	}
	return n
}

// number reads a whole number; 0 where it is none in the range, which is told.
func (t *mbsync) number(o mbOption, least, most int) int {
	n, err := strconv.Atoi(o.arg())
	if err != nil || n < least || n > most {
		t.note(o.line, o.said, "%q is no number from %d to %d; left out", o.arg(), least, most)
		return 0
	}
	return n
}

// group names what a group of channels is here.
func (t *mbsync) group(b *mbBlock) {
	list := b.args
	for _, o := range b.options {
		if o.name != "channel" && o.name != "channels" {
			t.unknown(o, "Group")
			continue
		}
		list = append(list, o.args...)
	}
	t.note(b.line, "Group "+b.name, "in place of mbsync %s name accounts and folders: imapsync sync ACCOUNT ACCOUNT/FOLDER", b.name)
	for _, item := range list {
		if channel, boxes, ok := strings.Cut(item, ":"); ok {
			t.note(b.line, "Group "+b.name, "the folders that %s has here in place of its Patterns (%s) are not carried over; its Patterns are", channel, boxes)
		}
	}
}

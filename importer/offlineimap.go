package importer

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// offlineimap is a configuration of offlineimap on its way to ours.
type offlineimap struct {
	*Result
	env        Env
	file       *iniFile
	pythonFile string // absolute, "" for none
	timeout    int    // seconds
	fsync      bool
}

// olSection is a section that is being read; what nobody asked for is unknown.
type olSection struct {
	*offlineimap
	*iniSection
	asked map[string]bool
}

// olAccount is an account of offlineimap with its two repositories.
type olAccount struct {
	name                   string
	account, local, remote *olSection
	login                  login
	pull, push             direction
	place                  place
	sep                    string
}

// Offlineimap reads a configuration of offlineimap, for Python 2 or 3.
func Offlineimap(text string, env Env) *Result {
	t := &offlineimap{Result: &Result{}, env: env, fsync: true}
	t.file = t.readINI(text)
	general := t.open("general")
	if general == nil {
		t.grave(0, "[general]", "the section is missing, and with it the list of accounts")
		return t.finish()
	}
	names := strings.Split(general.text("accounts"), ",")
	t.general(general)
	lines := map[*Account]int{}
	for _, name := range names {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if a, ok := t.account(name); ok {
			t.Accounts = append(t.Accounts, a)
			lines[a] = general.line
		}
	}
	t.separate(lines)
	for _, s := range t.file.sections {
		if !slices.Contains([]string{"general", "mbnames"}, s.name) && !strings.HasPrefix(s.name, "Account ") && !strings.HasPrefix(s.name, "Repository ") {
			t.note(s.line, "["+s.name+"]", "offlineimap has no such section; left out")
		}
	}
	if names := t.open("mbnames"); names != nil && names.yes("enabled", false) {
		t.note(names.line, "[mbnames]", "no list of mailboxes is written; mutt can make it by itself: "+
			"mailboxes `find ~/Mail -type d -name cur -printf '\"%%h\" '`")
	}
	return t.finish()
}

// open finds a section, nil where there is none.
func (t *offlineimap) open(name string) *olSection {
	s := t.file.section(name)
	if s == nil {
		return nil
	}
	return &olSection{t, s, map[string]bool{}}
}

// text is an option's value without blanks around, "" where it is not set.
func (s *olSection) text(name string) string {
	s.asked[name] = true
	o, ok := s.raw(name)
	if !ok {
		return ""
	}
	value, err := s.expand(o.value, 0)
	if err != nil {
		s.grave(o.line, name, "%v; left out", err)
		return ""
	}
	return strings.TrimSpace(value)
}

// lineOf is where an option stands, or else its section.
func (s *olSection) lineOf(name string) int {
	if o, ok := s.raw(name); ok {
		return o.line
	}
	return s.line
}

// yes is a boolean as configparser reads it.
func (s *olSection) yes(name string, otherwise bool) bool {
	switch value := strings.ToLower(s.text(name)); value {
	case "":
		return otherwise
	case "yes", "true", "on", "1":
		return true
	case "no", "false", "off", "0":
		return false
	default:
		s.note(s.lineOf(name), name, "%q is neither yes nor no; left out", value)
		return otherwise
	}
}

// number is a whole number; 0 where there is none in the range, which is told.
func (s *olSection) number(name string, least, most int) int {
	text := s.text(name)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		s.note(s.lineOf(name), name, "%q is no number from %d to %d; left out", text, least, most)
		return 0
	}
	return n
}

// path is a path with "~" and environment variables replaced.
func (s *olSection) path(name string) string {
	text := s.text(name)
	if text == "" {
		return ""
	}
	if rest, ok := strings.CutPrefix(text, "~"); ok && (rest == "" || rest[0] == '/') {
		text = s.env.Home + rest
	}
	return filepath.Clean(s.env.path(s.env.expand(text)))
}

// say names an option that is set, and that has no counterpart.
func (s *olSection) say(name, format string, args ...any) {
	if s.text(name) != "" {
		s.note(s.lineOf(name), name, format, args...)
	}
}

// rest names the options that nobody asked for.
func (s *olSection) rest() {
	for _, o := range s.options {
		if !s.asked[o.name] && !strings.HasPrefix(o.name, "customflag_") && !s.all.refersTo(o.name) {
			s.note(o.line, o.name, "offlineimap has no such option in [%s], so it is left out", s.name)
		}
	}
}

func (t *offlineimap) general(s *olSection) {
	s.text("metadata")
	s.text("maxsyncaccounts") // all accounts are synchronised at the same time anyway
	s.text("ui")
	s.text("utime_from_header")
	s.yes("ignore-readonly", false)
	s.text("dry-run")
	t.pythonFile = s.path("pythonfile")
	t.fsync = s.yes("fsync", true)
	t.timeout = s.number("socktimeout", 1, 24*60*60)
	s.say("ui", "there is one output: quiet but for a line per account, -v and -q for more and less, --json for programs")
	s.rest()
}

// account makes an account; false when it is left out, which was told then.
func (t *offlineimap) account(name string) (*Account, bool) {
	a := &olAccount{name: name, account: t.open("Account " + name), pull: allKinds(), push: allKinds()}
	if a.account == nil {
		t.grave(0, "[Account "+name+"]", "the section is missing; the account is left out")
		return nil, false
	}
	a.local, a.remote = t.open("Repository "+a.account.text("localrepository")), t.open("Repository "+a.account.text("remoterepository"))
	if a.local == nil || a.remote == nil {
		t.grave(a.account.line, "[Account "+name+"]", "one of its repositories is missing; the account is left out")
		return nil, false
	}
	local, remote := strings.ToLower(a.local.text("type")), strings.ToLower(a.remote.text("type"))
	if local != "maildir" && local != "gmailmaildir" || remote != "imap" && remote != "gmail" {
		t.grave(a.account.line, "[Account "+name+"]", "it pairs %q and %q, and imapsync pairs a Maildir and a server; the account is left out", local, remote)
		return nil, false
	}
	out := &Account{Name: t.accountName(name), From: "account " + name + " of offlineimap"}
	trash := a.server(remote == "gmail")
	if !a.where() {
		return nil, false
	}
	out.Maildir = a.place.root
	out.Missing = a.login.put(&out.settings, t.env)
	t.noteInsecure(out, a.remote.lineOf("ssl"), "ssl")
	if out.Missing != "" {
		t.grave(a.remote.line, a.remote.name, "offlineimap asks for the password, or takes it from ~/.netrc; here account %s needs a source for it: "+
			"password_command, password_file, password, or keyring = true", out.Name)
	}
	a.choices()
	a.place.put(&out.settings, t.env)
	a.settings(&out.settings, trash)
	for _, s := range []*olSection{a.account, a.local, a.remote} {
		s.rest()
	}
	return out, true
}

// settings writes what is neither login nor place.
func (a *olAccount) settings(s *settings, trash string) {
	t := a.account.offlineimap
	if trash != "" {
		s.set("trash", a.place.local(trash))
	}
	if a.remote.yes("subscribedonly", false) {
		s.set("subscribed", true)
	}
	for _, way := range []struct {
		key string
		direction
	}{{"pull", a.pull}, {"push", a.push}} {
		if list := way.list(); !slices.Equal(list, kinds) {
			s.set(way.key, list)
		}
	}
	if n := a.account.number("maxsize", 0, math.MaxInt32); n > 0 {
		s.set("max_size", bytesText(int64(n)))
		t.note(a.account.lineOf("maxsize"), "maxsize", "of a larger message a stub is kept, with its header and what was left out; imapsync fetch brings the whole")
	}
	if age := a.account.text("maxage"); age != "" {
		if n, err := strconv.Atoi(age); err == nil && n > 0 {
			s.set("max_age", fmt.Sprintf("%dd", n))
		} else {
			t.note(a.account.lineOf("maxage"), "maxage", "max_age is a time before today, not a date: write max_age = \"2y\", for instance, before the first sync")
		}
	}
	if n := a.remote.number("maxconnections", 1, 32); n > 1 {
		s.set("connections", n)
	}
	if a.remote.text("usecompression") != "" {
		s.set("compress", a.remote.yes("usecompression", false))
	}
	if !t.fsync {
		s.set("fsync", false)
	}
}

// choices reads which kinds of change are carried over, and names what has no
// counterpart.
func (a *olAccount) choices() {
	a.pull["deletions"] = a.remote.yes("sync_deletes", true)
	a.push["deletions"] = a.local.yes("sync_deletes", true)
	if !a.remote.yes("expunge", true) && a.push["deletions"] {
		a.push["deletions"] = false
		a.remote.say("expunge", `without it offlineimap only marks messages as deleted on the server, so deletions are not carried over to it; with "deletions" in push they are`)
	}
	a.pull["folders"] = a.local.yes("createfolders", true)
	a.push["folders"] = a.remote.yes("createfolders", true)
	if a.pull["folders"] || a.push["folders"] {
		a.account.note(a.account.file.section("general").line, "createfolders", `offlineimap only creates folders; with "folders" in pull and push they are also renamed and deleted, a folder once none of its messages is left`)
	}
	if a.local.yes("readonly", false) {
		a.pull = direction{}
	}
	if a.remote.yes("readonly", false) {
		a.push = direction{}
	}
	a.chooseFolders()
	a.others()
}

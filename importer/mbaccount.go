package importer

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// mbGroup is the channels between one account on a server and one Maildir: an
// account of ours.
type mbGroup struct {
	server    *mbServer
	far, near *mbStore // of the first channel
	channels  []*mbChannel
}

// name is what the user called the account.
func (g *mbGroup) name() string {
	if len(g.channels) == 1 {
		return g.channels[0].name
	}
	return g.server.name
}

func (g *mbGroup) from() string {
	names := make([]string, len(g.channels))
	for i, c := range g.channels {
		names[i] = c.name
	}
	return "channel " + strings.Join(names, ", ") + " of mbsync"
}

// accounts makes accounts of the channels.
func (t *mbsync) accounts() {
	lines := map[*Account]int{}
	groups := t.groups()
	for _, g := range groups {
		p, ok := t.place(g)
		if !ok {
			continue
		}
		if len(p.renames) == 0 && slices.Equal(p.folders, []string{"INBOX"}) && p.inbox != "" && shared(groups, g) {
			p.root, p.inbox = filepath.Join(p.root, p.inbox), "." // the rest of the root is others'
		}
		a := &Account{Name: t.accountName(g.name()), Maildir: p.root, From: g.from()}
		a.Missing = g.server.put(&a.settings, t.env)
		t.noteInsecure(a, g.server.tlsLine, "TLSType")
		if g.server.host == "" && g.server.tunnel == "" {
			t.grave(g.server.line, g.server.name, "there is no Host; add host to account %s", a.Name)
		}
		if a.Missing != "" {
			t.grave(g.server.line, g.server.name, "mbsync asks for the password; here account %s needs a source for it: password_command, password_file, password, or keyring = true", a.Name)
		}
		p.put(&a.settings, t.env)
		t.choices(g, p, a)
		if !t.fsync {
			a.set("fsync", false)
		}
		t.Accounts = append(t.Accounts, a)
		lines[a] = g.channels[0].line
	}
	t.separate(lines)
}

// shared reports whether channels of another account use the same Path.
func shared(groups []*mbGroup, g *mbGroup) bool {
	return slices.ContainsFunc(groups, func(o *mbGroup) bool { return o != g && o.near.path == g.near.path })
}

// groups sorts the channels by the accounts they make up.
func (t *mbsync) groups() (groups []*mbGroup) {
	for _, c := range t.channels {
		far, near := t.stores[c.far.store], t.stores[c.near.store]
		switch {
		case far == nil || near == nil:
			t.grave(c.line, "Channel "+c.name, "the channel is left out: there is no store %q", map[bool]string{true: c.far.store, false: c.near.store}[far == nil])
			continue
		case far.imap == near.imap:
			t.grave(c.line, "Channel "+c.name, "the channel is left out: it pairs two %s, and imapsync pairs a server and a Maildir",
				map[bool]string{true: "servers", false: "Maildirs"}[far.imap])
			continue
		case near.imap:
			t.turn(c)
			far, near = near, far
		}
		if far.server == nil {
			continue // which was told where it was named
		}
		i := slices.IndexFunc(groups, func(g *mbGroup) bool {
			return g.server == far.server && g.near.path == near.path && (near.path != "" || g.near.inbox == near.inbox)
		})
		if i < 0 {
			i = len(groups)
			groups = append(groups, &mbGroup{server: far.server, far: far, near: near})
		}
		groups[i].channels = append(groups[i].channels, c)
	}
	for _, g := range groups { // later patterns win, and a channel for one folder is about that folder
		slices.SortStableFunc(g.channels, func(a, b *mbChannel) int { return order(b.many) - order(a.many) })
	}
	return groups
}

func order(first bool) int {
	if first {
		return 1
	}
	return 0
}

// turn makes the server the far side of a channel.
func (t *mbsync) turn(c *mbChannel) {
	c.far, c.near = c.near, c.far
	c.pull, c.push = c.push, c.pull
	for _, s := range []*mbSides{&c.create, &c.remove, &c.expunge, &c.solo} {
		s.far, s.near = s.near, s.far
	}
	if c.maxMessages > 0 {
		c.maxMessages = 0
		t.note(c.line, "MaxMessages", "limits the server in channel %s, which nothing does here; left out", c.name)
	}
}

// choices writes what is synchronised, and how: for the account as the channel
// with Patterns has it, for the folders of others where theirs differs.
func (t *mbsync) choices(g *mbGroup, p *place, a *Account) {
	base := g.channels[0]
	if g.far.trash != "" {
		a.set("trash", p.local(readable(g.far.prefix()+g.far.trash)))
	}
	if g.far.subscribed {
		a.set("subscribed", true)
	}
	if g.near.trash != "" {
		t.note(g.near.lineOf("trash"), "Trash", "what a sync deletes in the Maildir is kept outside of it for 30 days (keep_deleted); imapsync undo puts it back")
	}
	if g.far.maxSize > 0 {
		t.note(g.far.lineOf("maxsize"), "MaxSize", "max_size limits what is downloaded; uploads have no limit but the server's")
	}
	for _, s := range t.terms(g, base, base) {
		if !s.isDefault() {
			a.set(s.key, s.value)
		}
	}
	for _, c := range g.channels[1:] {
		var differs settings
		for _, s := range t.terms(g, c, base) {
			have := a.get(s.key)
			switch {
			case have == nil && s.isDefault() || fmt.Sprint(have) == fmt.Sprint(s.value):
			case s.value == "":
				t.note(c.line, "Channel "+c.name, "has no limit as channel %s has, which becomes %s of account %s and holds here too", base.name, s.key, a.Name)
			default:
				differs.set(s.key, s.value)
			}
		}
		if len(differs) == 0 {
			continue
		}
		for _, pattern := range t.patterns(g, c, p.strip) {
			if !strings.HasPrefix(pattern, "!") {
				a.folders = append(a.folders, folderSection{pattern, differs})
			}
		}
	}
}

// isDefault reports whether a setting of terms says what holds without it.
func (s setting) isDefault() bool {
	switch v := s.value.(type) {
	case []string:
		return slices.Equal(v, kinds)
	case string:
		return v == "none" || v == ""
	case int:
		return v == 0
	}
	return false
}

// terms are a channel's choices in full. Whether folders are carried over is
// that of the channel that has many.
func (t *mbsync) terms(g *mbGroup, c, base *mbChannel) (s settings) {
	pull, push := t.directions(c)
	pull["folders"], push["folders"] = base.create.near, base.create.far
	if c.many && (c.create.near && !c.remove.near || c.create.far && !c.remove.far) {
		t.note(c.line, "Channel "+c.name, `with "folders" in pull or push folders are also renamed and deleted there, a folder once none of its messages is left; `+
			`without Remove mbsync leaves them`)
	}
	s.set("pull", pull.list())
	s.set("push", push.list())
	s.set("expunge", map[mbSides]string{{}: "none", {far: true}: "remote", {near: true}: "local", {true, true}: "both"}[c.expunge])
	if c.expunge.near && !pull["deletions"] || c.expunge.far && !push["deletions"] {
		t.note(c.line, "Channel "+c.name, `expunge needs "deletions" in pull for the near side and in push for the far one, which Sync leaves out: `+
			`add them, or what is marked as deleted stays`)
	}
	size := c.maxSize
	if store := g.near.maxSize; size == 0 || store > 0 && store < size {
		size = store
	}
	s.set("max_size", bytesText(size))
	if size > 0 { // as flagging a placeholder does
		s.set("upgrade", "flagged")
	}
	s.set("max_messages", c.maxMessages)
	return s
}

// directions are what a channel carries over each way. mbsync only marks messages
// as deleted where it does not expunge; there nothing is deleted here either.
func (t *mbsync) directions(c *mbChannel) (pull, push direction) {
	pull, push = maps.Clone(c.pull), maps.Clone(c.push)
	var left []string
	if pull["deletions"] && !c.expunge.near && !c.solo.near {
		pull["deletions"] = false
		left = append(left, "pull")
	}
	if push["deletions"] && !c.expunge.far && !c.solo.far {
		push["deletions"] = false
		left = append(left, "push")
	}
	if len(left) > 0 {
		t.note(c.line, "Channel "+c.name, `mbsync removes no message where it does not expunge, so deletions are left out of %[1]s; with "deletions" in %[1]s they are carried out `+
			`(imapsync undo brings back what went from the Maildir)`, strings.Join(left, " and "))
	}
	return pull, push
}

// bytesText writes a size as the configuration has it, "" for none.
func bytesText(n int64) string {
	switch {
	case n == 0:
		return ""
	case n%(1<<20) == 0:
		return fmt.Sprintf("%dMB", n>>20)
	case n%(1<<10) == 0:
		return fmt.Sprintf("%dKB", n>>10)
	}
	return fmt.Sprintf("%dB", n)
}

// prefix is what comes before all names of an IMAP store, as we would write it.
func (s *mbStore) prefix() string {
	p := strings.TrimRight(s.path, "./")
	if p == "" || strings.EqualFold(p, "INBOX") { // INBOX: the namespace's, which is left out anyway
		return ""
	}
	return path.Clean(p) + "/"
}

package importer

import (
	"path/filepath"
	"strings"
)

// place is where an account's Maildir is, how folders lie in it, and which.
type place struct {
	root, layout, separator, inbox string
	utf7                           bool
	strip                          string   // of the near boxes' names, which is part of the root
	folders                        []string // patterns of the Maildir's names
	renames                        []pair   // the server's name, and the Maildir's
}

func (p *place) put(s *settings, env Env) {
	s.set("maildir", env.short(p.root))
	if p.layout != "verbatim" {
		s.set("layout", p.layout)
	}
	if p.layout == "flat" && p.separator != "." {
		s.set("separator", p.separator)
	}
	if p.inbox != "" {
		s.set("inbox", p.inbox)
	}
	if p.utf7 {
		s.set("folder_names", "utf-7")
	}
	if len(p.folders) > 0 && !(len(p.folders) == 1 && p.folders[0] == "*") {
		s.set("folders", p.folders)
	}
	if len(p.renames) > 0 {
		s.set("rename", p.renames)
	}
}

// leaveOut tells why an account is not written.
func (t *mbsync) leaveOut(g *mbGroup, line int, option, format string, args ...any) bool {
	t.grave(line, option, "account "+g.name()+" is left out: "+format, args...)
	return false
}

// place finds out where the Maildir of a group is; false when our layouts do not
// have it, which was told then.
func (t *mbsync) place(g *mbGroup) (*place, bool) {
	p := &place{layout: "verbatim"}
	near := g.near
	for _, o := range []pair{{"Path", near.path}, {"Inbox", near.inbox}} {
		if path := o.value; strings.HasPrefix(path, "~") && path != "~" && !strings.HasPrefix(path, "~/") {
			return nil, t.leaveOut(g, near.lineOf(strings.ToLower(o.key)), o.key, "%s is in another user's home directory; write the whole path, and import again", path)
		}
	}
	inbox := filepath.Clean(t.env.path(near.inbox))
	strip := ""
	switch {
	case near.subFolders == "maildir++" && near.flatten == "":
		p.root, p.layout = inbox, "maildir++"
	case near.path == "":
		p.root, p.inbox = inbox, "."
	default:
		ok := t.layout(g, p, inbox)
		if !ok {
			return nil, false
		}
		if p.layout == "verbatim" {
			strip = commonDir(g.channels)
			p.root = filepath.Join(p.root, strip)
		}
		if p.layout != "maildir++" && !t.inboxPlace(g, p, inbox, strip) {
			return nil, false
		}
	}
	p.strip = strip
	dirs := t.env.Dirs(p.root)
	p.utf7 = holdsUTF7(dirs)
	for _, dir := range dirs {
		if sub, ok := strings.CutPrefix(dir, ".."); ok && p.layout == "maildir++" {
			return nil, t.leaveOut(g, near.lineOf("subfolders"), "SubFolders", "%s would be called .INBOX.%s here; rename it: mv %s %s, and import again",
				dir, sub, shellQuote(filepath.Join(p.root, dir)), shellQuote(filepath.Join(p.root, ".INBOX."+sub)))
		}
	}
	for _, c := range g.channels {
		p.folders = append(p.folders, t.patterns(g, c, strip)...)
		if !t.rename(g, p, c, strip) {
			return nil, false
		}
	}
	return p, true
}

// layout finds out how folders lie below Path.
func (t *mbsync) layout(g *mbGroup, p *place, inbox string) bool {
	near := g.near
	dir, isDir := strings.CutSuffix(near.path, "/")
	p.root = filepath.Clean(t.env.path(dir))
	if near.path == "/" {
		p.root = "/"
	}
	if dot, ok := strings.CutSuffix(near.path, "/."); ok && near.flatten == "." && filepath.Clean(t.env.path(dot)) == inbox {
		p.root, p.layout = inbox, "maildir++" // in all but name
		return true
	}
	if !isDir {
		return t.leaveOut(g, near.lineOf("path"), "Path", "%s does not end in a slash, so directories have its last part before their names; "+
			"rename them, end Path in a slash, and import again", near.path)
	}
	if near.flatten != "" {
		if len(near.flatten) != 1 || !strings.Contains("!#$&()*+,-.:;<=>?@[]^_{|}~", near.flatten) {
			return t.leaveOut(g, near.lineOf("flatten"), "Flatten", "%q cannot be the separator of layout flat, which is one punctuation character; "+
				"rename the directories, change Flatten, and import again", near.flatten)
		}
		p.layout, p.separator = "flat", near.flatten
		return true
	}
	for _, sub := range t.env.Dirs(p.root) {
		if near.subFolders == "legacy" && strings.Contains(sub, "/.") {
			return t.leaveOut(g, near.lineOf("subfolders"), "SubFolders", "no layout here has %s; rename the directories with "+
				"find %s -mindepth 2 -depth -type d -name '.?*' -execdir sh -c 'mv \"$1\" \"${1#./.}\"' sh '{}' ';' , write SubFolders Verbatim, and import again", sub, shellQuote(p.root))
		}
	}
	return true
}

// commonDir is the directory below Path, "" or with a slash behind it, in which
// all boxes of the near side lie but the INBOX.
func commonDir(channels []*mbChannel) string {
	common, first := "", true
	for _, c := range channels {
		if c.near.isInbox() && !c.many {
			continue
		}
		dir := c.near.box[:strings.LastIndexByte(c.near.box, '/')+1]
		if first {
			common, first = dir, false
		}
		for !strings.HasPrefix(dir, common) {
			common = common[:strings.LastIndexByte(strings.TrimSuffix(common, "/"), '/')+1]
		}
	}
	return common
}

// isInbox reports whether an end of a channel without Patterns is the INBOX.
func (e mbEnd) isInbox() bool { return e.box == "" || strings.EqualFold(e.box, "INBOX") }

// inboxPlace finds out where the INBOX lies in the root, if it is synchronised.
func (t *mbsync) inboxPlace(g *mbGroup, p *place, inbox, strip string) bool {
	near := g.near
	for _, c := range g.channels {
		at := ""
		switch {
		case c.many && c.far.box == "" && matches(c.patterns, "INBOX"):
			switch box := g.far.mapInbox; {
			case box != "" && box != near.mapInbox:
				at = filepath.Join(p.root, strings.TrimPrefix(c.near.box+box, strip))
			case c.near.box == "":
				at = inbox
			default:
				at = filepath.Join(p.root, strings.TrimPrefix(c.near.box, strip), "INBOX")
			}
		case c.many || !c.far.isInbox():
			continue
		case c.near.isInbox():
			at = inbox
		default:
			at = filepath.Join(p.root, strings.TrimPrefix(c.near.box, strip))
		}
		own := filepath.Join(p.root, "INBOX")
		if at == own || t.env.Same(at, own) {
			continue
		}
		rel, err := filepath.Rel(p.root, at)
		if err != nil || strings.Contains(rel, "/") || rel != "." && strings.HasPrefix(rel, ".") {
			return t.leaveOut(g, near.lineOf("inbox"), "Inbox", "INBOX is in %s and the other folders in %s; let it be found there: ln -s %s %s, and import again",
				at, p.root, shellQuote(at), shellQuote(own))
		}
		p.inbox = rel
	}
	return true
}

// patterns are the folders that a channel is about, by the Maildir's names.
func (t *mbsync) patterns(g *mbGroup, c *mbChannel, strip string) (list []string) {
	prefix := strings.TrimPrefix(c.near.box, strip)
	if !c.many {
		if c.far.isInbox() {
			return []string{"INBOX"}
		}
		return []string{readable(prefix)}
	}
	for _, pattern := range c.patterns {
		name, not := strings.CutPrefix(pattern, "!")
		mark := map[bool]string{true: "!"}[not]
		if name == "" || not && len(list) == 0 {
			continue // leaves out what nothing has chosen
		}
		if c.far.box == "" && (strings.EqualFold(name, "INBOX") || g.far.mapInbox != "" && name == g.far.mapInbox) {
			list = append(list, mark+"INBOX")
			continue
		}
		list = append(list, mark+readable(prefix+name))
	}
	return list
}

// literals are the names among a channel's patterns, when they are all names.
func (c *mbChannel) literals() (names []string, ok bool) {
	for _, p := range c.patterns {
		if strings.ContainsAny(p, "*%") || strings.HasPrefix(p, "!") {
			return nil, false
		}
		names = append(names, p)
	}
	return names, true
}

// rename notes where names differ between the sides; false when we cannot say so.
func (t *mbsync) rename(g *mbGroup, p *place, c *mbChannel, strip string) bool {
	far := t.stores[c.far.store]
	from, to := far.prefix()+c.far.box, strings.TrimPrefix(c.near.box, strip)
	option := "Channel " + c.name
	if far.flatten != "" {
		return t.leaveOut(g, far.lineOf("flatten"), "Flatten", "it changes names on the server's side; there is no such thing here. Flatten in the MaildirStore is layout flat")
	}
	switch {
	case !c.many && c.far.isInbox() || from == to:
		return true
	case !c.many && c.near.isInbox():
		return t.leaveOut(g, c.line, option, "the INBOX of the Maildir is paired with %s; move the Maildir's directory to %s, and import again",
			from, filepath.Join(p.root, from))
	case c.many && (from != "" && !strings.HasSuffix(from, "/") || to != "" && !strings.HasSuffix(to, "/")):
		return t.leaveOut(g, c.line, option, "%q and %q are no whole folders, but the beginnings of names", from, to)
	}
	if strings.HasPrefix(to, "INBOX/") {
		return t.leaveOut(g, c.line, option, "nothing but INBOX can lie below INBOX here; move %s out of there, and import again", to)
	}
	if names, ok := c.literals(); c.many && ok {
		for _, name := range names {
			if from != "" || !strings.EqualFold(name, "INBOX") {
				p.renames = append(p.renames, pair{readable(from + name), readable(to + name)})
			}
		}
		return true
	}
	if c.many && to == "" {
		t.note(c.line, option, "the patterns hold for all folders by their names in the Maildir, so that what the server has beside %s may be among them; "+
			"leave out in the key folders what is not to be", from)
	}
	p.renames = append(p.renames, pair{readable(from), readable(to)})
	return true
}

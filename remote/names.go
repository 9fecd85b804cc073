package remote

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"imapsync/mail"
)

// names translates between the server's mailbox names and ours by its namespaces
// (RFC 2342): the prefix of the first personal one is left out.
type names struct {
	prefix string  // of the first personal namespace, with its delimiter: "INBOX." on Cyrus and Courier
	delim  string  // between components; "" where the server has no hierarchy
	others []space // all other namespaces, which keep their prefix
}

// space is one namespace. One that is not told of is personal.
type space struct {
	kind   string // Personal, Other or Shared
	prefix string
	delim  string
}

// The kinds of namespaces.
const (
	Personal = "personal"
	Other    = "other"  // of other users
	Shared   = "shared" // of nobody in particular
)

// spaceOf finds the namespace of a name the server wrote: that with the longest
// prefix, also for the place in the hierarchy that the prefix itself is.
func (n names) spaceOf(server string) space {
	found, longest := space{Personal, n.prefix, n.delim}, len(n.prefix)
	if strings.EqualFold(server, string(mail.Inbox)) {
		return found
	}
	if _, within := cutPrefixFold(server, n.prefix); !within {
		found, longest = space{Personal, "", n.delim}, -1
	}
	for _, s := range n.others {
		_, within := cutPrefixFold(server, s.prefix)
		if len(s.prefix) > longest && (within || server != "" && server == strings.TrimSuffix(s.prefix, s.delim)) {
			found, longest = s, len(s.prefix)
		}
	}
	return found
}

// spaceFor finds the other namespace that one of our names belongs to.
func (n names) spaceFor(folder mail.FolderName) (other space, ok bool) {
	for _, s := range n.others {
		if s.prefix != "" && len(s.prefix) > len(other.prefix) && strings.HasPrefix(string(folder)+"/", s.ours()) {
			other, ok = s, true
		}
	}
	return other, ok
}

// stripped has entries about names with the prefix of our namespace be about those
// without, as they are known; who writes the prefix means the same.
func (n names) stripped(m mail.Mapping) (stripped mail.Mapping) {
	prefix := mail.FolderName(space{prefix: n.prefix, delim: n.delim}.ours())
	for _, r := range m {
		if rest, ok := strings.CutPrefix(string(r.Server), string(prefix)); ok && n.prefix != "" {
			r.Server = mail.FolderName(rest)
		}
		stripped = append(stripped, r)
	}
	return stripped
}

// ours is the prefix in one of our names.
func (s space) ours() string {
	prefix := s.prefix
	if s.delim != "" {
		prefix = strings.ReplaceAll(prefix, s.delim, "/")
	}
	return strings.TrimSuffix(prefix, "/") + "/"
}

// A slash inside a component is written %2F; so that this can be undone, a %2F
// that was there before gets its percent sign written %25.
var (
	needsEscape = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`%((?:25)*2F)`) })
	isEscaped   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`%25((?:25)*2F)|%2F`) })
)

func escapeComponent(s string) string {
	if !strings.ContainsAny(s, "%/") {
		return s
	}
	return strings.ReplaceAll(needsEscape().ReplaceAllString(s, "%25$1"), "/", "%2F")
}

func unescapeComponent(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	return isEscaped().ReplaceAllStringFunc(s, func(m string) string {
		if m == "%2F" {
			return "/"
		}
		return "%" + m[len("%25"):]
	})
}

// ours translates a name the server wrote. An error names what is unfit in it.
func (n names) ours(server string) (mail.FolderName, error) {
	in := n.spaceOf(server)
	if rest, ok := cutPrefixFold(server, n.prefix); ok && rest != "" && in.kind == Personal && in.prefix == n.prefix {
		server = rest
	}
	if strings.EqualFold(server, string(mail.Inbox)) {
		return mail.Inbox, nil
	}
	components := []string{server}
	if in.delim != "" {
		components = strings.Split(server, in.delim)
	}
	for i, c := range components {
		components[i] = escapeComponent(c)
	}
	folder := mail.FolderName(strings.Join(components, "/"))
	return folder, folder.Check()
}

// cutPrefixFold cuts off a prefix; an INBOX it begins with may be written in
// any case.
func cutPrefixFold(s, prefix string) (string, bool) {
	const inbox = len(mail.Inbox)
	if len(s) >= inbox && len(prefix) >= inbox && strings.EqualFold(s[:inbox], string(mail.Inbox)) &&
		strings.EqualFold(prefix[:inbox], string(mail.Inbox)) {
		return strings.CutPrefix(s[inbox:], prefix[inbox:])
	}
	return strings.CutPrefix(s, prefix)
}

// server translates one of our names into the one the server is to be asked
// for or told to create.
func (n names) server(folder mail.FolderName) (string, error) {
	if folder == mail.Inbox {
		return string(mail.Inbox), nil
	}
	if err := folder.Check(); err != nil {
		return "", err
	}
	components := folder.Components()
	prefix, delim := n.prefix, n.delim
	if other, ok := n.spaceFor(folder); ok { // its prefix is part of our name
		prefix, delim = "", other.delim
	}
	if len(components) > 1 && delim == "" {
		return "", fmt.Errorf("the server keeps no folders in folders")
	}
	for i, c := range components {
		components[i] = unescapeComponent(c)
		if delim != "" && strings.Contains(components[i], delim) {
			return "", fmt.Errorf("%q cannot be part of a folder name on this server: it separates folders by %q", components[i], delim)
		}
	}
	return prefix + strings.Join(components, delim), nil
}

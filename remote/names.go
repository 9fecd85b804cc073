package remote

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"imapsync/mail"
)

// names translates between the server's mailbox names and ours by the personal
// namespace (RFC 2342).
type names struct {
	prefix string // of the personal namespace, with its delimiter: "INBOX." on Cyrus and Courier
	delim  string // between components; "" where the server has no hierarchy
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
	if rest, ok := cutPrefixFold(server, n.prefix); ok && rest != "" {
		server = rest
	}
	if strings.EqualFold(server, string(mail.Inbox)) {
		return mail.Inbox, nil
	}
	components := []string{server}
	if n.delim != "" {
		components = strings.Split(server, n.delim)
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
	if len(components) > 1 && n.delim == "" {
		return "", fmt.Errorf("the server keeps no folders in folders")
	}
	for i, c := range components {
		components[i] = unescapeComponent(c)
		if n.delim != "" && strings.Contains(components[i], n.delim) {
			return "", fmt.Errorf("%q cannot be part of a folder name on this server: it separates folders by %q", components[i], n.delim)
		}
	}
	return n.prefix + strings.Join(components, n.delim), nil
}

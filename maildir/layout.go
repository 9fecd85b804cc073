package maildir

import (
	"fmt"
	"strings"

	"github.com/emersion/go-maildir/maildirpp"

	"imapsync/mail"
)

// Layout says how folder names become directories under the root.
type Layout string

// The layouts.
const (
	Verbatim  Layout = "verbatim"  // Root/INBOX, Root/A/B
	MaildirPP Layout = "maildir++" // Root is INBOX; Root/.A.B (Courier, Dovecot)
	Flat      Layout = "flat"      // Root/INBOX, Root/A.B, with a separator of choice
)

// maxFileName is the longest name of one file that common file systems take,
// in bytes.
const maxFileName = 255

// naming maps folder names to paths relative to the root and back.
type naming struct {
	layout    Layout
	separator byte   // inside one path component; 0 in the verbatim layout
	inbox     string // how INBOX is spelt, "" for just so
}

func newNaming(l Layout, separator string) (naming, error) {
	if separator != "" && l != Flat {
		return naming{}, fmt.Errorf("a separator belongs to layout %q only", Flat)
	}
	switch l {
	case "", Verbatim:
		return naming{layout: Verbatim}, nil
	case MaildirPP:
		return naming{layout: MaildirPP, separator: '.'}, nil
	case Flat:
		if separator == "" {
			separator = "."
		}
		const fit = "!#$&()*+,-.:;<=>?@[]^_{|}~"
		if len(separator) != 1 || !strings.Contains(fit, separator) {
			return naming{}, fmt.Errorf("separator %q: it must be one of %s", separator, fit)
		}
		return naming{layout: Flat, separator: separator[0]}, nil
	}
	return naming{}, fmt.Errorf("layout %q: it must be verbatim, maildir++ or flat", string(l))
}

// rel returns the folder's path under the root, "." for the root itself.
func (n naming) rel(name mail.FolderName) (string, error) {
	if err := name.Check(); err != nil {
		return "", err
	}
	if n.layout == MaildirPP && name == mail.Inbox {
		return ".", nil
	}
	components := name.Components()
	components[0] = n.spelt(components[0])
	for i, c := range components {
		components[i] = n.escape(c)
	}
	rel, err := n.join(components)
	if err != nil {
		return "", err
	}
	for _, c := range strings.Split(rel, "/") {
		if len(c) > maxFileName {
			return "", fmt.Errorf("the directory name would have %d bytes, more than %d", len(c), maxFileName)
		}
	}
	return rel, nil
}

// spelt exchanges INBOX and the way it is spelt on disk, so that a directory with
// the usual spelling is another folder then.
func (n naming) spelt(first string) string {
	switch {
	case n.inbox == "":
	case first == string(mail.Inbox):
		return n.inbox
	case first == n.inbox:
		return string(mail.Inbox)
	}
	return first
}

func (n naming) join(components []string) (string, error) {
	switch n.layout {
	case Verbatim:
		return strings.Join(components, "/"), nil
	case MaildirPP:
		return maildirpp.Join(components)
	}
	return strings.Join(components, string(n.separator)), nil
}

// folder returns the name of the folder that rel is the path of; an error when
// no folder has that path.
func (n naming) folder(rel string) (mail.FolderName, error) {
	components, err := n.split(rel)
	if err != nil {
		return "", err
	}
	if components == nil {
		return mail.Inbox, nil
	}
	for i, c := range components {
		components[i] = n.unescape(c)
	}
	components[0] = n.spelt(components[0])
	name := mail.FolderName(strings.Join(components, "/"))
	back, err := n.rel(name)
	if err != nil {
		return "", err
	}
	if back != rel {
		return "", fmt.Errorf("folder %q would be in %q", string(name), back)
	}
	return name, nil
}

// split returns nil for the root that is the inbox.
func (n naming) split(rel string) ([]string, error) {
	switch n.layout {
	case Verbatim:
		return strings.Split(rel, "/"), nil
	case MaildirPP:
		if rel == "." {
			return nil, nil
		}
		return maildirpp.Split(rel)
	}
	return strings.Split(rel, string(n.separator)), nil
}

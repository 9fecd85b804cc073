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
	inbox     string // directory of INBOX where it is not where the layout has it; "" where it is
	utf7      bool   // names are written as IMAP writes them, not in UTF-8
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

// withInbox has INBOX at another path. In the verbatim layout what lies below it
// goes along; one at the root itself has nothing below it that could be told
// from other folders.
func (n naming) withInbox(inbox string) (naming, error) {
	if inbox == "" || inbox == string(mail.Inbox) {
		return n, nil
	}
	fit := n.layout != MaildirPP && !strings.Contains(inbox, "/") && !n.reserved(inbox)
	if !fit || strings.HasPrefix(inbox, ".") && inbox != "." {
		return n, fmt.Errorf("inbox %q: it must be the name of a directory in the root, none that is hidden, or \".\"; in layout %q it is the root anyway", inbox, MaildirPP)
	}
	n.inbox = inbox
	return n, nil
}

// rel returns the folder's path under the root, "." for the root itself.
func (n naming) rel(name mail.FolderName) (string, error) {
	if err := name.Check(); err != nil {
		return "", err
	}
	if n.layout == MaildirPP && name == mail.Inbox {
		return ".", nil
	}
	if n.inbox != "" && name == mail.Inbox {
		return n.inbox, nil
	}
	rel, err := n.path(name)
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

// path is rel of a folder that has no place of its own, but for its length.
func (n naming) path(name mail.FolderName) (string, error) {
	components := name.Components()
	for i, c := range components {
		if n.utf7 {
			c = mail.EncodeUTF7(c)
		}
		components[i] = n.escape(c)
	}
	withInbox := n.inbox != "" && n.layout == Verbatim && name.Within(mail.Inbox)
	if withInbox {
		components[0] = n.inbox
	}
	rel, err := n.join(components)
	if taken := n.inbox != "" && (rel == n.inbox || strings.HasPrefix(rel, n.inbox+"/")); taken != withInbox || withInbox && n.inbox == "." {
		return "", fmt.Errorf("%s is in %q, where %q could not be told from it or what lies below it", mail.Inbox, n.inbox, string(name))
	}
	return rel, err
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
// no folder has that path, with the name that it stands for by another naming.
func (n naming) folder(rel string) (mail.FolderName, error) {
	components, err := n.split(rel)
	if err != nil {
		return "", err
	}
	if components == nil {
		return mail.Inbox, nil
	}
	for i, c := range components {
		if components[i] = n.unescape(c); n.utf7 {
			components[i] = mail.DecodeUTF7(components[i])
		}
	}
	name := mail.FolderName(strings.Join(components, "/"))
	back, err := n.rel(name)
	if err != nil {
		return "", err
	}
	if back != rel {
		return name, fmt.Errorf("folder %q would be in %q", string(name), back)
	}
	return name, nil
}

// split returns nil for the inbox where it has a place of its own.
func (n naming) split(rel string) ([]string, error) {
	if n.inbox != "" && rel == n.inbox {
		return nil, nil
	}
	switch n.layout {
	case Verbatim:
		if below, ok := strings.CutPrefix(rel, n.inbox+"/"); ok && n.inbox != "" {
			return strings.Split(string(mail.Inbox)+"/"+below, "/"), nil
		}
		return strings.Split(rel, "/"), nil
	case MaildirPP:
		if rel == "." {
			return nil, nil
		}
		return maildirpp.Split(rel)
	}
	return strings.Split(rel, string(n.separator)), nil
}

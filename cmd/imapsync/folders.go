package main

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"imapsync/mail"
)

func (p *program) foldersCommand() *cli.Command {
	return &cli.Command{
		Name:        "folders",
		Usage:       "print the folders of both sides and which of them are synchronised",
		ArgsUsage:   "[ACCOUNT...]",
		Description: "Asks the server for its folders and looks at the Maildir's; changes nothing.",
		Action: func(c *cli.Context) error {
			lanes, err := p.lanes(c, false)
			if err != nil {
				return err
			}
			return p.inTurn(c.Context, lanes, func(ctx context.Context, l *lane) error {
				list, err := l.listFolders(ctx)
				if err == nil {
					l.showFolders(list)
				}
				return err
			})
		},
	}
}

// folderObject is a folder of either side; in JSON the event "folder".
type folderObject struct {
	head
	Folder     mail.FolderName `json:"folder"`
	Local      bool            `json:"local"`
	Remote     bool            `json:"remote"`
	Selected   bool            `json:"selected"`              // by the configuration
	LeftOut    string          `json:"left_out,omitempty"`    // why it is not, where the reason is not the key folders
	ServerName mail.FolderName `json:"server_name,omitempty"` // where the key rename gives it another
	Uses       []string        `json:"special_use,omitempty"` // RFC 6154
	Known      int             `json:"known"`                 // messages both sides agreed on last
	Messages   *uint32         `json:"server,omitempty"`      // messages on the server, where it tells
	Selectable bool            `json:"selectable"`            // false: it only holds other folders
	Attributes []string        `json:"attributes"`            // as the server wrote them
	Subscribed bool            `json:"subscribed"`
}

// listFolders joins what server, Maildir and state know of folders, in the
// order of their names.
func (l *lane) listFolders(ctx context.Context) (list []*folderObject, err error) {
	s, err := l.open(ctx, true, 0)
	if err != nil {
		return nil, err
	}
	defer func() {
		if cerr := s.close(); err == nil {
			err = cerr
		}
	}()
	byName := map[mail.FolderName]*folderObject{}
	folder := func(name mail.FolderName) *folderObject {
		f := byName[name]
		if f == nil {
			f = &folderObject{head: l.out.head("folder", l.Name), Folder: name, Selectable: true, Attributes: []string{},
				Selected: l.Folders.Match(name)}
			byName[name] = f
			list = append(list, f)
		}
		return f
	}
	remotes, err := s.Remote.Folders(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range remotes {
		folder(r.Name).listed(r)
	}
	locals, err := s.Local.Folders(ctx)
	if err != nil {
		return nil, err
	}
	for _, local := range locals {
		folder(local.Name).Local = true
	}
	records, err := s.State.Folders(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		folder(r.Folder).Known = r.Rows - r.RemoteOnly
	}
	for _, f := range list {
		why, _ := s.Remote.LeftOut(f.Folder, "")
		if why != "" && f.Selected {
			f.Selected, f.LeftOut = false, why
		}
	}
	(&runView{lane: l}).warnings(s.warnings())
	sort.Slice(list, func(i, j int) bool { return list[i].Folder < list[j].Folder })
	return list, nil
}

// listed takes over what the server told of the folder.
func (f *folderObject) listed(r mail.RemoteFolder) {
	f.Remote, f.Selectable, f.Subscribed = true, r.Selectable, r.Subscribed
	f.Attributes = append(f.Attributes, r.Attrs...)
	f.Uses = specialUses(r.Attrs)
	if r.ServerName() != r.Name {
		f.ServerName = r.ServerName()
	}
	if r.Mark != nil {
		f.Messages = &r.Mark.Messages
	}
}

func (l *lane) showFolders(list []*folderObject) {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, f := range list {
		l.out.object(f)
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\n", plain(string(f.Folder)), f.sides(), f.choice(), f.messages(), plain(f.about()))
	}
	_ = w.Flush() // into memory
	l.out.say("%s: %s", l.Name, count(len(list), "folder"))
	for _, line := range strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n") {
		l.out.say("%s", strings.TrimRight(line, " "))
	}
}

// about is what else the server says of the folder: first its purpose.
func (f *folderObject) about() string {
	words := append([]string{}, f.Uses...)
	for _, attr := range f.Attributes {
		if !slices.Contains(words, attr) {
			words = append(words, attr)
		}
	}
	if f.ServerName != "" {
		words = append(words, fmt.Sprintf("(%s on the server)", f.ServerName))
	}
	return strings.Join(words, " ")
}

// uses are the purposes that a folder can have (RFC 6154, and \Important of RFC 8457).
var uses = []string{`\All`, `\Archive`, `\Drafts`, `\Flagged`, `\Junk`, `\Sent`, `\Trash`, `\Important`}

// specialUses are those among the attributes of a folder.
func specialUses(attrs []string) (found []string) {
	for _, use := range uses {
		if slices.ContainsFunc(attrs, func(attr string) bool { return strings.EqualFold(attr, use) }) {
			found = append(found, use)
		}
	}
	return found
}

func (f *folderObject) sides() string {
	switch {
	case f.Local && f.Remote:
		return "both sides"
	case f.Local:
		return "Maildir only"
	case f.Remote:
		return "server only"
	}
	return "gone"
}

func (f *folderObject) choice() string {
	switch {
	case f.LeftOut != "":
		return "left out, " + f.LeftOut
	case !f.Selected:
		return "left out"
	case !f.Selectable:
		return "holds no mail"
	}
	return "synchronised"
}

func (f *folderObject) messages() string {
	if f.Messages == nil {
		return count(f.Known, "message")
	}
	return fmt.Sprintf("%s, %d on the server", count(f.Known, "message"), *f.Messages)
}

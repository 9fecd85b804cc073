package plan

import (
	"testing"

	"imapsync/mail"
)

// A folder that one side lacks is neither made there nor removed on the other
// while it is in doubt whether its messages are gone.
func TestFolderInDoubtIsLeftAlone(t *testing.T) {
	row := func() *mail.Base {
		return &mail.Base{ID: 1, Folder: "F", UID: 1, Key: "k", Content: contentOfText("m"), RemoteSize: 1}
	}
	local := mail.LocalSnapshot{Folder: "F", Exists: true, Messages: map[mail.Key]mail.Local{"k": {Key: "k"}}, Space: mail.FullSpace()}
	remote := mail.RemoteSnapshot{Folder: "F", Exists: true, Messages: map[mail.UID]mail.Remote{1: {UID: 1}}, Space: mail.FullSpace()}
	for name, f := range map[string]*Folder{
		"Maildir": {Local: mail.LocalSnapshot{Folder: "F", Doubt: "moved meanwhile"}, Remote: remote},
		"server":  {Local: local, Remote: mail.RemoteSnapshot{Folder: "F", Doubt: "not listed"}},
	} {
		f.Name, f.Known, f.Settled, f.Base = "F", true, true, []*mail.Base{row()}
		p := Make(Input{Folders: []*Folder{f}})
		if len(p.Ops) != 0 || p.Unproven["F"] == "" {
			t.Errorf("%s: %v, unproven %q", name, p.Ops, p.Unproven)
		}
	}
}

package plan

import (
	"sort"

	"imapsync/mail"
)

// phases is the order law: nothing is taken away before all that creates or
// keeps has been done.
var phases = map[Kind]int{
	CreateLocal: 0, CreateRemote: 0,
	Pair: 1, MoveLocal: 2, MoveRemote: 2, CopyRemote: 2, Download: 3, Upload: 3, CopyLocal: 4,
	SetFlags: 5,
	Leave:    6, Drop: 6, Tidy: 6, DeleteRemote: 6, // of one message on both sides the server's goes first
	DeleteLocal: 7, Forget: 7, Fetch: 8,
	RemoveLocal: removing, RemoveRemote: removing, ForgetFolder: removing,
}

const removing = 9

// order sorts operations by phase, folder and message. Folders are created
// parents first and removed children first.
func order(ops []*Op) {
	sort.SliceStable(ops, func(a, b int) bool {
		x, y := ops[a], ops[b]
		if p, q := phases[x.Kind], phases[y.Kind]; p != q {
			return p < q
		}
		if x.Folder != y.Folder {
			return (x.Folder < y.Folder) != (phases[x.Kind] == removing)
		}
		if x.uid() != y.uid() {
			return x.uid() < y.uid()
		}
		return x.key() < y.key()
	})
}

func (o *Op) uid() mail.UID {
	switch {
	case o.Kind == Upload && o.Row.ID != 0: // done: Remote is the message that it takes the place of
		return o.Row.UID
	case o.Remote != nil:
		return o.Remote.UID
	case o.Row != nil:
		return o.Row.UID
	}
	return 0
}

func (o *Op) key() mail.Key {
	switch {
	case o.Local != nil:
		return o.Local.Key
	case o.Row != nil:
		return o.Row.Key
	}
	return ""
}

package state

import (
	"context"
	"testing"
	"time"

	"imapsync/mail"
)

// told writes steps as text, one a line.
func told(steps []Step) string {
	text := ""
	for _, s := range steps {
		text += s.Action + " " + string(s.Folder) + " " + string(s.Key)
		if s.From != nil {
			text += " from " + string(s.From.Folder) + " " + string(s.From.Key)
		}
		text += "\n"
	}
	return text
}

func TestTraceFollowsMoves(t *testing.T) {
	d := newState(t)
	at := time.UnixMilli(1700000000123).UTC()
	line := func(run int64, folder mail.FolderName, uid mail.UID, key mail.Key, action string) mail.Entry {
		return mail.Entry{Run: run, Time: at.Add(time.Duration(run) * time.Hour), Folder: folder, UID: uid, Key: key, Action: action}
	}
	commit(t, d, mail.Batch{Log: []mail.Entry{
		line(1, "INBOX", 5, "a", "download"),
		line(1, "INBOX", 6, "x", "download"),
		line(2, "INBOX", 5, "a", mail.ActionLeft), // moved here by a reader that renames
		line(2, "Work", 1, "b", "move remote"),
		line(2, "INBOX", 6, "x", "flags"),
		line(3, "Work", 1, "b", "flags"),
		line(4, "Work", 1, "b", mail.ActionLeft), // moved there: the key stays
		line(4, "Done", 9, "b", "move local"),
		line(5, "Done", 9, "b", mail.ActionLeft), // on a server without MOVE
		line(5, "Old", 2, "c", "copy remote"),
		line(5, "Old", 3, "z", "copy remote"),
		line(5, "Done", 9, "", "delete remote"),
		line(6, "Done", 9, "", "delete remote"), // another run's, of a folder renumbered since
		line(7, "Old", 2, "c", "delete local"),
		line(7, "Old", 2, "c", mail.ActionLeft),
		line(7, "Old", 0, "d", mail.ActionUndo),
		line(8, "Old", 4, "d", "upload"),
	}})
	want := "download INBOX a\nmove remote Work b from INBOX a\nflags Work b\nmove local Done b from Work b\n" +
		"copy remote Old c from Done b\ndelete remote Done \ndelete local Old c\nundo Old d from Old c\nupload Old d\n"
	for _, key := range []mail.Key{"a", "b", "c", "d"} {
		steps, err := d.Trace(context.Background(), key)
		if err != nil {
			t.Fatal(err)
		}
		if got := told(steps); got != want {
			t.Errorf("from %q:\n%swant\n%s", key, got, want)
		}
	}
	for key, want := range map[mail.Key]string{"x": "download INBOX x\nflags INBOX x\n", "": "", "never": ""} {
		if steps, err := d.Trace(context.Background(), key); err != nil || told(steps) != want {
			t.Errorf("from %q: %q, %v", key, told(steps), err)
		}
	}
	entries, err := d.Actions(context.Background(), mail.ActionUndo, "delete local")
	if err != nil || len(entries) != 2 || entries[0].Key != "c" || entries[1].Key != "d" || entries[0].Run != 7 {
		t.Errorf("actions %+v, %v", entries, err)
	}
}

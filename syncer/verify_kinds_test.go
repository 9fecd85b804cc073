package syncer_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/syncer"
)

func (b *bench) account() syncer.Account {
	return syncer.Account{Name: "sim", Identity: mail.Identity{Server: b.server, User: "me"}, Maildir: "/Mail",
		Local: b.local, Remote: b.remote, State: b.Record, FullCheck: 7 * 24 * time.Hour, Now: b.Now}
}

// row finds the row of a message by its content's name.
func (b *bench) row(name string) *mail.Base {
	b.Helper()
	h := mail.NewHasher()
	h.Write(simworld.Content(name))
	rows, err := b.Record.RowsOf(context.Background(), []mail.Digest{h.Content().Digest})
	if err != nil || len(rows) == 0 {
		b.Fatalf("no row of %s: %v", name, err)
	}
	return rows[0]
}

func (b *bench) commit(batch mail.Batch) {
	b.Helper()
	if err := b.Record.Commit(context.Background(), batch); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) put(rows ...*mail.Base) {
	b.Helper()
	b.commit(mail.Batch{Put: rows})
}

func (b *bench) record(folder mail.FolderName, change func(*mail.FolderRecord)) {
	b.Helper()
	records, err := b.Record.Folders(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range records {
		if r.Folder == folder {
			change(&r)
			b.commit(mail.Batch{Folders: []mail.FolderRecord{r}})
		}
	}
}

func (b *bench) verify(o syncer.VerifyOptions) ([]syncer.Finding, *syncer.VerifyReport) {
	b.Helper()
	b.Begin(time.Hour)
	found, report := verify(b.T, b.account(), o)
	for _, c := range b.Trace() {
		if c.Effect && (c.Side != simworld.State || !o.Repair) {
			b.Errorf("it did %s", c)
		}
	}
	if wrong := b.Wrong(); len(wrong) > 0 {
		b.Error(wrong)
	}
	return found, report
}

func brief(found []syncer.Finding) (list []string) {
	for _, f := range found {
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s %s", f.Severity, f.Kind, f.Side)))
	}
	slices.Sort(list)
	return list
}

// difference is a thing that can be found: what makes it, what is found, and what
// both sides hold after a repair, where there is any, and a sync.
type difference struct {
	name  string
	make  func(b *bench)
	want  string // severity, kind and side of each finding, sorted
	says  string // in the text of one of them
	after string
}

// stamped makes the record believe that a file is as it was written last.
func (b *bench) stamped(name, now string) {
	b.edit(simworld.Local, simworld.Rewrite, mail.Inbox, name)
	row := b.row(name)
	_, stamp, _, err := b.Disk.Read(context.Background(), mail.Inbox, row.Key)
	if err != nil {
		b.Fatal(err)
	}
	row.File = stamp
	b.put(row)
}

var differences = []difference{
	{"nothing", func(b *bench) {}, "", "", "A B C F/X"},
	{"file deleted", func(b *bench) { b.edit(simworld.Local, simworld.Delete, mail.Inbox, "A") },
		"pending missing local", "deleted in the Maildir since the last run: the next sync deletes it on the server", "B C F/X"},
	{"message deleted", func(b *bench) { b.edit(simworld.Remote, simworld.Delete, mail.Inbox, "A") },
		"pending missing remote", "deleted on the server since the last run: the next sync deletes it in the Maildir", "B C F/X"},
	{"deleted on both", func(b *bench) {
		b.edit(simworld.Local, simworld.Delete, mail.Inbox, "A")
		b.edit(simworld.Remote, simworld.Delete, mail.Inbox, "A")
	}, "pending missing local", "the next sync forgets it", "B C F/X"},
	{"file new", func(b *bench) { b.edit(simworld.Local, simworld.Add, mail.Inbox, "D") },
		"pending new local", "the next sync uploads it", "A B C D F/X"},
	{"message new", func(b *bench) { b.edit(simworld.Remote, simworld.Add, mail.Inbox, "D") },
		"pending new remote", "the next sync downloads it", "A B C D F/X"},
	{"new on both", func(b *bench) {
		b.edit(simworld.Local, simworld.Add, mail.Inbox, "D")
		b.edit(simworld.Remote, simworld.Add, mail.Inbox, "D")
	}, "pending unpaired", "the next sync pairs them", "A B C D F/X"},
	{"file copied", func(b *bench) { b.edit(simworld.Local, simworld.Copy, mail.Inbox, "A", to(mail.Inbox)) },
		"pending duplicate local", "more than once", "A A B C F/X"},
	{"message copied", func(b *bench) { b.edit(simworld.Remote, simworld.Copy, mail.Inbox, "A", to(mail.Inbox)) },
		"pending duplicate remote", "more than once", "A A B C F/X"},
	{"file moved", func(b *bench) { b.edit(simworld.Local, simworld.Move, mail.Inbox, "A", to("F")) },
		"pending moved local", `moved to "F" in the Maildir`, "B C F/A F/X"},
	{"message moved", func(b *bench) { b.edit(simworld.Remote, simworld.Move, mail.Inbox, "A", to("F")) },
		"pending moved remote", `moved to "F" on the server`, "B C F/A F/X"},
	{"file moved to a new folder", func(b *bench) { b.edit(simworld.Local, simworld.Move, mail.Inbox, "A", to("G")) },
		"pending folder local, pending moved local", `moved to "G" in the Maildir`, "B C F/X G/A"},
	{"flags in the Maildir", func(b *bench) { b.edit(simworld.Local, simworld.Change, mail.Inbox, "A", with(mail.Seen)) },
		"pending flags local", "flags differ: were :, now :S in the Maildir: the next sync changes them on the server", "A=S B C F/X"},
	{"flags on the server", func(b *bench) { b.edit(simworld.Remote, simworld.Change, mail.Inbox, "A", with(mail.Flagged)) },
		"pending flags remote", "were :, now :F on the server: the next sync changes them in the Maildir", "A=F B C F/X"},
	{"flags on both", func(b *bench) {
		b.edit(simworld.Local, simworld.Change, mail.Inbox, "A", with(mail.Seen))
		b.edit(simworld.Remote, simworld.Change, mail.Inbox, "A", with(mail.Flagged))
	}, "pending flags", "now :S in the Maildir and :F on the server", "A=FS B C F/X"},
	{"flags alike on both", func(b *bench) {
		b.edit(simworld.Local, simworld.Change, mail.Inbox, "A", with(mail.Seen))
		b.edit(simworld.Remote, simworld.Change, mail.Inbox, "A", with(mail.Seen))
	}, "pending flags", "flags are :S on both sides", "A=S B C F/X"},
	{"flags of the record", func(b *bench) {
		row := b.row("A")
		row.Flags = mail.NewFlags(mail.Flagged)
		b.put(row)
	}, "wrong flags, wrong watermark local, wrong watermark remote", "it would not look", "A B C F/X"},
	{"edited", func(b *bench) { b.edit(simworld.Local, simworld.Rewrite, mail.Inbox, "A") },
		"pending edited local", "probably edited in place, else damaged; the message on the server is as recorded", "A~ B C F/X"},
	{"damaged", func(b *bench) { b.stamped("A", "A~") },
		"wrong edited local", "its size and time are the same: probably damaged on disk", "A A~ B C F/X"},
	{"damaged and deleted on the server", func(b *bench) {
		b.stamped("A", "A~")
		b.edit(simworld.Remote, simworld.Delete, mail.Inbox, "A")
	}, "wrong edited local", "probably damaged", "A~ B C F/X"},
	{"UIDs exchanged", func(b *bench) {
		one, two := b.row("A"), b.row("B")
		one.UID, two.UID = two.UID, one.UID
		b.put(one, two)
	}, "wrong mispaired, wrong mispaired", "the record pairs what does not belong together", "A B C F/X"},
	{"files exchanged", func(b *bench) {
		one, two := b.row("A"), b.row("B")
		one.Key, two.Key = two.Key, one.Key
		b.put(one, two)
	}, "wrong mispaired local, wrong mispaired local", "the file has the content of another message", "A B C F/X"},
	{"UIDs exchanged and a file deleted", func(b *bench) {
		one, two := b.row("A"), b.row("B")
		one.UID, two.UID = two.UID, one.UID
		b.put(one, two)
		b.edit(simworld.Local, simworld.Delete, mail.Inbox, "A")
	}, "wrong mispaired, wrong mispaired", "a sync would delete the wrong message", "A B C F/X"},
	{"record of another content", func(b *bench) {
		row := b.row("A")
		row.Content = b.row("X").Content
		b.put(row)
	}, "wrong stale", "file and message are the same", "A B C F/X"},
	{"row lost", func(b *bench) { b.commit(mail.Batch{Drop: []*mail.Base{b.row("A")}}) },
		"wrong unpaired, wrong watermark local, wrong watermark remote", "but it would not look", "A B C F/X"},
	{"row of another UID", func(b *bench) {
		row := b.row("A")
		row.UID = 99
		b.put(row)
	}, "wrong moved remote, wrong watermark remote", "another number on the server now", "A B C F/X"},
	{"row of another key", func(b *bench) {
		row := b.row("A")
		row.Key = "other"
		b.put(row)
	}, "wrong moved local, wrong watermark local", "the file has another name now", "A B C F/X"},
	{"row of no message", func(b *bench) {
		b.commit(mail.Batch{Put: []*mail.Base{{Folder: mail.Inbox, UID: 1 << 30, Key: "none", Content: b.row("X").Content}}})
	}, "wrong missing local, wrong watermark local, wrong watermark remote", "gone from the Maildir and from the server", "A B C F/X"},
	{"row without UID", func(b *bench) {
		row := b.row("A")
		row.UID = 0
		b.put(row)
	}, "wrong unnumbered remote, wrong watermark remote", "finds it by its content", "A B C F/X"},
	{"row without UID or message", func(b *bench) {
		row := b.row("A")
		row.UID = 0
		b.put(row)
		b.edit(simworld.Remote, simworld.Delete, mail.Inbox, "A")
	}, "pending unnumbered remote", "the next sync uploads it", "A B C F/X"},
	{"renumbered", func(b *bench) { b.edit(simworld.Remote, simworld.Renumber, mail.Inbox, "") },
		"pending renumbered remote", "matches it again by content and deletes nothing", "A B C F/X"},
	{"numbering not known", func(b *bench) {
		b.record(mail.Inbox, func(r *mail.FolderRecord) { *r = mail.FolderRecord{Folder: r.Folder} })
	}, "pending renumbered remote", "it is not known which numbering", "A B C F/X"},
	{"folder new in the Maildir", func(b *bench) { b.edit(simworld.Local, simworld.Add, "G", "D") },
		"pending folder local", "a new folder in the Maildir, with 1 message", "A B C F/X G/D"},
	{"folder new on the server", func(b *bench) { b.edit(simworld.Remote, simworld.Add, "G", "D") },
		"pending folder remote", "a new folder on the server, with 1 message", "A B C F/X G/D"},
	{"folder new on both", func(b *bench) {
		b.edit(simworld.Remote, simworld.Add, "G", "D")
		b.edit(simworld.Local, simworld.Add, "G", "D")
	}, "pending folder", "never synchronised, with 1 message in the Maildir and 1 message on the server, of which 1 are the same", "A B C F/X G/D"},
	{"folder gone from the Maildir", func(b *bench) { b.edit(simworld.Local, simworld.Remove, "F", "") },
		"pending folder local", "deleted or renamed in the Maildir", "A B C"},
	{"folder gone from the server", func(b *bench) { b.edit(simworld.Remote, simworld.Remove, "F", "") },
		"pending folder remote", "deleted or renamed on the server", "A B C"},
	{"copy cut short", func(b *bench) {
		b.edit(simworld.Remote, simworld.Add, mail.Inbox, "D")
		b.commit(mail.Batch{AddIntents: []*mail.Intent{{Kind: mail.IntentDownload, Folder: mail.Inbox, Key: "k", UID: 4, UIDValidity: validityOf(b, mail.Inbox)}}})
	}, "pending interrupted", "cut short in the middle of this download", "A B C D F/X"},
	{"original of a move", func(b *bench) {
		row := b.row("A")
		row.Key = ""
		b.put(row)
		b.edit(simworld.Local, simworld.Delete, mail.Inbox, "A")
	}, "pending half-moved remote", "deletes this original", "B C F/X"},
	{"another than the original of a move", func(b *bench) {
		row := b.row("A")
		row.Key, row.Content = "", b.row("X").Content
		b.put(row)
	}, "wrong mispaired remote, wrong new local, wrong watermark local", "would delete the wrong one", "A B C F/X"},
}

func TestVerifyFindings(t *testing.T) {
	for _, d := range differences {
		t.Run(d.name, func(t *testing.T) {
			b := newBench(t)
			for _, name := range []string{"A", "B", "C"} {
				b.edit(simworld.Remote, simworld.Add, mail.Inbox, name)
			}
			b.edit(simworld.Remote, simworld.Add, "F", "X")
			b.settled()
			b.Begin(time.Hour)
			d.make(b)
			found, report := b.verify(syncer.VerifyOptions{Lanes: 2})
			if got := strings.Join(brief(found), ", "); got != d.want {
				t.Errorf("found %s\nwant  %s", got, d.want)
			}
			said := d.says == ""
			for _, f := range found {
				said = said || strings.Contains(f.Text, d.says)
			}
			if !said {
				t.Errorf("nothing says %q", d.says)
			}
			if len(report.Failures) > 0 {
				t.Error(report.Failures)
			}
			repaired, report := b.verify(syncer.VerifyOptions{Lanes: 2, Repair: true})
			if report.Repaired != report.Wrong || report.Wrong != strings.Count(d.want, "wrong") {
				t.Errorf("%d wrong, %d repaired", report.Wrong, report.Repaired)
			}
			b.run(syncer.Options{Full: strings.HasPrefix(d.want, "pending edited")})
			b.settled()
			b.want(d.after)
			again, _ := b.verify(syncer.VerifyOptions{Lanes: 1})
			if len(again) > 0 || t.Failed() {
				t.Errorf("found %+v\nrepaired %+v\nafterwards %+v", found, repaired, again)
			}
		})
	}
}

package syncer_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/syncer"
)

// A file copied by hand to another folder under its own name is another message;
// when the server moves the first one there, too, both are kept.
func TestMoveOntoEqualFileOfOneKey(t *testing.T) {
	b := twoOfOneKey(t)
	b.edit(simworld.Remote, simworld.Move, "F", "A", to("G"))
	b.settled()
	b.want("F/ G/A G/A")
}

// Likewise, when the server moves both to a third folder.
func TestMoveEqualFilesOfOneKey(t *testing.T) {
	b := twoOfOneKey(t)
	b.edit(simworld.Remote, simworld.Move, "F", "A", to(mail.Inbox))
	b.edit(simworld.Remote, simworld.Move, "G", "A", to(mail.Inbox))
	b.settled()
	b.want("A A F/ G/")
}

// twoOfOneKey has a message in two folders, and its files under one name.
func twoOfOneKey(t *testing.T) *bench {
	ctx := context.Background()
	b := newBench(t)
	b.edit(simworld.Local, simworld.Add, "F", "A")
	b.edit(simworld.Local, simworld.Create, "G", "")
	b.run(syncer.Options{})
	s, err := b.Disk.Scan(ctx, "F", false)
	if err != nil {
		t.Fatal(err)
	}
	key := slices.Collect(maps.Keys(s.Messages))[0]
	if err := b.Disk.Copy(ctx, "F", key, "G", key); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time the server's mark is behind the copy
		b.run(syncer.Options{})
	}
	return b
}

package state

import (
	"context"
	"slices"
	"strings"

	"imapsync/mail"
)

// Step is something that was done to a message. Where that gave it another
// folder, UID or key, From is the line that says which it had before.
type Step struct {
	mail.Entry
	From *mail.Entry
}

// line is an entry with its place in the history.
type line struct {
	id int64
	mail.Entry
}

func decodeLine(c *columns) line { return line{c.int(), decodeEntry(c)} }

// Actions returns the lines of the history with one of these actions, oldest
// first.
func (d *DB) Actions(ctx context.Context, actions ...string) ([]mail.Entry, error) {
	args := make([]any, len(actions))
	for i, a := range actions {
		args[i] = a
	}
	return list(ctx, d, "read history from state",
		`SELECT `+entryColumns+` FROM history WHERE action IN (`+marks(len(args))+`) ORDER BY id`, args, decodeEntry)
}

func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// Trace returns what was done to the message whose file has or had this key,
// oldest first, under whatever keys it had before and since. The history has no
// index by message, so all of it is read, once for each key.
func (d *DB) Trace(ctx context.Context, key mail.Key) ([]Step, error) {
	lines := map[int64]line{}
	known := map[mail.Key]bool{}
	for todo := []mail.Key{key}; len(todo) > 0; todo = todo[1:] {
		if known[todo[0]] || todo[0] == "" {
			continue
		}
		known[todo[0]] = true
		found, err := d.linesOf(ctx, todo[0])
		if err != nil {
			return nil, err
		}
		for _, l := range found {
			lines[l.id] = l
			todo = append(todo, l.Key)
		}
	}
	return d.steps(ctx, lines)
}

// linesOf returns the lines that name a key, those that follow where it was
// left, and those that say where the message of such a line was before.
func (d *DB) linesOf(ctx context.Context, key mail.Key) ([]line, error) {
	return list(ctx, d, "read history from state",
		`WITH named AS MATERIALIZED (SELECT id, action FROM history WHERE key = ?1)
		SELECT id, `+entryColumns+` FROM history WHERE id IN (SELECT id FROM named)
			OR id IN (SELECT id + 1 FROM named WHERE action = ?2)
			OR id IN (SELECT id - 1 FROM named) AND action = ?2`,
		[]any{string(key), mail.ActionLeft}, decodeLine)
}

// steps puts lines in order and joins those that belong together. The second
// half of a move by copy, the deletion of the original, has no key: it is found
// by the place that was left.
func (d *DB) steps(ctx context.Context, lines map[int64]line) ([]Step, error) {
	var ids []int64
	for id, l := range lines {
		if l.Action != mail.ActionLeft {
			ids = append(ids, id)
			continue
		}
		rest, err := list(ctx, d, "read history from state",
			`SELECT id, `+entryColumns+` FROM history WHERE id > ? AND run = ? AND folder = ? AND uid = ? AND key IS NULL ORDER BY id LIMIT 1`,
			[]any{id, l.Run, string(l.Folder), int64(l.UID)}, decodeLine)
		if err != nil {
			return nil, err
		}
		for _, r := range rest {
			lines[r.id] = r
			ids = append(ids, r.id)
		}
	}
	slices.Sort(ids)
	steps := make([]Step, 0, len(ids))
	for _, id := range slices.Compact(ids) {
		s := Step{Entry: lines[id].Entry}
		if from, ok := lines[id-1]; ok && from.Action == mail.ActionLeft {
			s.From = &from.Entry
		}
		steps = append(steps, s)
	}
	return steps, nil
}

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"imapsync/mail"
	"imapsync/maildir"
)

func (p *program) whyCommand() *cli.Command {
	return &cli.Command{
		Name:      "why",
		Usage:     "print what is known of a message, and what was done to it and why",
		ArgsUsage: "MESSAGE",
		Description: "MESSAGE is the path of its file, also one it had before; its Message-ID; or FOLDER:UID, with ACCOUNT/ before it " +
			"where several accounts have the folder. Reads state and Maildir; changes nothing and asks no server.",
		Action: func(c *cli.Context) error {
			if err := atMost(c, 1); err != nil {
				return err
			}
			if c.Args().First() == "" {
				return usagef("why: name a message: the path of its file, its Message-ID, or FOLDER:UID")
			}
			lanes, err := p.allLanes()
			if err != nil {
				return err
			}
			return p.why(c.Context, lanes, c.Args().First())
		},
	}
}

// why tells of each message that the word means, in all accounts.
func (p *program) why(ctx context.Context, lanes []*lane, word string) error {
	ways, err := waysToFind(lanes, word)
	if err != nil {
		return err
	}
	found, code := 0, exitDone
	for _, way := range ways {
		for _, l := range lanes {
			subjects, err := l.inquire(ctx, way)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err != nil {
				l.problem(err)
				code = worse(code, exitCode(err))
			}
			for _, s := range subjects {
				l.showSubject(s)
			}
			found += len(subjects)
		}
		if found > 0 {
			return ended(code)
		}
	}
	if code != exitDone {
		return ended(code)
	}
	return &mail.Fault{Doing: "why", Err: fmt.Errorf("nothing is known of %q", word),
		Hint: "it was not synchronised yet, or was deleted longer ago than the history and keep_deleted reach, or belongs to no account of this configuration"}
}

// way is one way to find the message that a word means. An account without
// what it looks for finds nothing.
type way func(ctx context.Context, q *inquiry) ([]*subject, error)

var folderUID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(.+):([1-9][0-9]{0,9})$`) })

// waysToFind are the ways to understand a word, the likeliest first.
func waysToFind(lanes []*lane, word string) ([]way, error) {
	id := func(ctx context.Context, q *inquiry) ([]*subject, error) {
		return q.byMessageID(ctx, maildir.BareMessageID(word))
	}
	if strings.HasPrefix(word, "<") {
		return []way{id}, nil
	}
	if isPath(word) {
		path, err := filepath.Abs(word)
		if err != nil {
			return nil, err
		}
		if !inAccount(lanes, path) {
			return nil, usagef("%s is in the Maildir of no account of this configuration", path)
		}
		return []way{func(ctx context.Context, q *inquiry) ([]*subject, error) { return q.byPath(ctx, path) }}, nil
	}
	key := func(ctx context.Context, q *inquiry) ([]*subject, error) { return q.byKey(ctx, word) }
	m := folderUID().FindStringSubmatch(word)
	if m == nil {
		return []way{key, id}, nil
	}
	n, err := strconv.ParseUint(m[2], 10, 32)
	if err != nil {
		return nil, usagef("%s is no UID: it has more than 32 bits", m[2])
	}
	byUID := func(ctx context.Context, q *inquiry) ([]*subject, error) {
		found, err := q.byUID(ctx, folderName(m[1]), mail.UID(n))
		if folder, ok := strings.CutPrefix(m[1], q.Name+"/"); ok && err == nil && len(found) == 0 {
			found, err = q.byUID(ctx, folderName(folder), mail.UID(n))
		}
		return found, err
	}
	return []way{byUID, key, id}, nil
}

// isPath reports whether a word is the path of a message file, there or not.
func isPath(word string) bool {
	if filepath.IsAbs(word) {
		return true
	}
	switch filepath.Base(filepath.Dir(word)) {
	case "cur", "new", "tmp":
		return true
	}
	info, err := os.Stat(word)
	return err == nil && info.Mode().IsRegular()
}

func inAccount(lanes []*lane, path string) bool {
	for _, l := range lanes {
		if _, ok := within(path, l.Maildir); ok {
			return true
		}
		if _, ok := within(path, l.keptPath()); ok {
			return true
		}
	}
	return false
}

// within returns a path as one below dir, whatever symbolic links lead there.
func within(path, dir string) (string, bool) {
	if below(path, dir) {
		return path, true
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", false
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil || !below(parent, real) {
		return "", false
	}
	return filepath.Join(dir, strings.TrimPrefix(parent, real), filepath.Base(path)), true
}

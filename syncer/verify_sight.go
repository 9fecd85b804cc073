package syncer

import (
	"context"

	"imapsync/mail"
)

// lookAhead finds out what of the differences the next run would be shown: one
// that believes stamps and marks looks only at what seems to have changed. It
// asks nothing where both sides are as the rows have them.
func (v *verifier) lookAhead(ctx context.Context, c *comparison) error {
	believing := c.Known && c.record.Settled && !v.checkDue(c.folder) && !v.moved && !c.renumbered
	if believing && c.differsLocally() && c.stamp.Unchanged(c.record.Stamp) {
		again, err := v.Local.Scan(ctx, c.Name, false)
		if err != nil {
			return err
		}
		c.blind = again.Exists && again.Stamp.Unchanged(c.record.Stamp)
	}
	differs, lacks := c.differsRemotely()
	if !c.Remote.Exists || c.Remote.Doubt != "" || !lacks && !(believing && differs) {
		return nil
	}
	return v.lookRemotely(ctx, c, believing, lacks)
}

// lookRemotely asks the server as the next run would. Only a mailbox that is not
// opened read-only tells which flags it cannot store; such flags are not missing.
func (v *verifier) lookRemotely(ctx context.Context, c *comparison, believing, lacks bool) error {
	mb, err := v.Remote.Open(ctx, c.Name, !lacks)
	if err != nil {
		return err
	}
	defer mb.Close()
	known := mail.Known{UIDs: uidsOf(c.Base)}
	if believing {
		known.Mark = c.record.Mark
	}
	s, err := mb.Snapshot(ctx, known, false)
	if err != nil {
		return err
	}
	s.Complete(c.Base)
	if lacks {
		c.Remote.Space = s.Space
	}
	if !believing || s.Doubt != "" || s.Mark.UIDValidity != c.validity {
		return nil
	}
	if c.remote.Mark != nil && s.Mark == c.record.Mark && s.Mark.HighestModSeq != 0 {
		s = remoteFromBase(c.folder)
	}
	c.sight = &s
	return nil
}

func (c *comparison) differsLocally() bool {
	if len(missingKeys(c.Base, c.Local)) > 0 {
		return true
	}
	withFile := 0
	for _, row := range c.Base {
		if row.Key != "" {
			withFile++
			if !c.Remote.Space.ReadOnly && !c.localFlags(row).Equal(row.Flags) { // else no run would do anything about it
				return true
			}
		}
	}
	return len(c.Local.Messages) != withFile
}

// differsRemotely reports also whether flags that the rows have seem to be
// missing on the server.
func (c *comparison) differsRemotely() (differs, lacks bool) {
	numbered := 0
	for _, row := range c.Base {
		if row.UID == 0 {
			continue
		}
		numbered++
		m, there := c.Remote.Messages[row.UID]
		differs = differs || !there || !m.Flags.Equal(row.Flags)
		lacks = lacks || there && !row.Flags.Minus(m.Flags).IsEmpty()
	}
	return differs || len(c.Remote.Messages) != numbered, lacks
}

// localFlags and remoteFlags are what a side shows of a row, complete with the
// flags that it has no means to say.
func (c *comparison) localFlags(row *mail.Base) mail.Flags {
	return c.Local.Space.Complete(row.Flags, c.Local.Messages[row.Key].Flags)
}

func (c *comparison) remoteFlags(row *mail.Base) mail.Flags {
	return c.Remote.Space.Complete(row.Flags, c.Remote.Messages[row.UID].Flags)
}

// unseen reports whether the next run would be shown the message as the row has
// it, or, without a row, not at all.
func (c *comparison) unseen(uid mail.UID, row *mail.Base) bool {
	if c.sight == nil {
		return false
	}
	m, shown := c.sight.Messages[uid]
	unseen := !shown
	if row != nil {
		unseen = shown && m.Flags.Equal(row.Flags)
	}
	c.blindRemote = c.blindRemote || unseen
	return unseen
}

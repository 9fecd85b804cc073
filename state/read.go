package state

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"imapsync/mail"
)

// list runs a query and decodes each row of the answer.
func list[T any](ctx context.Context, d *DB, doing, query string, args []any, decode func(c *columns) T) ([]T, error) {
	if d.absent {
		return nil, nil
	}
	d.turn.Lock()
	defer d.turn.Unlock()
	if d.conn == nil {
		return nil, fault(doing, d.path, errClosed)
	}
	for {
		var answer []T
		err := d.conn.query(ctx, query, args, func(c *columns) { answer = append(answer, decode(c)) })
		if d.still == nil || d.still.holds() {
			if err != nil {
				return nil, fault(doing, d.path, err)
			}
			return answer, nil
		}
		// The answer may be mixed of what was before and after somebody wrote.
		if err := d.reopen(ctx); err != nil {
			return nil, fault(doing, d.path, err)
		}
	}
}

// errClosed says that a DB is used after its Close.
var errClosed = errors.New("it was closed")

// columns hands out the columns of a row from left to right. STRICT tables
// hold what the schema says; err remembers a damaged file that does not.
type columns struct {
	values []driver.Value
	next   int
	err    error
}

func (c *columns) take() driver.Value {
	v := c.values[c.next]
	c.next++
	return v
}

func (c *columns) wrong(v driver.Value) {
	c.err = fmt.Errorf("%w: column %d holds a %T", errDamaged, c.next, v)
}

// int is 0 for NULL.
func (c *columns) int() int64 {
	v := c.take()
	n, ok := v.(int64)
	if !ok && v != nil {
		c.wrong(v)
	}
	return n
}

// text is "" for NULL.
func (c *columns) text() string {
	v := c.take()
	s, ok := v.(string)
	if !ok && v != nil {
		c.wrong(v)
	}
	return s
}

// digest is zero for NULL.
func (c *columns) digest() (d mail.Digest) {
	v := c.take()
	b, ok := v.([]byte)
	if (!ok && v != nil) || (ok && copy(d[:], b) != len(d)) {
		c.wrong(v)
	}
	return d
}

// seconds is the zero time for NULL.
func (c *columns) seconds() time.Time {
	if c.values[c.next] == nil {
		c.next++
		return time.Time{}
	}
	return time.Unix(c.int(), 0).UTC()
}

// millis is the zero time for NULL.
func (c *columns) millis() time.Time {
	if c.values[c.next] == nil {
		c.next++
		return time.Time{}
	}
	return time.UnixMilli(c.int()).UTC()
}

func (c *columns) content() mail.Content {
	return mail.Content{
		Digest: c.digest(), Header: c.digest(), Body: c.digest(),
		Size: c.int(), Wire: c.int(), Net: c.int(), Fields: int(c.int()), Whole: c.int(),
	}
}

// What Commit writes for those, in the order of content.

func orNull[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

func digestValue(d mail.Digest) any {
	if d.IsZero() {
		return nil
	}
	return d[:]
}

func secondsValue(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Unix()
}

func millisValue(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

func contentValues(c mail.Content) []any {
	return []any{
		digestValue(c.Digest), digestValue(c.Header), digestValue(c.Body),
		c.Size, c.Wire, c.Net, int64(c.Fields), c.Whole,
	}
}

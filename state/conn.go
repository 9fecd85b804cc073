package state

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net/url"

	"modernc.org/sqlite"
)

// The ways to connect, as parameters of an SQLite URI
// (https://www.sqlite.org/uri.html).
var (
	common  = []string{"busy_timeout(5000)", "foreign_keys(1)"}
	writing = url.Values{
		"mode":    {"rw"},                                                                                                         // never creates
		"_pragma": append([]string{"journal_mode(WAL)", "synchronous(FULL)", "cache_size(-512)", "cache_spill(4096)"}, common...), // pages of 4 kB
	}
	reading      = url.Values{"mode": {"ro"}, "_pragma": common}
	readingStill = url.Values{"mode": {"ro"}, "immutable": {"1"}, "_pragma": common}
	// scratch is for a file that is thrown away unless all goes well.
	scratch = url.Values{"mode": {"rw"}, "_pragma": {"journal_mode(OFF)", "synchronous(OFF)"}}
)

// conn is one connection to SQLite, for one goroutine at a time. It goes to the
// driver directly: database/sql would convert each value once more, and prepare
// the statements anew in each transaction. Here they are prepared once.
type conn struct {
	driver   driver.Conn
	prepared map[string]statement // by their SQL, which has few variants
	args     []driver.NamedValue  // of the statement that runs
}

// statement is what the driver's statements can do.
type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// connect dials.
func connect(ctx context.Context, path string, how url.Values) (*conn, error) {
	params := url.Values{"_error_rc": {"1"}, "_dqs": {"0"}}
	for k, v := range how {
		params[k] = v
	}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: params.Encode()}
	connector, err := sqlite.NewConnector(dsn.String())
	if err != nil {
		return nil, err
	}
	dialled, err := connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{driver: dialled, prepared: map[string]statement{}}, nil
}

// Close closes the statements, too: SQLite folds the write-ahead log only when
// none is left.
func (c *conn) Close() error {
	var errs []error
	for _, s := range c.prepared {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.driver.Close())...)
}

// prepare returns the statement of a query with its arguments, which are valid
// until the next.
func (c *conn) prepare(ctx context.Context, query string, args []any) (statement, []driver.NamedValue, error) {
	s := c.prepared[query]
	if s == nil {
		made, err := c.driver.(driver.ConnPrepareContext).PrepareContext(ctx, query)
		if err != nil {
			return nil, nil, err
		}
		s = made.(statement)
		c.prepared[query] = s
	}
	c.args = c.args[:0]
	for i, a := range args {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return s, c.args, nil
}

// exec runs statements that give no rows.
func (c *conn) exec(ctx context.Context, query string, args ...any) (driver.Result, error) {
	s, values, err := c.prepare(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, values)
}

// query hands each row of an answer to a function.
func (c *conn) query(ctx context.Context, query string, args []any, each func(c *columns)) error {
	s, values, err := c.prepare(ctx, query, args)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, values)
	if err != nil {
		return err
	}
	return errors.Join(eachRow(ctx, rows, each), rows.Close())
}

func eachRow(ctx context.Context, rows driver.Rows, each func(c *columns)) error {
	c := &columns{values: make([]driver.Value, len(rows.Columns()))}
	for c.err == nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := rows.Next(c.values); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		c.next = 0
		each(c)
	}
	return c.err
}

// within runs a function in a transaction that is written whole, or not at all
// when it fails.
func (c *conn) within(ctx context.Context, do func() error) error {
	if _, err := c.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := do()
	if err == nil {
		_, err = c.exec(ctx, "COMMIT")
	}
	if err != nil {
		// Where SQLite has rolled back by itself, there is nothing left to do, and
		// this error says so.
		_, _ = c.exec(context.WithoutCancel(ctx), "ROLLBACK")
	}
	return err
}

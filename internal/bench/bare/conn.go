// Package bare is an IMAP client that does as little as a client can: the limit
// by which the benchmark measures. It believes the server, keeps no state and
// survives nothing; what it writes is durable all the same. It talks to the
// private Dovecot only, whose extensions it takes for granted.
package bare

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// Conn is a connection that is logged in. Commands are pipelined: all may be
// sent before the first answer is read.
type Conn struct {
	net  net.Conn
	r    *bufio.Reader
	w    *bufio.Writer
	sent int // tags given away
	done int // tags answered
}

// Dial connects to addr ("host:port"), awaits the greeting and logs in.
func Dial(addr, user, password string) (*Conn, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &Conn{net: conn, r: bufio.NewReaderSize(conn, 256<<10), w: bufio.NewWriterSize(conn, 64<<10)}
	if _, err := c.line(); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("greeting of %s: %w", addr, err)
	}
	if err := c.Do(nil, fmt.Sprintf("LOGIN %s %s", user, password)); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// Close ends the connection.
func (c *Conn) Close() error { return c.net.Close() }

// Handler takes what the server sends while commands are under way.
type Handler struct {
	// Literal is given each literal, with the response as far as it came; it
	// reads body to its end.
	Literal func(response string, size int, body io.Reader) error
	// Untagged is given each whole response, without the literals.
	Untagged func(response string)
}

// Send starts a command; Flush sends it.
func (c *Conn) Send(command string) {
	c.sent++
	fmt.Fprintf(c.w, "a%d %s\r\n", c.sent, command)
}

// Flush sends what was started.
func (c *Conn) Flush() error { return c.w.Flush() }

// Await reads until all that was sent is answered with OK.
func (c *Conn) Await(h *Handler) error {
	for c.done < c.sent {
		if err := c.response(h); err != nil {
			return err
		}
	}
	return nil
}

// Do sends commands in one flight and awaits them.
func (c *Conn) Do(h *Handler, commands ...string) error {
	for _, command := range commands {
		c.Send(command)
	}
	if err := c.Flush(); err != nil {
		return err
	}
	return c.Await(h)
}

// response reads one response, with its literals.
func (c *Conn) response(h *Handler) error {
	text, err := c.line()
	if err != nil {
		return err
	}
	for {
		size, is := literal(text)
		if !is {
			break
		}
		body := io.LimitReader(c.r, int64(size))
		if h != nil && h.Literal != nil {
			err = h.Literal(text, size, body)
		} else {
			_, err = io.Copy(io.Discard, body)
		}
		if err != nil {
			return err
		}
		rest, err := c.line()
		if err != nil {
			return err
		}
		text = text[:strings.LastIndexByte(text, '{')] + rest
	}
	switch {
	case strings.HasPrefix(text, "a"):
		c.done++
		if _, status, _ := strings.Cut(text, " "); !strings.HasPrefix(status, "OK") {
			return fmt.Errorf("the server answers %q", text)
		}
	case strings.HasPrefix(text, "* BYE"):
		return fmt.Errorf("the server says %q", text)
	case h != nil && h.Untagged != nil:
		h.Untagged(text)
	}
	return nil
}

// line reads one line without its end.
func (c *Conn) line() (string, error) {
	line, err := c.r.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

// literal tells the size of the literal that a line announces.
func literal(line string) (size int, is bool) {
	open := strings.LastIndexByte(line, '{')
	if open < 0 || !strings.HasSuffix(line, "}") {
		return 0, false
	}
	size, err := strconv.Atoi(line[open+1 : len(line)-1])
	return size, err == nil
}

// between cuts what stands between two marks.
func between(text, from, to string) string {
	_, text, _ = strings.Cut(text, from)
	text, _, _ = strings.Cut(text, to)
	return text
}

// quote makes a mailbox name, of which none here holds a quote, an argument.
func quote(name string) string { return `"` + name + `"` }

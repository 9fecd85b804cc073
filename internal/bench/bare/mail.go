package bare

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Folder is a mailbox with the number of its messages.
type Folder struct {
	Name     string
	Messages int
}

// Folders asks for all mailboxes in one round trip, the largest first.
func (c *Conn) Folders() ([]Folder, error) {
	var folders []Folder
	err := c.Do(&Handler{
		Untagged: func(response string) {
			status, is := strings.CutPrefix(response, "* STATUS ")
			if !is {
				return
			}
			name, _, _ := strings.Cut(status, " (")
			n, _ := strconv.Atoi(between(strings.ReplaceAll(status, ")", " "), "(MESSAGES ", " "))
			folders = append(folders, Folder{strings.Trim(name, `"`), n})
		},
	}, `LIST "" * RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ))`)
	slices.SortFunc(folders, func(a, b Folder) int {
		return cmp.Or(b.Messages-a.Messages, strings.Compare(a.Name, b.Name))
	})
	return folders, err
}

// Message is what a FETCH tells of a message but for its body.
type Message struct {
	Folder string
	UID    int
	Flags  []string
}

// Fetch asks for all that the folders hold, in one flight, and gives each
// message to take, which reads body to its end.
func (c *Conn) Fetch(folders []Folder, take func(m Message, size int, body io.Reader) error) error {
	for _, f := range folders {
		if f.Messages > 0 {
			c.Send("EXAMINE " + quote(f.Name))
			c.Send("UID FETCH 1:* (UID FLAGS BODY.PEEK[])")
		}
	}
	if err := c.Flush(); err != nil {
		return err
	}
	asked := slices.DeleteFunc(slices.Clone(folders), func(f Folder) bool { return f.Messages == 0 })
	first := c.sent - 2*len(asked)
	return c.Await(&Handler{Literal: func(response string, size int, body io.Reader) error {
		uid, err := strconv.Atoi(between(response, "UID ", " "))
		if err != nil {
			return fmt.Errorf("no UID in %q", response)
		}
		flags := strings.Fields(between(response, "FLAGS (", ")"))
		return take(Message{asked[(c.done-first)/2].Name, uid, flags}, size, body)
	}})
}

// Upload is a message to be appended.
type Upload struct {
	Flags []string
	Date  time.Time
	Body  []byte // with CR LF
}

// Append appends n messages without awaiting an answer between them (LITERAL+),
// batch of them in each command (MULTIAPPEND).
func (c *Conn) Append(folder string, n, batch int, message func(i int) (Upload, error)) error {
	tag := c.sent
	c.sent += (n + batch - 1) / batch
	written := make(chan error, 1)
	go func() {
		err := c.writeAppends(tag, folder, n, batch, message)
		if err != nil {
			_ = c.Close() // which wakes the reader
		}
		written <- err
	}()
	answered := c.Await(nil)
	if answered != nil {
		_ = c.Close() // which wakes the writer
	}
	if err := <-written; err != nil && answered == nil {
		return err
	}
	return answered
}

func (c *Conn) writeAppends(tag int, folder string, n, batch int, message func(i int) (Upload, error)) error {
	for i := range n {
		m, err := message(i)
		if err != nil {
			return err
		}
		if i%batch == 0 {
			if i > 0 {
				_, _ = c.w.WriteString("\r\n") // a failure stays until Flush
			}
			tag++
			fmt.Fprintf(c.w, "a%d APPEND %s", tag, quote(folder))
		}
		fmt.Fprintf(c.w, " (%s) %q {%d+}\r\n", strings.Join(m.Flags, " "), m.Date.Format("02-Jan-2006 15:04:05 -0700"), len(m.Body))
		_, _ = c.w.Write(m.Body)
	}
	_, _ = c.w.WriteString("\r\n")
	return c.Flush()
}

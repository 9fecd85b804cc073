package wire

import (
	"errors"
	"strings"
)

// Subscriptions sends LSUB for all names (RFC 3501 section 6.3.9), which
// imapclient does not know; the returned function waits for the mailboxes, in
// Unicode, and how the server answered. Without all of those it told of it is an
// error.
func (c *Conn) Subscriptions() (wait func() ([]string, Answer, error)) {
	var cmd *command
	answer := c.ask(`LSUB "" "*"`, func(question *command) { cmd = question })
	return func() ([]string, Answer, error) {
		a, err := answer()
		if err != nil {
			return nil, Answer{}, err
		}
		return cmd.subscribed, a, nil
	}
}

// subscription takes an answer to LSUB. A name that only stands for what lies below
// it is none, and one that cannot be read must not seem to be missing. It reports
// whether it was asked for.
func (c *Conn) subscription(args string) (asked bool) {
	cmd := c.lsub()
	if cmd == nil {
		return false
	}
	name, only, err := lsubName(args)
	switch {
	case err != nil:
		c.dropped("LSUB", args)
		c.spoil("LSUB")
	case !only:
		c.mu.Lock()
		cmd.subscribed = append(cmd.subscribed, name)
		c.mu.Unlock()
	}
	return true
}

func (c *Conn) lsub() *command {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cmd := range c.cmds {
		if cmd.name == "LSUB" {
			return cmd
		}
	}
	return nil
}

// lsubName reads the name; only tells that it is a place in the hierarchy alone.
func lsubName(args string) (name string, only bool, err error) {
	vs, ok := (&parser{b: []byte(args)}).values()
	if !ok || len(vs) < 3 || vs[0].kind != aList || vs[2].kind == aList {
		return "", false, errors.New("no answer to LSUB")
	}
	for _, attr := range vs[0].list {
		only = only || strings.EqualFold(attr.s, `\Noselect`)
	}
	name, ok = decodeUTF7(vs[2].s)
	if !ok {
		return "", only, errors.New("no modified UTF-7")
	}
	if strings.EqualFold(name, "INBOX") {
		name = "INBOX"
	}
	return name, only, nil
}

package wire

// sendAhead writes the questions that the handshake has left to travel with the
// first command. The caller holds wmu and flushes.
func (c *Conn) sendAhead() error {
	ahead := c.ahead
	c.ahead = nil
	for _, text := range ahead {
		if err := c.sendOwn(text, func(status) {}); err != nil {
			return err
		}
	}
	return nil
}

// sendOwn writes a command of our own among those of imapclient; ended is
// called by the reader when it is answered. The caller holds wmu and flushes.
func (c *Conn) sendOwn(text string, ended func(status)) error {
	cmd := &command{tag: c.tag(), state: awaitsAnswer, own: ended}
	cmd.name, _ = word(text)
	c.enter(cmd)
	line := []byte(cmd.tag + " " + text)
	c.trace(false, line)
	_, err := c.bw.Write(append(line, "\r\n"...))
	return err
}

// settleOwn ends a command of our own.
func (c *Conn) settleOwn(cmd *command, st status) {
	c.mu.Lock()
	c.progressed()
	c.forget(cmd)
	c.mu.Unlock()
	cmd.own(st)
}

// keepCaps keeps the capabilities if they were asked for, as imapclient has no
// need to.
func (c *Conn) keepCaps(args string) {
	if c.pending("CAPABILITY") {
		c.setCaps(args)
		c.dropDisabled()
		c.sure.Store(true)
	}
}

// keepID keeps what the server tells about itself, if it was asked.
func (c *Conn) keepID(args string) bool {
	if !c.pending("ID") {
		return false
	}
	text := c.idText(args)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serverID = text
	return true
}

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

// Introduce sends those questions now, for a connection that may be idle for a
// while: what the server can do is known for certain then by the first command.
func (c *Conn) Introduce() {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if len(c.ahead) == 0 || c.ended() != nil {
		return
	}
	err := c.sendAhead()
	if err == nil {
		err = c.flush()
	}
	if err != nil {
		_ = c.fail(err)
	}
}

// ask sends a question of our own, after prepare was given its command; the returned
// function waits for how the server answered, or for the end of the connection.
func (c *Conn) ask(text string, prepare func(*command)) (wait func() (Answer, error)) {
	done := make(chan struct{})
	var end status
	c.wmu.Lock()
	defer c.wmu.Unlock()
	cmd := c.ownCommand(text)
	cmd.own = func(st status) { end = st; close(done) }
	prepare(cmd)
	err := c.ended()
	if err == nil {
		err = c.sendAhead()
	}
	if err == nil {
		err = c.sendCommand(cmd, text)
	}
	if err == nil {
		err = c.flush()
	}
	if err != nil {
		err = c.fail(err)
		return func() (Answer, error) { return Answer{}, err }
	}
	return func() (Answer, error) {
		if err := c.awaitOwn(done); err != nil {
			return Answer{}, err
		}
		return c.answer(end), nil
	}
}

// sendOwn writes a command of our own among those of imapclient; ended is
// called by the reader when it is answered. The caller holds wmu and flushes.
func (c *Conn) sendOwn(text string, ended func(status)) error {
	cmd := c.ownCommand(text)
	cmd.own = ended
	return c.sendCommand(cmd, text)
}

func (c *Conn) ownCommand(text string) *command {
	return &command{tag: c.tag(), name: commandName(text), state: awaitsAnswer}
}

func (c *Conn) sendCommand(cmd *command, text string) error {
	c.enter(cmd)
	line := []byte(cmd.tag + " " + text)
	c.trace(false, line)
	_, err := c.bw.Write(append(line, "\r\n"...))
	return err
}

// answer is what is told of a tagged response.
func (c *Conn) answer(st status) Answer {
	return Answer{Status: st.typ, Code: st.code, Args: st.args, Text: c.shortText(st.text)}
}

// awaitOwn waits until done is closed; an error means that the connection ended
// before.
func (c *Conn) awaitOwn(done <-chan struct{}) error {
	select { // an answer that came in time counts
	case <-done:
		return nil
	default:
	}
	select {
	case <-done:
		return nil
	case <-c.over:
	}
	select {
	case <-done:
		return nil
	default:
		return c.ended()
	}
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

package wire

// maxObjectID is how long an identifier may be (RFC 8474 section 7).
const maxObjectID = 255

// objectItems are the FETCH items by which servers tell which messages are one and
// the same, by the capability that says so.
var objectItems = []struct{ capability, item string }{
	{"OBJECTID", "EMAILID"},
	{"X-GM-EXT-1", "X-GM-MSGID"},
}

// objectItem is the one that the server knows, "" where there is none.
func (c *Conn) objectItem() string {
	for _, o := range objectItems {
		if c.HasCap(o.capability) {
			return o.item
		}
	}
	return ""
}

// HasObjectIDs tells whether ObjectIDs can be asked for.
func (c *Conn) HasObjectIDs() bool { return c.objectItem() != "" }

// ObjectIDs asks for what identifies the contents of messages: those that have the
// same are copies of each other. told is given each, by the connection's reader. The
// returned function waits for the end. imapclient cannot ask for it.
func (c *Conn) ObjectIDs(uids string, told func(uid uint32, id string)) (wait func() (Answer, error)) {
	return c.ask("UID FETCH "+uids+" (UID "+c.objectItem()+")", func(cmd *command) {
		cmd.told = func(f *fetch) {
			if f.object != "" {
				told(uint32(f.uid), f.object)
			}
		}
	})
}

// objectID reads "(M6d99ac3275bb4e)" of EMAILID or the number of X-GM-MSGID; "" is
// what is not as it should be.
func objectID(v value) string {
	if v.kind == aList && len(v.list) == 1 {
		v = v.list[0]
	}
	if v.kind != anAtom || v.isNIL() || len(v.s) > maxObjectID {
		return ""
	}
	return v.s
}

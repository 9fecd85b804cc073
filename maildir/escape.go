package maildir

import "strings"

const upperHex = "0123456789ABCDEF"

// reserved are the names of what a Maildir has beside folders: its directories, and
// the files that imapsync and Dovecot keep in it. In the maildir++ layout no folder
// can be taken for them, nor one that has the separator in it.
func (n naming) reserved(component string) bool {
	if n.layout == MaildirPP || n.separator != 0 && strings.IndexByte(component, n.separator) >= 0 {
		return false
	}
	switch component {
	case "cur", "new", "tmp", keywordsFile, keywordsFile + ".lock", uidList, keywordsLock:
		return true
	}
	return false
}

// special reports whether a byte is ever written %XX, wherever it stands.
func (n naming) special(c byte) bool {
	return c < ' ' || c == 0x7f || c == '.' || c == '%' || (n.separator != 0 && c == n.separator)
}

// escape writes one component of a folder name as it stands on disk.
func (n naming) escape(component string) string {
	var b strings.Builder
	for i := 0; i < len(component); i++ {
		c := component[i]
		switch {
		case i == 0 && (c == '.' || n.reserved(component)),
			c < ' ' || c == 0x7f,
			n.separator != 0 && c == n.separator,
			c == '%' && n.escaped(component, i):
			b.WriteByte('%')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unescape undoes escape.
func (n naming) unescape(component string) string {
	if !strings.Contains(component, "%") {
		return component
	}
	var b strings.Builder
	for i := 0; i < len(component); i++ {
		if component[i] == '%' && n.escaped(component, i) {
			c, _ := hexByte(component[i+1:])
			b.WriteByte(c)
			i += 2
			continue
		}
		b.WriteByte(component[i])
	}
	return b.String()
}

// escaped reports whether the "%" at i begins something that escape writes. A
// reserved name is one as a whole: its first letter is special nowhere else.
func (n naming) escaped(component string, i int) bool {
	c, ok := hexByte(component[i+1:])
	if !ok {
		return false
	}
	return n.special(c) || i == 0 && n.reserved(string(c)+component[3:])
}

func hexByte(s string) (byte, bool) {
	if len(s) < 2 {
		return 0, false
	}
	hi, lo := strings.IndexByte(upperHex, s[0]), strings.IndexByte(upperHex, s[1])
	if hi < 0 || lo < 0 {
		return 0, false
	}
	return byte(hi<<4 | lo), true
}

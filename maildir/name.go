package maildir

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"imapsync/mail"
)

const infoMark = ":2,"

// fileName is the name of a message file, taken apart.
type fileName struct {
	key     mail.Key
	info    bool   // it has a ":2,"
	letters string // of flags and keywords, known or not
	rest    string // what follows the letters, from a "," on
}

func parseName(file string) fileName {
	key, info, ok := strings.Cut(file, infoMark)
	if !ok {
		return fileName{key: mail.Key(file)}
	}
	letters := info
	if i := strings.IndexByte(info, ','); i >= 0 {
		letters = info[:i]
	}
	return fileName{mail.Key(key), true, letters, info[len(letters):]}
}

// file returns the name for cur, where the specification wants an info, or for
// new, where it does not: there it stands only if it says something.
func (n fileName) file(inNew bool) string {
	if inNew && n.letters == "" && n.rest == "" {
		return string(n.key)
	}
	return string(n.key) + infoMark + n.letters + n.rest
}

// sortLetters puts letters in ASCII order, each once, as the specification wants;
// what is not ASCII follows as it was.
func sortLetters(letters string) string {
	var ascii, other []byte
	for i := 0; i < len(letters); i++ {
		if c := letters[i]; c < 0x80 {
			ascii = append(ascii, c)
		} else {
			other = append(other, c)
		}
	}
	slices.Sort(ascii)
	return string(slices.Compact(ascii)) + string(other)
}

// checkKey reports what makes a key unfit to be part of a file name.
func checkKey(key mail.Key) error {
	k := string(key)
	switch {
	case k == "" || k[0] == '.':
		return fmt.Errorf("key %q is empty or begins with a dot", k)
	case strings.ContainsAny(k, "/\x00") || strings.Contains(k, infoMark):
		return fmt.Errorf("key %q holds a slash, a NUL or %q", k, infoMark)
	}
	return nil
}

// NewKey makes a key as the Maildir specification has it: time, what is unique
// in that second, host. Random bits stand for two machines of one name.
func (m *Maildir) NewKey() mail.Key {
	now := time.Now()
	return mail.Key(fmt.Sprintf("%d.M%dP%dQ%dR%08x.%s", now.Unix(), now.Nanosecond()/1000,
		m.pid, m.serial.Add(1), rand.Uint32(), escapeHost(m.host)))
}

// escapeHost writes what a file name or a key cannot hold as the specification
// says: "/" as \057 and ":" as \072.
func escapeHost(host string) string {
	const longest = 64
	var b strings.Builder
	for i := 0; i < len(host) && b.Len() < longest; i++ {
		switch c := host[i]; {
		case c <= ' ' || c >= 0x7f || strings.IndexByte(`/:,\`, c) >= 0:
			oct := strconv.FormatUint(uint64(c), 8)
			b.WriteString(`\` + strings.Repeat("0", 3-len(oct)) + oct)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

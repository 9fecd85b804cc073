package mail

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
)

// base64UTF7 is the base64 of modified UTF-7 (RFC 3501 section 5.1.3).
var base64UTF7 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

// EncodeUTF7 writes a name in modified UTF-7: printable ASCII as it is, "&" as
// "&-", the rest as UTF-16 in base64 between "&" and "-".
func EncodeUTF7(name string) string {
	var b strings.Builder
	var units []uint16
	flush := func() {
		if len(units) == 0 {
			return
		}
		bytes := make([]byte, 0, 2*len(units))
		for _, u := range units {
			bytes = append(bytes, byte(u>>8), byte(u))
		}
		b.WriteString("&" + base64UTF7.EncodeToString(bytes) + "-")
		units = units[:0]
	}
	for _, r := range name {
		switch {
		case r < ' ' || r > '~':
			units = utf16.AppendRune(units, r)
		case r == '&':
			flush()
			b.WriteString("&-")
		default:
			flush()
			b.WriteRune(r)
		}
	}
	flush()
	return b.String()
}

// DecodeUTF7 undoes EncodeUTF7. A name that is no modified UTF-7 comes back as it
// was, which EncodeUTF7 would have written otherwise.
func DecodeUTF7(name string) string {
	var b strings.Builder
	for rest := name; rest != ""; {
		plain, coded, found := strings.Cut(rest, "&")
		b.WriteString(plain)
		if !found {
			break
		}
		coded, after, closed := strings.Cut(coded, "-")
		rest = after
		if closed && coded == "" {
			b.WriteByte('&')
			continue
		}
		bytes, err := base64UTF7.DecodeString(coded)
		if !closed || err != nil || len(bytes)%2 != 0 {
			return name
		}
		units := make([]uint16, len(bytes)/2)
		for i := range units {
			units[i] = uint16(bytes[2*i])<<8 | uint16(bytes[2*i+1])
		}
		b.WriteString(string(utf16.Decode(units)))
	}
	return b.String()
}

package wire

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// utf7Base64 is the alphabet of modified UTF-7 (RFC 3501 section 5.1.3).
var utf7Base64 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding).Strict()

// reencodes tells whether a mailbox name survives imapclient, which decodes it
// and encodes it again whenever it names the mailbox.
func reencodes(name string) bool {
	decoded, ok := decodeUTF7(name)
	return ok && encodeUTF7(decoded) == name
}

func decodeUTF7(s string) (string, bool) {
	var b strings.Builder
	for s != "" {
		plain, rest, shifted := strings.Cut(s, "&")
		for i := range len(plain) {
			if plain[i] < ' ' || plain[i] >= 0x7f {
				return "", false
			}
		}
		b.WriteString(plain)
		if !shifted {
			break
		}
		code, after, ok := strings.Cut(rest, "-")
		if !ok {
			return "", false
		}
		s = after
		if code == "" {
			b.WriteByte('&')
			continue
		}
		raw, err := utf7Base64.DecodeString(code)
		if err != nil || len(raw)%2 != 0 {
			return "", false
		}
		units := make([]uint16, len(raw)/2)
		for i := range units {
			units[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
		}
		b.WriteString(string(utf16.Decode(units)))
	}
	return b.String(), true
}

func encodeUTF7(s string) string {
	var b strings.Builder
	for s != "" {
		n := 0
		for n < len(s) && s[n] >= ' ' && s[n] < 0x7f {
			n++
		}
		b.WriteString(strings.ReplaceAll(s[:n], "&", "&-"))
		s = s[n:]
		var raw []byte
		for s != "" && (s[0] < ' ' || s[0] >= 0x7f) {
			r, size := utf8.DecodeRuneInString(s)
			for _, unit := range utf16.Encode([]rune{r}) {
				raw = append(raw, byte(unit>>8), byte(unit))
			}
			s = s[size:]
		}
		if raw != nil {
			b.WriteString("&" + utf7Base64.EncodeToString(raw) + "-")
		}
	}
	return b.String()
}

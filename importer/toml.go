package importer

import (
	"fmt"
	"strconv"
	"strings"
)

// userInfo is the user and password of a URL, in which a password may hold what it
// should not.
var userInfo = lazily(`://.*@`)

// spelled is a command that prints what it is given, which is the secret then, or
// has Python evaluate an expression, in which the secret may be.
var spelled = lazily(`^"?\s*(echo|printf|` + evaluated + `)\s`)

// isCommand reports whether a key has a command that prints a secret.
func isCommand(key string) bool { return key == "password_command" || key == "token_command" }

// HoldsSecret reports whether text of a configuration holds what others may not read.
func HoldsSecret(text string) bool {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, " = ")
		switch {
		case key == "password",
			isCommand(key) && spelled().MatchString(value),
			key == "oauth" && strings.Contains(value, "client_secret"),
			key == "proxy" && userInfo().MatchString(value):
			return true
		}
	}
	return false
}

// Masked is the account without its secrets, to be shown.
func (a *Account) Masked() *Account {
	masked := *a
	masked.settings = nil
	for _, have := range a.settings {
		text := fmt.Sprint(have.value)
		switch {
		case have.key == "password", isCommand(have.key) && spelled().MatchString(text):
			masked.Missing = have.key + ` = "…"  # not shown; import without --print writes it`
			continue
		case have.key == "proxy":
			have.value = userInfo().ReplaceAllString(text, "://…@")
		case have.key == "oauth":
			var shown []pair
			for _, p := range have.value.([]pair) {
				if p.key == "client_secret" {
					p.value = "…"
				}
				shown = append(shown, p)
			}
			have.value = shown
		}
		masked.settings = append(masked.settings, have)
	}
	return &masked
}

// TOML writes the account's section of a configuration file.
func (a *Account) TOML() string {
	var b strings.Builder
	fmt.Fprintf(&b, "[accounts.%s]  # %s\n", TOMLKey(a.Name), strings.Map(printable, a.From))
	a.write(&b)
	if a.Missing != "" {
		fmt.Fprintf(&b, "# %s\n", a.Missing)
	}
	for _, f := range a.folders {
		fmt.Fprintf(&b, "\n[accounts.%s.folder.%s]\n", TOMLKey(a.Name), TOMLString(f.pattern))
		f.write(&b)
	}
	return b.String()
}

func (s settings) write(b *strings.Builder) {
	for _, have := range s {
		fmt.Fprintf(b, "%s = %s\n", have.key, tomlValue(have.value))
	}
}

func tomlValue(value any) string {
	switch v := value.(type) {
	case string:
		return TOMLString(v)
	case []string:
		items := make([]string, len(v))
		for i, s := range v {
			items[i] = TOMLString(s)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case []pair:
		items := make([]string, len(v))
		for i, p := range v {
			items[i] = TOMLString(p.key) + " = " + TOMLString(p.value)
		}
		return "{ " + strings.Join(items, ", ") + " }"
	}
	return fmt.Sprint(value) // an integer or a boolean
}

// TOMLKey writes a name bare where TOML lets it be.
func TOMLKey(name string) string {
	for _, c := range name {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return TOMLString(name)
		}
	}
	return name
}

// TOMLString writes a basic string. What is no UTF-8 cannot stand in TOML.
func TOMLString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ' || c == 0x7f:
			b.WriteString(`\u` + strconv.FormatInt(0x10000+int64(c), 16)[1:])
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// printable keeps a comment on its line.
func printable(c rune) rune {
	if c < ' ' || c == 0x7f {
		return ' '
	}
	return c
}

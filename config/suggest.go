package config

import (
	"fmt"
	"strings"

	"github.com/xrash/smetrics"
)

// Suggest returns "; did you mean …?" when one of the known words is near
// enough to the one given, else "".
func Suggest(word string, known []string) string {
	best, least := "", len(word)/2+1
	for _, k := range known {
		if d := smetrics.WagnerFischer(strings.ToLower(word), strings.ToLower(k), 1, 1, 2); d < least {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

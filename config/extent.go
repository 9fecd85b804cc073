package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"imapsync/conflict"
)

// setFolderKey sets for all folders what a folder section may set again.
func setFolderKey(folder func(v value) func(*conflict.Policy)) func(*Account, value) {
	return func(a *Account, v value) {
		if set := folder(v); set != nil {
			set(&a.Conflicts)
		}
	}
}

func folderMaxAge(v value) func(*conflict.Policy) {
	age, ok := v.duration(0)
	if !ok {
		return nil
	}
	return func(p *conflict.Policy) { p.Extent.MaxAge = age }
}

func folderMaxMessages(v value) func(*conflict.Policy) {
	n, ok := v.integer(0, math.MaxInt32)
	if !ok {
		return nil
	}
	return func(p *conflict.Policy) { p.Extent.MaxMessages = n }
}

func folderMaxSize(v value) func(*conflict.Policy) {
	s, ok := v.text()
	if !ok {
		return nil
	}
	n, err := ParseSize(s)
	if err != nil {
		v.fail("%v", err)
		return nil
	}
	return func(p *conflict.Policy) { p.Extent.MaxSize = n }
}

func folderBody(v value) func(*conflict.Policy) {
	s, ok := v.oneOf(string(conflict.Whole), string(conflict.Text), string(conflict.Headers))
	if !ok {
		return nil
	}
	return func(p *conflict.Policy) { p.Extent.Body = conflict.Part(s) }
}

func folderUpgrade(v value) func(*conflict.Policy) {
	s, ok := v.oneOf("flagged", "asked")
	if !ok {
		return nil
	}
	return func(p *conflict.Policy) { p.Extent.Upgrade = s == "flagged" }
}

// maxSize is the largest size in bytes that is believed to be meant.
const maxSize = 1 << 40

// ParseSize reads a number of bytes up to 1024 GB: "500kB", "10MB", "1GB", or "0"
// for none; the units are powers of 1024.
func ParseSize(s string) (int64, error) {
	number, factor := s, int64(1)
	for _, unit := range []struct {
		name   string
		factor int64
	}{{"kB", 1 << 10}, {"KB", 1 << 10}, {"MB", 1 << 20}, {"GB", 1 << 30}, {"B", 1}} {
		if n, ok := strings.CutSuffix(s, unit.name); ok {
			number, factor = strings.TrimSpace(n), unit.factor
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || strings.Trim(number, "0123456789.") != "" {
		return 0, fmt.Errorf("%q is no size such as \"500kB\", \"10MB\" or \"1GB\"", s)
	}
	if n *= float64(factor); n > maxSize {
		return 0, fmt.Errorf("%q is too large a size; the largest is \"1024GB\"", s)
	}
	return int64(n), nil
}

package config

import (
	"math"

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

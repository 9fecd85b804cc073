//go:build !race && !raced

package e2e

var buildFlags []string

//go:build race || raced

package e2e

// buildFlags make the binary find data races when the tests look for them.
var buildFlags = []string{"-race"}

//go:build !linux

package pages

// Forget does nothing here.
func Forget() error { return nil }

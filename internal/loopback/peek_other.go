//go:build !unix

package loopback

// Supported reports whether connections can be looked at here. Where they cannot,
// each carries one request alone, and net/http's transport is the better choice.
const Supported = false

func (c *conn) peek(uintptr) { c.silent = false }

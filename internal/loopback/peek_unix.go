//go:build unix

package loopback

import "sallyport/internal/socket"

// Supported reports whether connections can be looked at here. Where they cannot,
// each carries one request alone, and net/http's transport is the better choice.
const Supported = true

// peek notes whether nothing is to be read.
func (c *conn) peek(fd uintptr) {
	c.silent = socket.Silent(fd)
}

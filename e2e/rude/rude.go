// Package rude is an app that answers what no app should, with the caller's own
// token in it: an app gets that where the gate is told to forward it.
package rude

import "time"

// Address is where it listens.
const Address = "127.0.0.1:8081"

// Idle is how long after an answer the gate's connection is certainly idle.
const Idle = 200 * time.Millisecond

// The paths that are no broken answer.
const (
	Health  = "/healthz" // 200
	Away    = "/away"    // 200, and then nobody listens for a moment
	Unasked = "/unasked" // 200, and then more than was asked for
)

// Answers are what it writes, by path, before it closes the connection. {token}
// stands for the caller's.
var Answers = map[string]string{
	"/nothing":     "",
	"/no-http":     "{token}\r\n\r\n",
	"/version":     "HTTP/{token} 200 OK\r\n\r\n",
	"/status":      "HTTP/1.1 {token}\r\n\r\n",
	"/line":        "HTTP/1.1 200 OK\r\n{token}\r\n\r\n",
	"/value":       "HTTP/1.1 200 OK\r\nX-Token: {token}\x01\r\nContent-Length: x\r\n\r\n",
	"/length":      "HTTP/1.1 200 OK\r\nContent-Length: {token}\r\n\r\n",
	"/encoding":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: {token}\r\n\r\n",
	"/chunk":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{token}\r\nx\r\n0\r\n\r\n",
	"/trailer":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: {token}\r\n\r\n0\r\n{token}\r\n\r\n",
	"/cut":         "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{token}",
	"/switch":      "HTTP/1.1 101 {token}\r\nConnection: upgrade\r\nUpgrade: {token}\r\n\r\n",
	"/information": "HTTP/1.1 103 {token}\r\n{token}\r\n\r\n",
}

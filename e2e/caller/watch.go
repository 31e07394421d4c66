package caller

import "time"

// A Watch asks for a request to be sent again and again until its answer is not
// 200, and for that answer.
type Watch struct {
	Request
	Pause time.Duration // after each answer
	Most  time.Duration // then it ends with the last answer
}

// Raw asks for these bytes to be sent as they are, on a connection of their own.
// {token} in Text stands for the token, {base64} for the token encoded once more.
type Raw struct {
	Address   string // host:port
	Text      string
	TokenFile string
	Token     string // in place of TokenFile
}

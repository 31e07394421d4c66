// Rude is an app of the scenarios' that answers what no app should. It is no part
// of the product.
package main

import (
	"bufio"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"sallyport/e2e/rude"
)

// awayTime is long enough for the next request to find nobody, and shorter than
// what readiness probes forgive.
const awayTime = 2 * time.Second

func main() {
	for {
		l, err := net.Listen("tcp", rude.Address)
		if err != nil {
			log.Fatal(err)
		}
		serve(l)
		time.Sleep(awayTime)
	}
}

// serve serves until somebody sends it away.
func serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return // closed
		}
		go func() {
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second)) // nobody takes as long
			req, err := http.ReadRequest(bufio.NewReader(conn))
			if err == nil {
				_, err = io.Copy(io.Discard, req.Body)
			}
			if err == nil {
				answer(conn, req, l)
			}
		}()
	}
}

const (
	good = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
	last = "Connection: close\r\n\r\n"
)

// answer writes to the one who asked. What cannot be written has gone nowhere.
func answer(w io.Writer, req *http.Request, l net.Listener) {
	token := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
	switch path := req.URL.Path; path {
	case rude.Away:
		l.Close() // before the answer: who has it finds nobody
		io.WriteString(w, good+last)
	case rude.Unasked:
		io.WriteString(w, good+"\r\n")
		time.Sleep(rude.Idle)
		io.WriteString(w, token)
		time.Sleep(rude.Idle) // until it has been read: closing would be told first
	default:
		text, broken := rude.Answers[path]
		if !broken {
			text = good + last
		}
		io.WriteString(w, strings.ReplaceAll(text, "{token}", token))
	}
}

// Steady is a client with an open loop: requests are due at fixed times, whether
// or not those before were answered, and each is timed from when it was due. A
// closed loop would ask less of a proxy that stalls, and not see the stall.
//
// With no rate it is a closed loop: each connection sends as soon as it has its
// answer.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.to, "to", "", "`address` of the proxy")
	flag.StringVar(&o.path, "path", "/", "what is asked for")
	tokens := flag.String("tokens", "", "`file` of tokens, one a line, used in turn; default: none")
	flag.Float64Var(&o.rate, "rate", 0, "requests a second; 0: as many as are answered")
	flag.IntVar(&o.conns, "conns", 32, "connections")
	flag.DurationVar(&o.duration, "duration", 4*time.Second, "of the whole")
	flag.Parse()
	log.SetFlags(0)
	log.SetPrefix("steady: ")
	lines, err := read(*tokens)
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range lines {
		o.requests = append(o.requests, request(o.path, t))
	}
	// One thread does it all: a second one would take the proxy's place.
	runtime.LockOSThread()
	r, err := run(o)
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		log.Fatal(err)
	}
}

// read returns the lines of a file; one empty line for none.
func read(name string) (lines []string, err error) {
	if name == "" {
		return []string{""}, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		lines = append(lines, s.Text())
	}
	if s.Err() == nil && len(lines) == 0 {
		return nil, fmt.Errorf("%s has no token", name)
	}
	return lines, s.Err()
}

func request(path, token string) []byte {
	b := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: app\r\nUser-Agent: bench\r\n", path)
	if token != "" {
		b = fmt.Appendf(b, "Authorization: Bearer %s\r\n", token)
	}
	return append(b, "\r\n"...)
}

package proxy

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
)

// A Way is what becomes of a request before anybody looks at its token.
type Way struct {
	// Problem is why the path is not canonical, or no path at all; "" where it
	// is. Refused says that the answer is 400 then, after a look for a token.
	Problem string
	Refused bool
	// Route is the one that decides. Its Path is "" where none matched: then a
	// token is needed.
	Route Route
}

// WayOf says what becomes of a request of that method for that target, a path as
// it is sent. It finds it as the handler with these options does. The error is
// about the options.
func WayOf(o Options, method, target string) (Way, error) {
	p := &proxy{}
	if err := p.setRoutes(o); err != nil {
		return Way{}, fmt.Errorf("proxy: %w", err)
	}
	request := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\n\r\n", method, target)
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(request)))
	if err != nil {
		return Way{Problem: "no method and target of HTTP", Refused: true}, nil
	}
	d, problem := p.find(r, &exchange{in: r})
	if d == nil {
		return Way{Problem: problem, Refused: true}, nil
	}
	return Way{Problem: problem, Route: *d.route}, nil
}

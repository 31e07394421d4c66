package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
)

func upgradeAttacks() campaign {
	socket := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="}
	with := func(path string, lines ...string) string { return known(path, append(lines, socket...)...) }
	h2c := []string{"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"}
	return campaign{
		title: "Upgrades",
		intro: "A tunnel is what nobody reads. There is one where the caller was let in, asked for a WebSocket, and the app agreed to one.",
		over:  []way{{app: "http"}, {app: "unix"}},
		rows: []attempt{
			{
				name: "Kubernetes CVE-2018-1002105: a failed upgrade leaves a tunnel", sent: "a WebSocket that the app answers with 200, 403 or 426, and behind it a request without a token", wants: []string{"200, 401", "403, 401", "426, 401"},
				then:  "the second is a request like any other",
				shots: []string{with("/upgrade/200") + anon("/smuggled"), with("/upgrade/403") + anon("/smuggled"), with("/upgrade/426", "Sec-WebSocket-Version: 777") + anon("/smuggled")}, proofs: []string{"internal/proxy.TestFailedUpgrade"},
			},
			{
				name: "h2c smuggling", sent: "`Upgrade: h2c` with `HTTP2-Settings`, with a token and without; other protocols; two in one line, in two lines", wants: []string{"200", "401"},
				then: "it goes on as a request without an upgrade",
				shots: []string{
					known("/", h2c...), anon("/", h2c...), anon("/status", h2c...), known("/", "Connection: Upgrade", "Upgrade: TLS/1.0"), known("/upgrade/200", "Connection: Upgrade", "Upgrade: websocket, h2c"),
					known("/", "Connection: Upgrade", "Upgrade: h2c", "Upgrade: websocket"), known("/", "Connection: Upgrade", "Upgrade:  websocket\t, h2c"), known("/", "Connection: Upgrade", "Upgrade: web_socket"),
				}, proofs: []string{"internal/proxy.TestOtherHeaders"},
			},
			{
				name: "an app that takes every upgrade", sent: "`Upgrade: h2c` to an app that says 101 to whatever it is asked", wants: []string{"502"}, then: "an upgrade that nobody asked for is a broken answer",
				shots: []string{known("/upgrade/h2c"), known("/upgrade/h2c", h2c...), known("/upgrade/h2c", "Upgrade: websocket")}, proofs: []string{"internal/proxy.TestUnaskedUpgrade"},
			},
			{
				name: "another protocol than was asked for", sent: "a WebSocket, to which the app says 101 h2c", wants: []string{"502"}, shots: []string{with("/upgrade/h2c")},
			},
			{
				name: "an upgrade without a token, or with a body", sent: "a WebSocket without a token, with a bad one; by POST", wants: []string{"401", "200"},
				shots: []string{
					anon("/upgrade/any", socket...), anon("/upgrade/any", append(socket, "Authorization: Bearer x.y.z")...), anon("/upgrade/any", append(socket, fmt.Sprintf("Content-Length: %d", len(smuggled)))...) + smuggled,
					send("POST", "/", append(socket, "Authorization: Bearer {token}", "Content-Length: 0")...),
				},
			},
			{
				name: "a request before the upgrade is agreed to", sent: "a WebSocket, and behind it, at once, a request without a token", wants: []string{"a tunnel to the app that agreed"},
				then: "what follows a 101 is the WebSocket's, and goes to that app alone", try: eagerSocket,
			},
		},
	}
}

// eagerSocket sends what is a request to whoever takes the upgrade for failed.
func eagerSocket(s *siege) {
	c := s.dialGate("http/1.1")
	io.WriteString(c, strings.ReplaceAll(known("/upgrade/any", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="), "{token}", s.good)+anon("/smuggled"))
	br := bufio.NewReader(c)
	res, err := http.ReadResponse(br, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		s.got(fmt.Sprint(res, err), "")
		return
	}
	closeWrite(c)
	rest, _ := io.ReadAll(br)
	if len(rest) > 0 {
		s.got("an answer: "+string(rest), "")
	}
	s.got("a tunnel to the app that agreed", "")
}

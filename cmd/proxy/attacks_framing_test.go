package main

import (
	"fmt"
	"strings"
)

// smuggled is a request in the body of another. The app's handler notes whoever
// gets there.
const smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

// posts is a POST with the good token, and what stands behind its header.
func posts(body string, lines ...string) string {
	return send("POST", "/", append([]string{"Authorization: Bearer {token}"}, lines...)...) + body
}

func framingAttacks() campaign {
	const chunked = "Transfer-Encoding: chunked"
	ends := "0\r\n\r\n" + smuggled
	length := fmt.Sprintf("Content-Length: %d", len(ends))
	return campaign{
		title: "Where a request ends",
		intro: "Request smuggling, in HTTP/1.1. \"Closed\": what comes behind on the same connection is nobody's request. All that the app gets is read again by a strict reader.",
		over:  overAll,
		rows: []attempt{
			{
				name: "Content-Length beside Transfer-Encoding (CL.TE, TE.CL; RFC 9112, 6.1)", sent: "both, in either order, with another request where the two disagree", wants: []string{"200, 401"},
				then:   "the chunked body counts, and the app gets no length. What follows is a request of its own, and shows no token. (Go's server does not close the connection, which the RFC asks for.)",
				shots:  []string{posts(ends, length, chunked), posts(ends, chunked, length), posts("3\r\nabc\r\n"+ends, "Content-Length: 4", chunked)},
				proofs: []string{"internal/proxy.TestLengthAndChunked"},
			},
			{
				name: "a Transfer-Encoding that one of two understands (TE.TE)", sent: "`xchunked`, `chunked, identity`, `gzip, chunked`, `chunked` twice, `\\x0bchunked`, with a quote, an empty one", wants: []string{"400, closed", "501, closed"},
				shots: []string{
					posts(ends, length, "Transfer-Encoding: xchunked"), posts(ends, length, "Transfer-Encoding: chunked, identity"), posts(ends, length, "Transfer-Encoding: gzip, chunked"),
					posts(ends, length, chunked, chunked), posts(ends, length, chunked, "Transfer-Encoding: identity"), posts(ends, length, "Transfer-Encoding: \x0bchunked"), posts(ends, length, "Transfer-Encoding: \"chunked\""),
					posts(ends, length, "Transfer-Encoding: "), posts(ends, length, "Transfer-Encoding: identity"), posts(ends, length, "Transfer-Encoding: chunked;q=1"),
				},
			},
			{
				name: "CVE-2019-16276: a header that one of two sees", sent: "a space or tab before the colon, a NUL, a bare CR, no name", wants: []string{"400, closed"},
				shots: []string{
					posts(ends, length, "Transfer-Encoding : chunked"), posts(ends, length, "X: y\rTransfer-Encoding: chunked"), posts(ends, length, "Transfer-Encoding\x00: chunked"), posts(ends, length, "X-A: b\x00"),
					posts(ends, length, "Transfer-Encoding\t: chunked"), posts(ends, length, "X A: b"), posts(ends, length, ": b"), posts(ends, length, "X-A"),
				},
			},
			{
				name: "CVE-2016-5385 (httpoxy), and other names that CGI folds", sent: "`Proxy: http://evil`, `Transfer_Encoding: chunked`, `content.length: 7`", wants: []string{"200", "not passed on"},
				proofs: []string{"internal/proxy.TestOtherHeaders"},
				try: func(s *siege) {
					request := posts("abc", "Content-Length: 3", "Proxy: http://evil.example", "Transfer_Encoding: chunked", "content_length: 7", "Transfer.Encoding: x")
					r := s.raw(request)
					s.got(r.outcome, request)
					for name := range r.seen.Header {
						if f := foldAsCGI(name); name != "Content-Length" && (f == "transfer-encoding" || f == "content-length" || f == "proxy") {
							s.got("the app saw "+name, request)
						}
					}
					s.got("not passed on", request)
				},
			},
			{
				name: "two lengths", sent: "3 and 4; `3, 4`; `+3`, `-1`, `0x3`, `3 `, 20 digits, an empty one", wants: []string{"400, closed"},
				shots: []string{
					posts("abcd", "Content-Length: 3", "Content-Length: 4"), posts("abcd", "Content-Length: 3, 4"), posts("abc", "Content-Length: +3"), posts("abc", "Content-Length: -1"), posts("abc", "Content-Length: 0x3"),
					posts("abc", "Content-Length: 99999999999999999999"), posts("abc", "Content-Length: 3 3"), posts("abc", "Content-Length: ٣"), posts("abc", "Content-Length: "),
				},
			},
			{
				name: "one length twice", sent: "`Content-Length: 3` in two lines", wants: []string{"200"}, then: "RFC 9110, 8.6: the app gets one", shots: []string{posts("abc", "Content-Length: 3", "Content-Length: 3")},
			},
			{
				name: "CVE-2025-22871: bare LF", sent: "at the end of a chunk's size, of its bytes, of the last chunk", wants: []string{"400, closed"},
				shots: []string{posts("3\nabc\r\n0\r\n\r\n"+smuggled, chunked), posts("3\r\nabc\n0\r\n\r\n"+smuggled, chunked), posts("3;x\nabc\r\n0\r\n\r\n", chunked), posts("0\n\r\n"+smuggled, chunked)},
			},
			{
				name: "bare LF in a header", sent: "lines that end so, one of them a forged name", wants: []string{"ours"},
				then: "RFC 9112, 2.2 lets a server take it for the end of a line; the app gets CRLF",
				try: func(s *siege) {
					s.ours(strings.ReplaceAll(known("/", "X-Remote-User: root"), "\r\n", "\n"), known("/", "X-A: b\nX-Remote-User: root"), known("/", "X-A: b\n\tX-Remote-User: root"))
				},
			},
			{
				name: "obsolete folding", sent: "a forged name, a length and an encoding in folded lines", wants: []string{"ours"}, then: "RFC 9112, 5.2: the app gets one line with spaces",
				try: func(s *siege) {
					s.ours(known("/", "X-A: b\r\n X-Remote-User: root"), known("/", "X-A: b\r\n\tTransfer-Encoding: chunked\r\n Content-Length: 7"))
				}, proofs: []string{"internal/proxy.TestFolding"},
			},
			{
				name: "chunk sizes", sent: "an overflow, a sign, `0x`, white space, letters, too few bytes, too many", wants: []string{"400, closed"},
				shots: []string{
					posts("fffffffffffffffff\r\nabc\r\n0\r\n\r\n", chunked), posts("-3\r\nabc\r\n0\r\n\r\n", chunked), posts("+3\r\nabc\r\n0\r\n\r\n", chunked), posts("0x3\r\nabc\r\n0\r\n\r\n", chunked),
					posts(" 3\r\nabc\r\n0\r\n\r\n", chunked), posts("x\r\nabc\r\n0\r\n\r\n", chunked), posts("2\r\nabc\r\n0\r\n\r\n", chunked), posts("\r\nabc\r\n0\r\n\r\n", chunked), posts("3\r\nabcd\r\n0\r\n\r\n", chunked),
				}, proofs: []string{"internal/proxy.TestMalformedRequests"},
			},
			{
				name: "CVE-2023-39326: chunk extensions", sent: "one with a quoted line end; 64 KiB of them in front of single bytes", wants: []string{"200", "400, closed"},
				then: "200 is for small ones; the app gets none",
				shots: []string{posts("3;a=\"b\"\r\nabc\r\n0;c\r\n\r\n", chunked), posts(strings.Repeat("1;"+strings.Repeat("x", 1000)+"\r\na\r\n", 64)+"0\r\n\r\n", chunked), posts("3;"+strings.Repeat("x", 5000)+"\r\nabc\r\n0\r\n\r\n", chunked),
					posts("3;\"\r\n0\r\n\r\n"+smuggled+"\"\r\nabc\r\n0\r\n\r\n", chunked)},
			},
			{
				name: "trailers without an end, and what they may not hold", sent: "64 KiB of one; a bad name; one that frames", wants: []string{"400, closed", "200"},
				then: "200 is a bad name, `Content-Length` and `Transfer-Encoding`: the app does not get them",
				shots: []string{posts("0\r\nX: "+strings.Repeat("x", 64<<10)+"\r\n\r\n", chunked), posts("0\r\nX Y: z\r\n\r\n", chunked), posts("0\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\nHost: y\r\n\r\n", chunked),
					posts("0\r\n"+smuggled, chunked)},
			},
			{
				name: "request lines", sent: "HTTP/1.1 with a suffix, HTTP/2.0, two spaces, a NUL, an odd method", wants: []string{"400, closed", "505, closed"},
				shots: []string{
					"GET /status HTTP/1.10\r\nHost: x\r\n\r\n", "GET /status HTTP/1.1 x\r\nHost: x\r\n\r\n", "GET /status HTTP/2.0\r\nHost: x\r\n\r\n", "GET  /status HTTP/1.1\r\nHost: x\r\n\r\n",
					"GET /status\x00 HTTP/1.1\r\nHost: x\r\n\r\n", "G<T /status HTTP/1.1\r\nHost: x\r\n\r\n", "GET /status http/1.1\r\nHost: x\r\n\r\n", " GET /status HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
				},
			},
			{
				name: "HTTP/0.9, and an empty line first", sent: "`GET /status` without a version; `\\r\\n` in front of a request", wants: []string{"refused"}, then: "by 400, which the end of the connection may overtake",
				try: func(s *siege) { s.refused("GET /status\r\n\r\n", "\r\n"+anon("/status")) },
			},
			{
				name: "HTTP/1.0", sent: "with Transfer-Encoding; with Upgrade; with `Connection: keep-alive`", wants: []string{"200, closed", "401, closed", "200"}, then: "it has no chunks and no upgrades",
				shots: []string{
					"POST / HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer {token}\r\n" + chunked + "\r\n" + length + "\r\n\r\n" + ends, "GET / HTTP/1.0\r\nAuthorization: Bearer {token}\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
					"GET / HTTP/1.0\r\nHost: x\r\n\r\n", "GET / HTTP/1.0\r\nAuthorization: Bearer {token}\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
				},
			},
			{
				name: "a body where none is expected", sent: "GET, HEAD, DELETE and OPTIONS with a request as their body", wants: []string{"200"}, then: "it is a body",
				shots: []string{
					known("/", fmt.Sprintf("Content-Length: %d", len(smuggled))) + smuggled, send("HEAD", "/", "Authorization: Bearer {token}", fmt.Sprintf("Content-Length: %d", len(smuggled))) + smuggled,
					send("DELETE", "/", "Authorization: Bearer {token}", chunked) + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(smuggled), smuggled), send("OPTIONS", "/", "Authorization: Bearer {token}", fmt.Sprintf("Content-Length: %d", len(smuggled))) + smuggled,
				},
			},
			{
				name: "pipelining: the second rides on the first one's token", sent: "three requests at once, of which the second has no token", wants: []string{"200, 401, 200", "401, 200"},
				shots: []string{known("/a") + anon("/b") + known("/c"), anon("/a", "Content-Length: 3") + "abc" + known("/b")},
			},
		},
	}
}

// App is what stands behind the proxies where nginx is not installed.
package main

import (
	"flag"
	"io"
	"log"
	"net/http"
	"strconv"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "`address`")
	flag.Parse()
	small := answer([]byte("a 19 byte answer..\n"))
	http.Handle("/", small)
	http.Handle("/1KiB", answer(make([]byte, 1<<10)))
	http.Handle("/1MiB", answer(make([]byte, 1<<20)))
	http.HandleFunc("PUT /upload/", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return // the connection has ended
		}
		w.WriteHeader(http.StatusNoContent)
	})
	server := &http.Server{Addr: *listen, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

func answer(body []byte) http.Handler {
	length := []string{strconv.Itoa(len(body))}
	plain := []string{"text/plain"}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Length"], w.Header()["Content-Type"] = length, plain
		_, _ = w.Write(body) // the proxy may have gone
	})
}

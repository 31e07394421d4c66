// Bare is the yardstick: a reverse proxy of the standard library that
// authenticates nobody.
package main

import (
	"flag"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "`address`")
	app := flag.String("app", "", "`URL` of the app")
	cert := flag.String("cert", "", "certificate `file`; default: no TLS")
	key := flag.String("key", "", "its key's `file`")
	flag.Parse()
	target, err := url.Parse(*app)
	if err != nil {
		log.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256 // else two, and a connection for almost each request
	server := &http.Server{
		Addr:              *listen,
		Handler:           &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }},
		ReadHeaderTimeout: 10 * time.Second,
		Protocols:         new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)
	if *cert == "" {
		server.Protocols.SetUnencryptedHTTP2(true)
		log.Fatal(server.ListenAndServe())
	}
	server.Protocols.SetHTTP2(true)
	log.Fatal(server.ListenAndServeTLS(*cert, *key))
}

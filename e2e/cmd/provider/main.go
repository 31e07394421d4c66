// Provider is the program of an OpenID provider's pod: a third party's provider,
// with keys and clients in memory, that the scenarios tell what to do. It is no
// part of the product.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net/http"

	"sallyport/e2e/provider"
)

func main() {
	name := flag.String("issuer", "", "the issuer's `URL`")
	address := flag.String("listen", fmt.Sprintf(":%d", provider.Port), "`address` of the provider, over TLS")
	orders := flag.String("control-listen", fmt.Sprintf(":%d", provider.ControlPort), "`address` of its control, in clear")
	certificate := flag.String("tls-cert-file", "", "certificate `file`")
	key := flag.String("tls-key-file", "", "its key's `file`")
	flag.Parse()
	pair, err := tls.LoadX509KeyPair(*certificate, *key)
	if err != nil {
		log.Fatal(err)
	}
	c, err := newControl(*name, *address, pair)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(*orders, c.handler()))
}

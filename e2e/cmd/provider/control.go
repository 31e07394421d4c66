package main

import (
	"crypto/tls"
	"encoding/json"
	"net/http"

	"sallyport/e2e/provider"
)

// control is how the provider is told what to do.
type control struct {
	issuer  *issuer
	front   *front
	witness *witness
}

// newControl makes a provider that answers at the address.
func newControl(issuer, address string, certificate tls.Certificate) (*control, error) {
	i, err := newIssuer(issuer)
	if err != nil {
		return nil, err
	}
	w := &witness{next: i.op}
	f := newFront(address, certificate, w)
	return &control{issuer: i, front: f, witness: w}, f.behave(provider.Answer)
}

func (c *control) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", c.token)
	mux.HandleFunc("POST /keys", c.addKey)
	mux.HandleFunc("DELETE /keys", c.dropKeys)
	mux.HandleFunc("PUT /behaviour", c.behave)
	mux.HandleFunc("GET /requests", func(w http.ResponseWriter, _ *http.Request) { answer(w, c.witness.tell(), nil) })
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	return mux
}

// token makes a token for a person.
func (c *control) token(w http.ResponseWriter, r *http.Request) {
	var p provider.Person
	if read(w, r, &p) {
		token, err := c.issuer.issue(p)
		answer(w, token, err)
	}
}

// addKey makes a key that signs from now on. Those before it are published on.
func (c *control) addKey(w http.ResponseWriter, _ *http.Request) {
	err := c.issuer.storage.add()
	answer(w, c.issuer.storage.describe(), err)
}

// dropKeys leaves none but the key that signs.
func (c *control) dropKeys(w http.ResponseWriter, _ *http.Request) {
	c.issuer.storage.drop()
	answer(w, c.issuer.storage.describe(), nil)
}

func (c *control) behave(w http.ResponseWriter, r *http.Request) {
	var b provider.Behaviour
	if read(w, r, &b) {
		answer(w, b, c.front.behave(b))
	}
}

func read(w http.ResponseWriter, r *http.Request, v any) bool {
	err := json.NewDecoder(r.Body).Decode(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
	return err == nil
}

func answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}
